"""4QAED: mistakes with its labels, and the real table against another reader."""

import pandas as pd
import pytest

from adff_tf import datasets

from ..real_data import needs_real_data, real_data
from .examples import error, make_panda4q, make_panda4q_songs


@pytest.mark.parametrize(
    ("make", "file", "line"),
    [
        (make_panda4q, "panda_dataset_taffc_metadata.csv", "line 2: Quadrant is 'Q9'"),
        (make_panda4q_songs, "songs.csv", "line 2: quadrant is 'Q9'"),
    ],
)
def test_a_quadrant_that_cannot_be(tmp_path, make, file, line):
    root = make(tmp_path)
    (root / file).write_text((root / file).read_text().replace("Q4", "Q9"))
    message = error(root)
    assert f"{root / file}: 1 quadrants are not Q1 to Q4:\n  {line}" in message


def test_folders_without_their_table_are_the_plain_quadrants(tmp_path):
    root = make_panda4q(tmp_path)
    (root / "panda_dataset_taffc_metadata.csv").unlink()
    found = datasets.load(root)
    assert set(found.tracks["source"]) == {"quadrants"} and not found.has_artists


@needs_real_data
def test_the_real_clips():
    found = datasets.load(real_data("panda4q"))
    published = pd.read_csv(real_data("panda4q/songs.csv"), keep_default_na=False)
    published = published.set_index("song").loc[found.tracks["track_id"]].reset_index()
    assert len(published) == 720 and set(found.tracks["split"]) == {""}
    signs = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}
    for k, name in enumerate(("valence", "arousal")):
        expected = [signs[quadrant][k] for quadrant in published["quadrant"]]
        assert found.tracks[name].tolist() == expected
    artists = published["artist"].where(published["artist"] != "", published["song"])
    assert found.tracks["group"].tolist() == artists.tolist()
    assert found.notes == (
        "2 tracks have no artist in songs.csv, each is a group of its own: "
        + ", ".join(published["song"][published["artist"] == ""]) + ".",
    )  # fmt: skip
