"""TODO adff_tf.training.splits."""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedGroupKFold

from ..errors import InputError
from ..features import tracks as track_features
from ..tasks import PROBABILITIES, Task


def assign_folds(table: pd.DataFrame, task: Task, folds: int, seed: int) -> np.ndarray:
    """The fold of each row of an index, 1 to `folds`, int64: groups stay whole, classes are balanced as far as they allow.

    Raises InputError for fewer groups than folds.
    """
    groups = table["group"].nunique()
    if groups < folds:
        raise InputError(
            f"{folds} folds need at least {folds} songs or artists that stay apart; here are {groups}. Use --folds {max(2, groups)}"
            + (" and more songs" if groups < 2 else "")
        )
    by_group = GroupKFold(folds, shuffle=True, random_state=seed)
    if task.is_regression:
        return _assigned(by_group, table, None)
    y = task.labels(table)[PROBABILITIES]
    if np.bincount(y).max() >= folds:  # scikit-learn asks for it
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of a class with fewer songs than folds, which is no fault
            balanced = _assigned(
                StratifiedGroupKFold(folds, shuffle=True, random_state=seed), table, y
            )
        if len(np.unique(balanced)) == folds:  # few groups to balance by can leave a fold empty
            return balanced
    return _assigned(by_group, table, y)


def _assigned(
    splitter: GroupKFold | StratifiedGroupKFold, table: pd.DataFrame, y: np.ndarray | None
) -> np.ndarray:
    assigned = np.zeros(len(table), "int64")
    for number, (_, test) in enumerate(splitter.split(table, y, table["group"]), start=1):
        assigned[test] = number
    return assigned


def inner_split(
    tracks: track_features.Tracks, fraction: float, seed: int
) -> tuple[track_features.Tracks, track_features.Tracks]:
    """The tracks divided by group into those to learn from and those that choose the epoch. Raises InputError as below."""
    check_inner_split(tracks.table)
    split = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    learn, choose = next(split.split(tracks.table, groups=tracks.table["group"]))
    return tracks.rows(learn), tracks.rows(choose)


def check_inner_split(table: pd.DataFrame) -> None:
    """Raise InputError where a table of tracks to learn from cannot be divided for early stopping."""
    if table["group"].nunique() < 2:
        raise InputError(
            "early stopping needs at least 2 songs or artists to learn from; here is 1. Give more songs, or --early-stopping 0"
        )
