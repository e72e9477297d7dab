"""A run: cross-validation by groups, baselines on the same folds, and a final model on all tracks.

docs/runs.md describes the run folder. Each test fold is scored once. A repeated call resumes: folds
with `predictions.csv` are finished, and the fold in progress continues after its last epoch. The
steps: index, log-mels, folds, one fit a fold, baselines, final model, `metrics.json`, report.
"""

import functools
import json
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from .. import __version__, audio, datasets
from ..config import Experiment, check_stems
from ..datasets import synthetic
from ..datasets.index import join
from ..errors import InputError
from ..features.concepts import with_concepts
from ..features.embedding import musicnn_embedding
from ..features.separation import separate_missing
from ..features.stems import with_stems
from ..features.tracks import Tracks, copy_notes, prepare_tracks
from ..model import servable
from ..reports.markdown import format_scores
from ..reports.report import write_report
from ..support import environment, folders
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, expand_user
from ..tasks import TASKS
from . import fit
from .artifact import write_tflite
from .baselines import score_baselines
from .calibration import write_calibration
from .effects import add_effects
from .familiarity import add_distance
from .linear import check_installed, fit_last_layer, is_linear
from .predictions import read_scores, write_predictions
from .splits import check_inner_split, is_training, split_tracks, training_tracks, unused_notes
from .start import check_start, keep_heard, refuse_heard
from .stem_models import fit_stem_models, has_stem_models, score_stem_models
from .summary import summarise

RECORD, WORK, STEM_SCORES = "config.json", "run", "stems.json"


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
    """Cross-validate an experiment and train the final model.

    Args:
        folder: the run folder.
        features: the feature store's folder, to share it among runs; in `folder` by default.

    Raises:
        InputError: before any training for wrong data or settings, where `folder` holds another
            experiment's run or another process works in it; later where the training diverges.
    """
    folder = expand_user(folder)
    with folders.locked(folder, RECORD, WORK):
        return run_held(experiment, folder, features, reporter)


def run_held(
    experiment: Experiment,
    folder: Path,
    features: str | Path | None = None,
    reporter: Reporter = SILENT,
) -> Run:
    """Do the work of `run` in a folder whose lock the caller holds."""
    record = folder / RECORD
    advice = f"resume that run by `config` {record} `out` {folder}"
    parse = functools.partial(_parse, folder)
    folders.begin(folder, RECORD, experiment.to_json(), WORK, advice, parse)
    started, task = time.perf_counter(), TASKS[experiment.task]
    start = check_start(experiment)
    check_stems(experiment)
    check_installed(experiment)
    index = load_index(experiment, folder, reporter, experiment.takes_stems)
    skip = experiment.data.skip_bad_audio
    tracks, left_out = prepare_tracks(
        index.tracks, features or folder / "features", experiment.frontend, skip, reporter
    )
    if experiment.takes_stems:
        stems = experiment.data.stems or folder / "synthetic" / "stems"
        store = features or folder / "features"
        if experiment.data.separate:
            separate_missing(tracks.table, expand_user(stems), reporter=reporter)
        tracks = with_stems(tracks, stems, store, experiment.frontend, reporter)
    beside = None
    if experiment.concepts:
        made, store = folder / "synthetic", features or folder / "features"
        tracks, beside = with_concepts(experiment, tracks, made, store, reporter)
    if left_out:
        reporter.log(f"going on without {len(left_out)} unusable recordings; the report lists them")
    validation, test_folds = experiment.validation, experiment.validation.scored_folds
    folds = split_tracks(tracks.table, task, validation, experiment.training.seed)
    folders.keep_index(folder, tracks.table.assign(fold=folds), WORK)
    for note in unused_notes(folds):
        reporter.log(f"  note: {note}")
    if experiment.training.early_stopping:
        for fold in test_folds:
            check_inner_split(training_tracks(tracks, folds, fold, validation).table)
    if start:
        if not experiment.start.allow_heard:
            refuse_heard(start, tracks.table[np.isin(folds, test_folds)])
        keep_heard(start, folder)
    environment.write(folder, audio.graph_decoder())

    fold_run = functools.partial(_run_fold, experiment, tracks, beside, folds)
    scores = [fold_run(fold, folder, reporter) for fold in test_folds]
    embedding = musicnn_embedding(tracks, reporter)
    reporter.log(f"baselines: mean and {task.linear_baseline}")
    baselines = [
        score_baselines(task, tracks, is_training(folds, fold), folds == fold, embedding)
        for fold in test_folds
    ]
    intervals = write_calibration(folder, task, tracks.table, test_folds)
    _train_final_model(experiment, tracks, beside, folder, reporter)

    metrics = summarise(task, scores, baselines) | {
        "seconds": _total_seconds(folder, time.perf_counter() - started),
        "tracks": len(tracks),
        "groups": int(tracks.table["group"].nunique()),
        "source": index.source,
        "notes": [*index.notes, *copy_notes(tracks.table), *unused_notes(folds)],
        "left_out": left_out,
        "intervals": intervals,
        "network": experiment.network.model,
    }
    with atomic_write(folder / "metrics.json") as file:
        file.write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    if not experiment.takes_stems:
        write_tflite(folder)
    write_report(folder, experiment)
    return Run(folder, metrics)


# === Before training ===


def _parse(folder: Path, record: str) -> dict:
    """Return the settings in a record. Raises InputError, which names another version."""
    try:
        return Experiment.from_json(record, str(folder / RECORD)).model_dump()
    except InputError:
        if (version := environment.made_by(folder)) == __version__:
            raise
        raise folders.other_version(folder, WORK, version) from None


def load_index(
    experiment: Experiment, folder: Path, reporter: Reporter = SILENT, stems: bool = False
) -> datasets.Index:
    """Return the experiment's index; without a data set, make the synthetic one in `folder`.

    stems: also make the parts of the synthetic music.
    """
    data = experiment.data
    if data.data:
        index = datasets.load_all(data.data, data.kind, data.label_range, data.weights)
    else:
        index = _make_synthetic(experiment, folder, reporter, stems)
    groups = index.tracks["group"].nunique()
    reporter.log(f"{index.source}: {len(index.tracks)} tracks of {groups} groups")
    for note in index.notes:
        reporter.log(f"  note: {note}")
    return index


def _make_synthetic(
    experiment: Experiment, folder: Path, reporter: Reporter, stems: bool
) -> datasets.Index:
    data = experiment.data
    if data.kind not in ("auto", "synthetic") or data.label_range:
        raise InputError(
            "`kind` and `label_range` describe a data set, but none was given: "
            "set `data` to a folder or a CSV file"
        )
    with reporter.bar("making music", data.clips) as advance:
        root = synthetic.make(
            folder / "synthetic",
            clips=data.clips,
            seconds=data.clip_s,
            seed=experiment.training.seed,
            progress=advance,
            stems=stems,
        )
    return join([synthetic.index(root)], data.weights)


# === Fits ===


def _run_fold(
    experiment: Experiment,
    tracks: Tracks,
    beside: Tracks | None,
    folds: np.ndarray,
    fold: int,
    folder: Path,
    reporter: Reporter,
) -> dict:
    """Train on the other folds and score this one once; of a finished fold read the scores.

    Args:
        beside: tracks that have nothing but concepts.
        folds: the fold of each track, `(tracks,)`.
        fold: the test fold, from 1.
    """
    task, place = TASKS[experiment.task], folder / f"fold{fold}"
    label = f"fold {fold} of {len(experiment.validation.scored_folds)}"
    test = tracks.rows(np.flatnonzero(folds == fold))
    by_source = tracks.table["source"].nunique() > 1
    if not (place / "predictions.csv").exists():
        train = training_tracks(tracks, folds, fold, experiment.validation)
        model, stems = _fit(_with_seed(experiment, fold), train, place, label, reporter, beside)
        if stems:
            with atomic_write(place / STEM_SCORES) as file:
                file.write_text(json.dumps(score_stem_models(experiment, stems, test)))
        track_rows, predictions = fit.predict_segments(model, experiment, test)
        _save_model(model, place / "model.keras")
        write_predictions(place, task, test.table, track_rows, predictions, by_source)
        fit.discard_state(place)
    scores = read_scores(place, task, test.table, by_source)
    if has_stem_models(experiment):
        scores["stems"] = json.loads((place / STEM_SCORES).read_text())
    reporter.log(f"{label}: {format_scores(scores['song'])}")
    return scores


def _with_seed(experiment: Experiment, fold: int) -> Experiment:
    """Return the experiment with a seed of the fold's own; the final model is fold 0."""
    seed = experiment.training.seed + 1000 * fold
    training = experiment.training.model_copy(update={"seed": seed})
    return experiment.model_copy(update={"training": training})


def _train_final_model(
    experiment: Experiment,
    tracks: Tracks,
    beside: Tracks | None,
    folder: Path,
    reporter: Reporter,
) -> None:
    """Write model.keras, trained on all tracks or copied from fold 1, and its servable."""
    file, place = folder / "model.keras", folder / "final"
    if not file.exists() and experiment.validation.final_model:
        label = "final model on all tracks"
        model, _ = _fit(_with_seed(experiment, 0), tracks, place, label, reporter, beside)
        _save_model(model, file)
        fit.discard_state(place)
    elif not file.exists():
        with atomic_write(file) as temporary:
            temporary.write_bytes((folder / "fold1" / "model.keras").read_bytes())
    if not (folder / servable.FOLDER).exists() and not experiment.takes_stems:
        servable.save(keras.models.load_model(file, compile=False), experiment, file)


def _fit(
    experiment: Experiment,
    tracks: Tracks,
    folder: Path,
    label: str,
    reporter: Reporter,
    beside: Tracks | None,
) -> tuple[keras.Model, dict[str, keras.Model]]:
    """Return a trained network with all its outputs, and its source models by stem."""
    stems: dict[str, keras.Model] = {}
    if is_linear(experiment):
        folder.mkdir(parents=True, exist_ok=True)
        model = fit_last_layer(experiment, tracks, reporter)
    else:
        stems = fit_stem_models(experiment, tracks, folder, label, reporter)
        model = fit.fit(experiment, tracks, folder, label, reporter, beside, stems).model
    model = add_effects(model, experiment, tracks)
    return add_distance(model, experiment, tracks), stems


def _save_model(model: keras.Model, file: Path) -> None:
    with atomic_write(file) as temporary:
        model.save(temporary)


def _total_seconds(folder: Path, this_call: float) -> float:
    """Return seconds over all calls: the sum of the epochs', or this call's where that is more."""
    histories = (*folder.glob("*/history.csv"), *folder.glob("*/*/history.csv"))  # of stems
    epochs = sum(float(pd.read_csv(file)["seconds"].sum()) for file in histories)
    return round(max(this_call, epochs), 1)
