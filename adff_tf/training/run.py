"""A run: song-grouped folds, one fit and one honest score each, the baselines beside them, and a final model on all tracks.

Everything lies in the run folder (its layout is docs/runs.md). The same call goes on where an earlier one stopped: folds with
`predictions.csv` are finished, the fold in progress goes on from its last epoch.
"""

import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from .. import audio, datasets
from ..config import Experiment
from ..datasets import synthetic
from ..errors import InputError
from ..features import pipeline
from ..model import servable
from ..reports import report
from ..support import environment, folders
from ..support.console import SILENT, Listener
from ..support.files import expanded, replaced
from ..tasks import PROBABILITIES, TASKS, Task
from . import baselines, fit, metrics

RECORD, WHAT = "config.json", "a run"


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and the content of `metrics.json`."""

    folder: Path
    metrics: dict


def run(experiment: Experiment, folder: str | Path, features: str | Path | None = None, listener: Listener = SILENT) -> Run:
    """Cross-validate an experiment and train the final model, into `folder`.

    features: the feature store's folder, to share it among runs; inside `folder` by default. Raises InputError for anything
    wrong with the data or the settings, before any training, where `folder` holds another experiment's run or another process works
    in it, and where the training diverges.
    """
    folder = expanded(folder)
    with folders.held(folder, RECORD, WHAT, listener) as listening:
        return run_held(experiment, folder, features, listening)


def run_held(experiment: Experiment, folder: Path, features: str | Path | None = None, listener: Listener = SILENT) -> Run:
    """As `run`, in a folder that the caller keeps other processes out of."""
    record = folder / RECORD
    folders.begin(
        folder, RECORD, experiment.to_json(), WHAT, f"go on with that run by --config {record} --out {folder}",
        lambda text: Experiment.from_json(text, str(record)).model_dump(),
    )  # fmt: skip
    started, task = time.perf_counter(), TASKS[experiment.task]
    index = load_index(experiment, folder, listener)
    check_task(task, index)
    tracks, bad = pipeline.prepare(
        index.tracks, features or folder / "features", experiment.frontend, experiment.data.skip_bad_audio, listener
    )
    if bad:
        listener.say(f"going on without {len(bad)} recordings that cannot be used; the report lists them")
    folds = assign_folds(tracks.table, task, experiment.validation.folds, experiment.training.seed)
    folders.keep_index(folder, tracks.table.assign(fold=folds), "the run")
    scored = range(1, 2 if experiment.validation.hold_out else experiment.validation.folds + 1)
    if experiment.training.early_stopping:
        for number in scored:
            fit.check_groups(tracks.table[folds != number])
    environment.write(folder / "environment.json", audio.backend())

    results = [_fold(experiment, tracks, folds, number, folder, listener) for number in scored]
    listener.say("baselines: the mean, and ridge or logistic regression on the log-mel's band means and deviations")
    trivial = [baselines.scores(task, tracks, folds != number, folds == number) for number in scored]
    _final_model(experiment, tracks, folder, listener)

    seconds = _seconds(folder, time.perf_counter() - started)
    summary = summarise(task, results, trivial) | {
        "seconds": seconds, "tracks": len(tracks), "groups": int(tracks.table["group"].nunique()),
        "source": index.source, "notes": [*index.notes, *pipeline.copies(tracks.table)], "left_out": bad,
    }  # fmt: skip
    with replaced(folder / "metrics.json") as file:
        file.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")
    report.write(folder, experiment)
    return Run(folder, summary)


# === Before training ===


def load_index(experiment: Experiment, folder: Path, listener: Listener = SILENT) -> datasets.Index:
    """The experiment's index; the synthetic set is made in the run folder first."""
    data = experiment.data
    if data.data is not None:
        index = datasets.load(data.data, data.kind, data.label_range)
    else:
        if data.kind not in ("auto", "synthetic") or data.label_range:
            raise InputError("kind and label_range describe a data set, but none was given: add --data FOLDER")
        with listener.bar("making music", data.clips) as advance:
            root = synthetic.make(
                folder / "synthetic", clips=data.clips, seconds=data.clip_s, seed=experiment.training.seed, progress=advance
            )
        index = synthetic.index(root)
    listener.say(f"{index.source}: {len(index.tracks)} tracks of {index.tracks['group'].nunique()} groups")
    for note in index.notes:
        listener.say(f"  note: {note}")
    return index


def check_task(task: Task, index: datasets.Index) -> None:
    """Raise InputError where a data set of quadrants is asked for numbers."""
    if task.is_regression and index.labels == "quadrant":
        raise InputError(
            f"{index.source} has quadrants, which give signs and no numbers, and the task is {task.name}; "
            "use --task quadrant, arousal2 or valence2"
        )


def assign_folds(table: pd.DataFrame, task: Task, folds: int, seed: int) -> np.ndarray:
    """The fold of each row of an index, 1 to `folds`, int64: groups stay whole, classes are balanced as far as they allow.

    Raises InputError for fewer groups than folds.
    """
    groups = table["group"].nunique()
    if groups < folds:
        raise InputError(
            f"{folds} folds need at least {folds} songs or artists that stay apart; here are {groups}. Use --folds {max(2, groups)}"
            + (" and more songs" if groups < 2 else "")
        )
    by_group = GroupKFold(folds, shuffle=True, random_state=seed)
    if task.is_regression:
        return _assigned(by_group, table, None)
    y = task.labels(table)[PROBABILITIES]
    if np.bincount(y).max() >= folds:  # scikit-learn asks for it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class with fewer songs than folds, which is no fault
            balanced = _assigned(StratifiedGroupKFold(folds, shuffle=True, random_state=seed), table, y)
        if len(np.unique(balanced)) == folds:  # few groups to balance by can leave a fold empty
            return balanced
    return _assigned(by_group, table, y)


def _assigned(splitter: GroupKFold | StratifiedGroupKFold, table: pd.DataFrame, y: np.ndarray | None) -> np.ndarray:
    assigned = np.zeros(len(table), "int64")
    for number, (_, test) in enumerate(splitter.split(table, y, table["group"]), start=1):
        assigned[test] = number
    return assigned


# === Folds ===


def _fold(
    experiment: Experiment, tracks: pipeline.Tracks, folds: np.ndarray, number: int, folder: Path, listener: Listener
) -> dict:
    """Train on the other folds and score this one, once; or read the predictions of a fold that is finished."""
    task, place = TASKS[experiment.task], folder / f"fold{number}"
    learn, test = tracks.rows(np.flatnonzero(folds != number)), tracks.rows(np.flatnonzero(folds == number))
    count = 1 if experiment.validation.hold_out else experiment.validation.folds
    label = f"fold {number} of {count}"
    if not (place / "predictions.csv").exists():
        result = fit.fit(_seeded(experiment, number), learn, place, label, listener)
        owner, predictions = fit.predict(result.model, experiment, test)
        with replaced(place / "model.keras") as file:
            result.model.save(file)
        write_scores(place, task, test.table, owner, predictions)
        fit.discard_state(place)
    scores = read_scores(place, task)
    listener.say(f"{label}: {report.scores_in_words(scores['song'])}")
    return scores


def _seeded(experiment: Experiment, number: int) -> Experiment:
    """The experiment with a fit's own seed, so that folds do not share their random numbers."""
    seed = experiment.training.seed + 1000 * number
    return experiment.model_copy(update={"training": experiment.training.model_copy(update={"seed": seed})})


def write_scores(folder: Path, task: Task, table: pd.DataFrame, owner: np.ndarray, predictions: dict[str, np.ndarray]) -> dict:
    """Write segments.csv and predictions.csv of some tracks, the latter last; their scores as `read_scores` gives them.

    table: the tracks. owner, predictions: as from `training.predict`.
    """
    _write_predictions(folder / "segments.csv", task, table.iloc[owner], predictions)
    _write_predictions(folder / "predictions.csv", task, table, by_song(owner, predictions))
    return read_scores(folder, task)


def read_scores(folder: Path, task: Task) -> dict:
    """{"song", "segment"}: the scores of the predictions in a folder, as `metrics.score`."""
    return {"song": _score_file(folder / "predictions.csv", task), "segment": _score_file(folder / "segments.csv", task)}


def by_song(owner: np.ndarray, predictions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean of each track's segments, by network output. owner: the row of each segment's track."""
    return {
        name: pd.DataFrame(values).groupby(owner).mean().to_numpy().reshape(-1, *values.shape[1:])
        for name, values in predictions.items()
    }


def _write_predictions(file: Path, task: Task, table: pd.DataFrame, predictions: dict[str, np.ndarray]) -> None:
    columns: dict = {"track_id": table["track_id"]}
    labels = task.labels(table)
    for name in task.outputs:
        if task.is_regression:
            columns |= {f"{name}_target": labels[name], f"{name}_prediction": predictions[name]}
        else:
            names = np.array(task.classes)
            columns |= {"class_target": names[labels[name]], "class_prediction": names[predictions[name].argmax(axis=1)]}
            columns |= {f"p_{c}": predictions[name][:, k] for k, c in enumerate(task.classes)}
    with replaced(file) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)


def _score_file(file: Path, task: Task) -> dict:
    table = pd.read_csv(file)
    if task.is_regression:
        return metrics.score(
            task, {n: table[f"{n}_target"] for n in task.targets}, {n: table[f"{n}_prediction"] for n in task.targets}
        )
    numbers = table["class_target"].map({name: k for k, name in enumerate(task.classes)}).to_numpy()
    return metrics.score(task, {PROBABILITIES: numbers}, {PROBABILITIES: table[[f"p_{c}" for c in task.classes]].to_numpy()})


def _final_model(experiment: Experiment, tracks: pipeline.Tracks, folder: Path, listener: Listener) -> None:
    """model.keras, trained on all tracks, or the first fold's; and the same as a servable."""
    file = folder / "model.keras"
    if not file.exists() and experiment.validation.final_model:
        result = fit.fit(_seeded(experiment, 0), tracks, folder / "final", "final model on all tracks", listener)
        with replaced(file) as temporary:
            result.model.save(temporary)
        fit.discard_state(folder / "final")
    elif not file.exists():
        with replaced(file) as temporary:
            temporary.write_bytes((folder / "fold1" / "model.keras").read_bytes())
    if not (folder / servable.FOLDER).exists():
        servable.save(keras.models.load_model(file, compile=False), experiment, file)


# === Summary ===


def summarise(task: Task, folds: list[dict], trivial: list[dict]) -> dict:
    """The scores part of `metrics.json`: every fold, their mean and their sample deviation (null for one fold).

    trivial: the baselines' scores, a dict a fold, or none at all.
    """
    names = trivial[0].keys() if trivial else ()
    songs = [fold["song"] for fold in folds]
    segments = [fold["segment"] for fold in folds]
    return {
        "task": task.name, "folds": plain(songs), "mean": plain(_over(songs, np.mean)), "std": plain(_over(songs, _deviation)),
        "segment_mean": plain(_over(segments, np.mean)), "segment_std": plain(_over(segments, _deviation)),
        "baselines": {name: plain(_over([fold[name] for fold in trivial], np.mean)) for name in names},
    }  # fmt: skip


def _over(folds: list[dict], statistic) -> dict:
    first = folds[0]
    return {target: {score: statistic([fold[target][score] for fold in folds]) for score in first[target]} for target in first}


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def plain(value):
    """JSON has no NaN: null stands for a score that is not defined."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if np.isnan(value) else float(value)


def _seconds(folder: Path, this_time: float) -> float:
    """Seconds spent on the run over all calls: what the fits took, or this call where that is more."""
    fits = [pd.read_csv(file)["seconds"].sum() for file in _histories(folder)]
    return round(max(this_time, float(sum(fits))), 1)


def _histories(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*/history.csv"))
