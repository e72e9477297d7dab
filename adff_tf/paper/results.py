"""Our numbers for the entries of a table, read from the folders of finished cells."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..tasks import TASKS
from .cells import State, cell_folder, cell_state
from .grid import Entry, Table


@dataclass(frozen=True)
class Result:
    """Our number for an entry. `mean` is None unless the state is FINISHED.

    Attributes:
        state: whether there is a number, and why not.
        mean: mean over folds; hours of all folds where the metric is hours.
        std: sample std over folds.
        segment_mean: mean over folds of the metric by segment; full sets only.
        linear: the linear baseline's mean over the same folds.
    """

    state: State = State.FINISHED
    mean: float | None = None
    std: float | None = None
    segment_mean: float | None = None
    linear: float | None = None


Results = dict[tuple[str, str], Result]
"""Results by the (row, column) of their entries."""


def read_results(table: Table, folder: Path) -> Results:
    """Return our number for each entry of the table."""
    return {key: read_result(entry, folder) for key, entry in table.entries.items()}


def read_result(entry: Entry, folder: Path) -> Result:
    """Return our number for an entry, from the reproduction's folder."""
    if entry.cell is None:
        return Result(State.NOT_RUN)
    state = cell_state(folder, entry.cell)
    if state is not State.FINISHED:
        return Result(state)
    place = cell_folder(folder, entry.cell)
    if entry.metric == "hours":
        return Result(mean=_training_hours(place))
    metrics = json.loads((place / "metrics.json").read_text())
    if entry.stem:
        value = metrics["stems"][entry.stem][entry.target][entry.metric]
        return Result(State.NOT_DEFINED) if value is None else Result(mean=value)
    mean, std, segment_mean = (
        metrics[name][entry.target][entry.metric] for name in ("mean", "std", "segment_mean")
    )
    if mean is None:
        return Result(State.NOT_DEFINED)
    is_full = entry.cell.experiment.segments.sampling == "full"
    linear = metrics["baselines"].get(TASKS[metrics["task"]].linear_baseline, {})
    return Result(
        mean=mean,
        std=std,
        segment_mean=segment_mean if is_full else None,
        linear=linear.get(entry.target, {}).get(entry.metric),
    )


def _training_hours(run_folder: Path) -> float:
    """Return the time of all epochs of all folds, hours."""
    histories = run_folder.glob("fold*/**/history.csv")  # with those of stem models
    return float(sum(pd.read_csv(file)["seconds"].sum() for file in histories)) / 3600
