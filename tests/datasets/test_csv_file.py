"""The CSV table: paths, ids, groups, label range."""

from pathlib import Path

import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.errors import InputError


def table(tmp_path: Path, text: str, label_range=(0.0, 1.0)) -> pd.DataFrame:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    return datasets.load(tmp_path / "a.csv", label_range=label_range).tracks


def test_paths_are_relative_to_the_table(tmp_path, monkeypatch):
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    tracks = table(tmp_path, f"path,valence,arousal\nx/../b.mp3,0,1\n{other}/c.mp3,1,0\n")
    assert sorted(tracks["path"]) == [f"{tmp_path}/b.mp3", f"{other}/c.mp3"]
    assert set(tracks["track_id"]) == {"x/../b.mp3", f"{other}/c.mp3"}
    assert tracks["group"].tolist() == tracks["track_id"].tolist()


def test_ids_groups_white_space_and_a_byte_order_mark(tmp_path):
    tracks = table(
        tmp_path,
        "\ufeffpath , valence,arousal, track_id,mood,group\n"
        " a.mp3 , 0.5,1 , 07,x, A \n\nb.mp3,0,0,8,y,\n",
    )
    assert tracks["track_id"].tolist() == ["07", "8"] and tracks["group"].tolist() == ["A", "8"]
    assert tracks["valence"].tolist() == [0, -1]


def test_one_recording_under_two_ids(tmp_path):
    with pytest.raises(InputError, match="values of path are there more than once"):
        table(tmp_path, "path,valence,arousal,track_id\na.mp3,0,0,1\n./a.mp3,1,1,2\n")


def test_empty_path(tmp_path):
    with pytest.raises(InputError, match="1 rows have an empty path:\n  line 3"):
        table(tmp_path, "path,valence,arousal,track_id\na.mp3,0,0,1\n,1,1,2\n")


@pytest.mark.parametrize("label_range", [(1, 1), (9, 1), (float("nan"), 1), (0, float("inf"))])
def test_label_range_that_is_none(tmp_path, label_range):
    with pytest.raises(InputError, match="give the lowest and then the highest"):
        table(tmp_path, "path,valence,arousal\na.mp3,0,0\n", label_range)
