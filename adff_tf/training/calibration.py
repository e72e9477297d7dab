"""`calibration.json` of a run: the scores and distances of its held-out songs.

Each song counts with the prediction of its fold's model, which was not trained on it. The songs of
all folds are pooled (`inference.calibration`).
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..inference.calibration import FILE, LEVEL, Calibration, calibrate
from ..support.files import atomic_write
from ..tasks import DISTANCE, PROBABILITIES, Task
from .predictions import read_predictions, read_segments


def write_calibration(folder: Path, task: Task, table: pd.DataFrame, folds: Sequence[int]) -> dict:
    """Write a run's `calibration.json`, and return what `metrics.json` says of its intervals.

    Args:
        folder: the run folder, with the predictions of its folds.
        task: the run's.
        table: the index of the tracks.
        folds: numbers of the scored folds.
    """
    places = [folder / f"fold{fold}" for fold in folds]
    songs = pd.concat([read_predictions(place, table) for place in places], ignore_index=True)
    segments = pd.concat([read_segments(place, table) for place in places], ignore_index=True)
    found = calibrate_songs(task, songs, segments)
    with atomic_write(folder / FILE) as file:
        file.write_text(json.dumps(found.as_dict()) + "\n")
    halves = {name: found.typical_half_width(name, LEVEL) for name in found.spread}
    widths = {name: half if math.isfinite(half) else None for name, half in halves.items()}
    return {"level": LEVEL, "songs": len(songs), "half_width": widths}


def calibrate_songs(task: Task, songs: pd.DataFrame, segments: pd.DataFrame) -> Calibration:
    """Return the calibration by tables of `predictions.read_predictions` and `read_segments`."""
    is_sign = (songs["labels"] == "quadrant").to_numpy()
    distances = songs.get(DISTANCE, pd.Series(dtype="float64")).to_numpy("float64")
    if not task.is_regression:
        indices = {name: k for k, name in enumerate(task.classes)}
        labels = {PROBABILITIES: songs["class_target"].map(indices).to_numpy()}
        predictions = {PROBABILITIES: songs[[f"p_{name}" for name in task.classes]].to_numpy()}
        return calibrate(task, predictions, labels, {}, is_sign, distances)
    by_song = segments.groupby("track_id", sort=False)
    labels, predictions, std = {}, {}, dict[str, np.ndarray]()
    for name in task.targets:
        labels[name] = songs[f"{name}_target"].to_numpy("float64")
        predictions[name] = songs[f"{name}_prediction"].to_numpy("float64")
        of_song = by_song[f"{name}_prediction"].std(ddof=1)
        std[name] = of_song.reindex(songs["track_id"]).to_numpy("float64")
    return calibrate(task, predictions, labels, std, is_sign, distances)
