"""Whether two models differ: a paired bootstrap over songs.

Both models were scored on the same songs, each song by the model of its fold. Songs are drawn with
replacement, the same ones for both; the difference of R² over the drawn songs has a 95 % interval
(Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, Section 13.3, percentiles). R² is
of all folds' songs together, so it differs a little from the table's mean over folds.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..training.metrics import r2
from .cells import cell_folder, is_finished
from .grid import Entry, Table
from .published import TARGETS

DRAWS, LEVEL = 2000, 0.95
REFERENCE = "ADFF"  # row of the table


def compare_rows(table: Table, folder: Path) -> list[str]:
    """Return a line for each row and target whose run, and ADFF's, are finished."""
    lines = []
    for target in TARGETS:
        rows = {
            row: entry
            for (row, _), entry in table.entries.items()
            if entry.target == target and entry.metric == "r2" and _is_there(entry, folder)
        }
        if REFERENCE in rows:
            ours = _songs(rows.pop(REFERENCE), folder)
            lines += [
                _line(row, target, ours, _songs(entry, folder)) for row, entry in rows.items()
            ]
    return lines


def bootstrap(targets: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, ...]:
    """Return the difference of R², theirs minus ours, and the ends of its interval.

    Args:
        targets: labels of the songs, `(songs,)`.
        ours, theirs: predictions for them, `(songs,)` each.
    """
    rng = np.random.default_rng(0)
    songs = rng.integers(0, len(targets), (DRAWS, len(targets)))
    drawn = [r2(targets[k], theirs[k]) - r2(targets[k], ours[k]) for k in songs]
    ends = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return r2(targets, theirs) - r2(targets, ours), float(ends[0]), float(ends[1])


def _is_there(entry: Entry, folder: Path) -> bool:
    return entry.cell is not None and is_finished(folder, entry.cell)


def _songs(entry: Entry, folder: Path) -> pd.DataFrame:
    """Return target and prediction of every scored song, by track_id."""
    assert entry.cell is not None
    files = sorted(cell_folder(folder, entry.cell).glob("fold*/predictions.csv"))
    tables = [pd.read_csv(file, dtype={"track_id": str}) for file in files]
    columns = [f"{entry.target}_target", f"{entry.target}_prediction"]
    return (
        pd.concat(tables).set_index("track_id")[columns].set_axis(["target", "prediction"], axis=1)
    )


def _line(row: str, target: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    both = ours.join(theirs["prediction"], rsuffix="_theirs", how="inner")
    columns = both["target"], both["prediction"], both["prediction_theirs"]
    difference, low, high = bootstrap(*(column.to_numpy("float64") for column in columns))
    verdict = "no difference shown" if low <= 0 <= high else "a difference"
    return (
        f"{row} against {REFERENCE}, R² of {target}: {difference:+.4f}, {LEVEL:.0%} interval "
        f"{low:+.4f} to {high:+.4f} ({len(both)} songs): {verdict}."
    )
