"""Baselines that a network has to beat: the training tracks' mean, and a linear model.

The linear model is ridge (or logistic) regression on 256 standardised features of a track: mean and
std over time of each of 128 mel bands, dB. Its penalty is cross-validated by group inside the
training tracks. Where MusiCNN is installed, another linear model has its embedding instead.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..features.embedding import NAME
from ..features.tracks import Tracks
from ..tasks import Task
from .metrics import score_task

INNER_FOLDS = 5
PENALTIES = np.logspace(-3, 6, 19)
NEVER = -30.0  # logit of a class that no training song has


def score_baselines(
    task: Task,
    tracks: Tracks,
    train: np.ndarray,
    test: np.ndarray,
    embedding: np.ndarray | None = None,
) -> dict[str, dict]:
    """Fit the baselines on the training tracks and score them on the test tracks.

    Args:
        task: the run's.
        tracks: all tracks of the run.
        train, test: bool masks, `(tracks,)`.
        embedding: of `features.embedding`, `(tracks, 200)`.

    Returns:
        Scores as of `metrics.score_task` by baseline: `mean`, `ridge` or `logistic`, and with an
        embedding `musicnn-linear`.
    """
    groups = tracks.table["group"].to_numpy()
    features = {task.linear_baseline: np.hstack([tracks.mean, tracks.std])}
    features |= {} if embedding is None else {NAME: embedding}
    truth: dict[str, np.ndarray] = {}
    predicted: dict[str, dict] = {"mean": {}, **{name: {} for name in features}}
    for name, labels in task.labels(tracks.table).items():
        truth[name] = labels[test]
        constant = predicted["mean"][name] = _predict_constant(task, labels[train], int(test.sum()))
        for baseline, x in features.items():
            is_constant = len(np.unique(labels[train])) < 2  # nothing to fit
            predicted[baseline][name] = (
                constant
                if is_constant
                else predict_linear(task, x[train], labels[train], groups[train], x[test])
            )
    kinds = tracks.table["labels"].to_numpy()[test]
    return {name: score_task(task, truth, found, kinds) for name, found in predicted.items()}


def _predict_constant(task: Task, labels: np.ndarray, n: int) -> np.ndarray:
    """Return the mean label, `(n,)`, or the shares of the classes, `(n, classes)`."""
    if task.is_regression:
        return np.full(n, labels.mean())
    return np.tile(np.bincount(labels, minlength=len(task.classes)) / len(labels), (n, 1))


def predict_linear(
    task: Task, x: np.ndarray, y: np.ndarray, groups: np.ndarray, x_test: np.ndarray
) -> np.ndarray:
    """Return the linear model's predictions for `x_test`, `(n,)` or `(n, classes)`."""
    model = _fit(task, x, y, groups)
    if task.is_regression:
        return model.predict(x_test)
    probabilities = np.zeros((len(x_test), len(task.classes)))
    probabilities[:, model.classes_] = model.predict_proba(x_test)
    return probabilities


def linear_layer(
    task: Task, x: np.ndarray, y: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear model of `predict_linear` as a layer on the features as they are.

    Returns:
        Kernel `(features, outputs)` and bias `(outputs,)`: of one number, or of a softmax's logits.
    """
    outputs = 1 if task.is_regression else len(task.classes)
    weights, bias = np.zeros((outputs, x.shape[1])), np.full(outputs, NEVER)
    found = np.unique(y)
    if len(found) < 2:  # nothing to fit
        bias[0 if task.is_regression else found] = found[0] if task.is_regression else 0
        return weights.T, bias
    model = _fit(task, x, y, groups)
    scaler, linear = model[0], model[-1]
    coefficients, intercepts = np.atleast_2d(linear.coef_), np.atleast_1d(linear.intercept_)
    if not task.is_regression and len(found) == 2:  # scikit-learn has one logit for two classes
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        intercepts = np.array([-intercepts[0], intercepts[0]]) / 2
    rows = np.arange(outputs) if task.is_regression else found
    weights[rows] = coefficients / scaler.scale_
    bias[rows] = intercepts - weights[rows] @ scaler.mean_
    return weights.T, bias


def _fit(task: Task, x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Pipeline:
    """Return the fitted linear model, its penalty chosen by inner folds or the default."""
    model, penalties = _linear_model(task)
    folds = _inner_folds(task, x, y, groups)
    if not folds:
        return model.fit(x, y)
    scoring = "neg_mean_squared_error" if task.is_regression else "accuracy"
    search = GridSearchCV(model, penalties, cv=folds, scoring=scoring)
    return search.fit(x, y).best_estimator_


def _linear_model(task: Task) -> tuple[Pipeline, dict]:
    """Return the model and its grid of penalties."""
    if task.is_regression:
        return make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": PENALTIES}
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    return model, {"logisticregression__C": 1 / PENALTIES}


def _inner_folds(task: Task, x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> list[tuple]:
    """Return (train, test) indices by group; none where there are too few groups or songs."""
    count = min(INNER_FOLDS, len(np.unique(groups)))
    if not task.is_regression:
        count = min(count, int(np.bincount(y)[np.unique(y)].min()))
    if count < 2:
        return []
    if task.is_regression:
        return list(GroupKFold(count).split(x, y, groups))
    splits = StratifiedGroupKFold(count).split(x, y, groups)
    return [(train, test) for train, test in splits if len(test) and len(np.unique(y[train])) > 1]
