"""The index, one table for every data set, and the functions that all loaders share.

Conventions:
- `tracks` has one row a track and exactly the columns `COLUMNS`: `track_id` (str, unique), `path`
  (str, absolute, unique), `valence` and `arousal` (float64 in [-1, 1]) and `group` (str). Data sets
  that know only quadrants have labels -1 and 1.
- A split never divides a group. The group is the artist where the data set names artists, else the
  song, else the track.
- Labels are checked in the data set's own units and then scaled linearly from its stated range.
- Rows stand in natural order of `track_id` (2 before 10), whatever the order of the label file.
- An audio file belongs to the track named as its stem. Loaders do not decode audio.
"""

import csv
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ..audio import SUFFIXES
from ..errors import InputError, format_list
from ..support.files import check_utf8

COLUMNS = ("track_id", "path", "valence", "arousal", "group")
LABEL_COLUMNS = ("track_id", "valence", "arousal", "group")
TARGETS = ("valence", "arousal")


@dataclass(frozen=True)
class Index:
    """The tracks of a data set, validated on construction.

    Attributes:
        tracks: table as in the module's docstring, with a RangeIndex.
        labels: "continuous", or "quadrant" where valence and arousal are only signs.
        notes: full sentences on tracks left out and labels corrected.
        source: name and place of the data set, for reports.
    """

    tracks: pd.DataFrame
    labels: Literal["continuous", "quadrant"]
    notes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        validate(self.tracks)


def validate(tracks: pd.DataFrame) -> pd.DataFrame:
    """Return `tracks` unchanged if it is a valid index table.

    Raises:
        InputError: wrong columns, no rows, an empty or repeated `track_id`, a repeated `path`, or a
            label that is not finite or is outside [-1, 1].
    """
    if tuple(tracks.columns) != COLUMNS:
        found = ", ".join(map(str, tracks.columns)) or "(none)"
        raise InputError(
            f"The index has the columns {found}; expected are exactly {', '.join(COLUMNS)}, "
            "in this order."
        )
    _check_labels(tracks, -1, 1, "The index")
    advice = "Keep one row a recording: a recording in two folds leaks."
    _check_unique(tracks["path"], "The index", advice)
    return tracks


def scale(values: pd.Series, low: float, high: float) -> pd.Series:
    """Map [low, high] linearly to [-1, 1]. Raise InputError unless low < high, both finite."""
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"`label_range` is {low:g} to {high:g}: give the lowest and then the highest value of "
            "the scale, as in 1 9."
        )
    return 2 * (values - low) / (high - low) - 1


def scale_labels(table: pd.DataFrame, low: float, high: float, source: str | Path) -> pd.DataFrame:
    """Return the `LABEL_COLUMNS` with labels scaled to [-1, 1], in natural order.

    Args:
        table: `LABEL_COLUMNS` with labels in [low, high]; further columns are dropped. An empty
            `group` becomes the `track_id`.
        low, high: ends of the data set's scale.
        source: label file, for messages.

    Raises:
        InputError: no rows, an empty or repeated id, or a label that is not finite or is outside
            [low, high].
    """
    scaled = {name: scale(table[name], low, high) for name in TARGETS}
    _check_labels(table, low, high, str(source))
    group = table["group"].where(table["group"] != "", table["track_id"])
    return _sort_naturally(table.assign(**scaled, group=group)[list(LABEL_COLUMNS)])


def _check_labels(table: pd.DataFrame, low: float, high: float, source: str) -> None:
    if table.empty:
        raise InputError(f"{source} holds no tracks: at least one row is needed.")
    empty = int((table["track_id"] == "").sum())
    if empty:
        raise InputError(f"{source}: {empty} rows have an empty id; every row needs its own id.")
    _check_unique(table["track_id"], source, "Keep one row a track, or give each its own id.")
    bad = [
        f"{row.track_id}: {name} {getattr(row, name):g}"
        for row in table.itertuples()
        for name in TARGETS
        if not low <= getattr(row, name) <= high  # NaN too
    ]
    if bad:
        raise InputError(
            f"{source}: {len(bad)} labels are not numbers from {low:g} to {high:g}:\n"
            f"{format_list(bad)}\n"
            "Correct or remove these rows; for a CSV file, check `label_range`."
        )


def _check_unique(values: pd.Series, source: str, advice: str) -> None:
    counts = values[values.duplicated(keep=False)].value_counts(sort=False)
    if len(counts):
        repeated = format_list(f"{value} ({count} times)" for value, count in counts.items())
        raise InputError(
            f"{source}: {len(counts)} values of {values.name} are there more than once:\n"
            f"{repeated}\n{advice}"
        )


def _natural_key(text: str) -> tuple[list[str | int], str]:
    """Return a sort key that takes digits as numbers: "a2" before "a10"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)], text


def _sort_naturally(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in natural order of `track_id`, with a RangeIndex."""
    ids = table["track_id"].tolist()
    order = sorted(range(len(ids)), key=lambda row: _natural_key(ids[row]))
    return table.iloc[order].reset_index(drop=True)


# === Label files ===


def read_table(
    path: Path, columns: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> pd.DataFrame:
    """Return the named columns of a CSV file, indexed by the line number in the file.

    The file has commas, a header and UTF-8 text. White space around names and cells is removed.

    Args:
        columns: name to str, float or int. A str may be empty; a number must be finite.
        optional: columns that may be missing.

    Raises:
        InputError: the file is missing, unreadable, not CSV or without rows; a column is missing; a
            row has another length than the header; a cell is not a number (all lines named).
    """
    header, rows = _read_csv(path)
    wanted = dict(columns) | {
        name: kind for name, kind in (optional or {}).items() if name in header
    }
    _check_header(path, header, columns, wanted)
    ragged = [f"line {line}: {len(row)}" for line, row in rows.items() if len(row) != len(header)]
    if ragged:
        raise InputError(
            f"{path}: the header has {len(header)} columns, but {len(ragged)} rows have another "
            f"number:\n{format_list(ragged)}\nPut a field that holds a comma in double quotes."
        )
    if not rows:
        raise InputError(f"{path} holds no rows below its header: at least one is needed.")
    table = pd.DataFrame(list(rows.values()), index=list(rows), columns=header)
    return _parse_numbers(path, table[list(wanted)], wanted)


def _read_csv(path: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header, and the rows by line number without blank lines."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with open(path, newline="", encoding="utf-8-sig") as file:
            # strict: else a quote that never closes would swallow the rest of the file silently.
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = {}
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    rows[reader.line_num] = cells
    except FileNotFoundError:
        raise InputError(
            f"There is no file {path}. Check the path, or whether the archive was unpacked whole."
        ) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. Give a CSV file that this user may read."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} is no CSV file in UTF-8 ({error}). Save it as comma-separated UTF-8 text."
        ) from None
    return header, rows


def _check_header(
    path: Path, header: Sequence[str], columns: Collection[str], wanted: Collection[str]
) -> None:
    missing = [name for name in columns if name not in header]
    repeated = [name for name in wanted if header.count(name) > 1]
    if missing:
        problem = f"has no column {', '.join(missing)}"
    elif repeated:
        problem = f"has the column {', '.join(repeated)} more than once"
    else:
        return
    advice = "Name each of them once in the first line."
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        advice = "Save it with commas between the columns."
    raise InputError(
        f"{path} {problem}. Found: {', '.join(header) or '(an empty file)'}. "
        f"Needed: {', '.join(columns)}. {advice}"
    )


def _parse_numbers(path: Path, table: pd.DataFrame, kinds: Mapping[str, type]) -> pd.DataFrame:
    """Return the table with its int and float columns converted from text."""
    bad, numbers = [], {}
    for name, kind in kinds.items():
        if kind is str:
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype("float64")
        wrong = ~np.isfinite(values)
        if kind is int:
            wrong |= values % 1 != 0
        bad += [f"line {line}: {name} is {cell!r}" for line, cell in table.loc[wrong, name].items()]
        numbers[name] = values
    if bad:
        raise InputError(
            f"{path}: {len(bad)} cells hold no number where one is needed:\n{format_list(bad)}\n"
            "Correct or remove these rows."
        )
    types = {name: "int64" if kinds[name] is int else "float64" for name in numbers}
    return table.assign(**numbers).astype(types)


# === Audio files ===


def attach_audio(
    root: Path, labels: pd.DataFrame, folders: Sequence[str], unlabelled: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Return the index table of the labelled tracks that have audio, and notes on the rest.

    Args:
        root, folders: the audio is `root/<folder>/<track_id>.<any of audio.SUFFIXES>`.
        labels: table of `LABEL_COLUMNS`.
        unlabelled: ids known to have no label; the notes leave them out.

    Raises:
        InputError: no labelled track has audio, or a track has two files.
    """
    audio = find_audio(*(root / folder for folder in folders))
    paths = labels["track_id"].map({name: os.path.abspath(path) for name, path in audio.items()})
    used = int(paths.notna().sum())
    if not used:
        raise InputError(
            f"None of the {len(labels)} labelled tracks (such as {labels['track_id'].iloc[0]}) has "
            f"its audio in:\n{format_list(root / folder for folder in folders)}\n"
            f"{len(audio)} other audio files are there. Put the recordings there, named by their "
            f"ids, as {', '.join(SUFFIXES)}."
        )
    where = " or ".join("the folder itself" if name == "." else f"{name}/" for name in folders)
    notes = []
    if used < len(labels):
        notes.append(
            f"{len(labels) - used} of the {len(labels)} labelled tracks have no audio in {where}: "
            f"{used} are used."
        )
    others = audio.keys() - set(labels["track_id"]) - set(unlabelled)
    if others:
        notes.append(
            f"{len(others)} audio files in {where} have no label and are left out: "
            f"{join_ids(others)}."
        )
    return labels.assign(path=paths)[paths.notna()].reset_index(drop=True)[list(COLUMNS)], notes


def find_audio(*folders: Path) -> dict[str, Path]:
    """Return the audio files directly in the folders, by stem; skip hidden files.

    A folder that does not exist holds none. Raise InputError where two files have the same stem, or
    a name is not UTF-8.
    """
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
                found.setdefault(path.stem, []).append(path)
    check_utf8(path for paths in found.values() for path in paths)
    repeated = [", ".join(map(str, paths)) for paths in found.values() if len(paths) > 1]
    if repeated:
        raise InputError(
            f"{len(repeated)} tracks have more than one audio file:\n{format_list(repeated)}\n"
            "Keep one of each, or rename."
        )
    return {name: paths[0] for name, paths in found.items()}


# === Notes ===


def join_ids(ids: Iterable[str]) -> str:
    """Return all ids in natural order: "2, 10, 11"."""
    return ", ".join(sorted(ids, key=_natural_key))


def note_missing_artists(labels: pd.DataFrame, file: str) -> list[str]:
    """Return a note on the tracks without an artist in `file`: each is its own group."""
    ids = labels.loc[labels["group"] == labels["track_id"], "track_id"]
    if ids.empty:
        return []
    return [
        f"{len(ids)} tracks have no artist in {file}, each is a group of its own: {join_ids(ids)}."
    ]
