"""emoMusic ("1000 songs"): 744 excerpts of 45 s with static valence and arousal.

Labels are the annotators' means in 1..9. Songs of one artist form a group. songs_info.csv wraps its fields in tabs,
which are taken off. Clips without a label are left out.

Source: https://cvml.unige.ch/databases/emoMusic/, music from the Free Music Archive. Cite Soleymani, Caro, Schmidt, Sha and
Yang, "1000 songs for emotional analysis of music", CrowdMM 2013.
"""

from pathlib import Path

import pandas as pd

from . import index as shared

NAME = "emomusic"
TERMS = (
    "[emoMusic](https://cvml.unige.ch/databases/emoMusic/), music from the Free Music Archive. Cite Soleymani, Caro, Schmidt, Sha "
    "and Yang, CrowdMM 2013."
)
LAYOUT = "static_annotations.csv, songs_info.csv and clips_45seconds/<song_id>.mp3"
LOW, HIGH = 1.0, 9.0


def matches(root: Path) -> bool:
    """Whether the folder is laid out as emoMusic."""
    return (root / "static_annotations.csv").is_file() and (root / "songs_info.csv").is_file()


def labels(root: Path) -> pd.DataFrame:
    """Every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group` (the artist). Raises InputError."""
    file = root / "static_annotations.csv"
    columns = {"song_id": "track_id", "mean_valence": "valence", "mean_arousal": "arousal"}
    table = shared.read_table(file, dict.fromkeys(columns, float) | {"song_id": str}).rename(
        columns=columns
    )
    songs = shared.read_table(root / "songs_info.csv", {"song_id": str, "Artist": str})
    table["group"] = (
        table["track_id"]
        .map(songs.drop_duplicates("song_id").set_index("song_id")["Artist"])
        .fillna("")
    )
    return shared.scaled_labels(table, LOW, HIGH, file)


def index(root: Path) -> shared.Index:
    """The labelled songs whose audio is in clips_45seconds/. Raises InputError."""
    tracks, notes = shared.with_audio(root, labels(root), ["clips_45seconds"])
    return shared.Index(
        tracks,
        "continuous",
        (*notes, *shared.missing_artist_note(tracks, "songs_info.csv")),
        f"{NAME} ({root})",
    )
