"""Folds: seeded, whole groups, of like size, balanced by class."""

import numpy as np
import pytest

from adff_tf.tasks import TASKS
from adff_tf.training.splits import assign_folds

from .small import index_table


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
