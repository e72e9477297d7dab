"""The mid-level data set in miniature: its layout as described, and what is wrong with others."""

import numpy as np
import pandas as pd
import pytest

from adff_tf.datasets import index, mid_level
from adff_tf.errors import InputError
from adff_tf.networks import MID_LEVEL

HEADER = (
    "song id,melody,articulation,rhythm complexity,rhythm stability,dissonance,tonal stability,"
    "minorness"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "metadata_annotations").mkdir()
    (tmp_path / "audio").mkdir()
    rows = ["1,1,2,3,4,5,6,7", "2,10,5.5,1,1,1,1,1", "3,2,2,2,2,2,2,2"]
    (tmp_path / "metadata_annotations" / "annotations.csv").write_text(
        "\n".join([HEADER, *rows]) + "\n"
    )
    for name in ("1.mp3", "2.mp3"):
        (tmp_path / "audio" / name).touch()
    return tmp_path


def change(folder, old, new):
    file = folder / "metadata_annotations" / "annotations.csv"
    file.write_text(file.read_text().replace(old, new))


def test_ratings_of_1_to_10_are_scaled_and_have_no_weight_in_emotions(folder):
    table, notes = mid_level.read(folder)
    assert list(table.columns) == [*index.COLUMNS, *MID_LEVEL]
    np.testing.assert_allclose(table["melodiousness"], [-1, 1])
    np.testing.assert_allclose(table["articulation"], [2 * 1 / 9 - 1, 0])
    np.testing.assert_allclose(table["minorness"], [2 * 6 / 9 - 1, -1])
    assert list(table["weight"]) == [0, 0] and table["path"].str.endswith(".mp3").all()
    assert notes == ["mid-level: 1 of the 3 labelled tracks have no audio in audio/: 2 are used."]


def test_the_table_may_lie_at_the_top_with_underscores(folder):
    table = pd.read_csv(folder / "metadata_annotations" / "annotations.csv")
    table.columns = [name.replace(" ", "_") for name in table.columns]
    table.to_csv(folder / "annotations.csv", index=False)
    (folder / "metadata_annotations" / "annotations.csv").unlink()
    assert len(mid_level.read(folder)[0]) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dissonance", "roughness", r"has the columns .*roughness.*; there is none for dissonance"),
        (
            "10,5.5",
            "11,5.5",
            "1 ratings of melodiousness are not numbers from 1 to 10, as of song 2",
        ),
        ("10,5.5", "loud,5.5", "loud"),
    ],
)
def test_other_columns_and_ratings_are_refused(folder, old, new, message):
    change(folder, old, new)
    with pytest.raises(InputError, match=message):
        mid_level.read(folder)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is no mid-level data set, .*no annotations.csv"):
        mid_level.read(tmp_path)


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "annotations.csv").touch()
    with pytest.raises(InputError, match="there is none for track_id"):
        mid_level.read(tmp_path)
