"""A trained model scored on a data set: the report's tables and plots, on tracks that it was not trained on.

`evaluate` writes a folder: `metrics.json` (as a run's, for one "fold", with `model` and `trained_on`), `predictions.csv` and
`segments.csv`, `report.md`, `plots/`, `config.json` and `environment.json`; with annotations over time `dynamic.csv` as well.
"""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import audio, datasets
from ..config import DataKind, Experiment
from ..datasets import pmemo
from ..errors import InputError, format_list
from ..features import tracks as track_features
from ..inference.emotion import Emotion
from ..inference.model import EmotionModel
from ..model.model_file import find_model, load_network, run_folder_of
from ..reports import report
from ..support import environment
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, check_empty, ensure_writable, expand_user
from ..tasks import TASKS, Task
from . import fit
from . import predictions as prediction_files
from . import run as runs
from . import summary as summaries

DYNAMIC_HOP_S = 0.5  # the annotations' own step


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its folder and the content of `metrics.json`."""

    folder: Path
    metrics: dict


def evaluate(
    model: str | Path,
    data: str | Path,
    folder: str | Path,
    kind: DataKind = "auto",
    label_range: tuple[float, float] | None = None,
    features: str | Path | None = None,
    skip_bad_audio: bool = False,
    allow_trained: bool = False,
    leave_out_trained: bool = False,
    dynamic: bool = False,
    reporter: Reporter = SILENT,
) -> Evaluation:
    """Score the model of a run (see `modelfile.located`) on the data set at `data` (see `datasets.load`), into `folder`.

    features: the feature store's folder, inside `folder` by default. allow_trained: score tracks that the model was trained on too;
    leave_out_trained: go on with the others. dynamic: also score the curve against PMEmo's annotations over time.

    Raises InputError where tracks were trained on and neither is given, where `folder` is not empty, and as `validation.run`.
    """
    folder, started = expand_user(folder), time.perf_counter()
    check_empty(folder, "the evaluation", may_hold=["features"])  # of an earlier one, still good
    file, experiment = find_model(model)
    network, task = load_network(file), TASKS[experiment.task]
    index = datasets.load(data, kind, label_range)
    reporter.log(
        f"{index.source}: {len(index.tracks)} tracks of {index.tracks['group'].nunique()} groups"
    )
    runs.check_task(task, index)
    annotations = _annotations(expand_user(data), index, task) if dynamic else None
    learned = training_tracks(file, experiment)
    is_refused = not (allow_trained or leave_out_trained)
    if is_refused:  # by path, before the log-mels take their time; copies are found by them
        _refuse_trained(file, index.tracks, index.tracks["path"].isin(learned["path"]).to_numpy())
    ensure_writable(folder, "the evaluation")
    tracks, bad = track_features.prepare_tracks(
        index.tracks, features or folder / "features", experiment.frontend, skip_bad_audio, reporter
    )
    was_trained = (
        tracks.table["features"].isin(learned["features"])
        | tracks.table["path"].isin(learned["path"])
    ).to_numpy()
    if is_refused:
        _refuse_trained(file, tracks.table, was_trained)
    if was_trained.any() and leave_out_trained:
        tracks = tracks.rows(np.flatnonzero(~was_trained))
        reporter.log(f"{was_trained.sum()} tracks that the model was trained on are left out")
        if not len(tracks):
            raise InputError(
                f"{file} was trained on every track of {index.source}: none is left to score"
            )

    reporter.log(f"scoring {len(tracks)} tracks")
    track_rows, predictions = fit.predict_segments(network, experiment, tracks)
    curves = (
        None
        if annotations is None
        else _score_curves(EmotionModel.load(file), tracks.table, annotations, reporter)
    )
    # All is computed; up to here the folder is as it was, so that the same command can be given again.
    scores = prediction_files.write_predictions(folder, task, tracks.table, track_rows, predictions)
    if curves is not None:
        with atomic_write(folder / "dynamic.csv") as partial:
            curves.to_csv(partial, index=False)
    with atomic_write(folder / "config.json") as partial:
        partial.write_text(experiment.to_json())
    environment.write(folder / "environment.json", audio.graph_decoder())
    summary = summaries.summarise(task, [scores], []) | {
        "model": str(file), "trained_on": 0 if leave_out_trained else int(was_trained.sum()),
        "dynamic": None if curves is None else _over_songs(curves, task),
        "seconds": round(time.perf_counter() - started, 1), "tracks": len(tracks),
        "groups": int(tracks.table["group"].nunique()), "source": index.source,
        "notes": [*index.notes, *track_features.copy_notes(tracks.table)], "left_out": bad,
    }  # fmt: skip
    with atomic_write(folder / "metrics.json") as partial:
        partial.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")
    report.write_evaluation(folder, experiment)
    return Evaluation(folder, summary)


def training_tracks(file: Path, experiment: Experiment) -> pd.DataFrame:
    """The rows of the run's `index.csv` that the model in `file` was trained on. Raises InputError where that is missing.

    A fold's model was trained on the other folds; the run's on all tracks, or where the run has no final model as fold 1's.
    """
    run = run_folder_of(file)
    of_fold = None if run == file.parent else re.fullmatch(r"fold(\d+)", file.parent.name)
    if not (run / "index.csv").is_file():
        raise InputError(
            f"{run / 'index.csv'} is missing, which lists the tracks that {file} was trained on; copy it from the run"
        )
    known = pd.read_csv(run / "index.csv", dtype={"track_id": str})
    if of_fold or not experiment.validation.final_model:
        known = known[known["fold"] != (int(of_fold[1]) if of_fold else 1)]
    return known


def _refuse_trained(file: Path, table: pd.DataFrame, was_trained: np.ndarray) -> None:
    """Raise InputError where any of the table's tracks was trained on."""
    if was_trained.any():
        raise InputError(
            f"{file} was trained on {was_trained.sum()} of these {len(table)} tracks:\n"
            f"{format_list(table['track_id'][was_trained])}\nScores on them say nothing about new music. Leave them out by "
            "--leave-out-trained, or score them all the same by --allow-trained"
        )


# === Over time ===


def _annotations(root: Path, index: datasets.Index, task: Task) -> pd.DataFrame:
    """PMEmo's annotations over time. Raises InputError for other data sets, and models that do not predict numbers."""
    if not task.is_regression:
        raise InputError(
            f"annotations over time are numbers, and the model's task is {task.name}; leave --dynamic out"
        )
    if not pmemo.matches(root):
        raise InputError(
            f"{index.source} has no annotations over time that are known here (PMEmo has); leave --dynamic out"
        )
    return pmemo.dynamic(root)


def _score_curves(
    model: EmotionModel, table: pd.DataFrame, annotations: pd.DataFrame, reporter: Reporter
) -> pd.DataFrame:
    """A row a song that has annotations: `track_id` and what `score_curve` gives."""
    rows = []
    by_song = dict(iter(annotations.groupby("track_id")))
    with reporter.bar("curves over time", len(table)) as advance:
        for track in table.itertuples():
            if track.track_id in by_song:
                emotion = model.predict(track.path, hop_s=DYNAMIC_HOP_S)
                rows.append(
                    {"track_id": track.track_id, **score_curve(emotion, by_song[track.track_id])}
                )
            advance()
    if not rows:
        raise InputError("none of the tracks has annotations over time; leave --dynamic out")
    return pd.DataFrame(rows)


def _over_songs(curves: pd.DataFrame, task: Task) -> dict:
    """The scores' mean and sample std over songs, for metrics.json."""
    names = {
        (target, score): f"{target}_{score}"
        for target in task.targets
        for score in ("rmse", "correlation")
    }
    over = {"mean": curves.mean(numeric_only=True), "std": curves.std(numeric_only=True)}
    return {"songs": len(curves)} | {
        statistic: {
            target: {
                score: summaries.without_nan(values[names[target, score]])
                for score in ("rmse", "correlation")
            }
            for target in task.targets
        }
        for statistic, values in over.items()
    }


def score_curve(emotion: Emotion, annotated: pd.DataFrame) -> dict[str, float]:
    """RMSE and Pearson's correlation of each target of a song's curve with its annotations.

    annotated: `time_s` and the targets, a row a time. A window's values stand at its middle, and the curve between middles is
    a straight line; before the first and after the last it is level. The correlation is NaN where either does not vary.
    """
    middle = (emotion.start + emotion.end) / 2
    scores = {}
    for target in emotion.task.targets:
        ours, theirs = (
            np.interp(annotated["time_s"], middle, emotion.windows[target]),
            annotated[target].to_numpy(),
        )
        varies = len(ours) > 1 and np.ptp(ours) > 0 and np.ptp(theirs) > 0
        scores[f"{target}_rmse"] = float(np.sqrt(np.mean((ours - theirs) ** 2)))
        scores[f"{target}_correlation"] = (
            float(np.corrcoef(ours, theirs)[0, 1]) if varies else float("nan")
        )
    return scores
