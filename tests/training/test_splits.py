"""Folds: seeded, whole groups, of like size, balanced by class; the published split."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf.config import Validation
from adff_tf.errors import InputError
from adff_tf.tasks import TASKS
from adff_tf.training.splits import (
    assign_folds,
    inner_split,
    is_training,
    published_folds,
    split_tracks,
    training_tracks,
    unused_notes,
)

from .small import feature_tracks, index_table


def test_folds_are_seeded_whole_and_of_like_size():
    table = index_table([f"g{k // 3}" for k in range(60)])
    folds = assign_folds(table, TASKS["both"], 5, seed=0)
    assert (
        set(folds) == {1, 2, 3, 4, 5}
        and (table.assign(f=folds).groupby("group")["f"].nunique() == 1).all()
    )
    assert np.ptp(np.bincount(folds)[1:]) <= 3
    np.testing.assert_array_equal(folds, assign_folds(table, TASKS["both"], 5, seed=0))
    assert (folds != assign_folds(table, TASKS["both"], 5, seed=1)).any()


def test_class_folds_have_every_class():
    table = index_table([f"g{k}" for k in range(40)], valence=np.tile([1.0, -1.0], 20))
    folds = assign_folds(table, TASKS["valence2"], 5, seed=0)
    assert (table.assign(f=folds, c=table["valence"] > 0).groupby("f")["c"].mean() == 0.5).all()


@pytest.mark.parametrize("quadrants", ["112334", "111123", "123412", "111111"])
def test_classes_too_small_for_the_folds_still_give_folds(quadrants):
    """scikit-learn refuses to balance classes with fewer songs than folds, or empties a fold."""
    signs = np.array(
        [{"1": (1, 1), "2": (-1, 1), "3": (-1, -1), "4": (1, -1)}[q] for q in quadrants], float
    )
    table = index_table([f"g{k}" for k in range(6)], valence=signs[:, 0]).assign(
        arousal=signs[:, 1]
    )
    folds = assign_folds(table, TASKS["quadrant"], 5, seed=0)
    assert set(folds) == {1, 2, 3, 4, 5}


def test_every_fold_has_every_data_set():
    table = index_table([f"g{k}" for k in range(60)]).assign(source=["a"] * 50 + ["b"] * 10)
    folds = assign_folds(table, TASKS["both"], 5, seed=0)
    assert (pd.crosstab(folds, table["source"]) == [10, 2]).all(axis=None)


# === The published split ===

PUBLISHED = Validation(split="published")


def published_table(split=("train", "train", "val", "test", "test", "")):
    n = len(split)
    features = [f"{k}.f32" for k in range(n)]
    return index_table([f"g{k}" for k in range(n)]).assign(split=split, features=features)


def test_the_published_split_is_one_fold():
    table = published_table()
    folds = split_tracks(table, TASKS["both"], PUBLISHED, seed=0)
    assert folds.tolist() == [2, 2, 2, 1, 1, 0]
    assert is_training(folds, 1).tolist() == [True, True, True, False, False, False]
    assert "1 tracks are neither trained on nor scored" in unused_notes(folds)[0]
    assert unused_notes(folds[:5]) == []


def test_a_copy_of_a_test_song_is_not_trained_on():
    table = published_table()
    table.loc[0, "features"] = table.loc[3, "features"]
    assert published_folds(table).tolist() == [0, 2, 2, 1, 1, 0]


def test_the_published_val_songs_are_the_inner_split():
    table = published_table()
    tracks = feature_tracks(table, np.zeros((6, 256)))
    tracks = dataclasses.replace(tracks, files=[Path(str(k)) for k in range(6)])
    chosen = training_tracks(tracks, published_folds(table), 1, PUBLISHED)
    train, val = inner_split(chosen, 0.4, seed=0)
    assert train.table["track_id"].tolist() == ["0", "1"]
    assert val.table["track_id"].tolist() == ["2"]
    by_group = training_tracks(tracks, np.array([1, 1, 2, 2, 2, 2]), 1, Validation())
    assert "role" not in by_group.table


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (("", "", ""), "here: no published split is known here; use `split` folds"),
        (
            ("train", "val", ""),
            "leaves no test songs: of .* 1 are train, 1 val and 0",
        ),
        (("test", "val", ""), "leaves no train songs"),
    ],
)
def test_a_published_split_that_cannot_be_used(split, message):
    with pytest.raises(InputError, match=message):
        published_folds(published_table(split))


def test_a_data_set_without_a_published_split_among_others():
    table = published_table().assign(source=["a"] * 5 + ["b"])
    with pytest.raises(InputError, match="^b: no published split"):
        published_folds(table)
