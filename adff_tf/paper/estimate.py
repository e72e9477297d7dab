"""How long the runs of a reproduction will take here: one training step a shape of network, times the steps.

On a GPU the step has the experiment's batch; on a CPU a batch of `CPU_BATCH`, whose time is multiplied: it is proportional to the
batch there, and a whole batch of the longest segments does not fit in every memory. Scoring and the baselines are not counted.
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
from ..features import batches
from ..features import segments as segmenting
from ..features import tracks as track_features
from ..support.console import SILENT, Reporter
from ..tasks import TASKS
from ..training import fit, splits
from . import cells as cells_
from .grid import Cell

CPU_BATCH = 4
REPEATS = 3


@dataclass(frozen=True)
class Step:
    """Seconds of the first step, which is traced, and of a later one, of the experiment's batch."""

    first_s: float
    later_s: float


def estimate(
    cells: Sequence[Cell],
    folder: Path,
    prepared: Sequence[cells_.Prepared],
    reporter: Reporter = SILENT,
) -> pd.DataFrame:
    """A row a cell: `cell`, `state`, `fits`, `steps` of them all, `batch`, `step_s` and `hours`, which are 0 for a finished one."""
    shapes = {_shape(cell.experiment): cell.experiment for cell in cells}
    steps = {}
    with reporter.bar("measuring a training step of each shape", len(shapes)) as advance:
        for shape, experiment in shapes.items():
            steps[shape] = measure(experiment)
            gc.collect()
            advance()
    tracks = {one.base.data.data: one.tracks for one in prepared}
    return pd.DataFrame([
        _row(cell, folder, tracks[cell.experiment.data.data], steps[_shape(cell.experiment)]) for cell in cells
    ])  # fmt: skip


def measure(experiment: Experiment) -> Step:
    """Time a training step of the experiment's network on noise."""
    task, whole = TASKS[experiment.task], experiment.training.batch_size
    batch = whole if tf.config.list_logical_devices("GPU") else min(CPU_BATCH, whole)
    rng = np.random.default_rng(0)
    x = rng.normal(-50, 20, (batch, experiment.frames, experiment.frontend.mels)).astype("float32")
    y = {
        name: np.zeros((batch, 1), "float32") if task.is_regression else np.zeros(batch, "int64")
        for name in task.outputs
    }
    model = fit.new_model(experiment, 1)

    def step() -> float:
        started = time.perf_counter()
        model.train_on_batch(x, y)
        return time.perf_counter() - started

    first = step()
    later = float(np.median([step() for _ in range(REPEATS)])) * whole / batch
    return Step(first, later)


def _shape(experiment: Experiment) -> str:
    """What the time of a step depends on."""
    training_ = experiment.training
    outputs = len(TASKS[experiment.task].outputs)
    parts = [experiment.frames, experiment.frontend.mels, experiment.segments.seg_num, outputs]
    return json.dumps(
        [*parts, experiment.network.model_dump(), training_.batch_size, training_.precision]
    )


def _row(cell: Cell, folder: Path, tracks: track_features.Tracks, step: Step) -> dict:
    experiment, is_done = cell.experiment, cells_.is_finished(folder, cell)
    fits = [] if cell.tested_on else _steps_of_fits(experiment, tracks)
    seconds = 0.0 if is_done else sum(step.first_s + steps * step.later_s for steps in fits)
    return {
        "cell": cell.name, "state": "finished" if is_done else "to do", "fits": len(fits), "steps": sum(fits),
        "batch": experiment.training.batch_size, "step_s": round(step.later_s, 3), "hours": round(seconds / 3600, 4),
    }  # fmt: skip


def _steps_of_fits(experiment: Experiment, tracks: track_features.Tracks) -> list[int]:
    """Training steps of every fit of a run; with early stopping at most."""
    settings, split = experiment.training, experiment.validation
    folds = splits.assign_folds(tracks.table, TASKS[experiment.task], split.folds, settings.seed)
    learned = [
        tracks.rows(np.flatnonzero(folds != number))
        for number in range(1, 2 if split.hold_out else split.folds + 1)
    ]
    learned += [tracks] if split.final_model else []
    segments = [segmenting.segment_set(experiment, some, training=True) for some in learned]
    return [
        settings.epochs * batches.steps_per_epoch(some, settings.batch_size) for some in segments
    ]
