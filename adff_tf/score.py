"""`adff-score`, also `python -m adff_tf.score`: predictions on a catalogue, as Parquet tables."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .catalogue.settings import EngineSettings
from .errors import format_list
from .support import console

if TYPE_CHECKING:
    from .catalogue.run import Result

STOPPED = "stopped. Finished songs are kept; the same command resumes from there."

DESCRIPTION = """Score a whole catalogue with a trained model: a row a file in OUT/songs, a row a
window in OUT/curves, as Parquet.

adff-score runs/PMEmo2019-both ~/Music "/archive/**/*.flac" songs.csv --out scores: folders,
patterns in quotes, lists.

A file that cannot be used is a row with its reason. Stop it whenever you like, or let the machine
be killed: the same command resumes the run. The exit status is 0 when every file has its row."""


MODEL = tyro.conf.arg(
    metavar="MODEL",
    help="A run folder of adff-train or a model.keras in one, an export's saved_model, or an "
    "export's .tflite, or `pretrained`, the model that ships.",
)
SOURCES = tyro.conf.arg(
    metavar="SOURCE…",
    help="Folders (searched to the bottom), recordings, patterns, or .csv or .parquet lists with a "
    "column path.",
)


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[str, MODEL]]
    sources: tyro.conf.Positional[Annotated[tuple[str, ...], SOURCES]]
    out: Path
    """Folder for the tables: new, empty, or of a run to resume."""
    settings: Annotated[EngineSettings, tyro.conf.arg(name="")]
    hop: Annotated[float | None, tyro.conf.arg(metavar="S")] = None
    """Seconds from one window to the next; half a window if not given."""
    retry_errors: bool = False
    """Score files whose row is an error again, as after a network folder was away."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program. Exits with 2 for a user's mistake."""
    console.run(_main, arguments, STOPPED)


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-score", DESCRIPTION, Options, arguments)
    from .catalogue.run import predict_catalogue

    terminal = console.Terminal()
    result = predict_catalogue(
        options.model, options.sources, options.out, options.hop, options.settings,
        options.retry_errors, terminal,
    )  # fmt: skip
    for line in _summarise(result, options.out):
        terminal.log(line)


def _summarise(result: "Result", out: Path) -> list[str]:
    """Return lines about the tables, and the next step."""
    errors = result.counts.errors
    lines = [
        f"done: {result.new} files now; the tables hold {result.counts.ok} predicted and "
        f"{sum(errors.values())} errors"
    ]
    if errors:
        common = sorted(errors.items(), key=lambda item: -item[1])
        counted = (f"{count} × {reason}" for reason, count in common)
        lines += ["errors:", format_list(counted, most=5)]
    if result.unread:
        lines.append(f"warning: {len(result.unread)} folders could not be searched")
    return [*lines, "next, in Python:", f'  pandas.read_parquet("{out / "songs"}")']


if __name__ == "__main__":
    main()
