"""The paired bootstrap: on differences that are known, and from the files of runs."""

import numpy as np
import pandas as pd
import pytest

from adff_tf import presets
from adff_tf.paper import cells
from adff_tf.paper.significance import bootstrap, compare_rows
from adff_tf.paper.table1 import table1
from adff_tf.paper.tables import write_table

from .making import make_finished_cell


def songs(count: int, seed: int = 0):
    """Return labels, and predictions with errors of std .2 and of std .3."""
    rng = np.random.default_rng(seed)
    targets = rng.normal(0, 0.5, count)
    return targets, targets + rng.normal(0, 0.2, count), targets + rng.normal(0, 0.3, count)


def test_the_difference_by_hand():
    targets = np.array([-1.0, 0.0, 1.0])
    difference, low, high = bootstrap(targets, targets, np.zeros(3))
    assert difference == pytest.approx(-1)  # R² of 0 against 1
    assert low <= difference <= high


def test_its_interval_is_that_of_fresh_samples():
    """The std of the difference over fresh sets of songs is a quarter of the interval's width."""
    fresh = [np.subtract(*_r2s(*songs(300, seed))) for seed in range(1, 200)]
    difference, low, high = bootstrap(*songs(300))
    assert low < -0.2 < high  # 1 - .3² / .5² against 1 - .2² / .5²
    assert (high - low) / 3.92 == pytest.approx(np.std(fresh), rel=0.3)


def _r2s(targets, ours, theirs):
    total = np.sum((targets - targets.mean()) ** 2)
    return tuple(1 - np.sum((targets - found) ** 2) / total for found in (theirs, ours))


def test_the_same_predictions_differ_by_nothing():
    targets, ours, _ = songs(50)
    assert bootstrap(targets, ours, ours) == (0, 0, 0)


def test_the_rows_of_finished_runs_are_compared(tmp_path):
    base = presets.paper()
    table = table1(base, ["adff", "emomucs"])
    assert compare_rows(table, tmp_path) == []
    targets, ours, theirs = songs(60)
    for row, found in (("ADFF", ours), ("EmoMucs", theirs)):
        cell = table.entries[row, "arousal R²"].cell
        make_finished_cell(tmp_path, cell, {"r2": 0.6, "rmse": 0.2})
        for fold in (1, 2):
            place = cells.cell_folder(tmp_path, cell) / f"fold{fold}"
            place.mkdir()
            rows = np.flatnonzero(np.arange(60) % 2 == fold - 1)
            rows = rows[::-1] if row == "ADFF" else rows  # the order is not the same
            pd.DataFrame({
                "track_id": [f"{k:03}" for k in rows],
                "arousal_target": targets[rows], "arousal_prediction": found[rows],
            }).to_csv(place / "predictions.csv", index=False)  # fmt: skip
    (line,) = compare_rows(table, tmp_path)
    difference = bootstrap(targets, ours, theirs)[0]
    assert line.startswith(f"EmoMucs against ADFF, R² of arousal: {difference:+.4f}, 95% interval")
    assert "(60 songs): a difference." in line
    write_table(table, tmp_path, base)
    assert line in (tmp_path / "table1.md").read_text()
