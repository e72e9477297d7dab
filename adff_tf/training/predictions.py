"""TODO adff_tf.training.predictions."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..support.files import atomic_write
from ..tasks import PROBABILITIES, Task
from . import metrics


def write_predictions(
    folder: Path,
    task: Task,
    table: pd.DataFrame,
    track_rows: np.ndarray,
    predictions: dict[str, np.ndarray],
) -> dict:
    """Write segments.csv and predictions.csv of some tracks, the latter last; their scores as `read_scores` gives them.

    table: the tracks. track_rows, predictions: as from `training.predict`.
    """
    _write_table(folder / "segments.csv", task, table.iloc[track_rows], predictions)
    _write_table(folder / "predictions.csv", task, table, mean_by_song(track_rows, predictions))
    return read_scores(folder, task)


def read_scores(folder: Path, task: Task) -> dict:
    """{"song", "segment"}: the scores of the predictions in a folder, as `metrics.score`."""
    return {
        "song": _score_file(folder / "predictions.csv", task),
        "segment": _score_file(folder / "segments.csv", task),
    }


def mean_by_song(
    track_rows: np.ndarray, predictions: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The mean of each track's segments, by network output. track_rows: the row of each segment's track."""
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
    for name in task.outputs:
        if task.is_regression:
            columns |= {f"{name}_target": labels[name], f"{name}_prediction": predictions[name]}
        else:
            names = np.array(task.classes)
            columns |= {
                "class_target": names[labels[name]],
                "class_prediction": names[predictions[name].argmax(axis=1)],
            }
            columns |= {f"p_{c}": predictions[name][:, k] for k, c in enumerate(task.classes)}
    with atomic_write(file) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)


def _score_file(file: Path, task: Task) -> dict:
    table = pd.read_csv(file)
    if task.is_regression:
        return metrics.score_task(
            task,
            {n: table[f"{n}_target"] for n in task.targets},
            {n: table[f"{n}_prediction"] for n in task.targets},
        )
    numbers = table["class_target"].map({name: k for k, name in enumerate(task.classes)}).to_numpy()
    return metrics.score_task(
        task,
        {PROBABILITIES: numbers},
        {PROBABILITIES: table[[f"p_{c}" for c in task.classes]].to_numpy()},
    )
