"""The tables, the report and its plots."""

import numpy as np
import pandas as pd

from adff_tf.config import Experiment
from adff_tf.tuning.plan import Plan
from adff_tf.tuning.plots import compute_importance, plot_importance
from adff_tf.tuning.report import format_best
from adff_tf.tuning.space import Choice, Range, Space


def test_the_tables_are_as_designed(searched):
    found, _ = searched
    table = pd.read_csv(found.folder / "trials.csv")
    assert list(table.columns[:4]) == ["trial", "status", "score", "seconds"]
    assert {"seg_num", "seg_len"} <= set(table.columns)
    statuses = table.set_index("seg_num")["status"].to_dict()
    assert statuses == {1: "completed", 2: "completed", 4: "failed"}
    completed = table[table["status"] == "completed"]
    assert (completed["seconds"] > 0).all() and (completed["memory_mib"] > 50).all()
    assert (completed["epochs"] == 2).all()
    assert "seg_num 4 cuts 100 frames into parts of 25" in table.set_index("seg_num")["reason"][4]
    text = (found.folder / "report.md").read_text()
    assert "seg_num 4 cuts 100 frames" in text and "2 completed, 1 failed" in text
    plots = {file.name for file in (found.folder / "plots").iterdir()}
    assert plots == {"seg_num.png", "heat_map.png"}


def test_the_best_trials_are_a_table_of_the_report(searched):
    found, _ = searched
    table = format_best(found.trials)
    header, _, first, second = table.splitlines()
    assert header.startswith("| trial | score | arousal_r2 | seg_num |")
    scores = [float(line.split(" | ")[1]) for line in (first, second)]
    assert scores == sorted(scores, reverse=True)
    assert table in (found.folder / "report.md").read_text()


def test_importance_names_the_hyperparameter_that_matters():
    rng = np.random.default_rng(0)
    ends = ["norm-relu", "pool-relu-norm"]
    space = Space(
        {
            "seg_num": Choice((1, 2, 3, 4)),
            "dropout": Range(0.0, 0.5),
            "level_end": Choice(tuple(ends)),
        }
    )
    table = pd.DataFrame(
        {
            "seg_num": rng.integers(1, 5, 60),
            "dropout": rng.uniform(0, 0.5, 60),
            "level_end": rng.choice(ends, 60),
        }
    )
    completed = table.assign(score=1.0 * table["seg_num"])
    found = compute_importance(Plan(Experiment(), space), completed)
    assert plot_importance(found).axes
    assert found.index[0] == "seg_num" and found["seg_num"] > 1 and abs(found["level_end"]) < 0.05
