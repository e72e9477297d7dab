"""`segments.csv` and `predictions.csv`: predictions of test tracks, and the scores of these files.

`segments.csv` has a row a segment, `predictions.csv` a row a song, the mean over its segments.
Columns: `track_id`, with several data sets `source`, and `<target>_target`, `<target>_prediction`
for each target, or `class_target`, `class_prediction` and the probabilities `p_<class>`; and
`distance`, from the training songs (`model.layers.Familiarity`). Scores are always read back from
the files, so that a resumed run scores the same numbers.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..support.files import atomic_write
from ..tasks import DISTANCE, PROBABILITIES, Task
from .metrics import score_task


def write_predictions(
    folder: Path,
    task: Task,
    table: pd.DataFrame,
    track_rows: np.ndarray,
    predictions: dict[str, np.ndarray],
    by_source: bool = False,
) -> dict:
    """Write segments.csv, then predictions.csv, and return their scores.

    Args:
        table: the index of the tracks.
        track_rows, predictions: as of `fit.predict_segments`.
        by_source: the run or evaluation has several data sets.

    Returns:
        Scores as of `read_scores`.
    """
    by_song = mean_by_song(track_rows, predictions)
    segments = table.iloc[track_rows]
    _write_table(folder / "segments.csv", task, segments, predictions, by_source)
    _write_table(folder / "predictions.csv", task, table, by_song, by_source)
    return read_scores(folder, task, table, by_source)


def read_scores(folder: Path, task: Task, table: pd.DataFrame, by_source: bool = False) -> dict:
    """Return the scores of a folder's files as of `metrics.score_task`.

    Args:
        table: the index of the tracks, which knows the kind of their labels.
        by_source: also score each data set by itself.

    Returns:
        {"song": …, "segment": …}, and with `by_source` "sources", scores by song of each.
    """
    songs, segments = read_predictions(folder, table), read_segments(folder, table)
    scores: dict = {"song": _score(songs, task), "segment": _score(segments, task)}
    if by_source:
        by_name = songs.groupby("source", sort=False)
        scores["sources"] = {name: _score(rows, task) for name, rows in by_name}
    return scores


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
    file: Path,
    task: Task,
    table: pd.DataFrame,
    predictions: dict[str, np.ndarray],
    by_source: bool,
) -> None:
    columns: dict = {"track_id": table["track_id"]}
    if by_source:
        columns["source"] = table["source"]
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
    if DISTANCE in predictions:
        columns[DISTANCE] = predictions[DISTANCE]
    with atomic_write(file) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)


def read_predictions(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return `predictions.csv` with the columns `source` and `labels` of the index."""
    return _read_table(folder / "predictions.csv", table)


def read_segments(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return `segments.csv` with the columns `source` and `labels` of the index."""
    return _read_table(folder / "segments.csv", table)


def _read_table(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    written = pd.read_csv(file, dtype={"track_id": str}, keep_default_na=False)
    rows = table.set_index("track_id").loc[written["track_id"]]
    return written.assign(source=rows["source"].to_numpy(), labels=rows["labels"].to_numpy())


def _score(table: pd.DataFrame, task: Task) -> dict:
    if task.is_regression:
        truth = {name: table[f"{name}_target"] for name in task.targets}
        predicted = {name: table[f"{name}_prediction"] for name in task.targets}
    else:
        indices = {name: k for k, name in enumerate(task.classes)}
        truth = {PROBABILITIES: table["class_target"].map(indices).to_numpy()}
        predicted = {PROBABILITIES: table[[f"p_{name}" for name in task.classes]].to_numpy()}
    return score_task(task, truth, predicted, table["labels"].to_numpy())
