"""The mid-level data set: 5000 clips of 15 s with seven perceptual features, and no emotions.

Label range: 1 to 10, means over musicians.
Group: none; the clips train the concepts of MLEM and are never scored.
Licence: music under Creative Commons licences; https://osf.io/5aupt/.
Citation: Aljanaki and Soleymani, "A data-driven approach to mid-level perceptual musical feature
modeling", ISMIR 2018.

The layout is that of its description; it was not tried on the files themselves. A column's name may
have spaces or underscores, and some have a second name (`OTHER_NAMES`).
"""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..networks import MID_LEVEL
from . import index as shared
from .label_files import read_header, read_table

NAME = "mid-level"
LAYOUT = "annotations.csv (or in metadata_annotations/) and audio/<song id>.mp3"
FILES = ("annotations.csv", "metadata_annotations/annotations.csv")
LOW, HIGH = 1.0, 10.0
OTHER_NAMES = {
    "song_id": "track_id",
    "melody": "melodiousness",
    "rhythm_complexity": "rhythmic_complexity",
    "rhythm_stability": "rhythmic_stability",
    "mode": "minorness",
    "modality": "minorness",
}


def read(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the clips whose audio is in audio/, and notes.

    Returns:
        A table of `index.COLUMNS`, with valence and arousal 0 and the weight 0, and a column in
        [-1, 1] for each of `networks.MID_LEVEL`.

    Raises:
        InputError: no such folder, other columns, or a rating outside 1 to 10.
    """
    file = next((root / name for name in FILES if (root / name).is_file()), None)
    if file is None:
        raise InputError(
            f"{root} is no mid-level data set, which is laid out as {LAYOUT}: there is no "
            "annotations.csv"
        )
    ratings = _read_ratings(file)
    labels = pd.DataFrame({"track_id": ratings["track_id"], "valence": 0.0, "arousal": 0.0})
    labels["group"] = NAME + "/" + labels["track_id"]
    tracks, notes = shared.attach_audio(root, labels, ["audio"])
    index = shared.make(tracks, NAME, f"{NAME} ({root})", notes)
    table = index.tracks.assign(weight=0.0)
    known = ratings.set_index("track_id").loc[table["track_id"]]
    for name in MID_LEVEL:
        table[name] = shared.scale(known[name], LOW, HIGH).to_numpy()
    return table, [f"{NAME}: {note}" for note in notes]


def _read_ratings(file: Path) -> pd.DataFrame:
    """Return `track_id` and a column for each of MID_LEVEL, 1 to 10. Raises InputError."""
    wanted = ("track_id", *MID_LEVEL)
    header = read_header(file)
    names = {column: _standard_name(column) for column in header}
    missing = set(wanted) - set(names.values())
    if missing:
        raise InputError(
            f"{file} has the columns {', '.join(header)}; there is none for "
            f"{', '.join(name for name in wanted if name in missing)}"
        )
    kinds = {
        column: str if name == "track_id" else float
        for column, name in names.items()
        if name in wanted
    }
    table = read_table(file, kinds).rename(columns=names)[list(wanted)]
    for name in MID_LEVEL:
        bad = table.loc[~table[name].between(LOW, HIGH), "track_id"]  # NaN too
        if len(bad):
            raise InputError(
                f"{file}: {len(bad)} ratings of {name} are not numbers from {LOW:g} to {HIGH:g}, "
                f"as of song {bad.iloc[0]}. Correct or remove these rows"
            )
    return table


def _standard_name(column: str) -> str:
    name = "_".join(column.strip().lower().replace("_", " ").split())
    return OTHER_NAMES.get(name, name)
