"""Folders of resumable work."""

from pathlib import Path

import pandas as pd
import pytest

import adff_tf
from adff_tf.errors import InputError
from adff_tf.support import folders


def test_work_that_begins_elsewhere_meanwhile_is_the_same_work(tmp_path, monkeypatch):
    """Another process writes the record meanwhile; a killed one left a partial record."""
    (tmp_path / ".run.0123456789ab.part.json").touch()
    (tmp_path / ".lock").touch()
    folders.begin(tmp_path, "run.json", "{}", "run", "go on")
    (tmp_path / "run.json").unlink()
    listed = Path.iterdir

    def then_begun(folder):
        names = [*listed(folder), folder / "index.csv"]
        (folder / "run.json").write_text("{}")
        return iter(names)

    monkeypatch.setattr(Path, "iterdir", then_begun)
    folders.begin(tmp_path, "run.json", "{}", "run", "go on")


def test_any_name_is_the_same_data_again(tmp_path):
    table = pd.DataFrame({"track_id": ["a\rb", "c\n"], "valence": [0.0, 1.0]})
    folders.keep_index(tmp_path, table, "run")
    folders.keep_index(tmp_path, table, "run")


def test_work_with_other_settings_is_refused_with_the_difference(tmp_path):
    folders.begin(tmp_path, "run.json", '{"rate": 1}', "run", "use its settings")
    (tmp_path / "index.csv").touch()
    folders.begin(tmp_path, "run.json", '{"rate": 1}', "run", "use its settings")
    with pytest.raises(
        InputError, match="holds a run with other settings:\n  rate: 1 there, 2 now"
    ):
        folders.begin(tmp_path, "run.json", '{"rate": 2}', "run", "use its settings")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match="run.json is damaged"):
        folders.begin(tmp_path, "run.json", '{"rate": 2}', "run", "use its settings")


@pytest.mark.parametrize(
    ("version", "named"), [("0.1.0", "adff-tf 0.1.0"), (None, "an earlier adff-tf")]
)
def test_work_of_another_version_is_named_in_one_line(tmp_path, version, named):
    text = str(folders.other_version(tmp_path, "run", version))
    assert text.count(named) == 2 and adff_tf.__version__ in text and "\n" not in text


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with (
        pytest.raises(InputError, match="is not empty and holds no run"),
        folders.locked(tmp_path, "run.json", "run"),
    ):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
