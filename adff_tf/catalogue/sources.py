"""What a user names as a catalogue, as paths: each once, in an order that does not change from run to run.

A source is a folder, searched to its bottom for recordings by their suffix; a list, a `.csv` or `.parquet` file with a column
`path`, whose paths are absolute or relative to the list's own folder; any other file, a recording; or a pattern with `*`, `?`,
`[…]` or `**`. A recording found in a folder or named in a list need not be good, nor a file at all: that is told when it is scored.
A path is bytes, as the file system has it: names need not be text.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..audio import SUFFIXES, find_recordings
from ..errors import InputError
from ..support.files import expand_user

if TYPE_CHECKING:
    import pyarrow as pa

LISTS = (".csv", ".parquet")
COLUMN = "path"


@dataclass(frozen=True)
class Catalogue:
    """paths: absolute, `(files,)` binary; a compact array, for there may be millions. unread: folders that could not be searched,
    with the reason."""

    paths: "pa.Array"
    unread: tuple[str, ...]


def find(sources: Sequence[str]) -> Catalogue:
    """The recordings meant by all sources together. Raises InputError for a source that names none, or a list that is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unread: list[str] = []
    found = [
        pa.array(_absolute(_of_source(source, unread)), pa.large_binary()) for source in sources
    ]
    for source, paths in zip(sources, found, strict=True):
        if not len(paths):
            raise InputError(f"{source} names no recording: {_WHY_NONE}")
    if not found:
        raise InputError(
            "no source was given; give folders, recordings, patterns, or a CSV or Parquet list with a column path"
        )
    return Catalogue(pc.unique(pa.concat_arrays(found)), tuple(unread))


_WHY_NONE = (
    f"nothing of that name is there, or no file of a known kind in it ({', '.join(SUFFIXES)}); a list needs a row at least. "
    "Check the path, and put a pattern in quotes"
)


def _of_source(source: str, unread: list[str]) -> Iterable[str]:
    path = expand_user(source)
    try:
        if path.is_dir():
            return find_recordings(path, unread)
        if path.suffix.lower() in LISTS and path.is_file():
            return _of_list(path)
        if os.path.lexists(path):
            return [str(path)]
    except OSError as error:  # a name that is too long, a folder above that may not be searched
        raise InputError(f"{source} cannot be read: {error.strerror}") from None
    return _of_pattern(str(path), unread)


def _of_pattern(pattern: str, unread: list[str]) -> Iterator[str]:
    """Files that match, of whatever suffix; folders that match are searched."""
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if not os.path.isdir(path):
            yield path
        elif not pattern.endswith("**"):
            yield from find_recordings(path, unread)


def _of_list(file: Path) -> Iterator[str]:
    """The column `path`, without its empty cells."""
    column = _parquet_column(file) if file.suffix.lower() == ".parquet" else _csv_column(file)
    return (os.path.join(file.parent, path) for path in column if path)


def _parquet_column(file: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        read = pq.ParquetFile(file)
        if COLUMN not in read.schema_arrow.names:
            raise InputError(_no_column(file, read.schema_arrow.names))
        kind = read.schema_arrow.field(COLUMN).type
        if not any(
            is_a(kind)
            for is_a in (
                pa.types.is_string,
                pa.types.is_large_string,
                pa.types.is_binary,
                pa.types.is_large_binary,
            )
        ):
            raise InputError(f"{file}: the column {COLUMN} holds {kind}; it has to hold text")
        for batch in read.iter_batches(columns=[COLUMN]):
            yield from (
                os.fsdecode(path)
                for path in batch[COLUMN].cast(pa.large_binary()).to_pylist()
                if path
            )
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{file} is damaged or no Parquet file: {_first_line(error)}. Make it again"
        ) from None


def _csv_column(file: Path) -> Iterator[str]:
    import csv

    try:
        with open(file, newline="", encoding="utf-8-sig", errors="surrogateescape") as opened:
            rows = csv.DictReader(opened)
            if COLUMN not in (rows.fieldnames or ()):
                raise InputError(_no_column(file, rows.fieldnames or ()))
            yield from (row[COLUMN] for row in rows)
    except (OSError, csv.Error) as error:
        raise InputError(
            f"{file} is damaged or no CSV file: {_first_line(error)}. Make it again"
        ) from None


def _no_column(file: Path, names: Iterable[str]) -> str:
    return f"{file} has no column {COLUMN}, but {', '.join(names) or 'nothing'}; a list needs one, with a recording a row"


def _absolute(paths: Iterable[str]) -> Iterator[bytes]:
    return (os.fsencode(os.path.abspath(path)) for path in paths)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
