"""The runs of a reproduction: one by one, kept, shared among all processes that see the folder, and never done twice.

reproduction.json   the base experiment              index.csv   the tracks (of `transfer`: both sets')
features/           log-mels, computed once          synthetic/  the built-in music, where no data were given
cells/NAME/         a run folder or an evaluation; finished once its report.md is there. Of the models, model.keras is kept
cells/NAME.claim-*  who works on it                  cells/NAME.failed   why it could not be run, the last time
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tensorflow as tf

from ..config import Experiment
from ..features import tracks as track_features
from ..model import servable
from ..support import claims, folders
from ..support.console import SILENT, BarsOnly, Reporter
from ..support.files import atomic_write
from ..tasks import TASKS
from ..training import evaluation, fit, splits
from ..training import run as runs
from .grid import Cell

RECORD, WHAT = "reproduction.json", "a reproduction"
GO_ON = (
    "the settings of that one to go on with it; the tables and what is left out of them may change"
)
WAIT_S = 5.0  # between two looks at cells that others work on


@dataclass(frozen=True)
class Prepared:
    """A base experiment whose data are found good. labels, source: as `datasets.Index` has them."""

    base: Experiment
    tracks: track_features.Tracks
    labels: str
    source: str


def prepare(
    bases: Sequence[Experiment], folder: Path, features: Path, reporter: Reporter = SILENT
) -> list[Prepared]:
    """Take the folder for reproductions from the first of the bases, and see to the data of each: their index and log-mels.

    The built-in music is made first where no data are given. One process at a time; others wait. Raises InputError where the folder
    is another reproduction's, where the data changed since it began, and for anything wrong with them.
    """
    record = bases[0].to_json()
    folders.begin(folder, RECORD, record, WHAT, GO_ON, _settings)
    with claims.held(folder / "preparing", f"the preparation of {folder}", wait=reporter.log):
        folders.check_same(folder, RECORD, record, WHAT, GO_ON, _settings)
        prepared = [_prepare(base, folder, features, reporter) for base in bases]
        folders.keep_index(
            folder,
            pd.concat([one.tracks.table for one in prepared], ignore_index=True),
            "the reproduction",
        )
    return prepared


def _prepare(base: Experiment, folder: Path, features: Path, reporter: Reporter) -> Prepared:
    index = runs.load_index(base, folder, reporter)
    tracks, bad = track_features.prepare_tracks(
        index.tracks, features, base.frontend, base.data.skip_bad_audio, reporter
    )
    if bad:
        reporter.log(f"going on without {len(bad)} recordings that cannot be used")
    if base.data.data is None:
        made = base.data.model_copy(
            update={"data": (folder / "synthetic").resolve(), "kind": "synthetic"}
        )
        base = base.model_copy(update={"data": made})
    return Prepared(base, tracks, index.labels, index.source)


def _settings(record: str) -> dict:
    return Experiment.from_json(record).model_dump()


def check(cells: Sequence[Cell], prepared: Prepared) -> None:
    """Raise InputError where the songs cannot be divided for one of the cells' tasks."""
    settings = prepared.base
    for task in dict.fromkeys(cell.experiment.task for cell in cells):
        splits.assign_folds(
            prepared.tracks.table, TASKS[task], settings.validation.folds, settings.training.seed
        )


def place(folder: Path, cell: Cell | str) -> Path:
    """The folder of a cell, or of its name."""
    return folder / "cells" / (cell if isinstance(cell, str) else cell.name)


def is_finished(folder: Path, cell: Cell | str) -> bool:
    return (place(folder, cell) / "report.md").exists()


def failure(folder: Path, cell: Cell) -> str | None:
    """Why a cell could not be run; None where it could, or was not tried."""
    file = _failed(folder, cell)
    return file.read_text().strip() if file.exists() else None


def run(
    cells: Sequence[Cell],
    folder: Path,
    features: Path,
    update: Callable[[], None] = lambda: None,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Run the cells that are not finished, until all are or could not be run; the reasons of those, by name.

    update: called as cells are finished, here or elsewhere. Cells that others work on are left to them.
    """
    tried: set[str] = set()
    waiting = False
    while todo := [
        cell for cell in cells if not is_finished(folder, cell) and cell.name not in tried
    ]:
        begun = [cell for cell in todo if _try(cell, folder, features, tried, update, reporter)]
        if not begun:
            if not waiting:
                reporter.log(f"{len(todo)} runs are held by other processes; waiting for them")
            waiting = True
            time.sleep(WAIT_S)
            update()
    return {cell.name: reason for cell in cells if (reason := failure(folder, cell))}


def _try(
    cell: Cell, folder: Path, features: Path, tried: set[str], update: Callable, reporter: Reporter
) -> bool:
    """Run a cell unless somebody else holds it or it has to wait for another; whether it was taken."""
    if cell.model and not is_finished(folder, cell.model):
        return False
    try:
        with claims.held(place(folder, cell), cell.name) as claim:
            if is_finished(folder, cell):
                return True
            reporter.log(f"{cell.name}: begun")
            started = time.perf_counter()
            reason = _run(
                cell,
                folder,
                features,
                folders.WhileHeld(_OfOne(reporter, cell.name), claim, cell.name),
            )
            tried.add(cell.name)
            reporter.log(
                f"{cell.name}: {reason or 'finished'}  {(time.perf_counter() - started) / 60:.1f} minutes"
            )
    except claims.Taken:  # now or, where this process was not heard of for long, while it ran
        return False
    update()
    return True


def _run(cell: Cell, folder: Path, features: Path, reporter: Reporter) -> str | None:
    """Run a cell; why it could not be, where memory does not suffice or the training diverged."""
    where, failed = place(folder, cell), _failed(folder, cell)
    failed.unlink(missing_ok=True)
    try:
        if cell.tested_on is None:
            runs.run_held(cell.experiment, where, features, reporter)
            _drop_models(where)
        else:
            _evaluate(cell, folder, features, reporter)
        return None
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        reason = f"out of memory: {next(iter(str(error).splitlines()), '')[:200]}. A smaller --batch-size may help"
    except fit.DivergedError as error:
        reason = str(error)
    with atomic_write(failed) as file:
        file.write_text(reason + "\n")
    return reason


def _evaluate(cell: Cell, folder: Path, features: Path, reporter: Reporter) -> None:
    """Test the finished model of another cell on the cell's own data."""
    data, where = cell.tested_on, place(folder, cell)
    assert data is not None and data.data is not None
    shutil.rmtree(
        where, ignore_errors=True
    )  # of one that was killed; there is nothing to go on from
    evaluation.evaluate(
        place(folder, cell.model), data.data, where, kind=data.kind, label_range=data.label_range, features=features,
        skip_bad_audio=data.skip_bad_audio, leave_out_trained=True, reporter=reporter,
    )  # fmt: skip


def _drop_models(run: Path) -> None:
    """Of a finished run's models keep model.keras: a table's worth of the others would fill disks."""
    for file in run.glob("fold*/model.keras"):
        file.unlink()
    shutil.rmtree(run / servable.FOLDER, ignore_errors=True)


def _failed(folder: Path, cell: Cell) -> Path:
    return place(folder, cell).with_name(f"{cell.name}.failed")


class _OfOne(BarsOnly):
    """A cell's bars, under its name."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        super().__init__(reporter)
        self.bar = lambda label, total, passing=False, minutely=False: reporter.bar(
            f"{name}, {label}", total, True
        )
