"""The scores part of `metrics.json`: scores of every fold, and their mean and std over folds.

The std is the sample std. JSON has no NaN: an undefined score (R² of labels that do not vary, the
std of one fold) is null.
"""

from collections.abc import Callable

import numpy as np

from ..tasks import Task


def summarise(task: Task, folds: list[dict], baselines: list[dict]) -> dict:
    """Return the scores part of `metrics.json`.

    Args:
        folds: scores of each fold as of `predictions.read_scores`.
        baselines: scores of each fold as of `baselines.score_baselines`; empty for an evaluation.
    """
    songs = [fold["song"] for fold in folds]
    segments = [fold["segment"] for fold in folds]
    names = baselines[0].keys() if baselines else ()
    return (
        {
            "task": task.name,
            "folds": without_nan(songs),
            "mean": _over_folds(songs, np.mean),
            "std": _over_folds(songs, _sample_std),
            "segment_mean": _over_folds(segments, np.mean),
            "segment_std": _over_folds(segments, _sample_std),
            "baselines": {
                name: _over_folds([fold[name] for fold in baselines], np.mean) for name in names
            },
        }
        | _summarise_parts(folds, "sources")
        | _summarise_parts(folds, "stems")
    )


def _summarise_parts(folds: list[dict], key: str) -> dict:
    """Return mean scores over folds of each data set ("sources") or stem ("stems"), or nothing."""
    by_fold = [fold[key] for fold in folds if key in fold]
    names = dict.fromkeys(name for parts in by_fold for name in parts)
    if not names:
        return {}
    return {
        key: {
            name: _over_folds([parts[name] for parts in by_fold if name in parts], np.mean)
            for name in names
        }
    }


def _over_folds(folds: list[dict], statistic: Callable) -> dict:
    return without_nan(
        {
            target: {score: statistic([fold[target][score] for fold in folds]) for score in scores}
            for target, scores in folds[0].items()
        }
    )


def _sample_std(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def without_nan(value):
    """Return nested dicts and lists of numbers with None in the place of NaN."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if np.isnan(value) else float(value)
