"""DEAM: 1802 excerpts and songs with static valence and arousal (MediaEval sets of 2013 to 2015).

Label range: 1 to 9, means over annotators.
Group: the song; artists are not read.
Licence: music under Creative Commons licences; https://cvml.unige.ch/databases/DEAM/.
Citation: Aljanaki, Yang and Soleymani, "Developing a benchmark for emotional analysis of music",
PLoS ONE 12(3), 2017.

**The published file has valence and arousal swapped for song_id <= 1000** (744 rows, the set of
2013). Its `valence_mean` there equals emoMusic's `mean_arousal` of the same songs, and DEAM's own
dynamic labels agree. The loader corrects these rows and adds a note.
"""

from pathlib import Path

import pandas as pd

from . import index as shared
from .label_files import read_table

NAME = "deam"
TERMS = (
    "[DEAM](https://cvml.unige.ch/databases/DEAM/), music under Creative Commons licences of its "
    "artists. Cite Aljanaki, Yang and Soleymani, PLoS ONE 12(3), 2017."
)
LAYOUT = (
    "DEAM_Annotations/annotations/annotations averaged per song/song_level/"
    "static_annotations_averaged_songs_*.csv (both) and DEAM_audio/MEMD_audio/<song_id>.mp3"
)
LOW, HIGH = 1.0, 9.0
LAST_SWAPPED_ID = 1000

# The second folder of each pair: an archive unpacked without a folder of its own around it.
_LABELS = "annotations/annotations averaged per song/song_level"
_LABEL_FOLDERS = (f"DEAM_Annotations/{_LABELS}", _LABELS)
_AUDIO_FOLDERS = ("DEAM_audio/MEMD_audio", "MEMD_audio")
_FILES = (
    "static_annotations_averaged_songs_1_2000.csv",
    "static_annotations_averaged_songs_2000_2058.csv",
)


def matches(root: Path) -> bool:
    """Return whether the folder is laid out as DEAM."""
    return any((root / folder / name).is_file() for folder in _LABEL_FOLDERS for name in _FILES)


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group`."""
    return _read_labels(root)[0]


def index(root: Path) -> shared.Index:
    """Return the labelled songs whose audio is in MEMD_audio/. Raise InputError."""
    table, swapped = _read_labels(root)
    tracks, notes = shared.attach_audio(root, table, _AUDIO_FOLDERS)
    if swapped:
        notes.insert(
            0,
            f"The valence and arousal columns of the {swapped} songs with song_id <= "
            f"{LAST_SWAPPED_ID} are swapped in the published file and were set right.",
        )
    return shared.make(tracks, NAME, f"{NAME} ({root})", notes)


def _read_labels(root: Path) -> tuple[pd.DataFrame, int]:
    """Return the scaled labels, and the number of songs whose columns were swapped."""
    found = (root / name for name in _LABEL_FOLDERS if (root / name).is_dir())
    folder = next(found, root / _LABEL_FOLDERS[0])
    columns = {"song_id": int, "valence_mean": float, "arousal_mean": float}
    table = pd.concat([read_table(folder / name, columns) for name in _FILES])
    table = table.rename(columns={"valence_mean": "valence", "arousal_mean": "arousal"})
    swapped = table["song_id"] <= LAST_SWAPPED_ID
    right = table.loc[swapped, ["arousal", "valence"]].to_numpy()
    table.loc[swapped, ["valence", "arousal"]] = right
    table = table.assign(track_id=table["song_id"].astype(str), group="")
    return shared.scale_labels(table, LOW, HIGH, folder), int(swapped.sum())
