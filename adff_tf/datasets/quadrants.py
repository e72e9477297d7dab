"""Recordings labelled by quadrant of the valence-arousal plane, such as EMOPIA.

Label range: Russell's quadrants Q1 (+V +A), Q2 (-V +A), Q3 (-V -A), Q4 (+V -A); valence and arousal
are -1 or 1.
Group: the song.
Licence: of EMOPIA, CC BY-NC-SA 4.0; https://zenodo.org/records/5090631.
Citation: Hung, Ching, Doh, Kim, Nam and Yang, "EMOPIA: a multi-modal pop piano dataset for emotion
recognition and emotion-based music generation", ISMIR 2021.

Two layouts:
- EMOPIA: `label.csv` (`ID`, `4Q` in 1..4) and audio named by ID in `audio/` or beside the table. An
  ID is `Q<quadrant>_<song>_<clip>`; the song is the text between the first and the last `_`. Clips
  of one song may lie in several quadrants. A quadrant in the ID must equal the table's. The
  published split is `split/{train,val,test}_clip.csv` (`clip_name`, the ID and `.mid`), by song.
- Folders `Q1` to `Q4` of audio files: `track_id` and group are the file's stem. Folders of MERGE
  and 4QAED have a table beside them, and loaders of their own.
"""

import os
import re
from pathlib import Path

import pandas as pd

from ..errors import InputError, format_list
from . import index as shared
from . import merge, panda4q
from .label_files import read_table

NAME = "quadrants"
TERMS = (
    "Recordings by quadrant. If they are [EMOPIA](https://zenodo.org/records/5090631): "
    "CC BY-NC-SA 4.0, not for commercial use; cite Hung, Ching, Doh, Kim, Nam and Yang, ISMIR 2021."
)
LAYOUT = (
    "label.csv (ID, 4Q) and audio/<ID>.wav, "
    "or the folders Q1, Q2, Q3 and Q4 with audio files in them"
)
EMOPIA = "emopia"


def matches(root: Path) -> bool:
    """Return whether the folder has a label.csv, or folders Q1 to Q4 and no table beside them."""
    if _has_table(root):
        return True
    is_other = merge.matches(root) or panda4q.matches(root)
    return not is_other and any(folder.is_dir() for folder in _quadrant_folders(root))


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled clip: `track_id`, `valence` and `arousal` -1 or 1, `group`."""
    return _read_label_csv(root) if _has_table(root) else _read_folders(root).drop(columns="path")


def index(root: Path) -> shared.Index:
    """Return the labelled clips that have audio. Raise InputError."""
    if _has_table(root):
        tracks, notes = shared.attach_audio(root, _read_label_csv(root), ["audio", "."])
        name, split = EMOPIA, _read_split(root)
    else:
        tracks, notes, name, split = _read_folders(root), [], NAME, {}
    notes += shared.note_missing_quadrants(tracks)
    return shared.make(tracks, name, f"{NAME} ({root})", notes, "quadrant", split)


def _has_table(root: Path) -> bool:
    return (root / "label.csv").is_file()


def _quadrant_folders(root: Path) -> list[Path]:
    return [root / f"Q{quadrant}" for quadrant in shared.SIGNS]


def _read_split(root: Path) -> dict[str, str]:
    """Return EMOPIA's split by ID; empty where the folder split/ is not there."""
    if not (root / "split").is_dir():
        return {}
    by_clip: dict[str, str] = {}
    for split in shared.SPLITS:
        clips = read_table(root / "split" / f"{split}_clip.csv", {"clip_name": str})["clip_name"]
        by_clip |= dict.fromkeys(clips.str.removesuffix(".mid"), split)
    return by_clip


def _read_label_csv(root: Path) -> pd.DataFrame:
    """Return the labels of EMOPIA's layout."""
    file = root / "label.csv"
    table = read_table(file, {"ID": str, "4Q": int})
    table = table.rename(columns={"ID": "track_id", "4Q": "quadrant"})
    bad = [
        f"line {line}: {row.track_id} is in quadrant {row.quadrant}"
        for line, row in table.iterrows()
        if row.quadrant not in shared.SIGNS
        or _quadrant_in(row.track_id) not in (None, row.quadrant)
    ]
    if bad:
        raise InputError(
            f"{file}: {len(bad)} quadrants are not 1 to 4, or differ from the quadrant in the ID:\n"
            f"{format_list(bad)}\nCorrect or remove these rows."
        )
    groups = [_song_in(name) for name in table["track_id"]]
    return shared.label_by_quadrant(table.assign(group=groups), file)


def _read_folders(root: Path) -> pd.DataFrame:
    """Return the index table of the folders Q1 to Q4."""
    audio = shared.find_audio(*_quadrant_folders(root))
    if not audio:
        raise InputError(
            f"There is no audio in the folders Q1 to Q4 of {root}. Put each recording "
            f"({', '.join(shared.SUFFIXES)}) into the folder of its quadrant."
        )
    quadrants = [int(path.parent.name[1]) for path in audio.values()]
    table = pd.DataFrame({"track_id": list(audio), "quadrant": quadrants})
    tracks = shared.label_by_quadrant(table.assign(group=""), root)
    paths = [os.path.abspath(audio[name]) for name in tracks["track_id"]]
    return tracks.assign(path=paths)[list(shared.TRACK_COLUMNS)]


def _quadrant_in(track_id: str) -> int | None:
    """Return the quadrant that an ID such as Q3_song_0 begins with."""
    found = re.match(r"Q([1-4])_", track_id)
    return int(found[1]) if found else None


def _song_in(track_id: str) -> str:
    """Return "0vLPYiPN7qY" for "Q1_0vLPYiPN7qY_2"; empty unless the ID has two underscores."""
    return track_id[track_id.find("_") + 1 : max(track_id.rfind("_"), 0)]
