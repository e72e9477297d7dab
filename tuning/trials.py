"""One trial: an experiment trained on some of the songs and scored, by song, on others.

A trial fails, with a reason, where its configuration cannot work, memory does not suffice or
training diverges (`kt.errors.FailedTrialError`). Any other error ends the search.

A trial's folder holds `fit/` (see `training.fit`: resumed from its last epoch), `result.json` once
the trial has ended, and `tensorboard/` with its hyperparameters.
"""

import gc
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner as kt
import numpy as np
import pandas as pd
import tensorflow as tf

from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.features.tracks import Tracks
from adff_tf.support.console import SILENT, BarsOnly, Reporter
from adff_tf.support.files import atomic_write
from adff_tf.tasks import TASKS, Task
from adff_tf.training.fit import DivergedError, discard_state, fit, predict_segments
from adff_tf.training.metrics import score_task
from adff_tf.training.predictions import mean_by_song

from .plan import Plan
from .results import TrialResult

MAX_KILLS = 2  # a trial whose process dies so often in one epoch is given up
MIB = 2**20


@dataclass(frozen=True)
class SongSplit:
    """The songs that trials train on (`train`) and are scored on (`val`), without the test fold."""

    train: Tracks
    val: Tracks


def run_trial(
    plan: Plan,
    values: dict[str, Any],
    songs: SongSplit,
    folder: Path,
    result: TrialResult,
    reporter: Reporter = SILENT,
) -> float:
    """Train and score one configuration.

    Args:
        plan: the base experiment and the space.
        values: the trial's values, see `plan`.
        songs: the songs to train on and to score.
        folder: the trial's folder.
        result: filled in, and written to `folder` when the trial ends.
        reporter: shows bars.

    Returns:
        The score to maximise.

    Raises:
        FailedTrialError: the trial failed; the message is the reason.
    """
    started = time.perf_counter()
    try:
        settings = _build_experiment(plan, values)
        label = f"trial {result.trial}"
        with _give_up_after_kills(folder), _measure_memory(result):
            result.scores = _fit_and_score(settings, songs, folder / "fit", label, reporter)
        score = compute_objective(TASKS[settings.task], result.scores)
        hparams = plan.space.complete(values)
        _write_hparams(folder / "tensorboard", hparams, score, result.trial)
        return score
    except kt.errors.FailedTrialError as error:
        result.reason = str(error)
        raise
    finally:
        gc.collect()
        history = _read_history(folder / "fit")
        result.epochs = len(history)
        fitted = float(history["seconds"].sum()) if len(history) else 0.0
        result.seconds = round(max(time.perf_counter() - started, fitted), 1)
        result.write(folder)


def compute_objective(task: Task, scores: dict[str, dict[str, float]]) -> float:
    """Return the score to maximise: mean R² over the targets, or accuracy (of the quadrant).

    Where no label is a number, the mean share of right signs takes the place of R².
    """
    if task.is_regression:
        has_numbers = not np.isnan([scores[target]["r2"] for target in task.targets]).any()
        name = "r2" if has_numbers else "sign"
        return float(np.mean([scores[target][name] for target in task.targets]))
    return scores["quadrant" if task.name == "quadrant" else task.targets[0]]["accuracy"]


def _build_experiment(plan: Plan, values: dict[str, Any]) -> Experiment:
    try:
        return plan.build_experiment(values)
    except InputError as error:
        raise kt.errors.FailedTrialError(str(error)) from None


def _fit_and_score(
    settings: Experiment, songs: SongSplit, folder: Path, label: str, reporter: Reporter
) -> dict[str, dict[str, float]]:
    """Train on `songs.train`. Return the scores by song on `songs.val`, as `metrics.score_task`."""
    task = TASKS[settings.task]
    try:
        fitted = fit(settings, songs.train, folder, label, BarsOnly(reporter))
        track_rows, predictions = predict_segments(fitted.model, settings, songs.val)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise kt.errors.FailedTrialError(f"out of memory: {_first_line(error)}") from None
    except DivergedError:
        discard_state(folder)
        reason = "the training diverged; a lower learning rate may help"
        raise kt.errors.FailedTrialError(reason) from None
    discard_state(folder)
    by_song = mean_by_song(track_rows, predictions)
    table = songs.val.table
    return score_task(task, task.labels(table), by_song, table["labels"].to_numpy())


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]


def _read_history(folder: Path) -> pd.DataFrame:
    file = folder / "history.csv"
    return pd.read_csv(file) if file.exists() else pd.DataFrame()


@contextmanager
def _give_up_after_kills(folder: Path) -> Iterator[None]:
    """Fail the trial once the process died `MAX_KILLS` times in it without finishing an epoch.

    The system kills a process that exhausts memory. No exception can be caught then, and the search
    would die in the same trial for ever. Ctrl-C does not count.
    """
    file, epochs = folder / "begun.json", len(_read_history(folder / "fit"))
    before = json.loads(file.read_text()) if file.exists() else {"epochs": epochs, "times": 0}
    times = before["times"] if before["epochs"] == epochs else 0
    if times >= MAX_KILLS:
        raise kt.errors.FailedTrialError(
            f"the process was killed {times} times in this trial without finishing an epoch; "
            "out of memory, most likely"
        )
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps({"epochs": epochs, "times": times + 1}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _measure_memory(result: TrialResult) -> Iterator[None]:
    """Fill in the peak memory of the process and of the GPUs during the block.

    Linux can reset the process's peak; elsewhere the peak is that of all trials of the process so
    far.
    """
    gpus = [f"GPU:{k}" for k in range(len(tf.config.list_logical_devices("GPU")))]
    for gpu in gpus:
        tf.config.experimental.reset_memory_stats(gpu)
    with suppress(OSError):  # not Linux, or not allowed
        Path("/proc/self/clear_refs").write_text("5")
    try:
        yield
    finally:
        result.memory_mib = round(_host_peak_bytes() / MIB, 1)
        if gpus:
            peaks = [tf.config.experimental.get_memory_info(gpu)["peak"] for gpu in gpus]
            result.gpu_memory_mib = round(sum(peaks) / MIB, 1)


def _host_peak_bytes() -> float:
    """Return the most resident memory of this process since its peak was reset, bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return 1024.0 * int(lines["VmHWM"].split()[0])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _write_hparams(folder: Path, values: dict[str, Any], score: float, trial: str) -> None:
    """Write a trial for TensorBoard's HParams page."""
    from tensorboard.plugins.hparams import api

    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams(values, trial_id=trial)
        tf.summary.scalar("score", score, step=0)
