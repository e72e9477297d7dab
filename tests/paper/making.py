"""Data sets and runs that the tests make."""

import json

import numpy as np
import pandas as pd
import soundfile

from adff_tf.paper import cells

TINY = ["--scale", "tiny", "--clips", "10", "--clip-s", "6"]


def make_songs(folder, count=8, seed=0, quadrants=False):
    """Make a data set of short noises: a CSV file, or folders Q1 to Q4."""
    rng, rows = np.random.default_rng(seed), []
    for k in range(count):
        path = folder / f"Q{k % 4 + 1}" / f"{seed}-{k}.wav" if quadrants else folder / f"{k}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.uniform(-1, 1, 44100), 44100)
        rows.append((path.name, *rng.uniform(-1, 1, 2)))
    if quadrants:
        return folder
    table = pd.DataFrame(rows, columns=["path", "valence", "arousal"])
    table.to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


def make_finished_cell(folder, cell, mean, std=None, segment_mean=None):
    """Make the folder of a finished run with these metrics."""
    place = cells.cell_folder(folder, cell)
    place.mkdir(parents=True)
    target = cell.experiment.task
    metrics = {
        "task": target,
        "mean": {target: mean},
        "std": {target: std or dict.fromkeys(mean)},
        "segment_mean": {target: segment_mean or mean},
        "baselines": {"mean": {target: {}}, "ridge": {target: {"r2": 0.61, "rmse": 0.23}}},
    }
    (place / "metrics.json").write_text(json.dumps(metrics))
    environment = {
        "adff_tf": "1",
        "python": "3",
        "packages": {"keras": "3"},
        "cores": 2,
        "gpus": [],
        "system": "Linux",
    }
    (place / "environment.json").write_text(json.dumps(environment))
    (place / "report.md").touch()
