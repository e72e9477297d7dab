"""The figures show the measured numbers, and the paper's where it prints them."""

import pandas as pd
import pytest

from adff_tf import presets
from adff_tf.paper import grid
from adff_tf.paper.figures import draw_figure
from adff_tf.paper.published import SEG_NUMS
from adff_tf.paper.results import Result
from adff_tf.paper.tables import write_table

from .making import make_finished_cell


def test_a_figure_whose_values_are_not_printed_is_not_estimated(tmp_path):
    base = presets.paper()
    table = grid.figure3(base)
    make_finished_cell(tmp_path, table.cells[0], {"r2": 0.65, "rmse": 0.22})
    write_table(table, tmp_path, base)
    assert pd.read_csv(tmp_path / "figure3.csv")["paper"].isna().all()
    assert (tmp_path / "figure3.png").exists()
    left, _ = draw_figure(table, measured(table, lambda k: k / 100)).axes
    valence = left.containers[0].lines[0]
    assert list(valence.get_xdata()) == list(SEG_NUMS)
    assert valence.get_ydata()[0] == 18 / 100  # after the 18 entries of arousal


def test_time_is_drawn_relative_to_seg_num_1():
    table = grid.table2(presets.paper())
    (axis,) = draw_figure(table, measured(table, lambda k: 8.0 / (k + 1))).axes
    paper, ours = axis.lines
    assert paper.get_ydata()[3] == pytest.approx(0.51 / 4.99)
    assert ours.get_ydata()[3] == pytest.approx(1 / 4)


def test_numbers_to_come_are_not_drawn():
    table = grid.figure3(presets.paper())
    results = measured(table, lambda k: None)
    assert draw_figure(table, results) is None
    results["arousal R²", "6"] = Result(mean=0.5, std=0.1)
    left, right = draw_figure(table, results).axes
    assert list(left.containers[1].lines[0].get_xdata()) == [6]
    assert not len(right.containers[0].lines[0].get_xdata())


def measured(table, value):
    """The k-th entry has the mean value(k)."""
    return {key: Result(mean=value(k)) for k, key in enumerate(table.entries)}
