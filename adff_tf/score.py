"""`python -m adff_tf.score`, also `adff-score`: a whole catalogue scored into Parquet tables. A command line and nothing else."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .errors import format_list
from .support import console

if TYPE_CHECKING:
    from .catalogue.run import Finished

DESCRIPTION = """Score a whole catalogue with a trained model: a row a file in OUT/songs, a row a window in OUT/curves, as Parquet.

adff-score runs/PMEmo2019-both ~/Music "/archive/**/*.flac" songs.csv --out scores: folders, patterns in quotes, lists.

A file that cannot be used is a row with its reason. Stop it whenever you like, or let the machine be killed: the same command goes
on where it was. The exit status is 0 when every file has its row."""


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="MODEL")]]
    """A run folder of adff-train or a model.keras in one, an export's saved_model, or an export's .tflite."""
    sources: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="SOURCE…")]]
    """Folders (searched to the bottom), recordings, patterns, or .csv or .parquet lists with a column path."""
    out: Path
    """Folder for the tables: new, empty, or of a run to go on with."""
    hop: Annotated[float | None, tyro.conf.arg(metavar="S")] = None
    """Seconds from one window to the next; half a window if not given."""
    retry_errors: bool = False
    """Score files whose row is an error again, as after a network folder was away."""
    engine: Literal["local", "ray"] = "local"
    """local: the processors (and GPU) of this machine. ray: a Ray cluster."""
    ray_address: str | None = None
    """Of a cluster that runs, such as auto or 10.0.0.1:6379; without it --engine ray starts one on this machine."""
    cores_per_actor: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """ray: processors of one actor, which loads the model once; 8 if not given, or what the smallest machine has."""
    decoders: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes that decode; one a processor if not given."""
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Threads that ask the model, with a batch each; one a processor if not given, 2 with a GPU."""
    batch: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Windows answered at once; 4 if not given, 32 with a GPU."""
    patience: Annotated[float, tyro.conf.arg(metavar="S")] = 60.0
    """Seconds after which a decoder that gets nowhere is ended, and its file is an error."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, score, print. Exits with 2 and one message for a user's mistake."""
    stopped = "stopped. What was scored is kept; the same command goes on from there."
    console.run(_main, arguments, stopped)


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-score", DESCRIPTION, Options, arguments)
    from .catalogue import run

    ways = run.Ways(
        options.engine, options.ray_address, options.cores_per_actor,
        options.decoders, options.threads, options.batch, options.patience,
    )  # fmt: skip
    terminal = console.Terminal()
    done = run.score(
        options.model,
        options.sources,
        options.out,
        options.hop,
        ways,
        options.retry_errors,
        terminal,
    )
    for line in _summary(done, options.out):
        terminal.log(line)


def _summary(done: "Finished", out: Path) -> list[str]:
    """What the tables hold now, and what to do with them."""
    errors = sum(done.counts.errors.values())
    lines = [
        f"scored: {done.new} files now; the tables hold {done.counts.ok} scored and {errors} errors"
    ]
    if errors:
        common = sorted(done.counts.errors.items(), key=lambda item: -item[1])
        lines += [
            "errors:",
            format_list((f"{count} × {reason}" for reason, count in common), most=5),
        ]
    lines += [f"warning: {len(done.unread)} folders could not be searched"] if done.unread else []
    return [*lines, "next, in Python:", f'  pandas.read_parquet("{out / "songs"}")']


if __name__ == "__main__":
    main()
