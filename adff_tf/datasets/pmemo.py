"""PMEmo: 794 choruses of pop songs, 767 of them with static valence and arousal.

Label range: 0 to 1, means over annotators.
Group: the artist.
Licence: for research; https://github.com/HuiZhangDB/PMEmo.
Citation: Zhang, Zhang, Li, Yang and Sun, "The PMEmo dataset for music emotion recognition",
ICMR 2018.

27 songs of metadata.csv have no static label (HuiZhangDB/PMEmo#6): the loader leaves them out and
names them in a note. `dynamic` reads the annotations over time.
"""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from . import index as shared
from .label_files import read_table

NAME = "pmemo"
TERMS = (
    "[PMEmo](https://github.com/HuiZhangDB/PMEmo), for research. "
    "Cite Zhang, Zhang, Li, Yang and Sun, ICMR 2018."
)
LAYOUT = "metadata.csv, annotations/static_annotations.csv and chorus/<musicId>.mp3"
LOW, HIGH = 0.0, 1.0

_LABELS = Path("annotations", "static_annotations.csv")
_DYNAMIC = Path("annotations", "dynamic_annotations.csv")


def matches(root: Path) -> bool:
    """Return whether the folder is laid out as PMEmo."""
    return (root / _LABELS).is_file() and (root / "metadata.csv").is_file()


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group`."""
    table = _read_annotations(root / _LABELS, {})
    artists = _read_metadata(root).drop_duplicates("musicId").set_index("musicId")["artist"]
    table["group"] = table["track_id"].map(artists).fillna("")
    return shared.scale_labels(table, LOW, HIGH, root / _LABELS)


def index(root: Path) -> shared.Index:
    """Return the labelled songs whose audio is in chorus/. Raise InputError."""
    table = labels(root)
    songs = set(_read_metadata(root)["musicId"])
    unlabelled = songs - set(table["track_id"])
    tracks, notes = shared.attach_audio(root, table, ["chorus"], unlabelled)
    if unlabelled:
        notes.insert(
            0,
            f"{len(unlabelled)} of the {len(songs)} songs in metadata.csv have no static label and "
            f"are left out: {shared.join_ids(unlabelled)}.",
        )
    notes += shared.note_missing_artists(tracks, "metadata.csv")
    return shared.make(tracks, NAME, f"{NAME} ({root})", notes, has_artists=True)


def dynamic(root: Path) -> pd.DataFrame:
    """Return the annotations over time, sorted by song and time.

    Returns:
        A row an annotation: `track_id`, `time_s`, `valence` and `arousal` in [-1, 1]. `time_s`
        counts seconds from the start of the chorus file: from 15.5 (annotators settle in the first
        15 s) in steps of 0.5 to the last whole half second.

    Raises:
        InputError: the file cannot be read, or a value is outside the label range.
    """
    file = root / _DYNAMIC
    table = _read_annotations(file, {"frameTime": "time_s"})
    for name in shared.TARGETS:
        table[name] = shared.scale(table[name], LOW, HIGH)
        bad = int((~table[name].between(-1, 1)).sum())  # NaN too
        if bad:
            raise InputError(
                f"{file}: {bad} values of {name} are not numbers from {LOW:g} to {HIGH:g}. "
                "Download it again."
            )
    return table.sort_values(["track_id", "time_s"], ignore_index=True)


def _read_annotations(file: Path, more: dict[str, str]) -> pd.DataFrame:
    """Return `track_id`, `valence`, `arousal` in [0, 1], and `more` columns of numbers, renamed."""
    numbers = more | {"Valence(mean)": "valence", "Arousal(mean)": "arousal"}
    table = read_table(file, {"musicId": str} | dict.fromkeys(numbers, float))
    return table.rename(columns={"musicId": "track_id"} | numbers)


def _read_metadata(root: Path) -> pd.DataFrame:
    return read_table(root / "metadata.csv", {"musicId": str, "artist": str})
