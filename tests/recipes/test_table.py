"""OUT/sources.csv."""

import pandas as pd
import pytest

from adff_tf.errors import InputError
from recipes.music.table import FILE, Table

from .making import recording


def test_a_file_is_added_once_and_its_copy_removed(tmp_path):
    table = Table(tmp_path)
    assert table.add(recording(tmp_path / "a.wav", 1), "one", "CC0", 1)
    copy = recording(tmp_path / "b.wav", 1)
    assert not table.add(copy, "two", "CC0", 1)
    assert not copy.exists()
    assert list(pd.read_csv(tmp_path / FILE).file) == ["a.wav"]


def test_a_stopped_run_goes_on(tmp_path):
    """A row cut by a kill and the row of a deleted file are dropped."""
    table = Table(tmp_path)
    for seed, name in enumerate(("kept.wav", "deleted.wav", "torn.wav")):
        table.add(recording(tmp_path / name, 1, seed), "one", "CC0; a, b", 1)
    (tmp_path / "deleted.wav").unlink()
    path = tmp_path / FILE
    path.write_text(path.read_text()[:-10])
    again = Table(tmp_path)
    assert list(again.rows) == ["kept.wav"]
    assert tmp_path / "kept.wav" in again
    assert tmp_path / "torn.wav" not in again
    assert pd.read_csv(path).licence[0] == "CC0; a, b"


def test_another_table_is_refused(tmp_path):
    (tmp_path / FILE).write_text("path,label\na.wav,1\n")
    with pytest.raises(InputError, match="has the columns path, label"):
        Table(tmp_path)


def test_the_summary_adds_hours_by_source(tmp_path):
    table = Table(tmp_path)
    for seed, (source, hours) in enumerate((("a", 1.5), ("b", 2), ("a", 0.25))):
        table.add(recording(tmp_path / f"{seed}.wav", 1, seed), source, "CC0", hours * 3600)
    lines = [[cell.strip() for cell in line.split("|")] for line in table.summary().splitlines()]
    assert lines[2][1:4] == ["a", "2", "1.8"]
    assert lines[3][1:4] == ["b", "1", "2.0"]
    assert lines[4][1:4] == ["all", "3", "3.8"]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("recipes.music.table.LEAST_FREE_BYTES", 2**70)
    with pytest.raises(InputError, match="MiB free"):
        Table(tmp_path).check_space()
