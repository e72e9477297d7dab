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
  of one song may lie in several quadrants. A quadrant in the ID must equal the table's.
- Folders `Q1` to `Q4` of audio files: `track_id` and group are the file's stem.
"""

import os
import re
from pathlib import Path

import pandas as pd

from ..errors import InputError, format_list
from . import index as shared

NAME = "quadrants"
TERMS = (
    "Recordings by quadrant. If they are [EMOPIA](https://zenodo.org/records/5090631): "
    "CC BY-NC-SA 4.0, not for commercial use; cite Hung, Ching, Doh, Kim, Nam and Yang, ISMIR 2021."
)
LAYOUT = (
    "label.csv (ID, 4Q) and audio/<ID>.wav, "
    "or the folders Q1, Q2, Q3 and Q4 with audio files in them"
)
# quadrant: (valence, arousal)
SIGNS = {1: (1.0, 1.0), 2: (-1.0, 1.0), 3: (-1.0, -1.0), 4: (1.0, -1.0)}


def matches(root: Path) -> bool:
    """Return whether the folder has a label.csv or one of the folders Q1 to Q4."""
    return _has_table(root) or any(folder.is_dir() for folder in _quadrant_folders(root))


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled clip: `track_id`, `valence` and `arousal` -1 or 1, `group`."""
    return _read_label_csv(root) if _has_table(root) else _read_folders(root).drop(columns="path")


def index(root: Path) -> shared.Index:
    """Return the labelled clips that have audio. Raise InputError."""
    if _has_table(root):
        tracks, notes = shared.attach_audio(root, _read_label_csv(root), ["audio", "."])
    else:
        tracks, notes = _read_folders(root), []
    present = set(zip(tracks["valence"], tracks["arousal"], strict=True))
    notes += [
        f"No track of quadrant Q{quadrant} is there."
        for quadrant, signs in SIGNS.items()
        if signs not in present
    ]
    return shared.Index(tracks, "quadrant", tuple(notes), f"{NAME} ({root})")


def _has_table(root: Path) -> bool:
    return (root / "label.csv").is_file()


def _quadrant_folders(root: Path) -> list[Path]:
    return [root / f"Q{quadrant}" for quadrant in SIGNS]


def _read_label_csv(root: Path) -> pd.DataFrame:
    """Return the labels of EMOPIA's layout."""
    file = root / "label.csv"
    table = shared.read_table(file, {"ID": str, "4Q": int})
    table = table.rename(columns={"ID": "track_id", "4Q": "quadrant"})
    bad = [
        f"line {line}: {row.track_id} is in quadrant {row.quadrant}"
        for line, row in table.iterrows()
        if row.quadrant not in SIGNS or _quadrant_in(row.track_id) not in (None, row.quadrant)
    ]
    if bad:
        raise InputError(
            f"{file}: {len(bad)} quadrants are not 1 to 4, or differ from the quadrant in the ID:\n"
            f"{format_list(bad)}\nCorrect or remove these rows."
        )
    return _assign_signs(table, [_song_in(name) for name in table["track_id"]], file)


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
    tracks = _assign_signs(table, list(audio), root)
    paths = [os.path.abspath(audio[name]) for name in tracks["track_id"]]
    return tracks.assign(path=paths)[list(shared.COLUMNS)]


def _assign_signs(table: pd.DataFrame, groups: list[str], source: Path) -> pd.DataFrame:
    """Return the label table of `track_id` and `quadrant`."""
    valence, arousal = zip(*table["quadrant"].map(SIGNS), strict=True)
    table = table.assign(valence=valence, arousal=arousal, group=groups)
    return shared.scale_labels(table, -1, 1, source)


def _quadrant_in(track_id: str) -> int | None:
    """Return the quadrant that an ID such as Q3_song_0 begins with."""
    found = re.match(r"Q([1-4])_", track_id)
    return int(found[1]) if found else None


def _song_in(track_id: str) -> str:
    """Return "0vLPYiPN7qY" for "Q1_0vLPYiPN7qY_2"; empty unless the ID has two underscores."""
    return track_id[track_id.find("_") + 1 : max(track_id.rfind("_"), 0)]
