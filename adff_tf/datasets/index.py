"""The index: one table for every data set, and what the loaders of this folder share.

Conventions
- `tracks` has one row a track and exactly the columns of `COLUMNS`: `track_id` (str, unique), `path` (str, absolute,
  unique), `valence` and `arousal` (float64 in [-1, 1]; -1 or 1 where a data set knows quadrants alone) and `group` (str).
  Tracks of one group never stand on both sides of a split: the artist where the data set knows it, else the song, else
  the track itself.
- Labels are scaled linearly from the range the data set states, and checked before that, in the data set's own units.
- Rows stand in natural order of `track_id` (2 before 10), whatever the order of the label file.
- Audio is found by its file name less the extension; it is not decoded here.
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
    """The tracks of a data set; one that exists has passed `validate`.

    tracks: table as the module's docstring says, RangeIndex.
    labels: "continuous", or "quadrant" where valence and arousal are signs alone.
    notes: full sentences for the user on what was left out or set right.
    source: the data set's name and where it lies, for reports.
    """

    tracks: pd.DataFrame
    labels: Literal["continuous", "quadrant"]
    notes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        validate(self.tracks)


def validate(tracks: pd.DataFrame) -> pd.DataFrame:
    """`tracks` itself, if it is an index table.

    Raises InputError for wrong columns, no rows, an empty or duplicate `track_id`, two rows with one `path`, and labels
    that are not finite or outside [-1, 1].
    """
    if tuple(tracks.columns) != COLUMNS:
        raise InputError(
            f"The index has the columns {', '.join(map(str, tracks.columns)) or '(none)'}; "
            f"expected are exactly {', '.join(COLUMNS)}, in this order."
        )
    _check(tracks, -1, 1, "The index")
    _check_unique(
        tracks["path"], "The index", "Keep one row a recording: one heard in two folds leaks."
    )
    return tracks


def scale(values: pd.Series, low: float, high: float) -> pd.Series:
    """Maps [low, high] linearly to [-1, 1]. Raises InputError unless low < high, both finite."""
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"The label range {low:g} to {high:g} is none: give the lowest and then the highest, as in 1 9."
        )
    return 2 * (values - low) / (high - low) - 1


def scaled_labels(table: pd.DataFrame, low: float, high: float, source: str | Path) -> pd.DataFrame:
    """The table of `LABEL_COLUMNS` with labels in [-1, 1], in natural order.

    table: LABEL_COLUMNS with labels in [low, high]; further columns are dropped, an empty `group` becomes the `track_id`.
    source: the label file, for messages.
    Raises InputError for no rows, empty or duplicate ids, and labels that are not finite or outside [low, high].
    """
    scaled = {name: scale(table[name], low, high) for name in TARGETS}
    _check(table, low, high, str(source))
    group = table["group"].where(table["group"] != "", table["track_id"])
    return sort_naturally(table.assign(**scaled, group=group)[list(LABEL_COLUMNS)])


def _check(table: pd.DataFrame, low: float, high: float, source: str) -> None:
    if table.empty:
        raise InputError(f"{source} holds no tracks: at least one row is needed.")
    if (table["track_id"] == "").any():
        raise InputError(
            f"{source}: {(table['track_id'] == '').sum()} rows have an empty id; every row needs one of its own."
        )
    _check_unique(table["track_id"], source, "Keep one row a track, or give each its own id.")
    bad = [
        f"{row.track_id}: {name} {getattr(row, name):g}"
        for row in table.itertuples()
        for name in TARGETS
        if not low <= getattr(row, name) <= high  # NaN too
    ]
    if bad:
        raise InputError(
            f"{source}: {len(bad)} labels are not numbers from {low:g} to {high:g}:\n{format_list(bad)}\n"
            "Correct or remove these rows; for a CSV file, state the range that its labels are on."
        )


def _check_unique(values: pd.Series, source: str, advice: str) -> None:
    counts = values[values.duplicated(keep=False)].value_counts(sort=False)
    if len(counts):
        twice = [f"{value} ({count} times)" for value, count in counts.items()]
        raise InputError(
            f"{source}: {len(twice)} values of {values.name} are there more than once:\n{format_list(twice)}\n{advice}"
        )


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Sort key that takes digits as numbers: "a2" before "a10"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)], text


def sort_naturally(table: pd.DataFrame) -> pd.DataFrame:
    """The rows in natural order of `track_id`, with a RangeIndex."""
    ids = table["track_id"].tolist()
    order = sorted(range(len(ids)), key=lambda row: natural_key(ids[row]))
    return table.iloc[order].reset_index(drop=True)


def read_table(
    path: Path, columns: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> pd.DataFrame:
    """The named columns of a CSV file (commas, UTF-8, a header), its index the line number in the file.

    columns: name to str, float or int; names and cells are taken without the white space around them. A str may be empty,
        a number may not, and must be finite.
    optional: columns that need not be there.
    Raises InputError for a file that is missing, unreadable, no CSV or without rows, for missing columns, rows of another
    length than the header, and cells that are no numbers (all lines named).
    """
    header, rows = _read_csv(path)
    wanted = dict(columns) | {
        name: kind for name, kind in (optional or {}).items() if name in header
    }
    _check_header(path, header, columns, wanted)
    ragged = [f"line {line}: {len(row)}" for line, row in rows.items() if len(row) != len(header)]
    if ragged:
        raise InputError(
            f"{path}: the header has {len(header)} columns, but {len(ragged)} rows have another number:\n{format_list(ragged)}\n"
            "Put a field that holds a comma in double quotes."
        )
    if not rows:
        raise InputError(f"{path} holds no rows below its header: at least one is needed.")
    table = pd.DataFrame(list(rows.values()), index=list(rows), columns=header)
    return _converted(path, table[list(wanted)], wanted)


def _read_csv(path: Path) -> tuple[list[str], dict[int, list[str]]]:
    """The header, and the rows by line number; blank lines are left out."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with open(path, newline="", encoding="utf-8-sig") as file:
            # strict, or a quote that never closes would swallow the rest of the file in silence.
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = {}
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    rows[reader.line_num] = cells
    except FileNotFoundError:
        raise InputError(
            f"There is no file {path}. Check the path, or that the data set was unpacked whole."
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
    twice = [name for name in wanted if header.count(name) > 1]
    if not missing and not twice:
        return
    problem = (
        f"has no column {', '.join(missing)}"
        if missing
        else f"has the column {', '.join(twice)} more than once"
    )
    advice = "Name each of them once in the first line."
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        advice = "Save it with commas between the columns."
    raise InputError(
        f"{path} {problem}. Found: {', '.join(header) or '(an empty file)'}. Needed: {', '.join(columns)}. {advice}"
    )


def _converted(path: Path, table: pd.DataFrame, kinds: Mapping[str, type]) -> pd.DataFrame:
    bad, converted = [], {}
    for name, kind in kinds.items():
        if kind is str:
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype("float64")
        wrong = ~np.isfinite(values)
        if kind is int:
            wrong |= values % 1 != 0
        bad += [f"line {line}: {name} is {cell!r}" for line, cell in table.loc[wrong, name].items()]
        converted[name] = values
    if bad:
        raise InputError(
            f"{path}: {len(bad)} cells hold no number where one is needed:\n{format_list(bad)}\nCorrect or remove these rows."
        )
    return table.assign(
        **{
            name: values.astype("int64" if kinds[name] is int else "float64")
            for name, values in converted.items()
        }
    )


def with_audio(
    root: Path, labels: pd.DataFrame, folders: Sequence[str], unlabelled: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """The index table of the labelled tracks whose audio is there, and the notes on what was left out.

    root, folders: where the audio may lie, as `root/<folder>/<track_id>.<any of audio.SUFFIXES>`.
    labels: table of `LABEL_COLUMNS`.
    unlabelled: ids whose audio is known to have no label, not to be reported again.
    Raises InputError where no labelled track has audio, or one has two files.
    """
    audio = find_audio(*(root / folder for folder in folders))
    paths = labels["track_id"].map({name: os.path.abspath(path) for name, path in audio.items()})
    used = int(paths.notna().sum())
    if not used:
        places = format_list(root / folder for folder in folders)
        raise InputError(
            f"None of the {len(labels)} labelled tracks (such as {labels['track_id'].iloc[0]}) has its audio in:\n{places}\n"
            f"{len(audio)} other audio files are there. Put the recordings there, named by their ids, "
            f"as {', '.join(SUFFIXES)}."
        )
    where = " or ".join(
        "the folder itself" if folder == "." else f"{folder}/" for folder in folders
    )
    notes = []
    if used < len(labels):
        notes.append(
            f"{len(labels) - used} of the {len(labels)} labelled tracks have no audio in {where}: {used} are used."
        )
    strangers = audio.keys() - set(labels["track_id"]) - set(unlabelled)
    if strangers:
        notes.append(
            f"{len(strangers)} audio files in {where} have no label and are left out: {join_ids(strangers)}."
        )
    return labels.assign(path=paths)[paths.notna()].reset_index(drop=True)[list(COLUMNS)], notes


def find_audio(*folders: Path) -> dict[str, Path]:
    """The audio files directly in the folders, by their name less the extension; hidden ones are passed over.

    A folder that does not exist holds none. Raises InputError where two files have one name, or a name is not UTF-8.
    """
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
                found.setdefault(path.stem, []).append(path)
    check_utf8(path for paths in found.values() for path in paths)
    twice = [", ".join(map(str, paths)) for paths in found.values() if len(paths) > 1]
    if twice:
        raise InputError(
            f"{len(twice)} tracks have more than one audio file:\n{format_list(twice)}\nKeep one of each, or rename."
        )
    return {name: paths[0] for name, paths in found.items()}


def join_ids(ids: Iterable[str]) -> str:
    """All ids in natural order: "2, 10, 11"."""
    return ", ".join(sorted(ids, key=natural_key))


def missing_artist_note(labels: pd.DataFrame, file: str) -> list[str]:
    """The note on the tracks whose artist `file` does not tell: each is a group of its own."""
    ids = labels.loc[labels["group"] == labels["track_id"], "track_id"]
    return (
        [
            f"{len(ids)} tracks have no artist in {file}, each is a group of its own: {join_ids(ids)}."
        ]
        if len(ids)
        else []
    )
