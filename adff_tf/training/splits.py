"""Folds for cross-validation, and the inner split into train and val for early stopping.

Groups (songs, or artists where the data set knows them) are never divided. Both splits are seeded.
A published split takes the place of the folds: its test songs are fold 1, its train and val songs
fold 2. Fold 0 (`NOT_USED`) is neither trained on nor scored.
"""

import dataclasses
import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedGroupKFold

from ..config import Validation
from ..errors import InputError
from ..features.tracks import Tracks
from ..tasks import PROBABILITIES, Task

NOT_USED = 0


def split_tracks(table: pd.DataFrame, task: Task, validation: Validation, seed: int) -> np.ndarray:
    """Return the fold of each row, `(tracks,)` int64: `assign_folds` or `published_folds`."""
    if validation.split == "published":
        return published_folds(table)
    return assign_folds(table, task, validation.folds, seed)


def is_training(folds: np.ndarray, fold: int) -> np.ndarray:
    """Return which tracks are trained on when `fold` is the test fold, `(tracks,)` bool."""
    return (folds != fold) & (folds != NOT_USED)


def training_tracks(tracks: Tracks, folds: np.ndarray, fold: int, validation: Validation) -> Tracks:
    """Return the tracks to train on when `fold` is the test fold.

    Where a published split has val songs, the table has the column `role` ("train" or "val"), which
    `inner_split` follows.
    """
    train = tracks.rows(np.flatnonzero(is_training(folds, fold)))
    split = train.table["split"]
    if validation.split != "published" or not (split == "val").any():
        return train
    return dataclasses.replace(train, table=train.table.assign(role=split))


def published_folds(table: pd.DataFrame) -> np.ndarray:
    """Return the folds of the data sets' own split.

    Copies of test songs, by content, are not trained on.

    Args:
        table: an index, with or without the column `features`.

    Raises:
        InputError: for a data set without a split, or no train or test songs.
    """
    split = table["split"]
    without = [name for name, own in split.groupby(table["source"], sort=False) if not any(own)]
    if without:
        raise InputError(
            f"{', '.join(without)}: no published split is known here; use `split` folds"
        )
    folds = np.select([split == "test", split != ""], [1, 2], NOT_USED)
    if "features" in table:
        is_copy = table["features"].isin(table["features"][folds == 1])
        folds[is_copy & (folds == 2)] = NOT_USED
    for name, found in (("train", split[folds == 2] == "train"), ("test", folds == 1)):
        if not found.any():
            raise InputError(
                f"the published split leaves no {name} songs: of the {len(table)} songs here "
                f"{int((split == 'train').sum())} are train, {int((split == 'val').sum())} val and "
                f"{int((split == 'test').sum())} test. Give more of the data set, or `split` folds"
            )
    return folds


def unused_notes(folds: np.ndarray) -> list[str]:
    """Return a note on the tracks that a published split leaves out."""
    unused = int((folds == NOT_USED).sum())
    if not unused:
        return []
    return [
        f"{unused} tracks are neither trained on nor scored: they are in no part of the published "
        "split, or copies of its test songs."
    ]


def assign_folds(table: pd.DataFrame, task: Task, folds: int, seed: int) -> np.ndarray:
    """Assign every track to a fold.

    Classes, and sources where there are several, are balanced as far as whole groups allow.

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
    y = np.zeros(len(table), "int64")
    if not task.is_regression:
        y = task.labels(table)[PROBABILITIES]
    sources = pd.factorize(table["source"])[0]
    if task.is_regression and not sources.any():
        return _number_folds(by_group, table, None)
    y = y + (y.max() + 1) * sources
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
    for fold, (_, test) in enumerate(splitter.split(table, y, _codes(table)), start=1):
        folds[test] = fold
    return folds


def _codes(table: pd.DataFrame) -> np.ndarray:
    """Return the group of each track as a number, in the order of their names.

    Scikit-learn compares names pair by pair: a minute for 100,000 tracks.
    """
    return np.unique(table["group"], return_inverse=True)[1]


def inner_split(tracks: Tracks, fraction: float, seed: int) -> tuple[Tracks, Tracks]:
    """Split training tracks into train and val, by group or by `role`; val chooses the epoch.

    Args:
        fraction: share of the groups in val.

    Raises:
        InputError: for fewer than two groups.
    """
    if "role" in tracks.table:
        is_val = (tracks.table["role"] == "val").to_numpy()
        return tracks.rows(np.flatnonzero(~is_val)), tracks.rows(np.flatnonzero(is_val))
    check_inner_split(tracks.table)
    split = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    train, val = next(split.split(tracks.table, groups=_codes(tracks.table)))
    return tracks.rows(train), tracks.rows(val)


def check_inner_split(table: pd.DataFrame) -> None:
    """Raise InputError where a fold's training tracks cannot be split for early stopping."""
    if "role" not in table and table["group"].nunique() < 2:
        raise InputError(
            "`early_stopping` needs at least 2 songs or artists to train on; here is 1. Give more "
            "songs, or `early_stopping` 0"
        )
