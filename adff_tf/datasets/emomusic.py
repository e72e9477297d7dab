"""emoMusic ("1000 songs"): 744 excerpts of 45 s with static valence and arousal.

Label range: 1 to 9, means over annotators.
Group: the artist.
Licence: music from the Free Music Archive; https://cvml.unige.ch/databases/emoMusic/.
Citation: Soleymani, Caro, Schmidt, Sha and Yang, "1000 songs for emotional analysis of music",
CrowdMM 2013.

songs_info.csv wraps its fields in tabs; the loader removes them. Clips without a label are left
out.
"""

from pathlib import Path

import pandas as pd

from . import index as shared
from .label_files import read_table

NAME = "emomusic"
TERMS = (
    "[emoMusic](https://cvml.unige.ch/databases/emoMusic/), music from the Free Music Archive. "
    "Cite Soleymani, Caro, Schmidt, Sha and Yang, CrowdMM 2013."
)
LAYOUT = "static_annotations.csv, songs_info.csv and clips_45seconds/<song_id>.mp3"
LOW, HIGH = 1.0, 9.0


def matches(root: Path) -> bool:
    """Return whether the folder is laid out as emoMusic."""
    return (root / "static_annotations.csv").is_file() and (root / "songs_info.csv").is_file()


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group`."""
    file = root / "static_annotations.csv"
    columns = {"song_id": "track_id", "mean_valence": "valence", "mean_arousal": "arousal"}
    table = read_table(file, dict.fromkeys(columns, float) | {"song_id": str})
    table = table.rename(columns=columns)
    songs = read_table(root / "songs_info.csv", {"song_id": str, "Artist": str})
    artists = songs.drop_duplicates("song_id").set_index("song_id")["Artist"]
    table["group"] = table["track_id"].map(artists).fillna("")
    return shared.scale_labels(table, LOW, HIGH, file)


def index(root: Path) -> shared.Index:
    """Return the labelled songs whose audio is in clips_45seconds/. Raise InputError."""
    tracks, notes = shared.attach_audio(root, labels(root), ["clips_45seconds"])
    notes += shared.note_missing_artists(tracks, "songs_info.csv")
    return shared.make(tracks, NAME, f"{NAME} ({root})", notes, has_artists=True)
