"""`segments.csv` and `predictions.csv`: predictions of test tracks, and the scores of these files.

`segments.csv` has a row a segment, `predictions.csv` a row a song, the mean over its segments.
Columns: `track_id`, and `<target>_target`, `<target>_prediction` for each target, or
`class_target`, `class_prediction` and the probabilities `p_<class>`. Scores are always read back
from the files, so that a resumed run scores the same numbers.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..support.files import atomic_write
from ..tasks import PROBABILITIES, Task
from .metrics import score_task


def write_predictions(
    folder: Path,
    task: Task,
    table: pd.DataFrame,
    track_rows: np.ndarray,
    predictions: dict[str, np.ndarray],
) -> dict:
    """Write segments.csv, then predictions.csv, and return their scores.

    Args:
        table: the index of the tracks.
        track_rows, predictions: as of `fit.predict_segments`.

    Returns:
        Scores as of `read_scores`.
    """
    _write_table(folder / "segments.csv", task, table.iloc[track_rows], predictions)
    _write_table(folder / "predictions.csv", task, table, mean_by_song(track_rows, predictions))
    return read_scores(folder, task)


def read_scores(folder: Path, task: Task) -> dict:
    """Return {"song": …, "segment": …}: scores of a folder's files as of `metrics.score_task`."""
    return {
        "song": _score_file(folder / "predictions.csv", task),
        "segment": _score_file(folder / "segments.csv", task),
    }


def mean_by_song(
    track_rows: np.ndarray, predictions: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the mean of each track's segments by network output, `(tracks, …)`.

    Args:
        track_rows: the row of each segment's track, `(segments,)`.
        predictions: by network output, `(segments,)` or `(segments, classes)`.
    """
    return {
        name: pd.DataFrame(values)
        .groupby(track_rows)
        .mean()
        .to_numpy()
        .reshape(-1, *values.shape[1:])
        for name, values in predictions.items()
    }


def _write_table(
    file: Path, task: Task, table: pd.DataFrame, predictions: dict[str, np.ndarray]
) -> None:
    columns: dict = {"track_id": table["track_id"]}
    labels = task.labels(table)
    if task.is_regression:
        for name in task.targets:
            columns |= {f"{name}_target": labels[name], f"{name}_prediction": predictions[name]}
    else:
        names, probabilities = np.array(task.classes), predictions[PROBABILITIES]
        columns |= {
            "class_target": names[labels[PROBABILITIES]],
            "class_prediction": names[probabilities.argmax(axis=1)],
            **{f"p_{name}": probabilities[:, k] for k, name in enumerate(names)},
        }
    with atomic_write(file) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)


def _score_file(file: Path, task: Task) -> dict:
    table = pd.read_csv(file)
    if task.is_regression:
        truth = {name: table[f"{name}_target"] for name in task.targets}
        predicted = {name: table[f"{name}_prediction"] for name in task.targets}
    else:
        indices = {name: k for k, name in enumerate(task.classes)}
        truth = {PROBABILITIES: table["class_target"].map(indices).to_numpy()}
        predicted = {PROBABILITIES: table[[f"p_{name}" for name in task.classes]].to_numpy()}
    return score_task(task, truth, predicted)
