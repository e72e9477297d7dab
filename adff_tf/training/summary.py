"""TODO adff_tf.training.summary."""

import numpy as np

from ..tasks import Task


def summarise(task: Task, folds: list[dict], trivial: list[dict]) -> dict:
    """The scores part of `metrics.json`: every fold, their mean and their sample std (null for one fold).

    trivial: the baselines' scores, a dict a fold, or none at all.
    """
    names = trivial[0].keys() if trivial else ()
    songs = [fold["song"] for fold in folds]
    segments = [fold["segment"] for fold in folds]
    return {
        "task": task.name, "folds": without_nan(songs), "mean": without_nan(_over(songs, np.mean)), "std": without_nan(_over(songs, _std)),
        "segment_mean": without_nan(_over(segments, np.mean)), "segment_std": without_nan(_over(segments, _std)),
        "baselines": {name: without_nan(_over([fold[name] for fold in trivial], np.mean)) for name in names},
    }  # fmt: skip


def _over(folds: list[dict], statistic) -> dict:
    first = folds[0]
    return {
        target: {
            score: statistic([fold[target][score] for fold in folds]) for score in first[target]
        }
        for target in first
    }


def _std(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def without_nan(value):
    """JSON has no NaN: null stands for a score that is not defined."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if np.isnan(value) else float(value)
