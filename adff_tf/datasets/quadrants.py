"""Sets that know the quadrant of the valence-arousal plane alone, as EMOPIA; valence and arousal are -1 or 1.

Quadrants are Russell's: Q1 (+V +A), Q2 (-V +A), Q3 (-V -A), Q4 (+V -A). Two layouts:
- EMOPIA: `label.csv` (`ID`, `4Q` in 1..4) and audio named by ID in `audio/` or beside the table. A clip's ID is
  `Q<quadrant>_<song>_<number>`; its song, the group, is what stands between the first and the last `_`, since clips of one
  song may lie in several quadrants. Where a name states a quadrant it must be the table's.
- folders `Q1` to `Q4` of audio files: `track_id` and group are the file's name less its extension.

EMOPIA: https://zenodo.org/records/5090631, CC BY-NC-SA 4.0. Cite Hung, Ching, Doh, Kim, Nam and Yang, "EMOPIA: a
multi-modal pop piano dataset for emotion recognition and emotion-based music generation", ISMIR 2021.
"""

import os
import re
from pathlib import Path

import pandas as pd

from ..errors import InputError, format_list
from . import index as shared

NAME = "quadrants"
TERMS = (
    "Recordings by quadrant. If they are [EMOPIA](https://zenodo.org/records/5090631): CC BY-NC-SA 4.0, not for commercial use; "
    "cite Hung, Ching, Doh, Kim, Nam and Yang, ISMIR 2021."
)
LAYOUT = "label.csv (ID, 4Q) and audio/<ID>.wav, or the folders Q1, Q2, Q3 and Q4 with audio files in them"
SIGNS = {
    1: (1.0, 1.0),
    2: (-1.0, 1.0),
    3: (-1.0, -1.0),
    4: (1.0, -1.0),
}  # quadrant: (valence, arousal)


def matches(root: Path) -> bool:
    """Whether the folder has a label.csv or one of the folders Q1 to Q4."""
    return (root / "label.csv").is_file() or any(
        _folder(root, quadrant).is_dir() for quadrant in SIGNS
    )


def labels(root: Path) -> pd.DataFrame:
    """Every labelled clip: `track_id`, `valence` and `arousal` -1 or 1, `group` (the song). Raises InputError."""
    return (
        _from_table(root)
        if (root / "label.csv").is_file()
        else _from_folders(root).drop(columns="path")
    )


def index(root: Path) -> shared.Index:
    """The labelled clips whose audio is there. Raises InputError."""
    if (root / "label.csv").is_file():
        tracks, notes = shared.with_audio(root, _from_table(root), ["audio", "."])
    else:
        tracks, notes = _from_folders(root), []
    present = set(zip(tracks["valence"], tracks["arousal"], strict=True))
    notes += [
        f"No track of quadrant Q{quadrant} is there."
        for quadrant, signs in SIGNS.items()
        if signs not in present
    ]
    return shared.Index(tracks, "quadrant", tuple(notes), f"{NAME} ({root})")


def _from_table(root: Path) -> pd.DataFrame:
    file = root / "label.csv"
    table = shared.read_table(file, {"ID": str, "4Q": int}).rename(
        columns={"ID": "track_id", "4Q": "quadrant"}
    )
    bad = [
        f"line {line}: {row.track_id} is in quadrant {row.quadrant}"
        for line, row in table.iterrows()
        if row.quadrant not in SIGNS or _stated(row.track_id) not in (None, row.quadrant)
    ]
    if bad:
        raise InputError(
            f"{file}: {len(bad)} quadrants are not 1 to 4, or not the one that the name begins with:\n{format_list(bad)}\n"
            "Correct or remove these rows."
        )
    return _signed(table, [_song(name) for name in table["track_id"]], file)


def _from_folders(root: Path) -> pd.DataFrame:
    """The index table of the folders Q1 to Q4."""
    audio = shared.find_audio(*(_folder(root, quadrant) for quadrant in SIGNS))
    if not audio:
        raise InputError(
            f"There is no audio in the folders Q1 to Q4 of {root}. Put each recording ({', '.join(shared.SUFFIXES)}) "
            "into the folder of its quadrant."
        )
    table = pd.DataFrame(
        {"track_id": list(audio), "quadrant": [int(path.parent.name[1]) for path in audio.values()]}
    )
    tracks = _signed(table, list(audio), root)
    paths = [os.path.abspath(audio[name]) for name in tracks["track_id"]]
    return tracks.assign(path=paths)[list(shared.COLUMNS)]


def _signed(table: pd.DataFrame, groups: list[str], source: Path) -> pd.DataFrame:
    valence, arousal = zip(*table["quadrant"].map(SIGNS), strict=True)
    return shared.scaled_labels(
        table.assign(valence=valence, arousal=arousal, group=groups), -1, 1, source
    )


def _folder(root: Path, quadrant: int) -> Path:
    return root / f"Q{quadrant}"


def _stated(track_id: str) -> int | None:
    """The quadrant that a name such as Q3_song_0 begins with."""
    found = re.match(r"Q([1-4])_", track_id)
    return int(found[1]) if found else None


def _song(track_id: str) -> str:
    """ "Q1_0vLPYiPN7qY_2" -> "0vLPYiPN7qY"; empty where the name has no two underscores."""
    return track_id[track_id.find("_") + 1 : max(track_id.rfind("_"), 0)]
