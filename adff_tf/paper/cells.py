"""The runs of a reproduction: shared among all processes that see the folder, each done once.

    reproduction.json   the version of adff-tf and the base experiment
    index.csv           the tracks; of `transfer`, the tracks of both data sets
    features/           log-mels, computed once
    synthetic/          the built-in music, where no data set is given
    cells/NAME/         a run folder or an evaluation; finished once its report.md exists
    cells/NAME.lease-*  the process that works on the cell
    cells/NAME.failed   the reason why the last attempt failed

Of the models of a finished run only model.keras is kept.
"""

import enum
import functools
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pydantic
import tensorflow as tf

from .. import __version__
from ..config import Experiment
from ..features.tracks import Tracks, prepare_tracks
from ..model import servable
from ..support import folders
from ..support.console import SILENT, Advance, Reporter
from ..support.files import atomic_write
from ..tasks import TASKS
from ..training import run as training_run
from ..training.evaluation import evaluate
from ..training.fit import DivergedError
from ..training.splits import split_tracks
from .grid import Cell
from .leases import LeasedReporter, LeaseHeldError, LeaseLostError, hold_lease

RECORD, WORK = "reproduction.json", "reproduction"
GO_ON = "resume with the settings of that reproduction; the choice of tables may change"
POLL_S = 5.0  # between two looks at cells that other processes work on


class State(enum.StrEnum):
    """State of a cell, or of our number for an entry of a table."""

    FINISHED = "finished"
    FAILED = "failed"  # the next call tries again
    TO_COME = "to come"
    NOT_DEFINED = "not defined"  # the run is finished and the metric has no value
    NOT_RUN = "not run"  # models of other papers


@dataclass(frozen=True)
class Prepared:
    """A base experiment with its checked data; `labels` and `source` as in `datasets.Index`."""

    base: Experiment
    tracks: Tracks
    labels: str
    source: str


# === Data ===


def prepare_data(
    bases: Sequence[Experiment],
    folder: Path,
    features: Path,
    reporter: Reporter = SILENT,
    stems: bool = False,
) -> list[Prepared]:
    """Start or resume the reproduction in `folder`: check the data and compute the log-mels.

    Synthesises the built-in music first where no data set is given. One process prepares at a
    time; others wait.

    Args:
        bases: the base experiment on each data set; the first is recorded in the folder.
        folder: folder of the reproduction.
        features: folder of the feature store.
        reporter: takes progress.
        stems: also make the parts of the built-in music, and name their folder in the base.

    Raises:
        InputError: the folder holds another reproduction, its data changed, or they are unusable.
    """
    record = _make_record(bases[0])
    read = functools.partial(_read_record, folder)
    folders.begin(folder, RECORD, record, WORK, GO_ON, read)
    with hold_lease(folder / "preparing", f"the preparation of {folder}", on_wait=reporter.log):
        folders.check_same(folder, RECORD, record, WORK, GO_ON, read)
        prepared = [_prepare(base, folder, features, reporter, stems) for base in bases]
        table = pd.concat([data_set.tracks.table for data_set in prepared], ignore_index=True)
        folders.keep_index(folder, table, WORK)
    return prepared


def _prepare(
    base: Experiment, folder: Path, features: Path, reporter: Reporter, stems: bool
) -> Prepared:
    index = training_run.load_index(base, folder, reporter, stems)
    tracks, unusable = prepare_tracks(
        index.tracks, features, base.frontend, base.data.skip_bad_audio, reporter
    )
    if unusable:
        reporter.log(f"continuing without {len(unusable)} unusable recordings")
    if not base.data.data:
        place = (folder / "synthetic").resolve()
        made = {"data": (place,), "kind": "synthetic", "stems": place / "stems" if stems else None}
        base = base.model_copy(update={"data": base.data.model_copy(update=made)})
    return Prepared(base, tracks, index.labels, index.source)


def _make_record(base: Experiment) -> str:
    record = {"adff_tf": __version__, "experiment": json.loads(base.to_json())}
    return json.dumps(record, indent=2) + "\n"


def _read_record(folder: Path, text: str) -> dict:
    """Return the settings in a record. Raises InputError for a record of another version."""
    record = json.loads(text)
    try:
        return Experiment.model_validate(record["experiment"]).model_dump()
    except (KeyError, pydantic.ValidationError):
        raise folders.other_version(folder, WORK, record.get("adff_tf")) from None


def check_splits(cells: Sequence[Cell], prepared: Prepared) -> None:
    """Raise InputError where the songs cannot be split into folds for a task of the cells."""
    base = prepared.base
    for task in dict.fromkeys(cell.experiment.task for cell in cells):
        table, seed = prepared.tracks.table, base.training.seed
        split_tracks(table, TASKS[task], base.validation, seed)


# === States ===


def cell_folder(folder: Path, cell: Cell) -> Path:
    """Return the folder of a cell in the reproduction's folder."""
    return folder / "cells" / cell.name


def is_finished(folder: Path, cell: Cell) -> bool:
    return (cell_folder(folder, cell) / "report.md").exists()


def cell_state(folder: Path, cell: Cell) -> State:
    """Return FINISHED, FAILED or TO_COME."""
    if is_finished(folder, cell):
        return State.FINISHED
    return State.FAILED if _failure_file(folder, cell).exists() else State.TO_COME


def read_failure(folder: Path, cell: Cell) -> str | None:
    """Return the reason why the last attempt failed; None without one."""
    file = _failure_file(folder, cell)
    return file.read_text().strip() if file.exists() else None


def _failure_file(folder: Path, cell: Cell) -> Path:
    return folder / "cells" / f"{cell.name}.failed"


# === Runs ===


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    features: Path,
    update: Callable[[], object] = lambda: None,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Run the cells until each is finished or failed; wait for cells that other processes hold.

    Args:
        cells: a cell that trains a model stands before the cells that test it.
        folder: folder of the reproduction.
        features: folder of the feature store.
        update: called after each cell, and while waiting for other processes.

    Returns:
        The reason of each failure, by the cell's name.
    """
    attempted: set[str] = set()
    is_waiting = False
    while to_do := [
        cell for cell in cells if not is_finished(folder, cell) and cell.name not in attempted
    ]:
        before = len(attempted)
        for cell in to_do:
            if _run_if_free(cell, folder, features, reporter):
                attempted.add(cell.name)
                update()
        if len(attempted) == before:
            if not is_waiting:
                reporter.log(f"{len(to_do)} runs are held by other processes; waiting for them")
            is_waiting = True
            time.sleep(POLL_S)
            update()
    return {cell.name: reason for cell in cells if (reason := read_failure(folder, cell))}


def _run_if_free(cell: Cell, folder: Path, features: Path, reporter: Reporter) -> bool:
    """Run a cell unless another process holds the cell or its model is still to come.

    Returns whether the cell is now finished or failed.
    """
    if cell.trained and cell_state(folder, cell.trained) is State.TO_COME:
        return False
    try:
        with hold_lease(cell_folder(folder, cell), cell.name) as lease:
            if is_finished(folder, cell):
                return True
            reporter.log(f"{cell.name}: started")
            started = time.perf_counter()
            leased = LeasedReporter(_CellReporter(reporter, cell.name), lease)
            reason = _run(cell, folder, features, leased)
            minutes = (time.perf_counter() - started) / 60
            reporter.log(f"{cell.name}: {reason or 'finished'}  {minutes:.1f} minutes")
            return True
    except (LeaseHeldError, LeaseLostError):
        return False


def _run(cell: Cell, folder: Path, features: Path, reporter: Reporter) -> str | None:
    """Run a cell; return the reason, and write it beside the cell's folder, where that failed."""
    failure_file = _failure_file(folder, cell)
    failure_file.unlink(missing_ok=True)
    try:
        if cell.trained is None:
            place = cell_folder(folder, cell)
            training_run.run_held(cell.experiment, place, features, reporter)
            _remove_models(place)
            return None
        if is_finished(folder, cell.trained):
            _evaluate(cell, cell.trained, folder, features, reporter)
            return None
        reason = f"its model is missing: {cell.trained.name} failed"
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        first_line = next(iter(str(error).splitlines()), "")[:200]
        reason = f"out of memory: {first_line}. A smaller batch_size may help"
    except DivergedError as error:
        reason = str(error)
    with atomic_write(failure_file) as file:
        file.write_text(reason + "\n")
    return reason


def _evaluate(cell: Cell, trained: Cell, folder: Path, features: Path, reporter: Reporter) -> None:
    """Test the model of another cell on the cell's own data set."""
    data, place = cell.test_data, cell_folder(folder, cell)
    assert data is not None and data.data
    shutil.rmtree(place, ignore_errors=True)  # a killed evaluation cannot be resumed
    evaluate(
        cell_folder(folder, trained), data.data, place, kind=data.kind,
        label_range=data.label_range, features=features, skip_bad_audio=data.skip_bad_audio,
        leave_out_trained=True, reporter=reporter,
    )  # fmt: skip


def _remove_models(run_folder: Path) -> None:
    """Remove all models of a finished run but model.keras: the runs of a table would fill disks."""
    for file in run_folder.glob("fold*/model.keras"):
        file.unlink()
    shutil.rmtree(run_folder / servable.FOLDER, ignore_errors=True)


class _CellReporter:
    """Shows the bars of a cell under the cell's name, and drops its lines."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        self._reporter, self._name = reporter, name

    def log(self, text: str) -> None:
        pass

    @contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        name = f"{self._name}, {label}"
        with self._reporter.bar(name, total, passing=True) as advance:
            yield advance
