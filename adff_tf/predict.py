"""`adff-predict`, also `python -m adff_tf.predict`: the emotion of songs, by a trained model.

Results go to standard output as they come; progress and errors go to standard error.
"""

import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .audio import SUFFIXES, find_recordings
from .errors import InputError, format_list
from .inference.backends import Choice, is_model, load_backend, locate
from .inference.formats import Format
from .model import shipped
from .support import console
from .support.files import disk_full_error, ensure_writable, expand_user, is_disk_full

if TYPE_CHECKING:
    from .inference.emotion import Emotion
    from .inference.model import EmotionModel

STDIN = Path("-")
STOPPED = "stopped. The lines printed so far are good."

DESCRIPTION = """Predict valence and arousal (or the emotion class) of songs.

adff-predict song.mp3: a table, by the model that ships; --format json adds the curve over time.

adff-predict runs/PMEmo2019-both song.mp3: by a model of your own.

adff-predict ~/Music --format csv > moods.csv: a folder of songs, one row a song.

ffmpeg -i film.mkv -f wav - | adff-predict -: a recording from standard input.

A song that cannot be used is named on standard error, the other songs go on, and the exit status
is 2."""


@dataclasses.dataclass(frozen=True)
class Output:
    """How predictions are printed and drawn."""

    format: Format = "table"
    """table: for reading. json: one object a line, with the curve. csv: one row a song."""
    hop: Annotated[float | None, tyro.conf.arg(metavar="S")] = None
    """Seconds from one window of the curve to the next; half a window by default."""
    scale: Annotated[tuple[float, float], tyro.conf.arg(metavar="LOW HIGH")] = (-1.0, 1.0)
    """Lowest and highest value of valence and arousal, such as 0 1 or 1 9."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Share of the songs whose interval holds their true value, 0 to 1."""
    curve: bool = False
    """table and csv: one row a window instead of one row a song."""
    explain: bool = False
    """table: what each mid-level feature adds to the answer, by a model that was taught them
    (adff-train --model mlem --mid-level separate). json has it always, and --plot draws it."""
    plot: bool = False
    """Draw each song's curve and path, and several songs on one plane, as PNG and SVG."""
    out: Path | None = None
    """Folder for the plots; predictions by default."""
    overwrite: bool = False
    """Let plots replace existing ones."""


@dataclasses.dataclass(frozen=True)
class Options:
    paths: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="[MODEL] SONG…")]]
    """A model, if not the one that ships: a run folder of adff-train, a model.keras in one, or an
    export's saved_model or .tflite, or hf://USER/NAME on the Hugging Face Hub. Then recordings,
    folders of them (searched with their subfolders), or - for standard input."""
    output: tyro.conf.OmitArgPrefixes[Output]
    backend: Choice = "auto"
    """litert: without TensorFlow, by the model's .tflite. keras: by TensorFlow. auto: litert where
    the model has a .tflite."""
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Windows that LiteRT predicts at once, with a thread each; 2 by default."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program. Exits with 2 for a user's mistake or a song that cannot be used."""
    console.run(_main, arguments, STOPPED)


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-predict", DESCRIPTION, Options, arguments)
    given, paths = split_model(options.paths)
    songs, unusable = find_songs(paths)
    location = locate(given or shipped.NAME, options.backend)
    from .inference.model import EmotionModel

    if given is None:
        console.Terminal(stderr=True).log(shipped.describe())
    if location.needs_tensorflow:
        console.import_tensorflow()
        import tensorflow as tf

        # saves a second before the first prediction, and costs no speed later
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    model = EmotionModel(*load_backend(location, options.threads))
    predict_songs(model, songs, options.output, unusable)


def split_model(paths: Sequence[Path]) -> tuple[Path | None, Sequence[Path]]:
    """Return the model that is given first, None for the one that ships, and the songs.

    Raises InputError where several paths are given and the first is nothing that exists.
    """
    first = paths[0] if paths else STDIN
    if first != STDIN and is_model(first):
        return first, paths[1:]
    if len(paths) > 1 and first != STDIN and not expand_user(first).exists():
        raise InputError(
            f"{first} is not there: give a model (a run folder, a .tflite, …) or a recording first"
        )
    return None, paths


def find_songs(given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the songs to predict, and the reasons for paths that cannot be used.

    Folders are searched for recordings, ordered by name. Raises InputError when no song is left.
    """
    songs: list[Path] = []
    unusable: list[str] = []
    for path in given:
        if path == STDIN:
            songs.append(path)
            continue
        try:
            path = expand_user(path)
            is_folder = path.is_dir()
            found = sorted(map(Path, find_recordings(path, unusable))) if is_folder else [path]
        except InputError as error:
            unusable.append(str(error))
            continue
        except OSError as error:  # a name that is too long, a parent folder without permission
            unusable.append(f"{path} cannot be read: {error.strerror}")
            continue
        if not found:
            kinds = ", ".join(SUFFIXES)
            unusable.append(f"{path} holds no recordings ({kinds}), nor do its subfolders")
        songs += found
    if not songs:
        advice = "no song was given; give recordings, a folder of them, or - for standard input"
        raise InputError("\n".join(unusable) or advice)
    return list(dict.fromkeys(songs)), unusable


def predict_songs(
    model: "EmotionModel", songs: Sequence[Path], options: Output, unusable: Sequence[str] = ()
) -> None:
    """Print each song's prediction, and draw the plots.

    Args:
        model: predicts.
        songs, unusable: of `find_songs`.
        options: the format, the curve's hop and scale, the plots.

    Raises:
        InputError: before the first song, for an unusable option; after the last one, for unusable
            songs. Exits with 2 where the only song was unusable.
    """
    from .inference.calibration import check_level
    from .inference.emotion import check_scale
    from .inference.formats import make_format

    model.hop_samples(options.hop)
    check_scale(*options.scale)
    check_level(options.level)
    if options.explain and not model.description.concepts:
        raise InputError(
            "this model does not explain its answers: it was not taught mid-level features. Give "
            "one of adff-train --model mlem --mid-level separate, or leave --explain out"
        )
    render = make_format(options.format, options.curve, options.explain)
    pictures = _make_pictures(options)
    terminal, bad = console.Terminal(stderr=True), list(unusable)
    for reason in unusable:
        terminal.log(f"error: {reason}")
    with terminal.bar("songs", len(songs), passing=len(songs) == 1) as advance:
        for song in songs:
            on_progress = _song_progress(song, advance)
            try:
                emotion = _predict(model, song, options, on_progress)
                emotion = emotion.rescaled(*options.scale).at_level(options.level)
            except InputError as error:
                bad.append(str(error))
                terminal.log(f"error: {error}")
            else:
                _print(render(emotion))
                for file in pictures.add(emotion) if pictures else ():
                    terminal.log(f"plot: {file}")
            advance()
    for file in pictures.finish() if pictures else ():
        terminal.log(f"plot: {file}")
    count = len(songs) + len(unusable)
    if count > 1 and bad:
        raise InputError(
            f"{len(bad)} of {count} songs could not be used:\n{format_list(bad, most=50)}"
        )
    if bad:
        sys.exit(2)


def _song_progress(song: Path, advance: console.Advance) -> Callable[[float], None]:
    """Return a function that shows how many seconds of a song are done."""
    name = "standard input" if song == STDIN else console.printable(song.name)

    def on_progress(seconds: float) -> None:
        advance(0, f"{name}, {int(seconds // 60)}:{int(seconds % 60):02}")

    return on_progress


def _predict(
    model: "EmotionModel", song: Path, options: Output, on_progress: Callable[[float], None]
) -> "Emotion":
    """Return the emotion of a file, or of standard input.

    Standard input goes through a temporary file, because hours of it do not fit into memory.
    """
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


def _print(text: str) -> None:
    """Print a song's lines at once. Raises InputError when standard output's disk is full."""
    try:
        print(text, end="", flush=True)
    except OSError as error:
        if not is_disk_full(error):
            raise
        console.discard_stdout()
        raise InputError(
            "the disk of standard output is full; its content so far is good. Write to another"
        ) from None


def _make_pictures(options: Output):
    """Return the writer of plots, None without --plot.

    Raises InputError where plots would replace others, or cannot be written.
    """
    folder = expand_user(options.out or Path("predictions"))
    if not options.plot:
        if options.out:
            raise InputError(
                f"--out {options.out} is the folder for plots; add --plot, or send the printed "
                "lines to a file by >"
            )
        return None
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--out {folder} is a file; give a folder for the plots")
        there = sorted(folder.glob("*.png")) if folder.is_dir() else []
        if there and not options.overwrite:
            raise InputError(
                f"{folder} holds plots already ({there[0].name}{', …' if len(there) > 1 else ''}); "
                "give another folder by --out, or replace them by --overwrite"
            )
        ensure_writable(folder, "the plots")
    except OSError as error:
        raise InputError(
            f"--out {folder} cannot be written: {error.strerror}; give another folder"
        ) from None
    from .reports.picture_files import Pictures  # matplotlib's import takes a second

    return Pictures(folder)


if __name__ == "__main__":
    main()
