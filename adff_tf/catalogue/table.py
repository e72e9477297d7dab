"""The rows of files, and Parquet files of rows in the folder of a run.

    OUT/songs/part-00000.parquet    a row a file
        path            text; bytes that are not UTF-8 are written \\xNN
        path_bytes      the path as the file system has it, where it is not UTF-8; else null
        sha256          of the file's content; null where it cannot be read
        seconds         its length; null for an error
        sample_rate_hz  the file's own; null where no decoder states it
        windows         number of windows; 0 for an error
        padded          whether the file is shorter than a window
        valence, arousal, valence_std, arousal_std, quadrant
                        as the model's task has them, in units of [-1, 1]
        valence_low, valence_high, arousal_low, arousal_high
                        ends of the intervals, infinite with too few held-out songs; null where the
                        model has no calibration
        label, p_CLASS, quadrant, prediction_set
                        for classes; the set is a list
        unfamiliar      whether the file is unlike the model's training songs; null where unknown
        status          ok or error
        error           the reason, one line; null where status is ok
    OUT/curves/part-00000.parquet   a row a window
        path, path_bytes, sha256, start and end in seconds, and the window's values

A part is whole or missing. The curves of a part are written before its songs: curves without the
songs of the same number were cut off by a kill, and are removed.
"""

import enum
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import InputError
from ..inference.emotion import Emotion
from ..support.files import atomic_write
from ..tasks import PROBABILITIES, Task
from .decoder import FileInfo

SONGS, CURVES = "songs", "curves"
CURVE = "curve."  # prefix of a curve's columns in a file's row
Row = dict[str, Any]

_FILE = [("path", pa.string()), ("path_bytes", pa.binary()), ("sha256", pa.string())]
_LENGTH = [
    ("seconds", pa.float64()), ("sample_rate_hz", pa.int32()), ("windows", pa.int32()),
    ("padded", pa.bool_()),
]  # fmt: skip


class Status(enum.StrEnum):
    """The outcome of a file."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True)
class Columns:
    """The columns for a task.

    Attributes:
        task: the model's.
        rows: a file's row with its curve in lists, as engines yield it.
        songs, curves: the two tables.
    """

    task: Task
    rows: pa.Schema
    songs: pa.Schema
    curves: pa.Schema

    @classmethod
    def of(cls, task: Task) -> "Columns":
        """Return the columns for a task."""
        is_regression = task.is_regression
        names = task.targets if is_regression else tuple(f"p_{name}" for name in task.classes)
        values = [(name, pa.float64()) for name in names]
        ends = ("std", "low", "high") if is_regression else ()
        values += [(f"{name}_{end}", pa.float64()) for name in names for end in ends]
        if not is_regression:
            values += [("label", pa.string()), ("prediction_set", pa.list_(pa.string()))]
        values += [("quadrant", pa.string())] if task.name in ("both", "quadrant") else []
        values += [("unfamiliar", pa.bool_())]
        outcome = [("status", pa.string()), ("error", pa.string())]
        songs = [*_FILE, *_LENGTH, *values, *outcome]
        curve = [("start", pa.float64()), ("end", pa.float64())]
        curve += [(name, pa.float32()) for name in names]
        lists = [(CURVE + name, pa.list_(kind)) for name, kind in curve]
        return cls(task, pa.schema(songs + lists), pa.schema(songs), pa.schema(_FILE + curve))

    def row(self, path: bytes, info: FileInfo, emotion: Emotion) -> Row:
        """Return the row of a file with a prediction."""
        row = _file_columns(path, info) | {
            "seconds": emotion.seconds, "windows": len(emotion.start), "padded": emotion.is_padded,
            "label": emotion.label, "quadrant": emotion.quadrant, "status": Status.OK,
            "prediction_set": list(emotion.prediction_set) or None,
            "unfamiliar": emotion.is_unfamiliar,
        }  # fmt: skip
        row |= emotion.values | {f"{name}_std": value for name, value in emotion.std.items()}
        for name, (low, high) in emotion.interval.items():
            row |= {f"{name}_low": low, f"{name}_high": high}
        row |= {f"p_{name}": value for name, value in emotion.probabilities.items()}
        curve = {"start": emotion.start, "end": emotion.end}
        if self.task.is_regression:
            curve |= emotion.windows
        else:
            columns = emotion.windows[PROBABILITIES].T
            names = [f"p_{name}" for name in self.task.classes]
            curve |= dict(zip(names, columns, strict=True))
        return row | {CURVE + name: values for name, values in curve.items()}

    def error_row(self, path: bytes, info: FileInfo) -> Row:
        """Return the row of a file that cannot be used, with the reason in `info.error`."""
        outcome = {"windows": 0, "status": Status.ERROR, "error": info.error}
        return _file_columns(path, info) | outcome

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Return rows as a table of `rows`."""
        complete = [{name: row.get(name) for name in self.rows.names} for row in rows]
        return pa.Table.from_pylist(complete, schema=self.rows)

    def split(self, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the songs and the curves of a table of `rows`."""
        rows = rows.combine_chunks()
        lists = {
            name.removeprefix(CURVE): rows[name].combine_chunks()
            for name in rows.column_names
            if name.startswith(CURVE)
        }
        of_file = pc.list_parent_indices(lists["start"])
        files = {name: rows[name].take(of_file) for name, _ in _FILE}
        curves = files | {name: pc.list_flatten(values) for name, values in lists.items()}
        return rows.select(self.songs.names), pa.table(curves, schema=self.curves)


def _file_columns(path: bytes, info: FileInfo) -> Row:
    try:
        named: Row = {"path": path.decode()}
    except UnicodeDecodeError:
        named = {"path": path.decode(errors="backslashreplace"), "path_bytes": path}
    return named | {"sha256": info.sha256 or None, "sample_rate_hz": info.rate_hz or None}


# === In the folder ===


class Parts:
    """The two tables of a run's folder, in parts. Only one process may write them."""

    def __init__(self, folder: Path, columns: Columns):
        """Create the tables where they are missing, and remove what a kill cut off."""
        self._columns, self._songs, self._curves = columns, folder / SONGS, folder / CURVES
        for place in (self._songs, self._curves):
            place.mkdir(parents=True, exist_ok=True)
            for cut_off in place.glob(".part-*"):
                cut_off.unlink()
        for curves in self._curves.glob("part-*.parquet"):
            if not (self._songs / curves.name).exists():
                curves.unlink()

    def add(self, rows: pa.Table) -> None:
        """Write a table of `Columns.rows` as one more part.

        Raises InputError where the disk is full.
        """
        songs, curves = self._columns.split(rows)
        used = [int(file.stem.partition("-")[2]) for file in self._files()]
        name = f"part-{max(used, default=-1) + 1:05d}.parquet"
        _write(curves, self._curves / name)
        _write(songs, self._songs / name)

    def paths(self) -> pa.Array:
        """Return the paths that have a row, `(files,)` binary."""
        chunks = [pa.array([], pa.large_binary())]
        for part in self._read("path", "path_bytes"):
            paths = pc.coalesce(part["path_bytes"], part["path"].cast(pa.binary()))
            chunks += [chunk.cast(pa.large_binary()) for chunk in paths.chunks]
        return pa.concat_arrays(chunks)

    def count(self) -> "Counts":
        """Return the number of files by outcome."""
        ok, errors = 0, dict[str, int]()
        for part in self._read("error"):
            ok += part["error"].null_count
            for reason in part["error"].drop_null().to_pylist():
                errors[_kind(reason)] = errors.get(_kind(reason), 0) + 1
        return Counts(ok, errors)

    def forget_errors(self) -> int:
        """Remove the rows of errors, so that their files are done again. Return their number."""
        count = 0
        for file in self._files():
            part = _read(file)
            kept = part.filter(pc.equal(part["status"], Status.OK))
            count += len(part) - len(kept)
            if len(kept) < len(part):
                _write(kept, file)
        return count

    def _files(self) -> list[Path]:
        return sorted(self._songs.glob("part-*.parquet"))

    def _read(self, *names: str) -> Iterator[pa.Table]:
        return (_read(file, names) for file in self._files())


@dataclass(frozen=True)
class Counts:
    """Files by outcome. errors: number of files by reason, without the reason's numbers."""

    ok: int
    errors: dict[str, int]


def _kind(reason: str) -> str:
    """Return a reason without numbers and quoted bytes, which differ from file to file.

    The kind is derived from the text, because a resumed run has only the text in its tables.
    """
    return re.sub(r"\d+(\.\d+)?", "…", re.sub(r" \(it begins .*?\)$", "", reason))


def _read(file: Path, names: Sequence[str] | None = None) -> pa.Table:
    try:
        columns = None if names is None else list(names)
        return pq.read_table(file, columns=columns, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"{file} is damaged: {first}\nRemove it: the same command does its files again"
        ) from None


def _write(table: pa.Table, file: Path) -> None:
    """Write a file that is whole or missing, also after a power cut."""
    with atomic_write(file) as temporary, open(temporary, "wb") as out:
        pq.write_table(table, out, compression="zstd")
        out.flush()
        os.fsync(out.fileno())
