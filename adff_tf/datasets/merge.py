"""MERGE: up to 3,554 clips of 30 s of popular songs with valence, arousal and quadrant.

Label range: 0 to 1, of `av_values`.
Group: the artist; a clip without an artist is a group of its own.
Licence: see its page, https://zenodo.org/records/13939205.
Citation: Louro, Redinho, Santos, Malheiro, Panda and Paiva, "MERGE: a bimodal audio-lyrics dataset
for static music emotion recognition", arXiv:2407.06060.

The folder is one of the four archives with audio: `MERGE_Audio_Complete` (3,554 clips),
`MERGE_Audio_Balanced` (3,232), `MERGE_Bimodal_Complete` (2,216), `MERGE_Bimodal_Balanced` (2,000).
NAME below stands for `audio_complete` and the like:

    merge_NAME_metadata.csv     Song, Quadrant, Artist, …; Audio_Song and Lyric_Song for Bimodal
    merge_NAME_av_values.csv    the same ids, Arousal, Valence
    Q1 … Q4/<id>.mp3            audio/Q1 … Q4/<Audio_Song>.mp3 for Bimodal
    tvt_dataframes/tvt_70_15_15/tvt_70_15_15_{train,validate,test}_NAME.csv    Song, Quadrant

The authors' page names these files; the names of columns and folders are those that programs by
others read. The files themselves were not at hand when this loader was written. Not known: which of
a bimodal song's two ids its split files list (the loader takes either), and whether the archives
hold a folder of their own (give the folder with the tables).

The split is the published 70-15-15; the published 40-30-30 is not read. It is not by artist: an
artist may be in train and in test. The label of a quadrant task is the quadrant of valence and
arousal; a note counts the clips whose published quadrant differs.
"""

from pathlib import Path

import pandas as pd

from ..errors import InputError, format_list
from ..tasks import TASKS
from . import index as shared
from .label_files import read_table

NAME = "merge"
TERMS = (
    "[MERGE](https://zenodo.org/records/13939205), terms on its page. "
    "Cite Louro, Redinho, Santos, Malheiro, Panda and Paiva, arXiv:2407.06060."
)
LAYOUT = (
    "merge_*_metadata.csv, merge_*_av_values.csv and Q1 to Q4/<Song>.mp3 (audio/Q1 to Q4 in the "
    "bimodal set)"
)
LOW, HIGH = 0.0, 1.0

_AV_VALUES = "merge_*_av_values.csv"
_SPLIT = "tvt_70_15_15"
_SPLIT_FILES = {"train": "train", "validate": "val", "test": "test"}


def matches(root: Path) -> bool:
    """Return whether the folder has an av_values table of MERGE."""
    return root.is_dir() and any(root.glob(_AV_VALUES))


def labels(root: Path) -> pd.DataFrame:
    """Return every labelled song: `track_id`, `valence` and `arousal` in [-1, 1], `group`."""
    return _read(root)[0]


def index(root: Path) -> shared.Index:
    """Return the labelled clips that have audio. Raise InputError."""
    table, metadata, is_bimodal = _read(root)
    folders = [f"{'audio/' * is_bimodal}Q{quadrant}" for quadrant in shared.SIGNS]
    tracks, notes = shared.attach_audio(root, table, folders)
    notes += _note_other_quadrants(tracks, metadata)
    notes += shared.note_missing_artists(tracks, "its metadata")
    split = _read_split(root, metadata)
    source = f"{NAME} ({root})"
    return shared.make(tracks, NAME, source, notes, split=split, has_artists=True)


def _read(root: Path) -> tuple[pd.DataFrame, pd.DataFrame, bool]:
    """Return the labels, the metadata by track_id (`Artist`, `quadrant`, `lyric`), and bimodal."""
    values_file = _only_file(root)
    is_bimodal = "bimodal" in values_file.name
    ids = ["Audio_Song", "Lyric_Song"] if is_bimodal else ["Song"]
    metadata_file = root / values_file.name.replace("_av_values", "_metadata")
    metadata = read_table(metadata_file, dict.fromkeys([*ids, "Quadrant", "Artist"], str))
    metadata["quadrant"] = shared.read_quadrants(metadata, "Quadrant", metadata_file)
    metadata["lyric"] = metadata[ids[-1]]
    metadata = metadata.drop_duplicates(ids[0]).set_index(ids[0])
    values = read_table(values_file, {ids[0]: str, "Valence": float, "Arousal": float})
    renamed = {ids[0]: "track_id", "Valence": "valence", "Arousal": "arousal"}
    table = values.rename(columns=renamed)
    table["group"] = table["track_id"].map(metadata["Artist"]).fillna("")
    return shared.scale_labels(table, LOW, HIGH, values_file), metadata, is_bimodal


def _only_file(root: Path) -> Path:
    """Return the av_values table. Raise InputError for several, or those of lyrics."""
    found = sorted(root.glob(_AV_VALUES))
    if len(found) > 1:
        raise InputError(
            f"{root} holds the tables of several sets of MERGE:\n{format_list(found)}\n"
            "Keep each set in a folder of its own."
        )
    if "lyrics" in found[0].name:
        raise InputError(
            f"{root} is MERGE's set of lyrics, without audio. Give a folder of its audio or "
            "bimodal sets."
        )
    return found[0]


def _read_split(root: Path, metadata: pd.DataFrame) -> dict[str, str]:
    """Return the published split by track_id; empty where its folder is not there."""
    folder = root / "tvt_dataframes" / _SPLIT
    if not folder.is_dir():
        return {}
    name = _only_file(root).name.removeprefix("merge_").removesuffix("_av_values.csv")
    by_id: dict[str, str] = {}
    for part, split in _SPLIT_FILES.items():
        songs = read_table(folder / f"{_SPLIT}_{part}_{name}.csv", {"Song": str})["Song"]
        by_id |= dict.fromkeys(songs, split)
    own = metadata.index.to_series().map(by_id).fillna(metadata["lyric"].map(by_id))
    return own.dropna().to_dict()


def _note_other_quadrants(tracks: pd.DataFrame, metadata: pd.DataFrame) -> list[str]:
    """Return a note on the clips whose published quadrant is not that of valence and arousal."""
    published = tracks["track_id"].map(metadata["quadrant"])
    own = TASKS["quadrant"].class_index(tracks["valence"], tracks["arousal"]) + 1
    other = int((published.notna() & (published != own)).sum())
    if not other:
        return []
    return [
        f"{other} clips have valence and arousal in another quadrant than the published one; "
        "valence and arousal count."
    ]
