"""The rows of scored files, and Parquet files of them in the folder of a run.

    OUT/songs/part-00000.parquet    a row a file
        path            text; bytes that are no UTF-8 are written \\xNN
        path_bytes      the path as the file system has it, where that is no UTF-8; else null
        sha256          of the file's content; null where it could not be read
        seconds         its length; null for an error
        sample_rate_hz  the file's own; null where no decoder told one
        windows         how many were answered; 0 for an error
        padded          whether it is shorter than a window
        valence, arousal, valence_std, arousal_std, quadrant    as the model's task has them, in units of [-1, 1]; or
        label, p_CLASS, quadrant                                            for classes
        status          ok or error
        error           the reason, one line; null where status is ok
    OUT/curves/part-00000.parquet   a row a window: path, path_bytes, sha256, start and end in seconds, and the window's values

A part is there whole or not at all, the curves' before the songs' of the same number: a curves' part without its songs' part was
cut off, and counts for nothing.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import InputError
from ..inference.emotion import Emotion
from ..support.files import atomic_write
from ..tasks import PROBABILITIES, Task
from .worker import Ended

SONGS, CURVES = "songs", "curves"
CURVE = "curve."  # before a curve's columns in a scored file's row
Row = dict[str, Any]

_FILE = [("path", pa.string()), ("path_bytes", pa.binary()), ("sha256", pa.string())]


@dataclass(frozen=True)
class Columns:
    """The columns for a task. scored: a file's row with its curve in lists, as engines give it; songs, curves: the two tables."""

    task: Task
    scored: pa.Schema
    songs: pa.Schema
    curves: pa.Schema

    @classmethod
    def of(cls, task: Task) -> "Columns":
        numbers = (
            task.targets if task.is_regression else tuple(f"p_{name}" for name in task.classes)
        )
        told = [(name, pa.float64()) for name in numbers]
        told += [(f"{name}_std", pa.float64()) for name in numbers if task.is_regression]
        told += [] if task.is_regression else [("label", pa.string())]
        told += [("quadrant", pa.string())] if task.name in ("both", "quadrant") else []
        length = [
            ("seconds", pa.float64()),
            ("sample_rate_hz", pa.int32()),
            ("windows", pa.int32()),
            ("padded", pa.bool_()),
        ]
        songs = [*_FILE, *length, *told, ("status", pa.string()), ("error", pa.string())]
        curve = [
            ("start", pa.float64()),
            ("end", pa.float64()),
            *((name, pa.float32()) for name in numbers),
        ]
        lists = [(CURVE + name, pa.list_(kind)) for name, kind in curve]
        return cls(task, pa.schema(songs + lists), pa.schema(songs), pa.schema(_FILE + curve))

    def ok(self, path: bytes, ended: Ended, emotion: Emotion) -> Row:
        """The row of a file that was answered."""
        row = _file(path, ended) | {
            "seconds": emotion.seconds,
            "windows": len(emotion.start),
            "padded": emotion.is_padded,
        }
        row |= emotion.values | {f"{name}_std": value for name, value in emotion.std.items()}
        row |= {"label": emotion.label, "quadrant": emotion.quadrant}
        row |= {f"p_{name}": value for name, value in emotion.probabilities.items()}
        curve = {"start": emotion.start, "end": emotion.end}
        if self.task.is_regression:
            curve |= emotion.windows
        else:
            curve |= {
                f"p_{name}": emotion.windows[PROBABILITIES][:, k]
                for k, name in enumerate(self.task.classes)
            }
        row |= {CURVE + name: values for name, values in curve.items()}
        return row | {"status": "ok"}

    def error(self, path: bytes, ended: Ended) -> Row:
        """The row of a file that could not be used, for the reason that `ended` gives."""
        return _file(path, ended) | {"windows": 0, "status": "error", "error": ended.error}

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Rows as `scored`."""
        return pa.Table.from_pylist(
            [{name: row.get(name) for name in self.scored.names} for row in rows],
            schema=self.scored,
        )

    def split(self, scored: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The songs and the curves of a table of `scored`."""
        scored = scored.combine_chunks()
        lists = {
            name.removeprefix(CURVE): scored[name].combine_chunks()
            for name in scored.column_names
            if name.startswith(CURVE)
        }
        of_file = pc.list_parent_indices(lists["start"])
        files = {name: scored[name].take(of_file) for name, _ in _FILE}
        curves = files | {name: pc.list_flatten(values) for name, values in lists.items()}
        return scored.select(self.songs.names), pa.table(curves, schema=self.curves)


def _file(path: bytes, ended: Ended) -> Row:
    try:
        named: Row = {"path": path.decode()}
    except UnicodeDecodeError:
        named = {"path": path.decode(errors="backslashreplace"), "path_bytes": path}
    return named | {"sha256": ended.sha256 or None, "sample_rate_hz": ended.rate_hz or None}


# === In the folder ===


class Parts:
    """The two tables of a run's folder, in parts."""

    def __init__(self, folder: Path, columns: Columns):
        """Nobody else may write there; what was cut off is removed."""
        self._columns, self._songs, self._curves = columns, folder / SONGS, folder / CURVES
        for place in (self._songs, self._curves):
            place.mkdir(parents=True, exist_ok=True)
            for cut_off in place.glob(".part-*"):
                cut_off.unlink()
        for curve in self._curves.glob("part-*.parquet"):
            if not (self._songs / curve.name).exists():
                curve.unlink()

    def add(self, scored: pa.Table) -> None:
        """Write a part more. Raises InputError where the disk is full."""
        songs, curves = self._columns.split(scored)
        name = f"part-{self._next():05d}.parquet"
        _write(curves, self._curves / name)
        _write(songs, self._songs / name)

    def _next(self) -> int:
        return (
            max(
                (int(part.stem.partition("-")[2]) for part in self._songs.glob("part-*.parquet")),
                default=-1,
            )
            + 1
        )

    def done(self) -> pa.Array:
        """The paths that have a row, binary."""
        found = [
            pc.coalesce(part["path_bytes"], part["path"].cast(pa.binary()))
            for part in self._read("path", "path_bytes")
        ]
        chunks = [chunk.cast(pa.large_binary()) for column in found for chunk in column.chunks]
        return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_binary())

    def counted(self) -> "Counts":
        """How many files ended how."""
        ok, errors = 0, dict[str, int]()
        for part in self._read("error"):
            ok += part["error"].null_count
            for reason in part["error"].drop_null().to_pylist():
                errors[_kind(reason)] = errors.get(_kind(reason), 0) + 1
        return Counts(ok, errors)

    def forget_errors(self) -> int:
        """Take out the rows of status `error`, so that their files are scored again; how many they were."""
        count = 0
        for file in sorted(self._songs.glob("part-*.parquet")):
            part = _table(file)
            kept = part.filter(pc.equal(part["status"], "ok"))
            count += len(part) - len(kept)
            if len(kept) < len(part):
                _write(kept, file)
        return count

    def _read(self, *names: str) -> Iterable[pa.Table]:
        return (_table(file, names) for file in sorted(self._songs.glob("part-*.parquet")))


@dataclass(frozen=True)
class Counts:
    """ok: files. errors: files by reason, numbers and quotations left out of the reason."""

    ok: int
    errors: dict[str, int]


def _kind(reason: str) -> str:
    """A reason without what differs from file to file."""
    return re.sub(r"\d+(\.\d+)?", "…", re.sub(r" \(it begins .*?\)$", "", reason))


def _table(file: Path, names: Sequence[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(
            file, columns=None if names is None else list(names), partitioning=None
        )
    except (pa.ArrowException, OSError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"{file} is damaged: {first}\nRemove it: its files are scored again"
        ) from None


def _write(table: pa.Table, file: Path) -> None:
    """Also after a power cut the file is whole or not there."""
    with atomic_write(file) as temporary, open(temporary, "wb") as out:
        pq.write_table(table, out, compression="zstd")
        out.flush()
        os.fsync(out.fileno())


def is_finite(emotion: Emotion) -> bool:
    """Whether every answer is a number."""
    return all(np.isfinite(values).all() for values in emotion.windows.values())
