"""The student's training: epochs, checkpoints, the best epoch by explained variance.

After every epoch the folder gets `history.csv`, the best weights where the epoch is the best, and
the checkpoint `state-<epoch>.npz` of weights, optimizer and dropout seeds. Windows and their
changes depend on (seed, epoch) alone, so that a training resumed after a kill ends with the same
numbers as an uninterrupted one, bit for bit on a CPU.
"""

import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ..model.musicnn import TARGETS
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write
from ..training.fit import CHECKPOINT, DivergedError, load_state, save_state
from .settings import Plan
from .student import build_student, compile_student, explained_variance
from .windows import Windows

BEST, HISTORY = "best.weights.h5", "history.csv"
CHOOSES = "explained_penultimate"  # the column whose greatest value is the best epoch


def learn(
    plan: Plan,
    train: Windows,
    held_out: Windows,
    folder: Path,
    start: Path | None = None,
    reporter: Reporter = SILENT,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train a student, or resume after the last finished epoch.

    Args:
        plan: the pre-training's settings.
        train: windows to learn; their statistics standardise the student's input.
        held_out: windows that choose the epoch.
        folder: for history and checkpoints.
        start: the weights of an earlier student, or None.
        reporter: takes progress.

    Returns:
        The student of the best epoch, and the history, a row an epoch.

    Raises:
        DivergedError: the loss is NaN or infinite.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(plan.learning.seed)
    student = build_student(plan)
    bands = [train.statistics[name] for name in ("band_mean", "band_std")]
    student.get_layer("standardise").set_weights(bands)
    if start:
        student.load_weights(start)
    compile_student(student, plan, train.steps)
    history = _restore(student, folder, reporter)
    while len(history) < plan.learning.epochs and not _is_over(history, plan):
        row = _train_epoch(student, plan, train, held_out, len(history), reporter)
        history = pd.concat([history, pd.DataFrame([row])], ignore_index=True)
        if not np.isfinite(row["loss"]):
            raise DivergedError(
                f"the pre-training in {folder} diverged: the loss is {row['loss']}. Give a lower "
                f"`learning_rate` (it was {plan.learning.learning_rate:g}) and another folder"
            )
        _save(student, history, folder)
        reporter.log(describe_epoch(row, plan))
    student.load_weights(folder / BEST)
    return student, history


def discard_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a finished training."""
    for file in (*folder.glob(CHECKPOINT), folder / BEST):
        file.unlink(missing_ok=True)


def best_epoch(history: pd.DataFrame) -> int:
    """Return the epoch, from 1, that explains most of the embedding's variance."""
    return int(history[CHOOSES].fillna(-np.inf).argmax()) + 1


def describe_epoch(row: dict, plan: Plan) -> str:
    """Return one line on an epoch."""
    others = "  ".join(
        f"{name} {row[f'explained_{name}']:.3f}" for name in TARGETS if name != "penultimate"
    )
    return (
        f"epoch {row['epoch']:.0f} of {plan.learning.epochs}  loss {row['loss']:.4f}  explained on "
        f"held-out recordings: embedding {row[CHOOSES]:.3f}  {others}  {row['seconds']:.0f} s"
    )


def _is_over(history: pd.DataFrame, plan: Plan) -> bool:
    """Return whether the last epochs explain no more than the best one before them."""
    patience = plan.learning.early_stopping
    return bool(patience and len(history)) and len(history) - best_epoch(history) >= patience


def _train_epoch(
    student: keras.Model,
    plan: Plan,
    train: Windows,
    held_out: Windows,
    epoch: int,
    reporter: Reporter,
) -> dict:
    """Train one epoch, from 0, and return its row of the history."""
    started = time.perf_counter()
    label = f"epoch {epoch + 1} of {plan.learning.epochs}"
    with reporter.bar(label, train.steps, passing=True) as advance:
        show = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs: advance(note=f"loss {logs['loss']:.4f}")
        )
        batches = train.training_batches(epoch)
        fitted = student.fit(batches, callbacks=[show], verbose=0, shuffle=False)
    explained = explained_variance(student, held_out)
    return {
        "epoch": epoch + 1,
        "loss": fitted.history["loss"][0],
        **{f"explained_{name}": value for name, value in explained.items()},
        "learning_rate": float(keras.ops.convert_to_numpy(student.optimizer.learning_rate)),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _restore(student: keras.Model, folder: Path, reporter: Reporter) -> pd.DataFrame:
    """Load the newest checkpoint, if there is one, and return the history up to it."""
    checkpoints = sorted(folder.glob(CHECKPOINT))
    if not checkpoints:
        return pd.DataFrame()
    load_state(student, checkpoints[-1])
    done = int(checkpoints[-1].stem.removeprefix("state-"))
    reporter.log(f"goes on after epoch {done}")
    return pd.read_csv(folder / HISTORY).iloc[:done]


def _save(student: keras.Model, history: pd.DataFrame, folder: Path) -> None:
    """Write history and best weights, then the checkpoint, which makes both count."""
    with atomic_write(folder / HISTORY) as file:
        history.to_csv(file, index=False)
    if best_epoch(history) == len(history):
        with atomic_write(folder / BEST) as file:
            student.save_weights(file)
    save_state(student, folder / CHECKPOINT.replace("*", f"{len(history):05d}"))
    for old in sorted(folder.glob(CHECKPOINT))[:-1]:
        old.unlink()
