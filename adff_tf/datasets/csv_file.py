"""Your own recordings: a CSV table `path,valence,arousal[,group][,track_id]`, a row a recording.

Label range: not in the table; the setting `label_range` states it.
Group: column `group`, else the `track_id`.
Licence and citation: those of your recordings.

Paths are relative to the table's folder, or absolute. Without a column `track_id`, the path as
written is the id. The index has every row, with or without its file: missing and undecodable audio
is listed later, all at once.
"""

import os
from pathlib import Path

import pandas as pd

from ..errors import InputError, format_list
from . import index as shared
from .label_files import read_table

NAME = "csv"
TERMS = "Your own recordings: their terms are yours to know."
LAYOUT = "a file *.csv with the columns path, valence, arousal and, if you like, group and track_id"


def matches(root: Path) -> bool:
    """Return whether `root` is a file named *.csv."""
    return root.is_file() and root.suffix.lower() == ".csv"


def labels(root: Path, label_range: tuple[float, float]) -> pd.DataFrame:
    """Return every row: `track_id`, `valence` and `arousal` in [-1, 1], `group`.

    label_range: (low, high), the scale of the labels in the table. Raise InputError.
    """
    return shared.scale_labels(_read(root), *label_range, root)


def index(root: Path, label_range: tuple[float, float]) -> shared.Index:
    """Return every row with its absolute path; `label_range` as in `labels`. Raise InputError."""
    table = _read(root)
    tracks = shared.scale_labels(table, *label_range, root)
    written = dict(zip(table["track_id"], table["path"], strict=True))
    paths = [os.path.abspath(root.parent / written[name]) for name in tracks["track_id"]]
    tracks = tracks.assign(path=paths)[list(shared.TRACK_COLUMNS)]
    return shared.make(tracks, root.stem, f"{NAME} ({root})")


def _read(root: Path) -> pd.DataFrame:
    columns = {"path": str, "valence": float, "arousal": float}
    table = read_table(root, columns, {"group": str, "track_id": str})
    empty = table.index[table["path"] == ""]
    if len(empty):
        lines = format_list(f"line {line}" for line in empty)
        raise InputError(f"{root}: {len(empty)} rows have an empty path:\n{lines}\nFill it in.")
    return table.assign(track_id=table.get("track_id", table["path"]), group=table.get("group", ""))
