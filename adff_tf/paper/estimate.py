"""The hours that the runs of a reproduction will take on this machine.

Each shape of network is timed for one training step, and multiplied by the steps of its runs.
Scoring and the baselines are not counted. On a GPU the step has the experiment's batch size. On a
CPU the step has `CPU_BATCH` segments and its time is scaled to the batch size: the time is
proportional to the batch size there, and a whole batch of the longest segments needs too much
memory.
"""

import gc
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from ..config import Experiment
from ..features.batches import steps_per_epoch
from ..features.segments import segment_set
from ..features.tracks import Tracks
from ..support.console import SILENT, Reporter
from ..tasks import TASKS
from ..training.fit import new_model
from ..training.splits import is_training, split_tracks
from .cells import Prepared, State, cell_state
from .grid import Cell, Table

CPU_BATCH = 4
REPEATS = 3


@dataclass(frozen=True)
class StepTime:
    """Seconds of the first step, which includes tracing, and of a later step."""

    first_s: float
    later_s: float


def estimate_hours(
    cells: Sequence[Cell], folder: Path, prepared: Sequence[Prepared], reporter: Reporter = SILENT
) -> pd.DataFrame:
    """Return a row a cell.

    Args:
        cells: the runs to estimate.
        folder: folder of the reproduction; its finished cells take no more time.
        prepared: the data sets of the cells.

    Returns:
        Columns `cell`, `state`, `fits`, `steps` (of all fits), `batch`, `step_s` and `hours`.
    """
    experiments = {_step_shape(cell.experiment): cell.experiment for cell in cells}
    times = {}
    with reporter.bar("measuring a training step of each shape", len(experiments)) as advance:
        for shape, experiment in experiments.items():
            times[shape] = time_step(experiment)
            gc.collect()
            advance()
    tracks = {data_set.base.data.data: data_set.tracks for data_set in prepared}
    return pd.DataFrame([
        _row(cell, folder, tracks[cell.experiment.data.data], times[_step_shape(cell.experiment)])
        for cell in cells
    ])  # fmt: skip


def time_step(experiment: Experiment) -> StepTime:
    """Time a training step of the experiment's network on noise, scaled to its batch size."""
    task, batch_size = TASKS[experiment.task], experiment.training.batch_size
    has_gpu = tf.config.list_logical_devices("GPU")
    batch = batch_size if has_gpu else min(CPU_BATCH, batch_size)
    rng = np.random.default_rng(0)
    x = rng.normal(-50, 20, (batch, experiment.frames, experiment.frontend.mels)).astype("float32")
    y = dict.fromkeys(task.outputs, np.zeros((batch, len(task.classes) or 2), "float32"))
    model, _ = new_model(experiment, 1)

    def step() -> float:
        started = time.perf_counter()
        model.train_on_batch(x, y)
        return time.perf_counter() - started

    first_s = step()
    later_s = float(np.median([step() for _ in range(REPEATS)]))
    return StepTime(first_s, later_s * batch_size / batch)


def render_estimate(estimate: pd.DataFrame, tables: Sequence[Table]) -> str:
    """Return the estimate as text: the runs, the hours of each table and the hours of them all."""
    by_cell = estimate.set_index("cell")["hours"]
    lines = [estimate.to_string(index=False), ""]
    for table in tables:
        hours = by_cell[[cell.name for cell in table.cells]].sum()
        lines.append(f"{table.name}: {len(table.cells)} runs, {hours:.2f} hours to go")
    if len(tables) > 1:
        total = f"{len(estimate)} runs, {by_cell.sum():.2f} hours"
        lines.append(f"together, shared runs counted once: {total}")
    lines.append(
        "estimated from one training step of each shape of network on this machine, plus the "
        "tracing of its first step; scoring is not counted. Several processes share the runs"
    )
    return "\n".join(lines)


def _step_shape(experiment: Experiment) -> str:
    """Return the settings that decide the time of a step, as a key."""
    training = experiment.training
    return json.dumps([
        experiment.frames, experiment.frontend.mels, experiment.segments.seg_num,
        len(TASKS[experiment.task].outputs), experiment.network.model_dump(),
        training.batch_size, training.precision,
    ])  # fmt: skip


def _row(cell: Cell, folder: Path, tracks: Tracks, step: StepTime) -> dict:
    state = cell_state(folder, cell)
    fits = [] if cell.test_data else _steps_of_fits(cell.experiment, tracks)
    seconds = sum(step.first_s + steps * step.later_s for steps in fits)
    hours = 0.0 if state is State.FINISHED else round(seconds / 3600, 4)
    return {
        "cell": cell.name, "state": state.value, "fits": len(fits), "steps": sum(fits),
        "batch": cell.experiment.training.batch_size, "step_s": round(step.later_s, 3),
        "hours": hours,
    }  # fmt: skip


def _steps_of_fits(experiment: Experiment, tracks: Tracks) -> list[int]:
    """Return the training steps of each fit of a run; with early stopping, the most."""
    training, validation = experiment.training, experiment.validation
    task = TASKS[experiment.task]
    folds = split_tracks(tracks.table, task, validation, training.seed)
    train_sets = [
        tracks.rows(np.flatnonzero(is_training(folds, fold))) for fold in validation.scored_folds
    ]
    if validation.final_model:
        train_sets.append(tracks)
    segment_sets = [segment_set(experiment, train, training=True) for train in train_sets]
    return [
        training.epochs * steps_per_epoch(segments, training.batch_size)
        for segments in segment_sets
    ]
