"""PMEmo: 794 choruses of pop songs, 767 of them with static valence and arousal.

Labels are the annotators' means in 0..1. Songs of one artist form a group. 27 songs of metadata.csv have no static label
(HuiZhangDB/PMEmo#6): they are left out, and named in the notes.

Source: https://github.com/HuiZhangDB/PMEmo, for research. Cite Zhang, Zhang, Li, Yang and Sun, "The PMEmo dataset for music
emotion recognition", ICMR 2018.
"""

from pathlib import Path

import pandas as pd

from . import index as shared

NAME = "pmemo"
LAYOUT = "metadata.csv, annotations/static_annotations.csv and chorus/<musicId>.mp3"
LOW, HIGH = 0.0, 1.0


def matches(root: Path) -> bool:
    """Whether the folder is laid out as PMEmo."""
    return _label_file(root).is_file() and (root / "metadata.csv").is_file()


def labels(root: Path) -> pd.DataFrame:
    """Every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group` (the artist). Raises InputError."""
    columns = {"musicId": "track_id", "Valence(mean)": "valence", "Arousal(mean)": "arousal"}
    table = shared.read_table(_label_file(root), dict.fromkeys(columns, float) | {"musicId": str}).rename(columns=columns)
    artists = _metadata(root).drop_duplicates("musicId").set_index("musicId")["artist"]
    table["group"] = table["track_id"].map(artists).fillna("")
    return shared.scaled_labels(table, LOW, HIGH, _label_file(root))


def index(root: Path) -> shared.Index:
    """The labelled songs whose audio is in chorus/. Raises InputError."""
    table = labels(root)
    songs = set(_metadata(root)["musicId"])
    unlabelled = songs - set(table["track_id"])
    tracks, notes = shared.with_audio(root, table, ["chorus"], unlabelled)
    if unlabelled:
        notes.insert(
            0,
            f"{len(unlabelled)} of the {len(songs)} songs in metadata.csv have no static label and are left out: "
            f"{shared.named(unlabelled)}.",
        )
    return shared.Index(tracks, "continuous", (*notes, *shared.alone(tracks, "metadata.csv")), f"{NAME} ({root})")


def _label_file(root: Path) -> Path:
    return root / "annotations" / "static_annotations.csv"


def _metadata(root: Path) -> pd.DataFrame:
    return shared.read_table(root / "metadata.csv", {"musicId": str, "artist": str})
