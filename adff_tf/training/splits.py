"""Folds for cross-validation, and the inner split into train and val for early stopping.

Groups (songs, or artists where the data set knows them) are never divided. Both splits are seeded.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedGroupKFold

from ..errors import InputError
from ..features.tracks import Tracks
from ..tasks import PROBABILITIES, Task


def assign_folds(table: pd.DataFrame, task: Task, folds: int, seed: int) -> np.ndarray:
    """Assign every track to a fold; classes are balanced as far as whole groups allow.

    Args:
        table: an index.

    Returns:
        The fold of each row, 1 to `folds`, `(tracks,)` int64.

    Raises:
        InputError: for fewer groups than folds.
    """
    groups = table["group"].nunique()
    if groups < folds:
        raise InputError(
            f"{folds} folds need at least {folds} songs or artists that stay apart; here are "
            f"{groups}. Use `folds` {max(2, groups)}" + (" and more songs" if groups < 2 else "")
        )
    by_group = GroupKFold(folds, shuffle=True, random_state=seed)
    if task.is_regression:
        return _number_folds(by_group, table, None)
    y = task.labels(table)[PROBABILITIES]
    if np.bincount(y).max() >= folds:  # scikit-learn requires it
        by_class = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer songs than folds
            balanced = _number_folds(by_class, table, y)
        if len(np.unique(balanced)) == folds:  # few groups can leave a fold empty
            return balanced
    return _number_folds(by_group, table, y)


def _number_folds(
    splitter: GroupKFold | StratifiedGroupKFold, table: pd.DataFrame, y: np.ndarray | None
) -> np.ndarray:
    folds = np.zeros(len(table), "int64")
    for fold, (_, test) in enumerate(splitter.split(table, y, table["group"]), start=1):
        folds[test] = fold
    return folds


def inner_split(tracks: Tracks, fraction: float, seed: int) -> tuple[Tracks, Tracks]:
    """Split training tracks by group into train and val; val chooses the epoch.

    Args:
        fraction: share of the groups in val.

    Raises:
        InputError: for fewer than two groups.
    """
    check_inner_split(tracks.table)
    split = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    train, val = next(split.split(tracks.table, groups=tracks.table["group"]))
    return tracks.rows(train), tracks.rows(val)


def check_inner_split(table: pd.DataFrame) -> None:
    """Raise InputError where a fold's training tracks cannot be split for early stopping."""
    if table["group"].nunique() < 2:
        raise InputError(
            "`early_stopping` needs at least 2 songs or artists to train on; here is 1. Give more "
            "songs, or `early_stopping` 0"
        )
