"""`adff-export`, also `python -m adff_tf.export`: a trained run as artifacts for other programs."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from adff_tf.errors import InputError
from adff_tf.support import console

if TYPE_CHECKING:
    from .artifacts import Export
    from .parity import Parity

DESCRIPTION = """Export a trained run as artifacts: waveform in, valence and arousal out.

adff-export runs/demo --out exports/demo: a SavedModel for TensorFlow Serving and TFLite files for
devices.

adff-predict exports/demo/adff_int8.tflite song.wav: predict by one of them, without TensorFlow.

Each artifact is compared with the model; the exit status is 1 where an artifact differs too
much."""

HEADER = ("artifact", "MB", "worst", "of music", "mean", "ms a window", "")


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="MODEL")]]
    """A run folder of adff-train, a model.keras in one, or `pretrained`, the model that ships."""
    out: Path
    """Folder for the artifacts, new or empty."""
    formats: tuple[Literal["saved_model", "tflite", "hub", "web"], ...] = ("saved_model", "tflite")
    """saved_model: for TensorFlow Serving. tflite: for LiteRT, on devices. hub: a folder to upload
    to the Hugging Face Hub. web: a page for any static host."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program. Exits with 2 for a user's mistake, 1 where an artifact misses its bound."""
    console.run(_main, arguments, "stopped. Nothing was left behind.")


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-export", DESCRIPTION, Options, arguments)
    if not options.formats:
        raise InputError(
            "--formats is empty; give saved_model, tflite, hub, web or several of them"
        )
    console.import_tensorflow()
    from .artifacts import export

    terminal = console.Terminal()
    done = export(options.model, options.out, options.formats, terminal)
    terminal.log(f"\n{_table(done)}\n")
    if not done.report["informative"]:
        terminal.log(
            "note: the model's own predictions hardly differ from window to window, so that parity "
            "says little"
        )
    terminal.log(f"export: {done.folder}")
    if not done.passed:
        raise SystemExit(1)
    for line in _next_steps(options):
        terminal.log(line)


def _table(done: "Export") -> str:
    """Return a row an artifact: size, differences from the Keras model, time a window."""
    rows: list[tuple[str, ...]] = [HEADER]
    for parity in done.artifacts:
        file = done.folder / parity.artifact  # not there: a signature of the artifact above
        size = f"{_size(file) / 1e6:.1f}" if file.exists() else ""
        errors = (f"{e:.1e}" for e in (parity.worst, parity.worst_of_music, parity.mean))
        rows.append((parity.artifact, size, *errors, f"{1e3 * parity.seconds:.0f}", _note(parity)))
    return "\n".join(
        f"{name:<30}{size:>7}{worst:>10}{music:>10}{mean:>10}{ms:>13}  {note}".rstrip()
        for name, size, worst, music, mean, ms, note in rows
    )


def _note(parity: "Parity") -> str:
    """Return the mark of an artifact beyond its bounds."""
    if parity.is_within:
        return ""
    if parity.distance is not None and parity.distance > parity.bound_distance:
        return (
            f"`distance` is off by {parity.distance:.0%}, its bound is {parity.bound_distance:.0%}"
        )
    place = f"at {parity.worst_window}"
    if not parity.may_miss:
        return f"beyond its bound of {parity.bound_worst:g}, {place}"
    bounds = f"{parity.bound_worst:g}, or {parity.bound_mean:g} on average"
    return f"beyond its bound of {bounds}, {place}: usable, but not as exact"


def _size(path: Path) -> int:
    """Return the bytes of a file or of a folder's files."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _next_steps(options: Options) -> list[str]:
    lines, out = ["next:"], quote(str(options.out))
    if "tflite" in options.formats:
        lines.append(f"  adff-predict {out}/adff_int8.tflite SONG      (without TensorFlow)")
    if "saved_model" in options.formats:
        compose = f"docker compose -f {out}/serving/compose.yaml up"
        lines.append(f"  {compose}      (TensorFlow Serving)")
        lines.append("  adff-client localhost:8500 SONG")
    if "hub" in options.formats:
        lines.append(f"  hf upload USER/NAME {out}/hub      (to the Hugging Face Hub)")
    if "web" in options.formats:
        lines.append(f"  python -m http.server -d {out}/web      (or put the folder on any host)")
    return lines


if __name__ == "__main__":
    main()
