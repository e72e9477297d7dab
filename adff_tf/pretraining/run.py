"""A pre-training in a folder: find recordings, label them, train the student, save its backbone.

docs/pretraining.md lists the folder's files. A repeated call resumes: labelled copies stay, and the
training continues after its last epoch. `model.keras` and `config.json` are a run's, except that
the prediction head has random weights; `pretraining.json` marks that.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from .. import audio
from ..errors import InputError, format_list
from ..model import musicnn_files
from ..model.model_file import PRETRAINING
from ..model.musicnn import TARGETS, Teacher
from ..support import environment, folders
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, expand_user
from .labelling import Copy, Labeller, label
from .learning import best_epoch, discard_checkpoints, learn
from .recordings import Recording, find
from .settings import Plan
from .student import build_student, make_backbone
from .windows import Statistics, Windows, statistics

RECORD, WORK = PRETRAINING, "pre-training"
WEIGHTS, STATISTICS, HEARD = "student.weights.h5", "statistics.npz", "heard.csv"
DESCRIBES = ("frontend", "network", "seg_len", "seg_num")  # settings that a student's weights need


@dataclass(frozen=True)
class Sources:
    """Places of the audio and of earlier work.

    Attributes:
        audio: files and folders.
        hold_out: folder of recordings to hold out, instead of a fraction of `audio`.
        labelled: folder of labels, to share it among pre-trainings.
        start_from: folder of an earlier pre-training, or None.
        terms: licence of the recordings, for model cards.
    """

    audio: Sequence[str]
    hold_out: Path | None = None
    labelled: Path | None = None
    start_from: Path | None = None
    terms: str = "not stated"


@dataclass(frozen=True)
class Pretraining:
    """A finished pre-training: its folder and the content of `metrics.json`."""

    folder: Path
    metrics: dict


def read_teacher(given: str | Path | None) -> Labeller:
    """Return the teacher from its wheel, folder or installed package. Raises InputError."""
    return Teacher(musicnn_files.load_teacher(musicnn_files.read_checkpoint(given)))


def pretrain(
    plan: Plan,
    sources: Sources,
    folder: str | Path,
    teacher: Callable[[], Labeller],
    reporter: Reporter = SILENT,
) -> Pretraining:
    """Teach a student the teacher's features on recordings without labels.

    Args:
        plan: all settings.
        sources: the recordings.
        folder: for the results: new, empty, or of the pre-training to resume.
        teacher: returns the teacher; called first, so that a missing teacher costs no time.
        reporter: takes progress.

    Raises:
        InputError: before any training for a missing teacher, for sources without recordings, where
            `folder` holds another work, or another process works in it.
        DivergedError: the loss became NaN or infinite.
    """
    folder, labeller = expand_user(folder), teacher()
    start = read_start(sources.start_from, plan) if sources.start_from else None
    learning = plan.learning
    recordings = find(
        sources.audio, sources.hold_out, learning.held_out, learning.seed, plan.frontend, reporter
    )
    with folders.locked(folder, RECORD, WORK):
        advice = "give the same settings again"
        folders.begin(folder, RECORD, _record(plan, sources), WORK, advice)
        folders.keep_index(folder, _index(recordings), WORK)
        environment.write(folder, audio.graph_decoder())
        metrics = folder / "metrics.json"
        if not metrics.exists():
            labels = expand_user(sources.labelled or folder / "labelled")
            _log_recordings(recordings, labels, reporter)
            copies, left_out = label(recordings, labels, plan, labeller, reporter)
            _pretrain(plan, recordings, copies, left_out, start, folder, reporter)
        return Pretraining(folder, json.loads(metrics.read_text()))


def read_start(path: Path, plan: Plan) -> Path:
    """Return the folder of an earlier pre-training. Raises InputError where it does not fit."""
    folder = expand_user(path)
    advice = "give the folder of a finished adff-pretrain by `start_from`"
    try:
        earlier = json.loads((folder / RECORD).read_text())["plan"]
        earlier = {name: earlier[name] for name in DESCRIBES}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder} holds no pre-training; {advice}") from None
    if not all((folder / name).is_file() for name in (WEIGHTS, STATISTICS, HEARD)):
        raise InputError(f"the pre-training in {folder} is not finished; {advice}")
    now = plan.model_dump(mode="json", include=set(DESCRIBES))
    if earlier != now:
        differing = folders.differences(earlier, now)
        raise InputError(
            f"{folder} holds weights of other settings:\n{differing}\nGive the same settings"
        )
    return folder


# === Before training ===


def _record(plan: Plan, sources: Sources) -> str:
    """Return the content of pretraining.json: what decides the numbers, and the provenance."""
    start = expand_user(sources.start_from) / WEIGHTS if sources.start_from else None
    record = {
        "head": "untrained: train it by adff-train --start-from",
        "teacher": {
            "name": musicnn_files.NAME,
            "licence": musicnn_files.LICENCE,
            "sha256": musicnn_files.SHA256[musicnn_files.DATA],
        },
        "terms": _terms(sources),
        "start_sha256": hashlib.sha256(start.read_bytes()).hexdigest() if start else None,
        "plan": plan.model_dump(mode="json"),
    }
    return json.dumps(record, indent=2) + "\n"


def _terms(sources: Sources) -> str:
    """Return the terms of teacher and recordings, with those of the start's recordings."""
    teacher = f"teacher: {musicnn_files.NAME}, {musicnn_files.LICENCE}; recordings: "
    if not sources.start_from:
        return teacher + sources.terms
    earlier = json.loads((expand_user(sources.start_from) / RECORD).read_text())["terms"]
    return f"{teacher}{sources.terms}; of its start: {earlier.removeprefix(teacher)}"


def _index(recordings: Sequence[Recording]) -> pd.DataFrame:
    """Return the table of index.csv; `features` names a recording's file in a feature store."""
    rows = [(f"{r.key}.f32", r.path, r.is_held_out) for r in recordings]
    return pd.DataFrame(rows, columns=["features", "path", "held_out"])


def _log_recordings(recordings: Sequence[Recording], labels: Path, reporter: Reporter) -> None:
    held_out = sum(recording.is_held_out for recording in recordings)
    reporter.log(f"{len(recordings)} recordings, {held_out} of them held out; labels in {labels}")


# === Training ===


def _pretrain(
    plan: Plan,
    recordings: Sequence[Recording],
    copies: list[Copy],
    left_out: dict[str, str],
    start: Path | None,
    folder: Path,
    reporter: Reporter,
) -> None:
    """Train on labelled copies and write the results; `metrics.json` is the last."""
    lines = [f"{path}: {reason}" for path, reason in sorted(left_out.items())]
    if lines:
        reporter.log(f"left out {len(lines)} recordings:\n{format_list(lines)}")
    train = [copy for copy in copies if not copy.recording.is_held_out]
    held_out = [copy for copy in copies if copy.recording.is_held_out]
    if not train or not held_out:
        raise InputError(
            f"of {len(recordings)} recordings, {len(train)} copies to train on and {len(held_out)} "
            f"held out can be used; both are needed:\n{format_list(lines)}\nGive more recordings "
            "that decode and are long enough, or another `seed`, and another folder by `out`"
        )
    found = _statistics(train, plan, folder, start)
    windows, val = Windows(train, plan, found), Windows(held_out, plan, found)
    reporter.log(
        f"{windows.seconds / 3600:.2f} h to train on in {len(train)} copies, "
        f"{val.seconds / 3600:.2f} h held out; {windows.steps} steps an epoch"
    )
    weights = start / WEIGHTS if start else None
    student, history = learn(plan, windows, val, folder, weights, reporter)
    _save(plan, student, folder)
    _write_heard(recordings, left_out, start, folder)
    best = history.iloc[best_epoch(history) - 1]
    metrics = {
        "epoch": int(best["epoch"]),
        "epochs": len(history),
        "explained_variance": {name: float(best[f"explained_{name}"]) for name in TARGETS},
        "recordings": {"train": len({c.recording for c in train}), "held_out": len(held_out)},
        "hours": {"train": windows.seconds / 3600, "held_out": val.seconds / 3600},
        "left_out": left_out,
        "seconds": float(history["seconds"].sum()),
    }
    with atomic_write(folder / "metrics.json") as file:
        file.write_text(json.dumps(metrics, indent=2) + "\n")
    discard_checkpoints(folder)


def _statistics(train: list[Copy], plan: Plan, folder: Path, start: Path | None) -> Statistics:
    """Return the statistics: the start's, those that are there, or those of the copies."""
    file = folder / STATISTICS
    if not file.exists():
        if start:
            with np.load(start / STATISTICS) as arrays:
                found = dict(arrays)
        else:
            found = statistics(train, plan.frontend.mels)
        with atomic_write(file) as temporary:
            np.savez(temporary, **found)  # type: ignore[arg-type]
    with np.load(file) as arrays:
        return dict(arrays)


def _save(plan: Plan, student: keras.Model, folder: Path) -> None:
    """Write the student's weights, and its backbone as a run's model with an untrained head."""
    finished = build_student(plan)  # a compiled one would save its optimizer too
    finished.set_weights(student.get_weights())
    with atomic_write(folder / WEIGHTS) as file:
        finished.save_weights(file)
    with atomic_write(folder / "config.json") as file:
        file.write_text(plan.experiment.to_json())
    with atomic_write(folder / "model.keras") as file:
        make_backbone(student, plan.experiment).save(file)


def _write_heard(
    recordings: Sequence[Recording], left_out: dict[str, str], start: Path | None, folder: Path
) -> None:
    """Write heard.csv: every recording that took part, here and in the start, by content."""
    role = {True: "held_out", False: "train"}
    rows = [(f"{r.key}.f32", role[r.is_held_out]) for r in recordings if r.path not in left_out]
    table = pd.DataFrame(rows, columns=["features", "role"])
    if start:
        earlier = pd.read_csv(start / HEARD).assign(role="start")
        table = pd.concat([table, earlier]).drop_duplicates("features")
    with atomic_write(folder / HEARD) as file:
        table.to_csv(file, index=False)
