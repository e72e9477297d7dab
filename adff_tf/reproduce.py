"""`python -m adff_tf.reproduce`, also `adff-reproduce`: the paper's tables beside ours. A command line and nothing else."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from . import presets
from .config import Data, DataKind, Experiment, Network, Training, Validation
from .datasets import pmemo
from .errors import InputError
from .paper import grid
from .support import commandline, console
from .support.files import expand_user

if TYPE_CHECKING:
    import pandas as pd

    from .paper.cells import Prepared

DESCRIPTION = """Run the paper's tables on your data set, and print them beside the published numbers.

adff-reproduce table1 --data ~/PMEmo2019 --dry-run: the runs it consists of, and the hours they will take here.

adff-reproduce table1 --data ~/PMEmo2019: with the paper's schedule. On a CPU for days; see --preset fast, --epochs, --width.

adff-reproduce table4 --data ~/EMOPIA --seg-lens 20: a data set of quadrants has the columns of classes.

adff-reproduce transfer --data ~/PMEmo2019 --other ~/DEAM: train on one, test on the other, both ways; not in the paper.

adff-reproduce table2 --scale tiny: the whole table in minutes on built-in music, to see that all works. Not a result.

The same command goes on where it was stopped. Give it several times, here or on machines that see the same folder, and the runs are
shared. task, seg_len, seg_num, sampling, se and tflm are set by the tables."""

Name = Literal["table1", "table2", "figure3", "table3", "table4", "all", "transfer"]


@dataclasses.dataclass(frozen=True)
class Options:
    """What to reproduce; the other options change single settings of every run."""

    table: tyro.conf.Positional[Name]
    """A table or figure of the paper, all of them, or transfer between two data sets."""
    preset: Literal["paper", "fast"] = "paper"
    """Settings to start from: the paper's 200 epochs at full width, or good scores in a fraction of the time."""
    scale: Literal["full", "tiny"] = "full"
    """tiny: a network of a few channels, hardly trained, on built-in music if no --data are given: a check of the machinery."""
    out: Path | None = None
    """Folder for the tables and their runs; reproductions/NAME under the current folder if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share it among runs; OUT/features if not given."""
    dry_run: bool = False
    """Print the runs and an estimate of their hours, from a measured step each, and train nothing. The log-mels are computed."""
    seg_lens: tuple[float, ...] = ()
    """Only these lengths of the tables', seconds."""
    seg_nums: tuple[int, ...] = ()
    """Only these numbers of parts of the tables'."""
    other: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER|CSV")] = None
    """transfer: the second data set."""
    other_kind: DataKind = "auto"
    """transfer: layout of the second data set; auto recognises it."""
    other_label_range: tuple[float, float] | None = None
    """transfer: lowest and highest value of its labels' scale, where it is a CSV file."""


def tiny() -> Experiment:
    """A few channels, one epoch, two folds, sixteen clips as long as the longest segments: minutes a table."""
    base = presets.paper()
    return base.model_copy(
        update={
            "data": Data(clips=16, clip_s=31.0),
            "frontend": base.frontend.model_copy(update={"mels": 32}),
            "network": Network(width=0.02, lstm_units=2, se_ratio=2, fc=(8,)),
            "training": Training(epochs=1, batch_size=8, learning_rate=1e-3),
            "validation": Validation(folds=2, final_model=False),
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, run, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, base = parse(arguments)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path("reproductions") / name_of(options, base))
    features = options.features or folder / "features"
    terminal.log(f"folder: {folder}" + ("" if options.out else "  (choose another by --out)"))

    console.import_tensorflow()
    from .paper import cells, estimate, tables

    prepared = cells.prepare([base, *_others(options, base)], folder, features, terminal)
    wanted = tables_of(options, prepared)
    runs = grid.unique(cell for table in wanted for cell in table.cells)
    for one in prepared:
        cells.check(runs, one)
    if options.dry_run:
        _tell(estimate.estimate(runs, folder, prepared, terminal), wanted, terminal)
        return

    def update() -> None:
        for table in wanted:
            tables.write(table, folder, base, _warning(options, prepared))

    update()
    terminal.log(
        f"{len(runs)} runs; the tables fill in {', '.join(str(folder / f'{table.name}.md') for table in wanted)}"
    )
    failed = cells.run(runs, folder, features, update, terminal)
    update()
    for table in wanted:
        terminal.log("\n" + (folder / f"{table.name}.md").read_text().split("## ")[0].strip())
    terminal.log("\n" + "\n".join(f"report: {folder / f'{table.name}.md'}" for table in wanted))
    if failed:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
        raise InputError(
            f"{len(failed)} of {len(runs)} runs could not be run:\n{reasons}\nThe others are kept"
        )


def parse(arguments: list[str]) -> tuple[Options, Experiment]:
    """The options and the base experiment that a command line names. Raises InputError."""
    given = commandline.parse_known(arguments, "--preset", "--scale")
    start = (
        tiny()
        if given.scale == "tiny"
        else presets.PRESETS.get(given.preset or "paper", presets.paper)()
    )
    start = start.model_copy(
        update={"validation": start.validation.model_copy(update={"final_model": False})}
    )
    if given.preset == "fast":  # whose hold-out would leave no std
        start = start.model_copy(
            update={"validation": start.validation.model_copy(update={"hold_out": False})}
        )
    options, base = commandline.parse(
        "adff-reproduce", DESCRIPTION, Options(tyro.MISSING), start, arguments
    )
    _check(options, base, arguments)
    return options, commandline.with_absolute_path(base)


def _check(options: Options, base: Experiment, arguments: list[str]) -> None:
    fixed = commandline.given_options(arguments) & {
        *grid.PARTS,
        *(f"no_{name}" for name in grid.PARTS),
    }
    allowed = {"seg_len", "seg_num"} if options.table == "transfer" else set()
    if wrong := sorted(fixed - allowed):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise InputError(
            f"{flags} cannot be given: the tables set it. Narrow them by --seg-lens and --seg-nums"
        )
    if base.data.data is None and options.scale != "tiny" and not options.dry_run:
        raise InputError(
            "no data set was given: add --data FOLDER. To see that all works, --scale tiny runs a whole table on built-in music; "
            "to see what a step costs here, add --dry-run"
        )
    if (options.table == "transfer") != (options.other is not None):
        raise InputError(
            "transfer takes two data sets and the tables one: adff-reproduce transfer --data ONE --other ANOTHER"
        )


def _others(options: Options, base: Experiment) -> list[Experiment]:
    """The base experiment on the second data set, if there is one."""
    if options.other is None:
        return []
    data = {
        "data": options.other,
        "kind": options.other_kind,
        "label_range": options.other_label_range,
    }
    return [
        commandline.with_absolute_path(
            base.model_copy(update={"data": base.data.model_copy(update=data)})
        )
    ]


def name_of(options: Options, base: Experiment) -> str:
    """A name for the folder: the data, and the scale or the preset that is not the paper's."""
    names = [expand_user(data).resolve().stem if data else "built-in" for data in [base.data.data]]
    names += ["and", expand_user(options.other).resolve().stem] if options.other else []
    names += ["tiny"] if options.scale == "tiny" else []
    names += [options.preset] if options.preset != "paper" else []
    return "-".join(names)


def tables_of(options: Options, prepared: list["Prepared"]) -> list[grid.Table]:
    """The tables that are asked for, narrowed to what is asked for and to what the labels allow. Raises InputError."""
    base, is_continuous = prepared[0].base, all(one.labels == "continuous" for one in prepared)
    if options.table == "transfer":
        return [
            grid.transfer(
                base, base.data, prepared[1].base.data, "both" if is_continuous else "quadrant"
            )
        ]

    def keep(cell: grid.Cell) -> bool:
        segments = cell.experiment.segments
        return (
            (is_continuous or not cell.is_regression)
            and (not options.seg_lens or segments.seg_len in options.seg_lens)
            and (not options.seg_nums or segments.seg_num in options.seg_nums)
        )

    found, errors = [], []
    for name in grid.TABLES if options.table == "all" else [options.table]:
        try:
            found.append(grid.TABLES[name](base).only(keep))
        except InputError as error:
            errors.append(str(error))
    if not found:
        why = (
            ""
            if is_continuous
            else f". {base.data.data} has quadrants, and no numbers: table4 has columns of classes"
        )
        raise InputError("\n".join(errors) + why)
    return found


def _warning(options: Options, prepared: list["Prepared"]) -> str:
    """Why the numbers cannot be compared with the published ones; nothing where they can."""
    if options.scale == "tiny":
        return "A check that the machinery works, and no result: the network is tiny and hardly trained."
    if options.table != "transfer" and not prepared[0].source.startswith(pmemo.NAME):
        return "The published numbers are of PMEmo, ours of other music: both are there, and not to be compared."
    return ""


def _tell(estimated: "pd.DataFrame", wanted: list[grid.Table], terminal: console.Terminal) -> None:
    """The runs and their hours, and what that makes for each table."""
    terminal.log("\n" + estimated.to_string(index=False) + "\n")
    by_cell = estimated.set_index("cell")["hours"]
    for table in wanted:
        terminal.log(
            f"{table.name}: {len(table.cells)} runs, {by_cell[[cell.name for cell in table.cells]].sum():.2f} hours to go"
        )
    if len(wanted) > 1:
        terminal.log(
            f"together, shared runs counted once: {len(estimated)} runs, {by_cell.sum():.2f} hours"
        )
    terminal.log(
        "from one training step a shape of network, here and now, with what its first step takes to trace; scoring is not counted. "
        "Runs are shared by as many processes as you start"
    )


if __name__ == "__main__":
    main()
