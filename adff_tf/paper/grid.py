"""Each table as a grid: rows and columns as in the paper, and for every entry what is published and the run that gives ours.

A run is a `Cell`, an experiment cross-validated, or a trained one tested on another data set. Tables share cells: their names say
all that the grids vary, and everything else is the base experiment's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..config import Data, Experiment, TaskName
from ..errors import InputError
from . import published
from .published import REGRESSION, SEG_LENS, SEG_NUMS, TARGETS, Published

SCORES = {"rmse": "RMSE", "r2": "R²", "accuracy": "accuracy", "hours": "hours"}
PARTS = {
    "task": None,
    "seg_len": "segments",
    "seg_num": "segments",
    "sampling": "segments",
    "se": "network",
    "tflm": "network",
}
"""What the grids set of an experiment, and its section."""


@dataclass(frozen=True)
class Cell:
    """A run by name. tested_on: the data set that its finished model is tested on, instead of cross-validation."""

    name: str
    experiment: Experiment
    tested_on: Data | None = None
    model: str = ""  # tested_on only: the cell of the model

    @property
    def is_regression(self) -> bool:
        return self.experiment.task in ("both", "valence", "arousal")


@dataclass(frozen=True)
class Entry:
    """A place of a table. published: the paper's number, where it prints one. cell: our run; None in rows of others' models."""

    target: str
    score: str
    published: Published | None
    cell: Cell | None


@dataclass(frozen=True)
class Table:
    """Entries by (row, column), in the paper's order. stub: what the rows are."""

    name: str
    title: str
    stub: str
    entries: dict[tuple[str, str], Entry]
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> list[Cell]:
        """The runs that fill it, each once."""
        return unique(entry.cell for entry in self.entries.values() if entry.cell)

    def only(self, keep: Callable[[Cell], bool]) -> "Table":
        """The entries whose cell is kept, with the others' models in those columns. Raises InputError where none is."""
        ours = {
            key: entry for key, entry in self.entries.items() if entry.cell and keep(entry.cell)
        }
        if not ours:
            raise InputError(f"nothing is left of {self.name}: it has {_ranges(self.cells)}")
        columns = {column for _, column in ours}
        others = {
            key: entry
            for key, entry in self.entries.items()
            if not entry.cell and key[1] in columns
        }
        kept = {key: entry for key, entry in self.entries.items() if key in ours or key in others}
        return replace(self, entries=kept)


def unique(cells: Iterable[Cell]) -> list[Cell]:
    """Each cell once, in order."""
    return list({cell.name: cell for cell in cells}.values())


def cell(
    base: Experiment,
    task: TaskName,
    sampling: str,
    seg_len: float,
    seg_num: int,
    se: bool = True,
    tflm: bool = True,
) -> Cell:
    """The run of the base experiment with what a grid sets of it."""
    given = {
        "task": task,
        "seg_len": seg_len,
        "seg_num": seg_num,
        "sampling": sampling,
        "se": se,
        "tflm": tflm,
    }
    data: dict[str, Any] = base.model_dump()
    for name, section in PARTS.items():
        (data[section] if section else data)[name] = given[name]
    variant = ("" if se else "-without-se") + ("" if tflm else "-without-tflm")
    return Cell(
        f"{task}-{sampling}-{seg_len:g}s-seg_num{seg_num}{variant}", Experiment.model_validate(data)
    )


def _column(target: str, score: str, before: str = "") -> str:
    return f"{before}{target} {SCORES[score]}"


def table1(base: Experiment) -> Table:
    """ADFF and its variants on the simple set of 20 s; ADFF's row mixes seg_num 6 (arousal) and 1 (valence), as the paper's."""
    entries: dict[tuple[str, str], Entry] = {}
    variants = {"ADFF": {}, "w/o SE": {"se": False}, "w/o TFLM": {"tflm": False}}
    for model, numbers in published.TABLE1.items():
        for (target, score), number in numbers.items():
            seg_num = 6 if target == "arousal" else 1
            ours = (
                cell(base, target, "simple", 20.0, seg_num, **variants[model])
                if model in variants
                else None
            )
            entries[model, _column(target, score)] = Entry(target, score, number, ours)
    for model, variant in variants.items():
        for score in REGRESSION:
            printed = (
                published.TABLE3[20.0]["simple", "valence", score] if model == "ADFF" else None
            )
            ours = cell(base, "valence", "simple", 20.0, 6, **variant)
            entries[f"{model}, seg_num 6", _column("valence", score)] = Entry(
                "valence", score, printed, ours
            )
    notes = (
        "Rows ADFF, w/o SE and w/o TFLM: seg_num 6 for arousal and 1 for valence, the best of each; the paper's own row of ADFF "
        "mixes them, and does not say which seg_num its variants had. Its valence at seg_num 6 is printed in Table 3.",
        "EmoMucs and MLEM: as published there, not run here.",
    )
    return Table("table1", "Table 1: models on the simple set of 20 s", "model", entries, notes)


def table2(base: Experiment) -> Table:
    """Hours of training by seg_num."""
    entries = {
        ("hours", f"{seg_num}"): Entry(
            "arousal", "hours", number, cell(base, "arousal", "simple", 20.0, seg_num)
        )
        for seg_num, number in published.TABLE2.items()
    }
    notes = (
        "Ours: all epochs of all folds of the arousal network. The paper does not say what its hours hold, nor the GPU; what "
        "compares is how they fall, relative to seg_num 1.",
    )
    return Table(
        "table2", "Table 2: hours by seg_num, simple set of 20 s", "seg_num", entries, notes
    )


def figure3(base: Experiment) -> Table:
    """R² and RMSE of both targets over seg_num."""
    entries = {
        (_column(target, score), f"{seg_num}"): Entry(
            target, score, None, cell(base, target, "simple", 20.0, seg_num)
        )
        for target in TARGETS
        for score in ("r2", "rmse")
        for seg_num in SEG_NUMS
    }
    notes = ("The paper prints this figure's curves and not its values: –.",)
    return Table(
        "figure3",
        "Figure 3: R² and RMSE over seg_num, simple set of 20 s",
        "seg_num",
        entries,
        notes,
    )


def table3(base: Experiment) -> Table:
    """Lengths, on the simple and the full set."""
    entries = {}
    for seg_len in SEG_LENS:
        for (sampling, target, score), number in published.TABLE3[seg_len].items():
            ours = cell(base, target, sampling, seg_len, 6)
            entries[f"{seg_len:g} s", _column(target, score, f"{sampling}: ")] = Entry(
                target, score, number, ours
            )
    return Table("table3", "Table 3: lengths, simple and full sets, seg_num 6", "seg_len", entries)


def table4(base: Experiment) -> Table:
    """Both targets by one network, and the classifications."""
    heads = {
        "both": "together: ",
        "arousal2": "two classes: ",
        "valence2": "two classes: ",
        "quadrant": "four classes: ",
    }
    entries = {}
    for seg_len in SEG_LENS:
        for (task, target, score), number in published.TABLE4[seg_len].items():
            ours = cell(base, task, "full", seg_len, 6)
            entries[f"{seg_len:g} s", _column(target, score, heads[task])] = Entry(
                target, score, number, ours
            )
    return Table(
        "table4",
        "Table 4: both targets together, and classes, full set, seg_num 6",
        "seg_len",
        entries,
    )


TABLES: dict[str, Callable[[Experiment], Table]] = {
    "table1": table1, "table2": table2, "figure3": figure3, "table3": table3, "table4": table4,
}  # fmt: skip


def transfer(base: Experiment, one: Data, other: Data, task: TaskName) -> Table:
    """Trained on each of two data sets and tested on both; not in the paper, which names it as future work.

    Tested on the set that it was trained on: by cross-validation.
    """
    entries = {}
    scores = (
        [(t, s) for t in TARGETS for s in REGRESSION]
        if task == "both"
        else [(t, "accuracy") for t in ("quadrant", *TARGETS)]
    )
    names = dict(zip(("A", "B"), (one, other), strict=True))
    for learned, data in names.items():
        settings = base.model_copy(update={"data": data})
        settings = settings.model_copy(
            update={"validation": base.validation.model_copy(update={"final_model": True})}
        )
        at_home = replace(
            cell(settings, task, "full", base.segments.seg_len, base.segments.seg_num),
            name=f"on-{learned}",
        )
        for tested, its_data in names.items():
            away = Cell(f"from-{learned}-to-{tested}", at_home.experiment, its_data, at_home.name)
            for target, score in scores:
                ours = at_home if learned == tested else away
                entries[f"trained on {learned}", _column(target, score, f"on {tested}: ")] = Entry(
                    target, score, None, ours
                )
    notes = (
        f"A is {one.data}, B is {other.data}.",
        "On the set that was trained on: cross-validation, mean over folds. On the other: the model trained on all of the first, "
        "tested on those recordings of the second that the first has not. Labels of two data sets are by other listeners, asked in "
        "other ways; each is scaled linearly from its own range.",
        "Not a table of the paper's, which leaves the question open.",
    )
    return Table(
        "transfer", "Trained on one data set, tested on another", "trained on", entries, notes
    )


def _ranges(cells: list[Cell]) -> str:
    """What there is to choose from, in words."""
    lens = sorted({cell.experiment.segments.seg_len for cell in cells})
    nums = sorted({cell.experiment.segments.seg_num for cell in cells})
    tasks = list(dict.fromkeys(cell.experiment.task for cell in cells))
    return f"seg_len {', '.join(f'{v:g}' for v in lens)}; seg_num {', '.join(map(str, nums))}; tasks {', '.join(tasks)}"
