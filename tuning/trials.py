"""One trial: an experiment trained on some of the songs and scored, by song, on others.

A configuration that cannot work, memory that does not suffice and a training that diverges are the trial's own failure, with a
reason (`kt.errors.FailedTrialError`). Whatever else goes wrong is not, and ends the search.

A trial's folder holds `fit/` (see `training.fit`: after a kill it goes on from its last epoch), `result.json` once it has ended,
and `tensorboard/` with its hyperparameters.
"""

import gc
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras_tuner as kt
import numpy as np
import pandas as pd
import tensorflow as tf

from ..config import Experiment
from ..errors import InputError
from ..features import tracks
from ..support.console import SILENT, BarsOnly, Reporter
from ..support.files import atomic_write
from ..tasks import TASKS, Task
from ..training import fit, metrics
from ..training import predictions as prediction_files
from .space import Space, experiment

RESULT = "result.json"
KILLS = 2  # so often may a process die in one epoch of a trial before the trial is given up
MIB = 2**20


@dataclass(frozen=True)
class Songs:
    """The songs of a search: those that its trials learn from and those that score them. The test fold is not among them."""

    learn: tracks.Tracks
    score: tracks.Tracks


@dataclass
class Result:
    """What is known of a trial that has ended; `result.json`. scores: as `metrics.score`. Memory: at most; of the GPUs in sum."""

    trial: str
    worker: str
    seconds: float = 0.0
    epochs: int = 0
    memory_mib: float = 0.0
    gpu_memory_mib: float | None = None
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    reason: str | None = None


def run(
    base: Experiment,
    space: Space,
    values: dict[str, Any],
    songs: Songs,
    folder: Path,
    result: Result,
    reporter: Reporter = SILENT,
) -> float:
    """Train and score a configuration of the space in `folder`; its score. Fills and writes `result`.

    values: as `space.experiment` takes them. Raises FailedTrialError with the reason.
    """
    started = time.perf_counter()
    try:
        settings = _experiment(base, space, values)
        with _counted_kills(folder), _peak_memory(result):
            result.scores = _scores(
                settings, songs, folder / "fit", f"trial {result.trial}", reporter
            )
        score = objective(TASKS[settings.task], result.scores)
        _write_hparams(folder / "tensorboard", space.complete(values), score, result.trial)
        return score
    except kt.errors.FailedTrialError as error:
        result.reason = str(error)
        raise
    finally:
        gc.collect()
        history = _history(folder / "fit")
        result.epochs = len(history)
        fitted = float(history["seconds"].sum()) if len(history) else 0.0
        result.seconds = round(max(time.perf_counter() - started, fitted), 1)
        with atomic_write(folder / RESULT) as file:
            file.write_text(json.dumps(asdict(result), indent=2) + "\n")


def objective(task: Task, scores: dict[str, dict[str, float]]) -> float:
    """What is maximised: R² by song, averaged over the targets, or accuracy (of the quadrants, not their signs)."""
    if task.is_regression:
        return float(np.mean([scores[target]["r2"] for target in task.targets]))
    return scores["quadrant" if task.name == "quadrant" else task.targets[0]]["accuracy"]


def _experiment(base: Experiment, space: Space, values: dict[str, Any]) -> Experiment:
    try:
        return experiment(base, space, values)
    except InputError as error:
        raise kt.errors.FailedTrialError(str(error)) from None


def _scores(
    settings: Experiment, songs: Songs, folder: Path, label: str, reporter: Reporter
) -> dict[str, dict[str, float]]:
    """Song-level scores, as `metrics.score`, of the settings trained on `songs.learn`."""
    task = TASKS[settings.task]
    try:
        fitted = fit.fit(settings, songs.learn, folder, label, BarsOnly(reporter))
        track_rows, predictions = fit.predict_segments(fitted.model, settings, songs.score)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise kt.errors.FailedTrialError(f"out of memory: {_first_line(error)}") from None
    except fit.DivergedError:
        fit.discard_state(folder)
        raise kt.errors.FailedTrialError(
            "the training diverged. A lower learning rate may help"
        ) from None
    fit.discard_state(folder)
    return metrics.score_task(
        task, task.labels(songs.score.table), prediction_files.mean_by_song(track_rows, predictions)
    )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]


def _history(folder: Path) -> pd.DataFrame:
    file = folder / "history.csv"
    return pd.read_csv(file) if file.exists() else pd.DataFrame()


@contextmanager
def _counted_kills(folder: Path) -> Iterator[None]:
    """Give a trial up in which the process died `KILLS` times without finishing an epoch, as it does where the system ran out of
    memory: nothing can be caught then, and the search would die there for ever. Ctrl-C does not count.
    """
    file, epochs = folder / "begun.json", len(_history(folder / "fit"))
    before = json.loads(file.read_text()) if file.exists() else {"epochs": epochs, "times": 0}
    times = before["times"] if before["epochs"] == epochs else 0
    if times >= KILLS:
        raise kt.errors.FailedTrialError(
            f"the process was killed {times} times in this trial without finishing an epoch; out of memory, most likely"
        )
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps({"epochs": epochs, "times": times + 1}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _peak_memory(result: Result) -> Iterator[None]:
    """Fill in the most memory that the process, and the GPUs, held during the block.

    Linux can forget the process's former peak; elsewhere it is that of all trials of the process so far.
    """
    gpus = [f"GPU:{k}" for k in range(len(tf.config.list_logical_devices("GPU")))]
    for gpu in gpus:
        tf.config.experimental.reset_memory_stats(gpu)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    try:
        yield
    finally:
        result.memory_mib = round(_host_peak() / MIB, 1)
        if gpus:
            peaks = [tf.config.experimental.get_memory_info(gpu)["peak"] for gpu in gpus]
            result.gpu_memory_mib = round(sum(peaks) / MIB, 1)


def _host_peak() -> float:
    """Most resident memory of this process since it was last reset, bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return 1024.0 * int(lines["VmHWM"].split()[0])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _write_hparams(folder: Path, values: dict[str, Any], score: float, trial: str) -> None:
    """For TensorBoard's HParams page."""
    from tensorboard.plugins.hparams import api

    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams(values, trial_id=trial)
        tf.summary.scalar("score", score, step=0)
