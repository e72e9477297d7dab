"""The hours that the runs of a reproduction will take on this machine.

On a CPU a few small networks are measured, and a cost model (`cost`) estimates the step of every
run. On a GPU each shape of network is timed at the experiment's batch size. The seconds of a step
are multiplied by the steps of its runs. Scoring and the baselines are not counted.
"""

import gc
import json
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
from ..training.splits import is_training, split_tracks
from . import cost
from .cells import Prepared, State, cell_state
from .cost import StepTime
from .grid import Cell, Table

REPEATS = 3  # steps of a shape that is measured itself


@dataclass(frozen=True)
class Estimate:
    """The hours of the runs, and how they were found.

    Attributes:
        runs: a row a run: `cell`, `state`, `fits`, `steps` (of all fits), `batch`, `step_s` (NaN
            where no run of this shape remains) and `hours`.
        method: a sentence on the steps that were measured and those that were estimated.
    """

    runs: pd.DataFrame
    method: str


def estimate_hours(
    cells: Sequence[Cell], folder: Path, prepared: Sequence[Prepared], reporter: Reporter = SILENT
) -> Estimate:
    """Return the estimate of runs.

    Args:
        cells: the runs to estimate.
        folder: folder of the reproduction; its finished cells take no more time, and their
            networks are not measured.
        prepared: the data sets of the cells.
    """
    states = [cell_state(folder, cell) for cell in cells]
    experiments = {
        step_shape(cell.experiment): cell.experiment
        for cell, state in zip(cells, states, strict=True)
        if state is not State.FINISHED
    }
    times: dict[str, StepTime] = {}
    if not experiments:
        method = "nothing was measured, because every run is finished"
    elif tf.config.list_logical_devices("GPU"):
        times = _measure_each(experiments, reporter)
        method = "estimated from one training step of each shape of network on this machine"
    else:
        times, measured = _estimate_each(experiments, reporter)
        method = (
            f"estimated by a cost model from the training steps of {measured} small networks on "
            f"this machine (full width, {min(cost.FRAMES.values())} to {max(cost.FRAMES.values())} "
            f"frames, batches of {min(cost.BATCHES)} and {max(cost.BATCHES)}); "
            f"of the {len(experiments)} shapes of network none was measured itself"
        )
    tracks = {data_set.base.data.data: data_set.tracks for data_set in prepared}
    rows = [
        _row(cell, state, tracks[cell.experiment.data.data], times.get(step_shape(cell.experiment)))
        for cell, state in zip(cells, states, strict=True)
    ]
    return Estimate(pd.DataFrame(rows), method)


def _measure_each(experiments: dict[str, Experiment], reporter: Reporter) -> dict[str, StepTime]:
    """Return the measured step of each experiment."""
    times = {}
    with reporter.bar("measuring a training step of each shape", len(experiments)) as advance:
        for shape, experiment in experiments.items():
            batch = experiment.training.batch_size
            measured = cost.measure(experiment, (batch,) * (1 + REPEATS))
            later_s = measured.step_s[batch]
            times[shape] = StepTime(measured.tracing_s + later_s, later_s)
            gc.collect()
            advance()
    return times


def _estimate_each(
    experiments: dict[str, Experiment], reporter: Reporter
) -> tuple[dict[str, StepTime], int]:
    """Return the estimated step of each experiment, and the number of measured networks."""
    small = cost.small_networks(experiments.values())
    measured = []
    with reporter.bar("measuring training steps of small networks", len(small)) as advance:
        for experiment in small:
            measured.append(cost.measure(experiment))
            gc.collect()
            advance()
    model = cost.fit_costs(measured)
    return {shape: model.estimate(one) for shape, one in experiments.items()}, len(small)


def render_estimate(estimate: Estimate, tables: Sequence[Table]) -> str:
    """Return the estimate as text: the runs, the hours of each table and the hours of them all."""
    by_cell = estimate.runs.set_index("cell")["hours"]
    lines = [estimate.runs.to_string(index=False, na_rep="-"), ""]
    for table in tables:
        hours = by_cell[[cell.name for cell in table.cells]].sum()
        lines.append(f"{table.name}: {len(table.cells)} runs, {hours:.2f} hours to go")
    if len(tables) > 1:
        total = f"{len(by_cell)} runs, {by_cell.sum():.2f} hours"
        lines.append(f"together, shared runs counted once: {total}")
    lines.append(
        f"{estimate.method}. The tracing of the first step is counted, scoring is not. Several "
        "processes share the runs"
    )
    return "\n".join(lines)


def step_shape(experiment: Experiment) -> str:
    """Return the settings that decide the time of a step, as a key."""
    training = experiment.training
    return json.dumps([
        experiment.frames, experiment.frontend.mels, experiment.segments.seg_num,
        len(TASKS[experiment.task].outputs), experiment.network.model_dump(),
        training.batch_size, training.precision,
    ])  # fmt: skip


def _row(cell: Cell, state: State, tracks: Tracks, step: StepTime | None) -> dict:
    fits = [] if cell.test_data else _steps_of_fits(cell.experiment, tracks)
    hours = 0.0
    if step and state is not State.FINISHED:
        seconds = sum(step.first_s + steps * step.later_s for steps in fits)
        hours = round(seconds / 3600, 4)
    return {
        "cell": cell.name, "state": state.value, "fits": len(fits), "steps": sum(fits),
        "batch": cell.experiment.training.batch_size,
        "step_s": round(step.later_s, 3) if step else np.nan, "hours": hours,
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
