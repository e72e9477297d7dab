"""4QAED, the 4 quadrant audio emotion data set: 900 clips of 30 s of popular songs.

Label range: Russell's quadrants, Q1 to Q4; valence and arousal are -1 or 1.
Group: the artist; a clip without an artist is a group of its own.
Licence: none is stated; http://mir.dei.uc.pt/downloads.html offers it for research.
Citation: Panda, Malheiro and Paiva, "Novel audio features for music emotion recognition", IEEE
Transactions on Affective Computing, 2018.

Two layouts:
- The authors' archive: `panda_dataset_taffc_metadata.csv` (`Song`, `Artist`, `Title`, `Quadrant`
  and more) and the clips, `Q1` to `Q4`/`<Song>.mp3`, 225 a quadrant.
- `songs.csv` (`song`, `quadrant`, `artist`, …) and `audio/<song>`. Its column `fold` is not the
  authors', so the data set has no published split.
"""

from pathlib import Path

import pandas as pd

from . import index as shared
from .label_files import read_table

NAME = "panda4q"
TERMS = (
    "[4QAED](http://mir.dei.uc.pt/downloads.html), for research; no licence is stated. "
    "Cite Panda, Malheiro and Paiva, IEEE TAFFC 2018."
)
LAYOUT = (
    "panda_dataset_taffc_metadata.csv and Q1 to Q4/<Song>.mp3, "
    "or songs.csv (song, quadrant, artist) and audio/<song>.opus"
)

_METADATA = "panda_dataset_taffc_metadata.csv"
_SONGS = "songs.csv"


def matches(root: Path) -> bool:
    """Return whether the folder has one of the two layouts."""
    has_songs = (root / _SONGS).is_file() and (root / "audio").is_dir()
    return has_songs or (root / _METADATA).is_file()


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled clip: `track_id`, `valence` and `arousal` -1 or 1, `group`."""
    file, is_original = _label_file(root)
    names = ("Song", "Quadrant", "Artist") if is_original else ("song", "quadrant", "artist")
    table = read_table(file, dict.fromkeys(names, str))
    table = table.assign(quadrant=shared.read_quadrants(table, names[1], file))
    table = table.rename(columns={names[0]: "track_id", names[2]: "group"})
    return shared.label_by_quadrant(table, file)


def index(root: Path) -> shared.Index:
    """Return the labelled clips that have audio. Raise InputError."""
    file, is_original = _label_file(root)
    folders = [f"Q{quadrant}" for quadrant in shared.SIGNS] if is_original else ["audio"]
    tracks, notes = shared.attach_audio(root, labels(root), folders)
    notes += shared.note_missing_quadrants(tracks)
    notes += shared.note_missing_artists(tracks, file.name)
    source = f"{NAME} ({root})"
    return shared.make(tracks, NAME, source, notes, "quadrant", has_artists=True)


def _label_file(root: Path) -> tuple[Path, bool]:
    """Return the label file, and whether it is the authors'."""
    is_original = (root / _METADATA).is_file()
    return root / (_METADATA if is_original else _SONGS), is_original
