"""A plain CSV table: `path,valence,arousal[,group][,track_id]`, one row a recording.

Paths are relative to the table's own folder, or absolute. The range of the labels is not in the table: the user states it.
`track_id` is the path as written where the column is missing, `group` the `track_id` where its cell or column is empty.
Every row is in the index, whether or not its file is there: missing and undecodable audio is listed later, all at once.
"""

import os
from pathlib import Path

import pandas as pd

from ..errors import InputError, format_list
from . import index as shared

NAME = "csv"
TERMS = "Your own recordings: their terms are yours to know."
LAYOUT = "a file *.csv with the columns path, valence, arousal and, if you like, group and track_id"


def matches(root: Path) -> bool:
    """Whether `root` is a file named as a CSV table."""
    return root.is_file() and root.suffix.lower() == ".csv"


def labels(root: Path, label_range: tuple[float, float]) -> pd.DataFrame:
    """Every row: `track_id`, `valence` and `arousal` in [-1, 1] (from [low, high]), `group`. Raises InputError."""
    return shared.scaled_labels(_table(root), *label_range, root)


def index(root: Path, label_range: tuple[float, float]) -> shared.Index:
    """Every row with its absolute path. label_range: (low, high), the scale the labels are on. Raises InputError."""
    table = _table(root)
    tracks = shared.scaled_labels(table, *label_range, root)
    written = dict(zip(table["track_id"], table["path"], strict=True))
    paths = [os.path.abspath(root.parent / written[name]) for name in tracks["track_id"]]
    return shared.Index(
        tracks.assign(path=paths)[list(shared.COLUMNS)], "continuous", (), f"{NAME} ({root})"
    )


def _table(root: Path) -> pd.DataFrame:
    table = shared.read_table(
        root, {"path": str, "valence": float, "arousal": float}, {"group": str, "track_id": str}
    )
    empty = table.index[table["path"] == ""]
    if len(empty):
        raise InputError(
            f"{root}: {len(empty)} rows have an empty path:\n{format_list(f'line {line}' for line in empty)}\nFill it in."
        )
    return table.assign(track_id=table.get("track_id", table["path"]), group=table.get("group", ""))
