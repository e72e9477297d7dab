"""A run: song-grouped folds, one fit and one honest score each, the baselines beside them, and a final model on all tracks.

Everything lies in the run folder (its layout is docs/runs.md). The same call goes on where an earlier one stopped: folds with
`predictions.csv` are finished, the fold in progress goes on from its last epoch.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from .. import audio, datasets
from ..config import Experiment
from ..datasets import synthetic
from ..errors import InputError
from ..features import tracks as track_features
from ..model import servable
from ..reports import markdown, report
from ..support import environment, folders
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, expand_user
from ..tasks import TASKS, Task
from . import baselines, fit
from .predictions import read_scores, write_predictions
from .splits import assign_folds, check_inner_split
from .summary import summarise

RECORD, WHAT = "config.json", "a run"


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and the content of `metrics.json`."""

    folder: Path
    metrics: dict


def run(
    experiment: Experiment,
    folder: str | Path,
    features: str | Path | None = None,
    reporter: Reporter = SILENT,
) -> Run:
    """Cross-validate an experiment and train the final model, into `folder`.

    features: the feature store's folder, to share it among runs; inside `folder` by default. Raises InputError for anything
    wrong with the data or the settings, before any training, where `folder` holds another experiment's run or another process works
    in it, and where the training diverges.
    """
    folder = expand_user(folder)
    with folders.held(folder, RECORD, WHAT, reporter) as reporter:
        return run_held(experiment, folder, features, reporter)


def run_held(
    experiment: Experiment,
    folder: Path,
    features: str | Path | None = None,
    reporter: Reporter = SILENT,
) -> Run:
    """As `run`, in a folder that the caller keeps other processes out of."""
    record = folder / RECORD
    folders.begin(
        folder, RECORD, experiment.to_json(), WHAT, f"go on with that run by --config {record} --out {folder}",
        lambda text: Experiment.from_json(text, str(record)).model_dump(),
    )  # fmt: skip
    started, task = time.perf_counter(), TASKS[experiment.task]
    index = load_index(experiment, folder, reporter)
    check_task(task, index)
    tracks, bad = track_features.prepare_tracks(
        index.tracks,
        features or folder / "features",
        experiment.frontend,
        experiment.data.skip_bad_audio,
        reporter,
    )
    if bad:
        reporter.log(
            f"going on without {len(bad)} recordings that cannot be used; the report lists them"
        )
    folds = assign_folds(tracks.table, task, experiment.validation.folds, experiment.training.seed)
    folders.keep_index(folder, tracks.table.assign(fold=folds), "the run")
    scored = range(1, 2 if experiment.validation.hold_out else experiment.validation.folds + 1)
    if experiment.training.early_stopping:
        for number in scored:
            check_inner_split(tracks.table[folds != number])
    environment.write(folder / "environment.json", audio.graph_decoder())

    results = [_fold(experiment, tracks, folds, number, folder, reporter) for number in scored]
    reporter.log(
        "baselines: the mean, and ridge or logistic regression on the log-mel's band means and deviations"
    )
    trivial = [
        baselines.score_baselines(task, tracks, folds != number, folds == number)
        for number in scored
    ]
    _final_model(experiment, tracks, folder, reporter)

    seconds = _seconds(folder, time.perf_counter() - started)
    summary = summarise(task, results, trivial) | {
        "seconds": seconds, "tracks": len(tracks), "groups": int(tracks.table["group"].nunique()),
        "source": index.source, "notes": [*index.notes, *track_features.copy_notes(tracks.table)], "left_out": bad,
    }  # fmt: skip
    with atomic_write(folder / "metrics.json") as file:
        file.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")
    report.write(folder, experiment)
    return Run(folder, summary)


# === Before training ===


def load_index(experiment: Experiment, folder: Path, reporter: Reporter = SILENT) -> datasets.Index:
    """The experiment's index; the synthetic set is made in the run folder first."""
    data = experiment.data
    if data.data is not None:
        index = datasets.load(data.data, data.kind, data.label_range)
    else:
        if data.kind not in ("auto", "synthetic") or data.label_range:
            raise InputError(
                "kind and label_range describe a data set, but none was given: add --data FOLDER"
            )
        with reporter.bar("making music", data.clips) as advance:
            root = synthetic.make(
                folder / "synthetic",
                clips=data.clips,
                seconds=data.clip_s,
                seed=experiment.training.seed,
                progress=advance,
            )
        index = synthetic.index(root)
    reporter.log(
        f"{index.source}: {len(index.tracks)} tracks of {index.tracks['group'].nunique()} groups"
    )
    for note in index.notes:
        reporter.log(f"  note: {note}")
    return index


def check_task(task: Task, index: datasets.Index) -> None:
    """Raise InputError where a data set of quadrants is asked for numbers."""
    if task.is_regression and index.labels == "quadrant":
        raise InputError(
            f"{index.source} has quadrants, which give signs and no numbers, and the task is {task.name}; "
            "use --task quadrant, arousal2 or valence2"
        )


# === Folds ===


def _fold(
    experiment: Experiment,
    tracks: track_features.Tracks,
    folds: np.ndarray,
    number: int,
    folder: Path,
    reporter: Reporter,
) -> dict:
    """Train on the other folds and score this one, once; or read the predictions of a fold that is finished."""
    task, place = TASKS[experiment.task], folder / f"fold{number}"
    learn, test = (
        tracks.rows(np.flatnonzero(folds != number)),
        tracks.rows(np.flatnonzero(folds == number)),
    )
    count = 1 if experiment.validation.hold_out else experiment.validation.folds
    label = f"fold {number} of {count}"
    if not (place / "predictions.csv").exists():
        result = fit.fit(_seeded(experiment, number), learn, place, label, reporter)
        track_rows, predictions = fit.predict_segments(result.model, experiment, test)
        with atomic_write(place / "model.keras") as file:
            result.model.save(file)
        write_predictions(place, task, test.table, track_rows, predictions)
        fit.discard_state(place)
    scores = read_scores(place, task)
    reporter.log(f"{label}: {markdown.format_scores(scores['song'])}")
    return scores


def _seeded(experiment: Experiment, number: int) -> Experiment:
    """The experiment with a fit's own seed, so that folds do not share their random numbers."""
    seed = experiment.training.seed + 1000 * number
    return experiment.model_copy(
        update={"training": experiment.training.model_copy(update={"seed": seed})}
    )


def _final_model(
    experiment: Experiment, tracks: track_features.Tracks, folder: Path, reporter: Reporter
) -> None:
    """model.keras, trained on all tracks, or the first fold's; and the same as a servable."""
    file = folder / "model.keras"
    if not file.exists() and experiment.validation.final_model:
        result = fit.fit(
            _seeded(experiment, 0), tracks, folder / "final", "final model on all tracks", reporter
        )
        with atomic_write(file) as temporary:
            result.model.save(temporary)
        fit.discard_state(folder / "final")
    elif not file.exists():
        with atomic_write(file) as temporary:
            temporary.write_bytes((folder / "fold1" / "model.keras").read_bytes())
    if not (folder / servable.FOLDER).exists():
        servable.save(keras.models.load_model(file, compile=False), experiment, file)


# === Summary ===


def _seconds(folder: Path, this_time: float) -> float:
    """Seconds spent on the run over all calls: what the fits took, or this call where that is more."""
    fits = [pd.read_csv(file)["seconds"].sum() for file in _histories(folder)]
    return round(max(this_time, float(sum(fits))), 1)


def _histories(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*/history.csv"))
