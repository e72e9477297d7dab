"""`python -m adff_tf.predict`, also `adff-predict`: what a trained model hears in songs. A command line and nothing else.

Results go to standard output as they come; progress and errors to standard error.
"""

import csv
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from . import console
from .audio import SUFFIXES
from .errors import InputError, listed

if TYPE_CHECKING:
    from .inference import Emotion, EmotionModel

STDIN = Path("-")
STOPPED = "stopped. What was printed holds."

DESCRIPTION = """Valence and arousal (or the emotion class) of songs, by a model that adff-train made.

adff-predict runs/PMEmo2019-both song.mp3: a table; --format json has the curve over time.

adff-predict MODEL ~/Music --format csv > moods.csv: a folder of songs, a row as each is done.

ffmpeg -i film.mkv -f wav - | adff-predict MODEL -: a recording from standard input.

A song that cannot be used is named on standard error, the others go on, and the exit status is 2."""


@dataclasses.dataclass(frozen=True)
class Output:
    """How answers are given."""

    songs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="SONG…")]]
    """Recordings, folders of them (searched to the bottom), or - for a recording from standard input."""
    format: Literal["table", "json", "csv"] = "table"
    """table: for reading. json: an object a line, with the curve. csv: a row a song, or a window with --curve."""
    hop: Annotated[float | None, tyro.conf.arg(metavar="S")] = None
    """Seconds from one window of the curve to the next; half a window if not given."""
    scale: Annotated[tuple[float, float], tyro.conf.arg(metavar="LOW HIGH")] = (-1.0, 1.0)
    """Lowest and highest value to give valence and arousal in, such as 0 1 or 1 9."""
    curve: bool = False
    """table and csv: a row a window instead of a row a song."""
    plot: bool = False
    """Draw each song's curve and its path through the valence-arousal plane, and several songs on one plane, as PNG and SVG."""
    out: Path = Path("predictions")
    """Folder for the plots."""
    overwrite: bool = False
    """Let plots take the place of those that are there."""


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="MODEL")]]
    """A run folder of adff-train, or a model.keras in one."""
    output: tyro.conf.OmitArgPrefixes[Output]


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, ask, print. Exits with 2 for a user's mistake, and where a song could not be used."""
    console.run(lambda: _main(sys.argv[1:] if arguments is None else list(arguments)), STOPPED)


def _main(arguments: list[str]) -> None:
    options = tyro.cli(Options, args=arguments, description=DESCRIPTION, prog="adff-predict")
    songs = find_songs(options.output.songs)
    console.import_tensorflow()
    import tensorflow as tf

    from . import inference

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # a second to a first answer, and no gain later
    ask(inference.EmotionModel.load(options.model), songs, options.output)


def ask(model: "EmotionModel", songs: Sequence[Path], options: Output) -> None:
    """Print what a model answers for each song, and draw what is asked for; songs that cannot be used are named at the end.

    Raises InputError for an option that cannot be used, before any song, and where songs could not be used, after all of them.
    """
    model.hop_samples(options.hop)
    if options.plot:
        _check_room(options)
    show = {"table": _table, "json": _json, "csv": _csv}[options.format](options)
    kept, bad = [], []
    terminal = console.Terminal(stderr=True)
    with terminal.bar("songs", len(songs)) if len(songs) > 1 else console.SILENT.bar("", 1) as advance:
        for song in songs:
            try:
                source = sys.stdin.buffer.read() if song == STDIN else song
                emotion = model.predict(source, hop_s=options.hop, name="-" if song == STDIN else "").rescaled(*options.scale)
            except InputError as error:
                bad.append(str(error))
                terminal.say(f"error: {error}")
            else:
                show(emotion)
                sys.stdout.flush()
                if options.plot:
                    kept.append(emotion)
            advance()
    if kept:
        from . import plots

        for file in plots.write(kept, options.out):
            terminal.say(f"plot: {file}")
    if len(songs) > 1 and bad:
        raise InputError(f"{len(bad)} of {len(songs)} songs could not be used:\n{listed(bad, most=50)}")
    if bad:
        sys.exit(2)


def find_songs(given: Sequence[Path]) -> list[Path]:
    """The files meant, folders searched for recordings, in order of name. Raises InputError where nothing is left to do."""
    songs: list[Path] = []
    for path in given:
        if path == STDIN or not path.expanduser().is_dir():
            songs.append(path if path == STDIN else path.expanduser())
            continue
        found = sorted(f for f in path.expanduser().rglob("*") if f.suffix.lower() in SUFFIXES and not f.is_dir())
        if not found:
            raise InputError(f"{path} holds no recordings ({', '.join(SUFFIXES)}), nor do the folders in it")
        songs += found
    if not songs:
        raise InputError("no song was given; give recordings, a folder of them, or - for standard input")
    return list(dict.fromkeys(songs))


# === Forms of output: each a function that is told of one song after the other ===


def _rows(emotion: "Emotion", of_windows: bool) -> Iterator[dict]:
    """Flat rows: the song's, or its windows'."""
    whole = emotion.as_dict()
    for row in whole["curve"] if of_windows else [whole]:
        flat = {"path": emotion.path, **{key: row[key] for key in ("start", "end", "seconds") if key in row}}
        if emotion.task.is_regression:
            flat |= {name: row[name] for name in emotion.task.targets}
            if not of_windows:
                flat |= {f"{name}_deviation": value for name, value in whole["deviation"].items()}
                flat |= {"quadrant": whole["quadrant"]} if "quadrant" in whole else {}
        else:
            flat |= {"label": row["label"], **{f"p_{name}": value for name, value in row["probabilities"].items()}}
        yield flat if of_windows else flat | {"padded": emotion.is_padded}


def _json(options: Output) -> Callable[["Emotion"], None]:
    return lambda emotion: print(json.dumps(emotion.as_dict(), allow_nan=False))


def _csv(options: Output) -> Callable[["Emotion"], None]:
    writer: csv.DictWriter | None = None

    def show(emotion: "Emotion") -> None:
        nonlocal writer
        for row in _rows(emotion, options.curve):
            if writer is None:
                writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})

    return show


def _table(options: Output) -> Callable[["Emotion"], None]:
    """Columns for reading, each song's line printed when it is done."""
    is_first = True

    def show(emotion: "Emotion") -> None:
        nonlocal is_first
        for row in _rows(emotion, options.curve):
            path = row.pop("path")
            is_padded = row.pop("padded", False)
            cells = {key.replace("_deviation", " ±"): _cell(value) for key, value in row.items()}
            if is_first:
                print("  ".join(f"{name:>9}" for name in cells) + "  song")
                is_first = False
            note = f"  (shorter than a window of {emotion.window_s:g} s: padded with silence)" if is_padded else ""
            print("  ".join(f"{cell:>9}" for cell in cells.values()) + f"  {path}{note}")

    return show


def _cell(value) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


# === Plots ===


def _check_room(options: Output) -> None:
    """Raise InputError before any work where plots would take the place of others, or cannot be written."""
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out} is a file; give a folder for the plots")
    there = sorted(options.out.glob("*.png")) if options.out.is_dir() else []
    if there and not options.overwrite:
        raise InputError(
            f"{options.out} holds plots already ({there[0].name}{', …' if len(there) > 1 else ''}); "
            "give another folder by --out, or let them be replaced by --overwrite"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {options.out} cannot be made: {error.strerror}; give another folder") from None


if __name__ == "__main__":
    main()
