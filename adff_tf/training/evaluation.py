"""An evaluation: a trained model scored on a data set, on tracks that it was not trained on.

`evaluate` writes a folder (docs/runs.md): `metrics.json` (as a run's, for one "fold", with `model`
and `trained_on`), `predictions.csv`, `segments.csv`, `report.md`, `plots/`, `config.json` and
`environment.json`; with annotations over time also `dynamic.csv`, a row a song.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from .. import audio, datasets
from ..config import DataKind, Experiment
from ..datasets import pmemo
from ..errors import InputError, format_list
from ..features.tracks import Tracks, copy_notes, prepare_tracks
from ..inference.backends import Kind, load_backend, locate
from ..inference.emotion import Emotion
from ..inference.model import EmotionModel
from ..model.model_file import find_model, load_network
from ..model.shipped import resolve_model
from ..reports.report import write_evaluation_report
from ..support import environment
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, check_empty, ensure_writable, expand_user
from ..tasks import TASKS, Task
from .fit import predict_segments
from .predictions import write_predictions
from .start import heard_tracks
from .summary import summarise, without_nan

DYNAMIC_HOP_S = 0.5  # the annotations' own step
CURVE_SCORES = ("rmse", "correlation")
TRAINED_ON = "trained_on.csv"  # of an export


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its folder, the model's settings and the content of `metrics.json`."""

    folder: Path
    experiment: Experiment
    metrics: dict


def evaluate(
    model: str | Path,
    data: str | Path | Sequence[str | Path],
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
    """Score a model on a data set.

    A run's model is scored on its own segments, as in training; an export's SavedModel or `.tflite`
    on windows of the same length, one behind the other.

    Args:
        model: a run, a `model.keras`, a SavedModel or a `.tflite` (see `inference.backends`).
        data: one data set, as for `datasets.load`, or several, as for `datasets.load_all`: scored
            together and each by itself.
        kind: as for `datasets.load`.
        label_range: as for `datasets.load`.
        folder: for the evaluation; it must be empty but for `features/`.
        features: the feature store's folder, inside `folder` by default.
        skip_bad_audio: leave out recordings that do not decode.
        allow_trained: also score tracks that the model was trained on.
        leave_out_trained: leave out tracks that the model was trained on.
        dynamic: also score the curve against PMEmo's annotations over time.

    Raises:
        InputError: where the model was trained on tracks and neither option is given, for a folder
            that is not empty, and for unusable data, as `run.run`.
    """
    folder, started = expand_user(folder), time.perf_counter()
    check_empty(folder, "the evaluation", may_hold=["features"])  # an earlier call's are still good
    scored = _ScoredModel.load(model)
    experiment, task = scored.experiment, TASKS[scored.experiment.task]
    roots = [data] if isinstance(data, str | Path) else data
    index = datasets.load_all(roots, kind, label_range)
    groups = index.tracks["group"].nunique()
    reporter.log(f"{index.source}: {len(index.tracks)} tracks of {groups} groups")
    annotations = _load_annotations(roots, index, task) if dynamic else None
    trained = None if allow_trained and not scored.is_run else scored.training_tracks()
    is_refused = not (allow_trained or leave_out_trained)
    if is_refused and trained is not None:  # by path, before the log-mels, which find copies
        in_training = index.tracks["path"].isin(trained["path"]).to_numpy()
        _refuse_trained(scored.path, index.tracks, in_training)
    ensure_writable(folder, "the evaluation")
    store = features or folder / "features"
    tracks, left_out = prepare_tracks(
        index.tracks, store, experiment.frontend, skip_bad_audio, reporter
    )
    was_trained = _is_in(tracks.table, trained)
    if is_refused:
        _refuse_trained(scored.path, tracks.table, was_trained)
    if leave_out_trained and was_trained.any():
        tracks = _drop_trained(scored.path, tracks, was_trained, index.source, reporter)

    reporter.log(f"scoring {len(tracks)} tracks")
    track_rows, predictions = scored.predict(tracks, reporter)
    curves = None
    if annotations is not None:
        curves = _score_curves(scored.model, tracks.table, annotations, reporter)
    # Until here the folder is unchanged: after an interruption the same command works again.
    by_source = index.tracks["source"].nunique() > 1
    scores = write_predictions(folder, task, tracks.table, track_rows, predictions, by_source)
    if curves is not None:
        with atomic_write(folder / "dynamic.csv") as partial:
            curves.to_csv(partial, index=False)
    with atomic_write(folder / "config.json") as partial:
        partial.write_text(experiment.to_json())
    environment.write(folder, audio.graph_decoder())
    metrics = summarise(task, [scores], []) | {
        "model": str(scored.path),
        "network": experiment.network.model,
        "trained_on": 0 if leave_out_trained else int(was_trained.sum()),
        "dynamic": None if curves is None else _summarise_curves(curves, task),
        "seconds": round(time.perf_counter() - started, 1),
        "tracks": len(tracks),
        "groups": int(tracks.table["group"].nunique()),
        "source": index.source,
        "notes": [*index.notes, *copy_notes(tracks.table)],
        "left_out": left_out,
    }
    with atomic_write(folder / "metrics.json") as partial:
        partial.write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    write_evaluation_report(folder, experiment)
    return Evaluation(folder, experiment, metrics)


@dataclass(frozen=True)
class _ScoredModel:
    """The model of an evaluation.

    Attributes:
        path: the model's file, or the SavedModel's folder.
        experiment: the settings of its training.
        model: predicts on recordings.
        network: a run's Keras network; None for an artifact.
    """

    path: Path
    experiment: Experiment
    model: EmotionModel
    network: keras.Model | None = None

    @classmethod
    def load(cls, path: str | Path) -> "_ScoredModel":
        given = resolve_model(path)
        location = locate(given, "auto" if given.suffix == ".tflite" else "keras")
        if location.kind == Kind.RUN:
            file, experiment = find_model(location.path)
            network = load_network(file)
            return cls(file, experiment, EmotionModel.from_network(network, experiment), network)
        model = EmotionModel(*load_backend(location))
        settings = json.dumps(model.description.settings)
        experiment = Experiment.from_json(settings, f"the description of {location.path}")
        segments = experiment.segments.model_copy(update={"sampling": "full", "fresh": False})
        return cls(location.path, experiment.model_copy(update={"segments": segments}), model)

    @property
    def is_run(self) -> bool:
        return self.network is not None

    def training_tracks(self) -> pd.DataFrame:
        """Return `path` and `features` of the training tracks; an export keeps no paths."""
        if self.is_run:
            return heard_tracks(self.path, self.experiment)
        export = self.path.parent if self.path.is_file() else self.path.parent.parent
        file = export / TRAINED_ON
        if not file.is_file():
            raise InputError(
                f"{file} is missing, which identifies the tracks that {self.path} was trained on; "
                "copy it from the export, or score all tracks nevertheless by `allow_trained`"
            )
        return pd.read_csv(file).assign(path="")

    def predict(
        self, tracks: Tracks, reporter: Reporter
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return each segment's track and predictions, as `fit.predict_segments`."""
        if self.network is not None:
            return predict_segments(self.network, self.experiment, tracks)
        emotions = []
        with reporter.bar("songs", len(tracks)) as advance:
            for path in tracks.table["path"]:
                emotions.append(self.model.predict(path, hop_s=self.model.description.window_s))
                advance()
        track_rows = np.repeat(np.arange(len(tracks)), [len(e.start) for e in emotions])
        outputs = self.model.task.outputs
        return track_rows, {
            name: np.concatenate([e.windows[name] for e in emotions]) for name in outputs
        }


# === Tracks that the model was trained on ===


def _is_in(table: pd.DataFrame, trained: pd.DataFrame | None) -> np.ndarray:
    """Return which tracks were trained on, by path or content, `(tracks,)` bool."""
    if trained is None:
        return np.zeros(len(table), bool)
    is_copy = table["features"].isin(trained["features"])
    return (is_copy | table["path"].isin(trained["path"])).to_numpy()


def _refuse_trained(file: Path, table: pd.DataFrame, was_trained: np.ndarray) -> None:
    """Raise InputError where any of the table's tracks was trained on."""
    if was_trained.any():
        raise InputError(
            f"{file} was trained on {was_trained.sum()} of these {len(table)} tracks:\n"
            f"{format_list(table['track_id'][was_trained])}\n"
            "Scores on them say nothing about new music. Leave them out by `leave_out_trained`, or "
            "score them nevertheless by `allow_trained`"
        )


def _drop_trained(
    file: Path, tracks: Tracks, was_trained: np.ndarray, source: str, reporter: Reporter
) -> Tracks:
    reporter.log(f"{was_trained.sum()} tracks that the model was trained on are left out")
    if was_trained.all():
        raise InputError(f"{file} was trained on every track of {source}: none is left to score")
    return tracks.rows(np.flatnonzero(~was_trained))


# === Over time ===


def _load_annotations(
    roots: Sequence[str | Path], index: datasets.Index, task: Task
) -> pd.DataFrame:
    """Return PMEmo's annotations over time.

    Raises:
        InputError: for several or other data sets, and for models that do not predict numbers.
    """
    if len(roots) > 1:
        raise InputError(
            f"annotations over time are scored for one data set at a time, here are {len(roots)}; "
            "leave `dynamic` out"
        )
    root = expand_user(roots[0])
    if not task.is_regression:
        raise InputError(
            f"annotations over time are numbers, and the model's task is {task.name}; "
            "leave `dynamic` out"
        )
    if not pmemo.matches(root):
        raise InputError(
            f"{index.source} has no annotations over time that are known here (PMEmo has); "
            "leave `dynamic` out"
        )
    return pmemo.dynamic(root)


def _score_curves(
    model: EmotionModel, table: pd.DataFrame, annotations: pd.DataFrame, reporter: Reporter
) -> pd.DataFrame:
    """Return `track_id` and the scores of `score_curve`, a row an annotated song."""
    rows = []
    by_song = dict(iter(annotations.groupby("track_id")))
    with reporter.bar("curves over time", len(table)) as advance:
        for track in table.itertuples():
            if track.track_id in by_song:
                emotion = model.predict(track.path, hop_s=DYNAMIC_HOP_S)
                scores = score_curve(emotion, by_song[track.track_id])
                rows.append({"track_id": track.track_id, **scores})
            advance()
    if not rows:
        raise InputError("none of the tracks has annotations over time; leave `dynamic` out")
    return pd.DataFrame(rows)


def score_curve(emotion: Emotion, annotated: pd.DataFrame) -> dict[str, float]:
    """Return RMSE and Pearson's correlation of a song's curve with its annotations.

    A window's values stand at its middle. The curve is linear between middles, and constant before
    the first and after the last.

    Args:
        annotated: `time_s` and the targets, a row a time.

    Returns:
        `<target>_rmse` and `<target>_correlation`; the latter is NaN where either is constant.
    """
    middle = (emotion.start + emotion.end) / 2
    scores = {}
    for target in emotion.task.targets:
        predicted = np.interp(annotated["time_s"], middle, emotion.windows[target])
        truth = annotated[target].to_numpy()
        varies = len(truth) > 1 and np.ptp(predicted) > 0 and np.ptp(truth) > 0
        correlation = np.corrcoef(predicted, truth)[0, 1] if varies else float("nan")
        scores[f"{target}_rmse"] = float(np.sqrt(np.mean((predicted - truth) ** 2)))
        scores[f"{target}_correlation"] = float(correlation)
    return scores


def _summarise_curves(curves: pd.DataFrame, task: Task) -> dict:
    """Return the number of songs, and the mean and sample std over songs, for metrics.json."""
    statistics = {"mean": curves.mean(numeric_only=True), "std": curves.std(numeric_only=True)}
    return {"songs": len(curves)} | {
        name: {
            target: {score: without_nan(values[f"{target}_{score}"]) for score in CURVE_SCORES}
            for target in task.targets
        }
        for name, values in statistics.items()
    }
