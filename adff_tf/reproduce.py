"""`python -m adff_tf.reproduce`, also `adff-reproduce`: the paper's tables with our numbers beside.

This module is the program: it parses, calls `paper` and prints.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from . import presets
from .config import Data, DataKind, Experiment, Network, Training, Validation
from .errors import InputError
from .networks import EmoMucs, Mlem
from .paper import grid
from .paper.table1 import table1, without_stems
from .support import commandline, console
from .support.files import expand_user
from .training.start import check_start, take_over

if TYPE_CHECKING:
    from .paper.cells import Prepared

DESCRIPTION = """Run the paper's tables on your data set, and print them beside the published \
numbers.

adff-reproduce table1 --data ~/PMEmo2019 --dry-run: print its runs and the hours they will take.

adff-reproduce table1 --data ~/PMEmo2019: run with the paper's schedule. This takes days on a CPU; \
see --preset fast, --epochs, --width.

adff-reproduce table1 --data ~/PMEmo2019 --models adff emomucs mlem: train the rivals too.

adff-reproduce table4 --data ~/EMOPIA --seg-lens 20: run the columns of classes on a data set of \
quadrants.

adff-reproduce transfer --data ~/PMEmo2019 --other ~/DEAM: train on each data set and test on the \
other; not in the paper.

adff-reproduce table2 --scale tiny: run the whole table in minutes on built-in music, as a check. \
The numbers are no result.

The same command resumes where it was stopped. Start the command several times, here or on \
machines that see the same folder, to share the runs. The tables set task, seg_len, seg_num, \
sampling, se and tflm."""

Name = Literal["table1", "table2", "figure3", "table3", "table4", "all", "transfer"]


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the program; all other options change a setting of every run."""

    table: tyro.conf.Positional[Name]
    """A table or figure of the paper, all of them, or transfer between two data sets."""
    preset: Literal["paper", "fast"] = "paper"
    """Settings to start from. paper: 200 epochs at full width. fast: good scores in a fraction of
    the time."""
    scale: Literal["full", "tiny"] = "full"
    """tiny: check the program with a network of a few channels, hardly trained; on built-in music
    unless --data is given."""
    out: Path | None = None
    """Folder for the tables and their runs; reproductions/NAME if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share among runs; OUT/features if not given."""
    dry_run: bool = False
    """Print the runs and an estimate of their hours, and train nothing. Computes the log-mels and
    measures a few training steps of small networks; on a GPU, a step of each shape of network."""
    models: tuple[Literal["adff", "emomucs", "mlem"], ...] = ("adff",)
    """table1: models to train. emomucs and mlem are trained as their authors did, under ADFF's
    folds, segments and labels; emomucs also on separated sources, see --stems."""
    seg_lens: tuple[float, ...] = ()
    """Run only these segment lengths of the tables, seconds."""
    seg_nums: tuple[int, ...] = ()
    """Run only these values of seg_num of the tables."""
    other: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER|CSV")] = None
    """transfer: the second data set."""
    other_kind: DataKind = "auto"
    """transfer: layout of the second data set; auto recognises it."""
    other_label_range: tuple[float, float] | None = None
    """transfer: lowest and highest value of the second data set's label scale; CSV file only."""


def tiny() -> Experiment:
    """Return settings that run a table in minutes: a few channels, one epoch, two folds.

    The sixteen clips of built-in music are as long as the longest segments.
    """
    base = presets.paper()
    return base.model_copy(
        update={
            "data": Data(clips=16, clip_s=31.0),
            "frontend": base.frontend.model_copy(update={"mels": 32}),
            "network": Network(width=0.02, lstm_units=2, se_ratio=2, fc=(8,)),
            "training": Training(epochs=1, batch_size=8, learning_rate=1e-3),
            "validation": Validation(folds=2),
        }
    )


def tiny_rivals(base: Experiment) -> dict[str, Experiment]:
    """Return the rivals' settings for `tiny`: one epoch, and few channels of MLEM."""
    tiny_network = {
        "emomucs": EmoMucs(source_model="c1d", level="relative"),
        "mlem": Mlem(width=0.02, level="compressed"),
    }
    return {
        name: make().model_copy(update={"network": tiny_network[name], "training": base.training})
        for name, make in presets.RIVALS.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program. Exits with status 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, base = parse(arguments)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path("reproductions") / folder_name(options, base))
    features = options.features or folder / "features"
    terminal.log(f"folder: {folder}" + ("" if options.out else "  (choose another by --out)"))

    console.import_tensorflow()
    from .paper.cells import check_splits, prepare_data, run_cells
    from .paper.estimate import estimate_hours, render_estimate
    from .paper.tables import write_table

    bases = [base, *_second_data_set(options, base)]
    prepared = prepare_data(bases, folder, features, terminal, "emomucs" in options.models)
    tables = select_tables(options, prepared)
    cells = grid.unique_cells(cell for table in tables for cell in table.cells)
    for data_set in prepared:
        check_splits(cells, data_set)
    if options.dry_run:
        estimate = estimate_hours(cells, folder, prepared, terminal)
        terminal.log("\n" + render_estimate(estimate, tables))
        return

    def write_tables() -> list[str]:
        warning = _comparison_warning(options, prepared)
        return [write_table(table, folder, base, warning) for table in tables]

    write_tables()
    files = [str(folder / f"{table.name}.md") for table in tables]
    terminal.log(f"{len(cells)} runs; the tables fill in {', '.join(files)}")
    failures = run_cells(cells, folder, features, write_tables, terminal)
    for text in write_tables():
        terminal.log("\n" + text)
    terminal.log("\n" + "\n".join(f"report: {file}" for file in files))
    if failures:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failures.items())
        raise InputError(
            f"{len(failures)} of {len(cells)} runs could not be run:\n{reasons}\nThe others are "
            "kept. Other settings, such as --batch-size for batch_size, need another --out"
        )


def parse(arguments: list[str]) -> tuple[Options, Experiment]:
    """Return the options and the base experiment of a command line. Raises InputError."""
    given = commandline.parse_known(arguments, "--preset", "--scale")
    make_preset = presets.PRESETS.get(given.preset or "paper", presets.paper)
    start = tiny() if given.scale == "tiny" else make_preset()
    validation = {"final_model": False}
    if given.preset == "fast":  # the hold-out of the preset would leave no std
        validation["hold_out"] = False
    start = start.model_copy(update={"validation": start.validation.model_copy(update=validation)})
    start = take_over(start, arguments)
    options, base = commandline.parse(
        "adff-reproduce", DESCRIPTION, Options(tyro.MISSING), start, arguments
    )
    check_start(base)
    _check(options, base, arguments)
    return options, commandline.with_absolute_path(base)


def _check(options: Options, base: Experiment, arguments: list[str]) -> None:
    """Raise InputError for options that do not go together."""
    varied = grid.VARIED - ({"seg_len", "seg_num"} if options.table == "transfer" else set())
    given = commandline.given_options(arguments)
    if wrong := sorted(given & {*varied, *(f"no_{name}" for name in varied)}):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise InputError(
            f"{flags} cannot be given: the tables set it. Narrow them by --seg-lens and --seg-nums"
        )
    if not base.data.data and options.scale != "tiny" and not options.dry_run:
        raise InputError(
            "no data set was given: add --data FOLDER. To check the program, run a whole table on "
            "built-in music by --scale tiny; to measure a training step here, add --dry-run"
        )
    if options.models != ("adff",) and options.table not in ("table1", "all"):
        raise InputError("--models is for table1, which compares models")
    if base.data.stems and "emomucs" not in options.models:
        raise InputError("--stems are for table1 with --models emomucs")
    if not options.models:
        raise InputError("--models is empty; give adff, emomucs, mlem or several of them")
    if (options.table == "transfer") != (options.other is not None):
        raise InputError(
            "transfer takes two data sets and the tables one: "
            "adff-reproduce transfer --data ONE --other ANOTHER"
        )


def _second_data_set(options: Options, base: Experiment) -> list[Experiment]:
    """Return the base experiment on the second data set, if one is given."""
    if options.other is None:
        return []
    other = {
        "data": (options.other,),
        "weights": (),
        "kind": options.other_kind,
        "label_range": options.other_label_range,
    }
    data = base.data.model_copy(update=other)
    return [commandline.with_absolute_path(base.model_copy(update={"data": data}))]


def folder_name(options: Options, base: Experiment) -> str:
    """Return a name for the folder: the data, then the scale and preset unless default."""
    names = [commandline.name_data(base.data.data) or "built-in"]
    names += ["and", expand_user(options.other).resolve().stem] if options.other else []
    names += ["tiny"] if options.scale == "tiny" else []
    names += [options.preset] if options.preset != "paper" else []
    return "-".join(names)


def select_tables(options: Options, prepared: list["Prepared"]) -> list[grid.Table]:
    """Return the tables of the command line, narrowed by its options and by the labels.

    Data sets of quadrants have no numbers, and keep the columns of classes. Raises InputError where
    nothing remains.
    """
    base, is_continuous = prepared[0].base, all(one.labels != "quadrant" for one in prepared)
    if options.table == "transfer":
        task: Literal["both", "quadrant"] = "both" if is_continuous else "quadrant"
        return [grid.transfer(base, base.data, prepared[1].base.data, task)]

    def keep(cell: grid.Cell) -> bool:
        segments = cell.experiment.segments
        return (
            (is_continuous or not cell.is_regression)
            and (not options.seg_lens or segments.seg_len in options.seg_lens)
            and (not options.seg_nums or segments.seg_num in options.seg_nums)
        )

    tables, errors = [], []
    rivals = tiny_rivals(base) if options.scale == "tiny" else None
    models = functools.partial(table1, models=options.models, rivals=rivals)
    make: dict[str, Callable[[Experiment], grid.Table]] = {"table1": models, **grid.TABLES}
    for name in make if options.table == "all" else [options.table]:
        try:
            own = base if name == "table1" else without_stems(base)  # the others are ADFF's alone
            tables.append(make[name](own).narrow(keep))
        except InputError as error:
            errors.append(str(error))
    if tables:
        return tables
    if not is_continuous:
        errors.append(
            f"{prepared[0].source} has quadrants, and no numbers: table4 has columns of classes"
        )
    raise InputError("\n".join(errors))


def _comparison_warning(options: Options, prepared: list["Prepared"]) -> str:
    """Return why our numbers cannot be compared with the published ones; empty where they can."""
    if options.scale == "tiny":
        return "A check of the program and no result: the network is tiny and hardly trained."
    from .datasets import pmemo

    if options.table != "transfer" and not prepared[0].source.startswith(pmemo.NAME):
        return (
            "The published numbers are of PMEmo and ours of other music, so they cannot be "
            "compared."
        )
    return ""


if __name__ == "__main__":
    main()
