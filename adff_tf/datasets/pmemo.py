"""PMEmo: 794 choruses of pop songs, 767 of them with static valence and arousal.

Labels are the annotators' means in 0..1. Songs of one artist form a group. 27 songs of metadata.csv have no static label
(HuiZhangDB/PMEmo#6): they are left out, and named in the notes.

Source: https://github.com/HuiZhangDB/PMEmo, for research. Cite Zhang, Zhang, Li, Yang and Sun, "The PMEmo dataset for music
emotion recognition", ICMR 2018.
"""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from . import index as shared

NAME = "pmemo"
TERMS = "[PMEmo](https://github.com/HuiZhangDB/PMEmo), for research. Cite Zhang, Zhang, Li, Yang and Sun, ICMR 2018."
LAYOUT = "metadata.csv, annotations/static_annotations.csv and chorus/<musicId>.mp3"
LOW, HIGH = 0.0, 1.0


def matches(root: Path) -> bool:
    """Whether the folder is laid out as PMEmo."""
    return _label_file(root).is_file() and (root / "metadata.csv").is_file()


def labels(root: Path) -> pd.DataFrame:
    """Every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group` (the artist). Raises InputError."""
    columns = {"musicId": "track_id", "Valence(mean)": "valence", "Arousal(mean)": "arousal"}
    table = shared.read_table(
        _label_file(root), dict.fromkeys(columns, float) | {"musicId": str}
    ).rename(columns=columns)
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
            f"{shared.join_ids(unlabelled)}.",
        )
    return shared.Index(
        tracks,
        "continuous",
        (*notes, *shared.missing_artist_note(tracks, "metadata.csv")),
        f"{NAME} ({root})",
    )


def dynamic(root: Path) -> pd.DataFrame:
    """The annotations over time: `track_id`, `time_s`, `valence` and `arousal` in [-1, 1], sorted by song and time.

    time_s: seconds since the start of the chorus file, from 15.5 in steps of 0.5 (annotators settle in the first 15 s) to
    the last half second that is whole. Raises InputError.
    """
    columns = {
        "musicId": "track_id",
        "frameTime": "time_s",
        "Valence(mean)": "valence",
        "Arousal(mean)": "arousal",
    }
    file = root / "annotations" / "dynamic_annotations.csv"
    table = shared.read_table(file, dict.fromkeys(columns, float) | {"musicId": str}).rename(
        columns=columns
    )
    for name in shared.TARGETS:
        table[name] = shared.scale(table[name], LOW, HIGH)
        if not table[name].between(-1, 1).all():  # NaN too
            bad = int((~table[name].between(-1, 1)).sum())
            raise InputError(
                f"{file}: {bad} values of {name} are not numbers from {LOW:g} to {HIGH:g}. Download it again."
            )
    return table[list(columns.values())].sort_values(["track_id", "time_s"], ignore_index=True)


def _label_file(root: Path) -> Path:
    return root / "annotations" / "static_annotations.csv"


def _metadata(root: Path) -> pd.DataFrame:
    return shared.read_table(root / "metadata.csv", {"musicId": str, "artist": str})
