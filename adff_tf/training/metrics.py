"""R², RMSE and accuracy from pooled predictions, in NumPy.

Conventions. Targets and predictions are `(n,)`, finite, in the units of [-1, 1]; all of a fold's predictions are pooled before a
score is taken (Section 3.2 reports the mean over folds of these). Class predictions are probabilities `(n, classes)`.
"""

import numpy as np

from ..tasks import PROBABILITIES, Task


def r2(targets: np.ndarray, predictions: np.ndarray) -> float:
    """1 - sum of squared errors / sum of squared deviations from the targets' mean. NaN where the targets do not vary."""
    targets, predictions = _checked(targets, predictions)
    spread = np.sum((targets - targets.mean()) ** 2)
    return float(1 - np.sum((targets - predictions) ** 2) / spread) if spread > 0 else float("nan")


def rmse(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Root of the mean squared error, in the targets' units."""
    targets, predictions = _checked(targets, predictions)
    return float(np.sqrt(np.mean((targets - predictions) ** 2)))


def accuracy(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Share of equal class numbers."""
    targets, predictions = _checked(targets, predictions)
    return float(np.mean(targets == predictions))


def score_task(
    task: Task, labels: dict[str, np.ndarray], predictions: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """The scores of a task by name: {"valence": {"r2", "rmse"}, …} or {"quadrant": {"accuracy"}, …}.

    labels: as `Task.labels` gives them. predictions: by network output, `(n,)` or probabilities `(n, classes)`. Quadrants are
    also scored by the sign of arousal (Q1 and Q2 are positive) and of valence (Q1 and Q4).
    """
    if task.is_regression:
        return {
            name: {
                "r2": r2(labels[name], predictions[name]),
                "rmse": rmse(labels[name], predictions[name]),
            }
            for name in task.targets
        }
    truth, probabilities = labels[PROBABILITIES], predictions[PROBABILITIES]
    if task.name != "quadrant":
        return {task.targets[0]: {"accuracy": accuracy(truth, probabilities.argmax(axis=1))}}
    signs = {"quadrant": accuracy(truth, probabilities.argmax(axis=1))}
    for name, positive in (("arousal", [0, 1]), ("valence", [0, 3])):
        signs[name] = accuracy(
            np.isin(truth, positive), probabilities[:, positive].sum(axis=1) >= 0.5
        )
    return {name: {"accuracy": value} for name, value in signs.items()}


def _checked(targets: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    targets, predictions = np.asarray(targets, "float64"), np.asarray(predictions, "float64")
    if targets.shape != predictions.shape or targets.ndim != 1 or not len(targets):
        raise ValueError(
            f"targets {targets.shape} and predictions {predictions.shape} must be one-dimensional, equally long, not empty"
        )
    if not (np.isfinite(targets).all() and np.isfinite(predictions).all()):
        raise ValueError("targets and predictions must be finite")
    return targets, predictions
