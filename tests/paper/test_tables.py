"""The tables have the paper's layout and the numbers of the runs."""

import pandas as pd

from adff_tf import presets
from adff_tf.paper import grid
from adff_tf.paper.results import Result
from adff_tf.paper.table1 import table1
from adff_tf.paper.tables import render_rows, write_table

from .making import make_finished_cell


def test_the_layout_is_the_papers(tmp_path):
    base = presets.paper()
    table = grid.table3(base)
    simple = table.entries["20 s", "simple: arousal R²"].cell
    full = table.entries["20 s", "full: valence R²"].cell
    std = {"r2": 0.021, "rmse": 0.01}
    make_finished_cell(tmp_path, simple, {"r2": 0.65, "rmse": 0.22}, std)
    std, segment_mean = {"r2": 0.1, "rmse": 0.02}, {"r2": 0.3, "rmse": 0.27}
    make_finished_cell(tmp_path, full, {"r2": 0.4, "rmse": 0.25}, std, segment_mean)
    printed = write_table(table, tmp_path, base)
    text = (tmp_path / "table3.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == (
        "| seg_len | | simple: arousal RMSE | simple: arousal R² | simple: valence RMSE "
        "| simple: valence R² | full: arousal RMSE | full: arousal R² | full: valence RMSE "
        "| full: valence R² |"
    )
    of_20 = lines[2:][[line.startswith("| 20 s") for line in lines[2:]].index(True) :][:5]
    assert of_20 == [
        "| 20 s | paper | 0.2213 | 0.6394 | 0.2413 | 0.4405 | 0.2160 | 0.6545 | 0.2378 | 0.4785 |",
        "|  | ours | 0.2200 ± 0.0100 | 0.6500 ± 0.0210 | … | … | … | … "
        "| 0.2500 ± 0.0200 | 0.4000 ± 0.1000 |",
        "|  | ours, by segment | – | – | – | – | – | – | 0.2700 | 0.3000 |",
        "|  | linear baseline | 0.2300 | 0.6100 | – | – | – | – | 0.2300 | 0.6100 |",
        "|  | difference | -0.0013 | +0.0106 | – | – | – | – | +0.0122 | -0.0785 |",
    ]
    assert "2 of 24 runs are finished" in text and "The paper's schedule and sizes" in text
    assert text.count("adff-tf 1, Python 3, keras 3; 2 cores, no GPU, Linux") == 1
    assert text.startswith(printed) and printed.endswith(lines[-1])  # table 3 has no notes


def test_a_metric_without_a_value_is_not_defined(tmp_path):
    base = presets.paper()
    table = grid.table3(base)
    cell = table.entries["5 s", "simple: arousal R²"].cell
    make_finished_cell(tmp_path, cell, {"r2": None, "rmse": 0.22})
    write_table(table, tmp_path, base)
    rows = pd.read_csv(tmp_path / "table3.csv").set_index(["row", "column"])["state"]
    assert rows["5 s", "simple: arousal R²"] == "not defined"
    assert rows["5 s", "simple: arousal RMSE"] == "finished"
    assert rows["5 s", "simple: valence RMSE"] == "to come"
    assert "| ours | 0.2200 | not defined | … |" in (tmp_path / "table3.md").read_text()


def test_other_models_stand_as_published_and_departures_are_listed(tmp_path):
    base = presets.fast()
    write_table(table1(base), tmp_path, base)
    text = (tmp_path / "table1.md").read_text()
    mlem = "| MLEM | paper | 0.2500 ± 0.03 | 0.6000 ± 0.10 | 0.3100 ± 0.04 | 0.4000 ± 0.14 |"
    assert f"{mlem}\n| ADFF | paper |" in text
    assert "- training.epochs: 200 in the paper, 24 here" in text
    assert "- network.width: 1.0 in the paper, 0.25 here" in text
    assert "floor_db" not in text and "at least -70 dB" in text  # the paper gives no floor
    rows = pd.read_csv(tmp_path / "table1.csv").set_index("row")
    assert (rows.loc["MLEM", "state"] == "not run").all() and rows.loc["MLEM", "cell"].isna().all()


def test_time_is_shown_relative_to_seg_num_1():
    table = grid.table2(presets.paper())
    hours = {key: Result(mean=8.0 / (k + 1)) for k, key in enumerate(table.entries)}
    lines = render_rows(table, hours, is_comparable=True)
    assert lines[-2].startswith("|  | paper, of seg_num 1 | 1.000 | 0.305 | 0.152 | 0.102 |")
    assert lines[-1].startswith("|  | ours, of seg_num 1 | 1.000 | 0.500 | 0.333 | 0.250 |")
