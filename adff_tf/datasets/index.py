"""The index, one table for every data set, and the functions that all loaders share.

Conventions:
- `tracks` has one row a track and exactly the columns `COLUMNS`: `track_id` (str, unique), `path`
  (str, absolute, unique), `valence` and `arousal` (float64 in [-1, 1]), `group` (str), `source`
  (str, the data set's short name), `labels` ("continuous", or "quadrant" where valence and arousal
  are only signs, -1 or 1), `split` (the data set's own: "train", "val", "test", or "" without one)
  and `weight` (float64, of the source in the training loss).
- A fold never divides a group. The group is the artist where the data set names artists, else the
  song, else the track.
- Of several data sets (`join`), ids and groups begin with "<source>/"; an artist's name does not,
  because an artist of two data sets is one group.
- Labels are checked in the data set's own units and then scaled linearly from its stated range.
- Rows stand in natural order of `track_id` (2 before 10), whatever the order of the label file.
- An audio file belongs to the track named as its stem. Loaders do not decode audio.
"""

import dataclasses
import itertools
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

LABEL_COLUMNS = ("track_id", "valence", "arousal", "group")
TRACK_COLUMNS = ("track_id", "path", "valence", "arousal", "group")
COLUMNS = (*TRACK_COLUMNS, "source", "labels", "split", "weight")
TARGETS = ("valence", "arousal")
# Russell's quadrants, Q1 to Q4: (valence, arousal)
SIGNS = {1: (1.0, 1.0), 2: (-1.0, 1.0), 3: (-1.0, -1.0), 4: (1.0, -1.0)}
LABEL_KINDS = ("continuous", "quadrant")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Index:
    """The tracks of one or several data sets, validated on construction.

    Attributes:
        tracks: table as in the module's docstring, with a RangeIndex.
        notes: full sentences on tracks left out and labels corrected.
        source: name and place of the data sets, for reports.
        has_artists: whether groups are artists; a track of an unknown artist has its id as group.
    """

    tracks: pd.DataFrame
    notes: tuple[str, ...]
    source: str
    has_artists: bool = False

    def __post_init__(self) -> None:
        validate(self.tracks)

    @property
    def labels(self) -> Literal["continuous", "quadrant", "mixed"]:
        """The kind of all tracks' labels."""
        kinds = self.tracks["labels"].unique()
        return kinds[0] if len(kinds) == 1 else "mixed"


def make(
    tracks: pd.DataFrame,
    name: str,
    source: str,
    notes: Iterable[str] = (),
    labels: str = "continuous",
    split: Mapping[str, str] | None = None,
    has_artists: bool = False,
) -> Index:
    """Return the index of one data set.

    Args:
        tracks: table of `TRACK_COLUMNS`.
        name: the data set's short name, for the column `source`.
        source, notes, has_artists: as in `Index`.
        labels: kind of its labels, one of `LABEL_KINDS`.
        split: "train", "val" or "test" by track_id, where the data set publishes a split.
    """
    own = [(split or {}).get(track_id, "") for track_id in tracks["track_id"]]
    tracks = tracks.assign(source=name, labels=labels, split=own, weight=1.0)
    return Index(tracks, tuple(notes), source, has_artists)


def join(indexes: Sequence[Index], weights: Sequence[float] = ()) -> Index:
    """Return one index of several data sets; of one, that index with its weight.

    Args:
        indexes: the data sets. A second one of the same name becomes "<name>-2".
        weights: weight of each data set in the training loss; 1 each if empty.

    Raises:
        InputError: another number of weights than of data sets, or a weight that is not above 0.
    """
    weights = weights or [1.0] * len(indexes)
    if len(weights) != len(indexes) or not all(0 < weight < np.inf for weight in weights):
        raise InputError(
            f"`weights` are {', '.join(f'{weight:g}' for weight in weights)} for {len(indexes)} "
            "data sets: give one number above 0 for each."
        )
    tables, several = [], len(indexes) > 1
    names = _name_apart([index.tracks["source"].iloc[0] for index in indexes])
    for index, name, weight in zip(indexes, names, weights, strict=True):
        table = index.tracks.assign(source=name, weight=float(weight))
        if several:
            is_artist = index.has_artists & (table["group"] != table["track_id"])
            prefixed = f"{name}/" + table["group"]
            table["group"] = table["group"].where(is_artist, prefixed)
            table["track_id"] = f"{name}/" + table["track_id"]
        tables.append(table)
    if not several:
        return dataclasses.replace(indexes[0], tracks=tables[0])
    notes = [
        f"{name}: {note}"
        for index, name in zip(indexes, names, strict=True)
        for note in index.notes
    ]
    tracks = pd.concat(tables, ignore_index=True)
    return Index(tracks, tuple(notes), "; ".join(index.source for index in indexes))


def _name_apart(names: Sequence[str]) -> list[str]:
    """Return the names, a repeated one with a number: "csv", "csv-2"."""
    found: list[str] = []
    for name in names:
        numbered = (name if n == 1 else f"{name}-{n}" for n in itertools.count(1))
        found.append(next(candidate for candidate in numbered if candidate not in found))
    return found


def validate(tracks: pd.DataFrame) -> pd.DataFrame:
    """Return `tracks` unchanged if it is a valid index table.

    Raises:
        InputError: wrong columns, no rows, an empty or repeated `track_id`, a repeated `path`, a
            label that is not finite or is outside [-1, 1].
        ValueError: a `labels` or `split` that does not exist: a loader's mistake.
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
    for name, allowed in (("labels", LABEL_KINDS), ("split", (*SPLITS, ""))):
        if not tracks[name].isin(allowed).all():
            raise ValueError(f"the column {name} holds another value than {allowed}")
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


def label_by_quadrant(table: pd.DataFrame, source: str | Path) -> pd.DataFrame:
    """Return the `LABEL_COLUMNS` of a table of `track_id`, `quadrant` in 1..4 and `group`.

    Valence and arousal are the quadrant's signs. Raises InputError as `scale_labels`.
    """
    valence, arousal = zip(*table["quadrant"].map(SIGNS), strict=True)
    return scale_labels(table.assign(valence=valence, arousal=arousal), -1, 1, source)


def read_quadrants(table: pd.DataFrame, column: str, source: str | Path) -> pd.Series:
    """Return the quadrants 1 to 4 of a column of "Q1" to "Q4". Raises InputError for others."""
    quadrants = table[column].map({f"Q{number}": number for number in SIGNS})
    if quadrants.isna().any():
        bad = table[column][quadrants.isna()]
        lines = format_list(f"line {line}: {column} is {cell!r}" for line, cell in bad.items())
        raise InputError(
            f"{source}: {len(bad)} quadrants are not Q1 to Q4:\n{lines}\n"
            "Correct or remove these rows."
        )
    return quadrants.astype("int64")


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


# === Audio files ===


def attach_audio(
    root: Path, labels: pd.DataFrame, folders: Sequence[str], unlabelled: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Return the `TRACK_COLUMNS` of the labelled tracks that have audio, and notes on the rest.

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
    return labels.assign(path=paths)[paths.notna()].reset_index(drop=True)[
        list(TRACK_COLUMNS)
    ], notes


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


def note_missing_quadrants(labels: pd.DataFrame) -> list[str]:
    """Return a note on each quadrant without a track."""
    present = set(zip(labels["valence"], labels["arousal"], strict=True))
    return [
        f"No track of quadrant Q{quadrant} is there."
        for quadrant, signs in SIGNS.items()
        if signs not in present
    ]


def note_missing_artists(labels: pd.DataFrame, file: str) -> list[str]:
    """Return a note on the tracks without an artist in `file`: each is its own group."""
    ids = labels.loc[labels["group"] == labels["track_id"], "track_id"]
    if ids.empty:
        return []
    return [
        f"{len(ids)} tracks have no artist in {file}, each is a group of its own: {join_ids(ids)}."
    ]
