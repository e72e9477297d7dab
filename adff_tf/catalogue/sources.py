"""The paths of a catalogue: each once, in the same order in every run.

A source is a folder, searched to its bottom for recordings by their suffix; a list, a `.csv` or
`.parquet` file with a column `path`, absolute or relative to the list's own folder; any other file,
a recording; or a pattern with `*`, `?`, `[…]` or `**`. A recording in a folder or list may be
damaged or missing: its row is an error then. A path is bytes, as in the file system: names need not
be text.
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
    """The recordings of all sources.

    Attributes:
        paths: absolute, `(files,)` binary; a compact array, because there may be millions.
        unread: the reason for each folder that cannot be searched.
    """

    paths: "pa.Array"
    unread: tuple[str, ...]


def find(sources: Sequence[str]) -> Catalogue:
    """Return the recordings of all sources.

    Raises InputError for a source without a recording, and for a list that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    unread: list[str] = []
    found = [pa.array(_absolute(_expand(source, unread)), pa.large_binary()) for source in sources]
    for source, paths in zip(sources, found, strict=True):
        if not len(paths):
            raise InputError(
                f"{source} names no recording: the path does not exist, or holds no file of a "
                f"known kind ({', '.join(SUFFIXES)}), or the list has no row. Check the path, and "
                "put a pattern in quotes"
            )
    if not found:
        raise InputError(
            "no source was given; give folders, recordings, patterns, or a CSV or Parquet list "
            "with a column path"
        )
    return Catalogue(pc.unique(pa.concat_arrays(found)), tuple(unread))


def _expand(source: str, unread: list[str]) -> Iterable[str]:
    """Return the paths of a source. Raises InputError."""
    path = expand_user(source)
    try:
        if path.is_dir():
            return find_recordings(path, unread)
        if path.suffix.lower() in LISTS and path.is_file():
            return _read_list(path)
        if os.path.lexists(path):
            return [str(path)]
    except OSError as error:  # a name that is too long, a parent folder without permission
        raise InputError(f"{source} cannot be read: {error.strerror}") from None
    return _match(str(path), unread)


def _match(pattern: str, unread: list[str]) -> Iterator[str]:
    """Yield files that match, of any suffix, and the recordings in folders that match."""
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if not os.path.isdir(path):
            yield path
        elif not pattern.endswith("**"):
            yield from find_recordings(path, unread)


def _read_list(file: Path) -> Iterator[str]:
    """Return the column `path`, without its empty cells."""
    column = _parquet_column(file) if file.suffix.lower() == ".parquet" else _csv_column(file)
    return (os.path.join(file.parent, path) for path in column if path)


def _parquet_column(file: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string(), pa.large_string(), pa.binary(), pa.large_binary()
    try:
        table = pq.ParquetFile(file)
        if COLUMN not in table.schema_arrow.names:
            raise InputError(_no_column(file, table.schema_arrow.names))
        kind = table.schema_arrow.field(COLUMN).type
        if kind not in text:
            raise InputError(f"{file}: the column {COLUMN} holds {kind}; it has to hold text")
        for batch in table.iter_batches(columns=[COLUMN]):
            paths = batch[COLUMN].cast(pa.large_binary()).to_pylist()
            yield from (os.fsdecode(path) for path in paths if path)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(file, "Parquet", error) from None


def _csv_column(file: Path) -> Iterator[str]:
    import csv

    try:
        with open(file, newline="", encoding="utf-8-sig", errors="surrogateescape") as opened:
            rows = csv.DictReader(opened)
            if COLUMN not in (rows.fieldnames or ()):
                raise InputError(_no_column(file, rows.fieldnames or ()))
            yield from (row[COLUMN] for row in rows)
    except (OSError, csv.Error) as error:
        raise _damaged(file, "CSV", error) from None


def _no_column(file: Path, names: Iterable[str]) -> str:
    return (
        f"{file} has no column {COLUMN}, but {', '.join(names) or 'nothing'}; a list needs this "
        "column, with a recording a row"
    )


def _absolute(paths: Iterable[str]) -> Iterator[bytes]:
    return (os.fsencode(os.path.abspath(path)) for path in paths)


def _damaged(file: Path, kind: str, error: Exception) -> InputError:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return InputError(f"{file} is damaged or no {kind} file: {reason}. Make it again")
