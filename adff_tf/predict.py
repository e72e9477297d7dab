"""`python -m adff_tf.predict`, also `adff-predict`: what a trained model hears in songs. A command line and nothing else.

Results go to standard output as they come; progress and errors to standard error.
"""

import csv
import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .audio import SUFFIXES, find_recordings
from .errors import InputError, format_list
from .litert import printable
from .support import console
from .support.files import disk_full_error, ensure_writable, expand_user, is_disk_full

if TYPE_CHECKING:
    from .inference.emotion import Emotion
    from .inference.model import EmotionModel
    from .reports.song_pictures import Pictures

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
    out: Path | None = None
    """Folder for the plots; predictions if not given."""
    overwrite: bool = False
    """Let plots take the place of those that are there."""


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="MODEL")]]
    """A run folder of adff-train, or a model.keras in one."""
    output: tyro.conf.OmitArgPrefixes[Output]


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, ask, print. Exits with 2 for a user's mistake, and where a song could not be used."""
    console.run(_main, arguments, STOPPED)


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-predict", DESCRIPTION, Options, arguments)
    songs, unusable = find_songs(options.output.songs)
    console.import_tensorflow()
    import tensorflow as tf

    from .inference import model as inference_model

    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )  # a second to a first answer, and no gain later
    ask(inference_model.EmotionModel.load(options.model), songs, options.output, unusable)


def ask(
    model: "EmotionModel", songs: Sequence[Path], options: Output, unusable: Sequence[str] = ()
) -> None:
    """Print what a model answers for each song, and draw what is asked for; songs that cannot be used are named at the end.

    unusable: what `find_songs` could not use. Raises InputError for an option that cannot be used, before any song, and where songs
    could not be used, after all of them.
    """
    from .inference.emotion import check_scale

    model.hop_samples(options.hop)
    check_scale(*options.scale)
    folder = _checked_room(options)
    show = {"table": _table, "json": _json, "csv": _csv}[options.format](options)
    pictures, bad = None, list(unusable)
    terminal = console.Terminal(stderr=True)
    for reason in unusable:
        terminal.log(f"error: {reason}")
    with terminal.bar("songs", len(songs), passing=len(songs) == 1) as advance:
        for song in songs:

            def on_progress(
                seconds: float, name: str = "standard input" if song == STDIN else song.name
            ) -> None:
                advance(0, f"{printable(name)}, {int(seconds // 60)}:{int(seconds % 60):02}")

            try:
                emotion = _heard(model, song, options, on_progress).rescaled(*options.scale)
            except InputError as error:
                bad.append(str(error))
                terminal.log(f"error: {error}")
            else:
                _print(show, emotion)
                if options.plot:
                    pictures = pictures or _pictures(folder)
                    for file in pictures.add(emotion):
                        terminal.log(f"plot: {file}")
            advance()
    if pictures:
        for file in pictures.finish():
            terminal.log(f"plot: {file}")
    count = len(songs) + len(unusable)
    if count > 1 and bad:
        raise InputError(
            f"{len(bad)} of {count} songs could not be used:\n{format_list(bad, most=50)}"
        )
    if bad:
        sys.exit(2)


def find_songs(given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files meant, folders searched for recordings, in order of name; and what cannot be used, with the reason.

    Raises InputError where there is nothing to do.
    """
    songs: list[Path] = []
    unusable: list[str] = []
    for path in given:
        if path == STDIN:
            songs.append(path)
            continue
        try:
            path = expand_user(path)
            found = sorted(map(Path, find_recordings(path, unusable))) if path.is_dir() else [path]
        except (
            OSError,
            InputError,
        ) as error:  # a name that is too long, a folder above that may not be searched
            unusable.append(
                str(error)
                if isinstance(error, InputError)
                else f"{path} cannot be read: {error.strerror}"
            )
            continue
        if not found:
            unusable.append(
                f"{path} holds no recordings ({', '.join(SUFFIXES)}), nor do the folders in it"
            )
        songs += found
    if not songs:
        raise InputError(
            "\n".join(unusable)
            or "no song was given; give recordings, a folder of them, or - for standard input"
        )
    return list(dict.fromkeys(songs)), unusable


def _print(show: Callable[["Emotion"], None], emotion: "Emotion") -> None:
    """Show an answer at once. Raises InputError where standard output goes to a full disk."""
    try:
        show(emotion)
        sys.stdout.flush()
    except OSError as error:
        if not is_disk_full(error):
            raise
        console.discard_stdout()
        raise InputError(
            "the disk that standard output goes to is full; what it holds so far is good. Write to another"
        ) from None


def _heard(
    model: "EmotionModel", song: Path, options: Output, on_progress: Callable[[float], None]
) -> "Emotion":
    """The answer for a file, or for standard input, which goes through a temporary file: hours do not fit into memory."""
    if song != STDIN:
        return model.predict(song, hop_s=options.hop, on_progress=on_progress)
    if sys.stdin is None:
        raise InputError("standard input is closed; give a recording by its path, or pipe one in")
    with tempfile.NamedTemporaryFile(prefix="adff-") as spool:
        try:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.flush()
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise disk_full_error(Path(spool.name)) from None
        emotion = model.predict(
            spool.name, hop_s=options.hop, name="standard input", on_progress=on_progress
        )
        return dataclasses.replace(emotion, path=str(STDIN))


# === Forms of output: each a function that is told of one song after the other ===


def _rows(emotion: "Emotion", of_windows: bool) -> Iterator[dict]:
    """Flat rows: the song's, or its windows'."""
    whole = emotion.as_dict()
    for row in whole["curve"] if of_windows else [whole]:
        flat = {
            "path": emotion.path,
            **{key: row[key] for key in ("start", "end", "seconds") if key in row},
        }
        if emotion.task.is_regression:
            flat |= {name: row[name] for name in emotion.task.targets}
            if not of_windows:
                flat |= {f"{name}_std": value for name, value in whole["std"].items()}
                flat |= {"quadrant": whole["quadrant"]} if "quadrant" in whole else {}
        else:
            flat |= {
                "label": row["label"],
                **{f"p_{name}": value for name, value in row["probabilities"].items()},
            }
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
            writer.writerow(
                {
                    key: f"{value:.6g}" if isinstance(value, float) else value
                    for key, value in row.items()
                }
            )

    return show


def _table(options: Output) -> Callable[["Emotion"], None]:
    """Columns for reading, each song's line printed when it is done."""
    is_first = True

    def show(emotion: "Emotion") -> None:
        nonlocal is_first
        for row in _rows(emotion, options.curve):
            path = row.pop("path")
            is_padded = row.pop("padded", False)
            cells = {key.replace("_std", " ±"): _cell(value) for key, value in row.items()}
            if is_first:
                print("  ".join(f"{name:>9}" for name in cells) + "  song")
                is_first = False
            note = (
                f"  (shorter than a window of {emotion.window_s:g} s: padded with silence)"
                if is_padded
                else ""
            )
            print("  ".join(f"{cell:>9}" for cell in cells.values()) + f"  {printable(path)}{note}")

    return show


def _cell(value) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


# === Plots ===


def _checked_room(options: Output) -> Path:
    """The folder for plots. Raises InputError before any work where they would take the place of others, or cannot be written."""
    folder = expand_user(options.out or Path("predictions"))
    if not options.plot:
        if options.out:
            raise InputError(
                f"--out {options.out} is the folder for plots; add --plot, or send what is printed to a file by >"
            )
        return folder
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--out {folder} is a file; give a folder for the plots")
        there = sorted(folder.glob("*.png")) if folder.is_dir() else []
        if there and not options.overwrite:
            raise InputError(
                f"{folder} holds plots already ({there[0].name}{', …' if len(there) > 1 else ''}); "
                "give another folder by --out, or let them be replaced by --overwrite"
            )
        ensure_writable(folder, "the plots")
    except OSError as error:
        raise InputError(
            f"--out {folder} cannot be written: {error.strerror}; give another folder"
        ) from None
    return folder


def _pictures(folder: Path) -> "Pictures":
    from .reports.song_pictures import Pictures  # here, because matplotlib takes a second

    return Pictures(folder)


if __name__ == "__main__":
    main()
