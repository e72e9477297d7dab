"""Predictors that a network has to beat: the training tracks' mean, and a linear model.

The linear model is ridge (or logistic) regression on 256 numbers a track, the mean and the std of every band of its log-mel,
standardised; its penalty is cross-validated inside the training tracks, by group.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..features.tracks import Tracks
from ..tasks import Task
from . import metrics

INNER_FOLDS = 5
PENALTIES = np.logspace(-3, 6, 19)


def score_baselines(
    task: Task, tracks: Tracks, learn: np.ndarray, test: np.ndarray
) -> dict[str, dict]:
    """Scores on the tracks of `test` of both baselines fitted on those of `learn` (masks `(tracks,)`), as `metrics.score`."""
    features = np.hstack([tracks.mean, tracks.std])
    groups = tracks.table["group"].to_numpy()
    truth, mean, linear = {}, {}, {}
    for name, labels in task.labels(tracks.table).items():
        truth[name] = labels[test]
        mean[name] = _constant(task, labels[learn], int(test.sum()))
        if len(np.unique(labels[learn])) < 2:  # nothing to fit
            linear[name] = mean[name]
        else:
            linear[name] = _linear(
                task, features[learn], labels[learn], groups[learn], features[test]
            )
    return {
        "mean": metrics.score_task(task, truth, mean),
        task.linear_baseline: metrics.score_task(task, truth, linear),
    }


def _constant(task: Task, labels: np.ndarray, n: int) -> np.ndarray:
    """The mean label, or the shares of the classes, n times."""
    if task.is_regression:
        return np.full(n, labels.mean())
    return np.tile(np.bincount(labels, minlength=len(task.classes)) / len(labels), (n, 1))


def _linear(
    task: Task, x: np.ndarray, y: np.ndarray, groups: np.ndarray, x_test: np.ndarray
) -> np.ndarray:
    """Predictions of the linear model for `x_test`: values, or probabilities `(n, classes)`."""
    inner = min(INNER_FOLDS, len(np.unique(groups)))
    if task.is_regression:
        model = make_pipeline(StandardScaler(), Ridge())
        grid, folds = {"ridge__alpha": PENALTIES}, GroupKFold(inner) if inner > 1 else None
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
        inner = min(inner, int(np.bincount(y)[np.unique(y)].min()))
        splits = StratifiedGroupKFold(inner).split(x, y, groups) if inner > 1 else ()
        folds = [
            (learn, test) for learn, test in splits if len(test) and len(np.unique(y[learn])) > 1
        ]
        grid = {"logisticregression__C": 1 / PENALTIES}
    if not folds:
        model.fit(x, y)  # too few groups or songs of a class for a penalty to be chosen
    else:
        scoring = "neg_mean_squared_error" if task.is_regression else "accuracy"
        model = GridSearchCV(model, grid, cv=folds, scoring=scoring).fit(x, y, groups=groups)
    if task.is_regression:
        return model.predict(x_test)
    probabilities = np.zeros((len(x_test), len(task.classes)))
    probabilities[:, model.classes_] = model.predict_proba(x_test)
    return probabilities
