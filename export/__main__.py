"""`python -m adff_tf.export`, also `adff-export`: a trained run as artifacts for other programs. A command line only."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..errors import InputError
from ..support import console

if TYPE_CHECKING:
    from .artifacts import Export

DESCRIPTION = """A trained run as artifacts that other programs load: waveform in, valence and arousal out, the front end inside.

adff-export runs/demo --out exports/demo: a SavedModel for TensorFlow Serving and TFLite files for devices.

python exports/demo/adff_litert.py exports/demo/adff_int8.tflite song.wav: what a device runs, without TensorFlow.

Each artifact is compared with the model; the exit status is 1 where one does not agree."""


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="MODEL")]]
    """A run folder of adff-train, or a model.keras in one."""
    out: Path
    """Folder for the artifacts, new or empty."""
    formats: tuple[Literal["saved_model", "tflite"], ...] = ("saved_model", "tflite")
    """saved_model: for TensorFlow Serving. tflite: for LiteRT, with a program that runs it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, export, print. Exits with 2 for a user's mistake, and with 1 where an artifact misses its bound."""
    console.run(_main, arguments, "stopped. Nothing was left behind.")


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-export", DESCRIPTION, Options, arguments)
    if not options.formats:
        raise InputError("--formats names none; give saved_model, tflite or both")
    console.import_tensorflow()
    from .artifacts import export

    terminal = console.Terminal()
    done = export(options.model, options.out, options.formats, terminal)
    terminal.log("\n" + _table(done) + "\n")
    if not done.report["telling"]:
        terminal.log(
            "note: the model's own answers hardly differ from window to window, so that agreeing with it says little"
        )
    terminal.log(f"export: {done.folder}")
    if not done.passed:
        raise SystemExit(1)
    for line in _next(options):
        terminal.log(line)


def _table(done: "Export") -> str:
    """A row an artifact: size, differences from the Keras model, time a window."""
    lines = [("artifact", "MB", "worst", "of music", "mean", "ms a window", "")]
    for found in done.artifacts:
        note = (
            ""
            if found.is_within
            else f"beyond its bound of {found.bound_worst:g}"
            + (f", or {found.bound_mean:g} on average" if found.may_miss else "")
            + f", at {found.at}"
            + (": usable, but not as exact" if found.may_miss else "")
        )
        lines.append(
            (
                found.artifact,
                f"{_size(done.folder / found.artifact) / 1e6:.1f}"
                if "/" not in found.artifact
                else "",
                f"{found.worst:.1e}",
                f"{found.music:.1e}",
                f"{found.mean:.1e}",
                f"{1e3 * found.seconds:.0f}",
                note,
            )
        )
    return "\n".join(
        f"{name:<30}{size:>7}{worst:>10}{music:>10}{mean:>10}{ms:>13}  {note}".rstrip()
        for name, size, worst, music, mean, ms, note in lines
    )


def _size(path: Path) -> int:
    return sum(
        file.stat().st_size
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    )


def _next(options: Options) -> list[str]:
    lines, out = ["next:"], quote(str(options.out))
    if "tflite" in options.formats:
        lines.append(
            f"  python {out}/adff_litert.py {out}/adff_int8.tflite SONG      (on a device, without TensorFlow)"
        )
    if "saved_model" in options.formats:
        lines.append(
            f"  docker compose -f {out}/serving/compose.yaml up                      (TensorFlow Serving)"
        )
        lines.append("  python -m adff_tf.export.client localhost:8500 SONG")
    return lines


if __name__ == "__main__":
    main()
