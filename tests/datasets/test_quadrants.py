"""Quadrants: both layouts, and EMOPIA's real labels against published counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.datasets import quadrants

from ..real_data import needs_real_data, real_data
from .examples import error, fill, make_emopia


def test_empty_quadrant_folders(tmp_path):
    (tmp_path / "Q1").mkdir()
    assert "no audio in the folders Q1 to Q4" in error(tmp_path)


def test_one_quadrant_missing_is_noted(tmp_path):
    fill(tmp_path, {"Q1/a.mp3": "", "Q2/b.mp3": "", "Q4/c.mp3": ""})
    assert datasets.load(tmp_path).notes == ("No track of quadrant Q3 is there.",)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Q4_x_0,4", "Q4_x_0,5", "line 6: Q4_x_0 is in quadrant 5"),
        ("Q4_x_0,4", "x,0", "line 6: x is in quadrant 0"),
        ("Q4_x_0,4", "Q4_x_0,3", "line 6: Q4_x_0 is in quadrant 3"),
        ("Q4_x_0,4", "Q4_x_0,3.5", "line 6: 4Q is '3.5'"),
    ],
)
def test_quadrants_that_cannot_be(tmp_path, old, new, named):
    root = make_emopia(tmp_path)
    (root / "label.csv").write_text((root / "label.csv").read_text().replace(old, new))
    assert named in error(root)


def test_names_that_state_no_quadrant_and_no_song(tmp_path):
    fill(tmp_path, {"label.csv": "ID,4Q\nplain,3\none_two,4\n", "plain.mp3": "", "one_two.mp3": ""})
    tracks = datasets.load(tmp_path).tracks
    assert tracks["group"].tolist() == ["one_two", "plain"] and tracks["valence"].tolist() == [
        1,
        -1,
    ]


def emopia_audio(folder: Path) -> Path:
    """Write EMOPIA's real table with an empty recording for each clip."""
    (folder / "audio").mkdir()
    (folder / "label.csv").write_bytes((real_data("emopia/label.csv")).read_bytes())
    for name in pd.read_csv(folder / "label.csv")["ID"]:
        (folder / "audio" / f"{name}.wav").touch()
    return folder


@needs_real_data
def test_emopia_has_1078_clips_of_387_songs(tmp_path):
    found = datasets.load(emopia_audio(tmp_path))
    tracks = found.tracks
    assert found.labels == "quadrant" and found.notes == () and len(tracks) == 1078
    clips = tracks.groupby(["valence", "arousal"]).size()
    assert [clips[signs] for signs in ((1, 1), (-1, 1), (-1, -1), (1, -1))] == [250, 265, 253, 310]
    assert tracks["group"].nunique() == 387


@needs_real_data
def test_emopia_songs_are_those_of_its_own_table_by_song():
    published = pd.read_csv(real_data("emopia/metadata_by_song.csv")).set_index("songID")
    labels = quadrants.labels(real_data("emopia"))
    quadrant = [
        {(1, 1): 1, (-1, 1): 2, (-1, -1): 3, (1, -1): 4}[signs]
        for signs in zip(labels["valence"], labels["arousal"], strict=True)
    ]
    counts = pd.crosstab(labels["group"], np.array(quadrant))
    assert set(counts.index) == set(published.index)
    assert (
        counts.loc[published.index].to_numpy()
        == published[[f"num_Q{number}" for number in (1, 2, 3, 4)]].to_numpy()
    ).all()


@needs_real_data
def test_emopias_published_split(tmp_path):
    """876, 114 and 88 clips; no song is in two parts."""
    (emopia_audio(tmp_path) / "split").mkdir()
    for file in real_data("emopia/split").glob("*_clip.csv"):
        (tmp_path / "split" / file.name).write_bytes(file.read_bytes())
    tracks = datasets.load(tmp_path).tracks
    assert tracks["split"].value_counts().to_dict() == {"train": 876, "val": 114, "test": 88}
    assert (tracks.groupby("group")["split"].nunique() == 1).all()
    assert set(tracks["source"]) == {"emopia"}
