"""R², RMSE, signs and accuracy of pooled predictions, in NumPy.

Conventions. Targets and predictions are `(n,)`, finite, in the units of [-1, 1]. A fold's
predictions are pooled before they are scored (Section 3.2 reports the mean over folds).
Class predictions are probabilities, `(n, classes)`. Rows labelled by quadrant have signs alone:
they have no R² and no RMSE.
"""

import numpy as np

from ..tasks import PROBABILITIES, TASKS, Task


def r2(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return 1 - Σ(t - p)² / Σ(t - mean t)²; NaN where the targets do not vary."""
    targets, predictions = _check(targets, predictions)
    spread = np.sum((targets - targets.mean()) ** 2)
    return float(1 - np.sum((targets - predictions) ** 2) / spread) if spread > 0 else float("nan")


def rmse(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the root of the mean squared error, in the targets' units."""
    targets, predictions = _check(targets, predictions)
    return float(np.sqrt(np.mean((targets - predictions) ** 2)))


def accuracy(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the share of equal class indices."""
    targets, predictions = _check(targets, predictions)
    return float(np.mean(targets == predictions))


def sign(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the share of predictions with the target's sign; 0 is positive, as in `tasks`."""
    targets, predictions = _check(targets, predictions)
    return float(np.mean((targets >= 0) == (predictions >= 0)))


def score_task(
    task: Task,
    labels: dict[str, np.ndarray],
    predictions: dict[str, np.ndarray],
    kinds: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:
    """Return a task's scores.

    Regression: R² and RMSE over the rows with numbers (NaN without any), the share of right signs
    of each target over all rows, and with both targets the share of rows with both signs right.
    Quadrants are also scored by the sign of arousal (Q1 and Q2 are positive) and of valence (Q1
    and Q4 are positive).

    Args:
        labels: as of `Task.labels`.
        predictions: by network output, `(n,)` or probabilities `(n, classes)`.
        kinds: "continuous" or "quadrant" of each row, the index's column `labels`; by default all
            are continuous. Classification does not need it.

    Returns:
        {"valence": {"r2", "rmse", "sign"}, …, "quadrant": {"accuracy"}} or
        {"quadrant": {"accuracy"}, …}.
    """
    if task.is_regression:
        return _score_regression(task, labels, predictions, kinds)
    truth, probabilities = labels[PROBABILITIES], predictions[PROBABILITIES]
    by_class = {"accuracy": accuracy(truth, probabilities.argmax(axis=1))}
    if task.name != "quadrant":
        return {task.targets[0]: by_class}
    scores = {"quadrant": by_class}
    for name, positive in (("arousal", [0, 1]), ("valence", [0, 3])):
        is_positive = probabilities[:, positive].sum(axis=1) >= 0.5
        scores[name] = {"accuracy": accuracy(np.isin(truth, positive), is_positive)}
    return scores


def _score_regression(
    task: Task,
    labels: dict[str, np.ndarray],
    predictions: dict[str, np.ndarray],
    kinds: np.ndarray | None,
) -> dict[str, dict[str, float]]:
    """Return the scores of a regression task, see `score_task`."""
    scores = {}
    for name in task.targets:
        truth, predicted = np.asarray(labels[name]), np.asarray(predictions[name])
        is_number = np.ones(len(truth), bool) if kinds is None else kinds == "continuous"
        numbers = truth[is_number], predicted[is_number]
        scores[name] = {
            "r2": r2(*numbers) if is_number.any() else float("nan"),
            "rmse": rmse(*numbers) if is_number.any() else float("nan"),
            "sign": sign(truth, predicted),
        }
    if len(task.targets) == 2:
        truth, predicted = (
            TASKS["quadrant"].class_index(values["valence"], values["arousal"])
            for values in (labels, predictions)
        )
        scores["quadrant"] = {"accuracy": accuracy(truth, predicted)}
    return scores


def _check(targets: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64. Raises ValueError unless they are `(n,)`, n > 0, and finite."""
    targets, predictions = np.asarray(targets, "float64"), np.asarray(predictions, "float64")
    if targets.shape != predictions.shape or targets.ndim != 1 or not len(targets):
        raise ValueError(
            f"targets {targets.shape} and predictions {predictions.shape} must be "
            "one-dimensional, equally long, not empty"
        )
    if not (np.isfinite(targets).all() and np.isfinite(predictions).all()):
        raise ValueError("targets and predictions must be finite")
    return targets, predictions
