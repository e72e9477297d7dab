"""The tables of the paper as grids: for every number, the run that measures ours.

    Table ── entries by (row, column) ──► Entry ──► published: the paper's number, if printed
                                                └─► cell: the run that measures ours

A `Cell` is a run: the base experiment with the settings that the tables vary, `VARIED`. The name of
a cell holds those settings, so two entries with the same settings share one run. For example:

    table3(base).entries["20 s", "full: valence R²"] == Entry(
        target="valence",
        metric="r2",
        published=PublishedNumber(0.4785),
        cell=Cell("valence-full-20s-seg_num6", experiment=...),
    )

`cells.py` runs the cells, `results.py` reads an entry's target and metric from its cell's folder.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..config import Data, Experiment, TaskName
from ..errors import InputError
from ..tasks import TASKS
from . import published
from .published import REGRESSION_METRICS, SEG_LENS, SEG_NUMS, TARGETS, PublishedNumber

METRICS = {"rmse": "RMSE", "r2": "R²", "accuracy": "accuracy", "hours": "hours"}
"""Names of the metrics in column labels."""
VARIED = frozenset({"task", "seg_len", "seg_num", "sampling", "se", "tflm", "model"})
"""Settings of an experiment that the tables vary; all others are the base experiment's."""


@dataclass(frozen=True)
class Cell:
    """A run: `experiment` cross-validated, or the model of another cell tested on another data set.

    Attributes:
        name: unique among the cells; also the name of the run's folder.
        experiment: settings of the run; of a test, the settings that the model was trained with.
        test_data: the data set to test on; None for a cross-validation.
        trained: of a test, the cell that trains the model.
    """

    name: str
    experiment: Experiment
    test_data: Data | None = None
    trained: "Cell | None" = None

    @property
    def is_regression(self) -> bool:
        return TASKS[self.experiment.task].is_regression


@dataclass(frozen=True)
class Entry:
    """A number of a table.

    Attributes:
        target: arousal, valence or quadrant.
        metric: a key of `METRICS`.
        published: the paper's number; None where the paper prints none.
        cell: the run that measures ours; None for models of other papers.
        stem: the number is that of this stem's model in the run.
    """

    target: str
    metric: str
    published: PublishedNumber | None
    cell: Cell | None
    stem: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        name: also the name of the table's files.
        title: heading of the table.
        row_header: name of the column of row labels.
        entries: by (row, column) label, in the paper's order.
        notes: sentences for below the table.
    """

    name: str
    title: str
    row_header: str
    entries: dict[tuple[str, str], Entry]
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> list[Cell]:
        """The runs of the table, each once."""
        return unique_cells(entry.cell for entry in self.entries.values() if entry.cell)

    def narrow(self, keep: Callable[[Cell], bool]) -> "Table":
        """Return the table with the cells that `keep` accepts, and other papers' models in the
        columns that remain. Raises InputError where no cell is accepted."""
        ours = {key for key, entry in self.entries.items() if entry.cell and keep(entry.cell)}
        if not ours:
            choices = _describe_choices(self.cells)
            raise InputError(f"nothing is left of {self.name}: it has {choices}")
        columns = {column for _, column in ours}
        kept = {
            key: entry
            for key, entry in self.entries.items()
            if key in ours or (not entry.cell and key[1] in columns)
        }
        return replace(self, entries=kept)


def unique_cells(cells: Iterable[Cell]) -> list[Cell]:
    """Return each cell once, in order."""
    return list({cell.name: cell for cell in cells}.values())


def make_cell(
    base: Experiment,
    task: TaskName,
    sampling: str,
    seg_len: float,
    seg_num: int,
    se: bool = True,
    tflm: bool = True,
) -> Cell:
    """Return the cross-validation of the base experiment with the given settings."""
    settings = base.model_dump()
    settings["task"] = task
    settings["segments"] |= {"seg_len": seg_len, "seg_num": seg_num, "sampling": sampling}
    settings["network"] |= {"se": se, "tflm": tflm}
    variant = ("" if se else "-without-se") + ("" if tflm else "-without-tflm")
    name = f"{task}-{sampling}-{seg_len:g}s-seg_num{seg_num}{variant}"
    return Cell(name, Experiment.model_validate(settings))


def table2(base: Experiment) -> Table:
    """Return Table 2: training time in hours by seg_num."""
    entries = {
        ("hours", f"{seg_num}"): Entry("arousal", "hours", number, _by_seg_num(base, seg_num))
        for seg_num, number in published.TABLE2.items()
    }
    notes = (
        "Ours: all epochs of all folds of the arousal network. The paper names neither its GPU nor "
        "the work that its hours include. Compare how the hours fall relative to seg_num 1.",
    )
    title = "Table 2: hours by seg_num, simple set of 20 s"
    return Table("table2", title, "seg_num", entries, notes)


def figure3(base: Experiment) -> Table:
    """Return Figure 3: R² and RMSE of both targets over seg_num."""
    entries = {
        (column_label(target, metric), f"{seg_num}"): Entry(
            target, metric, None, _by_seg_num(base, seg_num, target)
        )
        for target in TARGETS
        for metric in ("r2", "rmse")
        for seg_num in SEG_NUMS
    }
    notes = ("The paper draws the curves of this figure and does not print their values: –.",)
    title = "Figure 3: R² and RMSE over seg_num, simple set of 20 s"
    return Table("figure3", title, "seg_num", entries, notes)


def table3(base: Experiment) -> Table:
    """Return Table 3: lengths of segments, on the simple and the full set."""
    entries = {
        (f"{seg_len:g} s", column_label(target, metric, f"{sampling}: ")): Entry(
            target, metric, number, make_cell(base, target, sampling, seg_len, 6)
        )
        for seg_len in SEG_LENS
        for (sampling, target, metric), number in published.TABLE3[seg_len].items()
    }
    return Table("table3", "Table 3: lengths, simple and full sets, seg_num 6", "seg_len", entries)


def table4(base: Experiment) -> Table:
    """Return Table 4: both targets predicted by one network, and the classifications."""
    prefixes = {
        "both": "together: ",
        "arousal2": "two classes: ",
        "valence2": "two classes: ",
        "quadrant": "four classes: ",
    }
    entries = {
        (f"{seg_len:g} s", column_label(target, metric, prefixes[task])): Entry(
            target, metric, number, make_cell(base, task, "full", seg_len, 6)
        )
        for seg_len in SEG_LENS
        for (task, target, metric), number in published.TABLE4[seg_len].items()
    }
    title = "Table 4: both targets together, and classes, full set, seg_num 6"
    return Table("table4", title, "seg_len", entries)


TABLES: dict[str, Callable[[Experiment], Table]] = {
    "table2": table2, "figure3": figure3, "table3": table3, "table4": table4,
}  # fmt: skip


def transfer(base: Experiment, data_a: Data, data_b: Data, task: TaskName) -> Table:
    """Return the table of models trained on each of two data sets and tested on both.

    Scores on the training set come from cross-validation. Not in the paper, which names transfer
    between data sets as future work.
    """
    metrics: list[tuple[str, str]] = (
        [(target, metric) for target in TARGETS for metric in REGRESSION_METRICS]
        if TASKS[task].is_regression
        else [(target, "accuracy") for target in ("quadrant", *TARGETS)]
    )
    names = {"A": data_a, "B": data_b}
    entries = {}
    for trained_on, data in names.items():
        validation = base.validation.model_copy(update={"final_model": True})
        settings = base.model_copy(update={"data": data, "validation": validation})
        cell = make_cell(settings, task, "full", base.segments.seg_len, base.segments.seg_num)
        cross_validation = replace(cell, name=f"on-{trained_on}")
        for tested_on, test_data in names.items():
            cell = cross_validation
            if tested_on != trained_on:
                name = f"from-{trained_on}-to-{tested_on}"
                cell = Cell(name, cross_validation.experiment, test_data, cross_validation)
            for target, metric in metrics:
                key = f"trained on {trained_on}", column_label(target, metric, f"on {tested_on}: ")
                entries[key] = Entry(target, metric, None, cell)
    notes = (
        f"A is {data_a.place}, B is {data_b.place}.",
        "On the training set: cross-validation, mean over folds. On the other set: the model "
        "trained on all of the training set, tested on the recordings of the other set that the "
        "training set lacks. The labels of two data sets come from different listeners and "
        "different questions; each is scaled linearly from its own range.",
        "Not a table of the paper, which leaves the question open.",
    )
    title = "Trained on one data set, tested on another"
    return Table("transfer", title, "trained on", entries, notes)


def _by_seg_num(base: Experiment, seg_num: int, target: TaskName = "arousal") -> Cell:
    return make_cell(base, target, "simple", 20.0, seg_num)


def column_label(target: str, metric: str, prefix: str = "") -> str:
    """Return a column's label, such as "valence R²"."""
    return f"{prefix}{target} {METRICS[metric]}"


def _describe_choices(cells: list[Cell]) -> str:
    """Return the lengths, seg_nums and tasks of the cells, for an error."""
    experiments = [cell.experiment for cell in cells]
    lengths = sorted({experiment.segments.seg_len for experiment in experiments})
    seg_nums = sorted({experiment.segments.seg_num for experiment in experiments})
    tasks = dict.fromkeys(experiment.task for experiment in experiments)
    return (
        f"seg_len {', '.join(f'{length:g}' for length in lengths)}; "
        f"seg_num {', '.join(map(str, seg_nums))}; tasks {', '.join(tasks)}"
    )
