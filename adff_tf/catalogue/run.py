"""A run: a model's predictions on a catalogue, in a folder, resumed where it was stopped.

    OUT/score.json          settings that decide the values: the model's content, the windows
    OUT/songs, OUT/curves   the two tables (`table.py`)
    OUT/.lock               held while a process works on the run

A file is done when its row is in a part. A run that is stopped at any moment loses the work since
its last part, at most `PART_S` seconds, and does it again. Files are known by their path: a file
whose content changed keeps its row.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from .. import __version__
from ..errors import InputError
from ..inference.backends import Location, locate
from ..inference.model import EmotionModel
from ..support.console import SILENT, Reporter
from ..support.environment import count_cores
from ..support.files import atomic_write, expand_user
from ..support.folders import differences, locked
from . import ray_engine, sources
from .engine import Engine, has_gpu, load_model
from .settings import EngineSettings
from .table import Columns, Counts, Parts

RECORD = "score.json"
FORMAT = 3  # of score.json and the tables; 2 had no intervals
PART_FILES, PART_WINDOWS, PART_S = 2000, 200_000, 60.0  # a part is written at the first of these

DEFAULT = EngineSettings()
Tables = Iterator[pa.Table]


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        folder: the run's.
        counts: all files in the tables by outcome.
        new: number of files done by this call.
        unread: the reason for each folder that could not be searched.
    """

    folder: Path
    counts: Counts
    new: int
    unread: tuple[str, ...]


def predict_catalogue(
    model: str | Path,
    catalogue: Sequence[str],
    folder: str | Path,
    hop_s: float | None = None,
    settings: EngineSettings = DEFAULT,
    retry_errors: bool = False,
    reporter: Reporter = SILENT,
) -> Result:
    """Predict on the files of a catalogue that have no row in `folder` yet.

    Args:
        model: path of a model, see `inference.backends.locate`.
        catalogue: sources, see `sources`.
        folder: of the tables: missing, empty, or of a run to resume.
        hop_s: seconds from one window to the next; half a window by default.
        settings: the engine, and its share of the machine.
        retry_errors: predict again on files whose row is an error.
        reporter: receives progress.

    Raises:
        LockedError: another process works on the run.
        InputError: an argument that cannot be used, or a folder with the run of another model, hop
            or format.
    """
    settings.check()
    folder, location = expand_user(folder).absolute(), locate(model)
    found = sources.find(catalogue)
    for reason in found.unread:
        reporter.log(f"warning: {reason}")
    with locked(folder, RECORD, "catalogue run"):
        _check_format(folder)
        loaded, settings = _load(location, settings)
        hop = loaded.hop_samples(hop_s)
        _keep_record(folder, location, loaded, hop, settings.level)
        parts = Parts(folder, Columns.of(loaded.task))
        if retry_errors:
            reporter.log(f"{parts.forget_errors()} errors are tried again")
        paths = _find_new(found.paths, parts, reporter)
        if len(paths):
            tables = _predict(location, loaded, hop, paths, settings)
            _write_parts(tables, parts, len(paths), reporter)
        return Result(folder, parts.count(), len(paths), found.unread)


# === The record ===


def _keep_record(
    folder: Path, location: Location, model: EmotionModel, hop: int, level: float
) -> None:
    """Write the record, or check that it has the same settings. Raises InputError."""
    rate = model.sample_rate_hz
    now = {
        "format": FORMAT,
        "model_sha256": location.sha256(),
        "task": model.task.name,
        "sample_rate_hz": rate,
        "window_s": model.window / rate,
        "hop_s": hop / rate,
        "level": level,
    }
    if not (folder / RECORD).is_file():
        with atomic_write(folder / RECORD) as temporary:
            temporary.write_text(json.dumps({**now, "model": str(location.path)}, indent=2) + "\n")
        return
    record = _read_record(folder)
    before = {key: record.get(key) for key in now}
    if before != now:
        raise InputError(
            f"{folder} holds predictions with other settings, of {record.get('model')}:\n"
            f"{differences(before, now)}\nGive another folder by `out`, or the same model, hop and "
            "level"
        )


def _check_format(folder: Path) -> None:
    """Raise InputError for a run of another version's format."""
    if not (folder / RECORD).is_file():
        return
    found = _read_record(folder).get("format")
    if found != FORMAT:
        raise InputError(
            f"{folder} holds a catalogue run of format {found!r}, and adff-tf {__version__} "
            f"resumes format {FORMAT}: give another folder by `out`, or use the adff-tf that "
            "began the run"
        )


def _read_record(folder: Path) -> dict:
    """Return the record. Raises InputError for a damaged one."""
    record = folder / RECORD
    try:
        content = json.loads(record.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{record} cannot be read: {error}. Give another folder by `out`"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{record} is damaged: it holds no settings. Give another folder by `out`")
    return content


# === The work ===


def _find_new(paths: pa.Array, parts: Parts, reporter: Reporter) -> pa.Array:
    """Return the files without a row."""
    new = paths.filter(pc.invert(pc.is_in(paths, value_set=parts.paths())))
    done = len(paths) - len(new)
    reporter.log(f"{len(paths)} files" + (f", {done} of them done" if done else ""))
    return new


def _load(location: Location, settings: EngineSettings) -> tuple[EmotionModel, EngineSettings]:
    """Return the model in this process, and the settings for its engine.

    A run on Ray loads the model here too, to check it before any actor starts.
    """
    if settings.engine == "ray":
        return load_model(location, threads=1), settings
    settings = settings.for_machine(count_cores(), has_gpu(location))
    return load_model(location, settings.threads or 1), settings


def _predict(
    location: Location, model: EmotionModel, hop: int, paths: pa.Array, settings: EngineSettings
) -> Tables:
    """Yield tables of rows, as files are finished."""
    if settings.engine == "ray":
        yield from ray_engine.predict(location, hop, paths, settings)
        return
    columns = Columns.of(model.task)
    with Engine(model, hop, settings) as engine:
        for row in engine.predict(path.as_py() for path in paths):
            yield columns.table([row])


def _write_parts(tables: Tables, parts: Parts, total: int, reporter: Reporter) -> None:
    """Write the rows in parts. On Ctrl-C, write the finished rows first."""
    with reporter.bar("songs", total, minutely=True) as advance:
        progress, writer = _Progress(total, advance), _PartWriter(parts)
        try:
            for rows in tables:
                writer.add(rows)
                progress.add(rows)
        except KeyboardInterrupt:
            writer.flush()
            raise
        writer.flush()


class _PartWriter:
    """Gathers rows, and writes a part when it is large or old enough."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._begin()

    def _begin(self) -> None:
        self._tables: list[pa.Table] = []
        self._files = self._windows = 0
        self._began = time.monotonic()

    def add(self, rows: pa.Table) -> None:
        self._tables.append(rows)
        self._files += len(rows)
        self._windows += _count_windows(rows)
        is_large = self._files >= PART_FILES or self._windows >= PART_WINDOWS
        if is_large or time.monotonic() - self._began >= PART_S:
            self.flush()

    def flush(self) -> None:
        if self._tables:
            self._parts.add(pa.concat_tables(self._tables))
        self._begin()


class _Progress:
    """Advances the bar, with the speed and the time left."""

    def __init__(self, total: int, advance: Callable[..., None]):
        self._total, self._advance, self._began = total, advance, time.monotonic()
        self._files = self._windows = 0

    def add(self, rows: pa.Table) -> None:
        self._files += len(rows)
        self._windows += _count_windows(rows)
        seconds = max(time.monotonic() - self._began, 1e-9)
        left = seconds / self._files * (self._total - self._files)
        speed = f"{self._files / seconds:.1f} songs/s, {self._windows / seconds:.1f} windows/s"
        self._advance(len(rows), f"{speed}, {_duration(left)} left")


def _count_windows(rows: pa.Table) -> int:
    return pc.sum(rows["windows"]).as_py() or 0


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
