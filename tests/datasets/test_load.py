"""`datasets.load` and `load_all`: users' mistakes with the folder of a data set."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.datasets import csv_file, index, panda4q, pmemo, quadrants
from adff_tf.errors import InputError

from .examples import CASES, error, fill, make_folders, make_pmemo


def test_missing_folder(tmp_path):
    message = error(tmp_path / "nope")
    assert "There is no folder or file" in message and str(tmp_path / "nope") in message
    assert all(module.LAYOUT in message for module in datasets._MODULES.values())


def test_unknown_kind(tmp_path):
    message = error(tmp_path, "pmemo2")
    assert "'pmemo2'" in message and all(kind in message for kind in ("auto", *datasets.KINDS))


def test_folder_that_is_no_data_set(tmp_path):
    assert "(nothing)" in error(tmp_path)
    (tmp_path / "holiday.jpg").touch()
    (tmp_path / "chorus").mkdir()
    message = error(tmp_path)
    assert "  chorus/\n  holiday.jpg\n" in message
    assert all(module.LAYOUT in message for module in datasets._MODULES.values())


def test_folder_that_is_two_data_sets(tmp_path):
    make_pmemo(tmp_path)
    make_folders(tmp_path)
    message = error(tmp_path)
    assert (
        "several" in message
        and "pmemo:" in message
        and "quadrants:" in message
        and "deam:" not in message
    )
    assert len(datasets.load(tmp_path, "pmemo").tracks) == 3


@pytest.mark.parametrize("denied", [".", "chorus"])
def test_unreadable_folder(tmp_path, monkeypatch, denied):
    folder, iterdir = make_pmemo(tmp_path) / denied, Path.iterdir

    def refuse(path):  # chmod does not stop a test that runs as root
        if path == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert (
        error(tmp_path)
        == f"{folder} cannot be read: Permission denied. Give a folder that this user may read."
    )


@pytest.mark.parametrize(
    ("name", "audio"),
    [
        ("pmemo", "chorus"),
        ("deam", "MEMD_audio"),
        ("emomusic", "clips_45seconds"),
        ("emopia", "audio"),
    ],
)
def test_no_audio_at_all_names_the_folders_searched(tmp_path, name, audio):
    root = CASES[name].make(tmp_path)
    for path in list(root.rglob("*")):
        if path.suffix.lower() in index.SUFFIXES:
            path.unlink()
    message = error(root)
    assert (
        f"None of the {CASES[name].labelled} labelled tracks" in message
        and str(root) in message
        and audio in message
    )
    assert len(CASES[name].module.labels(root)) == CASES[name].labelled
    if audio != "audio":
        shutil.rmtree(next(root.rglob(audio)))
        assert error(root) == message


def test_two_files_for_one_track(tmp_path):
    fill(make_pmemo(tmp_path / "pmemo"), {"chorus/2.wav": ""})
    message = error(tmp_path / "pmemo")
    assert (
        "1 tracks have more than one audio file" in message
        and "2.mp3" in message
        and "2.wav" in message
    )
    fill(make_folders(tmp_path / "folders"), {"Q3/b.mp3": ""})
    message = error(tmp_path / "folders")
    assert "Q1/b.wav" in message and "Q3/b.mp3" in message


def test_names_that_are_not_utf8(tmp_path):
    for quadrant in "1234":
        (tmp_path / f"Q{quadrant}").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/Q1/caf\xe9.wav")).touch()
    for place in (tmp_path, tmp_path / os.fsdecode(b"\xe9")):
        with pytest.raises(InputError, match=r"1 names are not UTF-8.*:\n(.|\n)*\nRename them"):
            datasets.load(place)


# === Several data sets ===


def error_of_all(*args, **options) -> str:
    """Return the message of the InputError that `datasets.load_all` raises."""
    with pytest.raises(InputError) as caught:
        datasets.load_all(*args, **options)
    return str(caught.value)


def test_several_data_sets_in_one_index(tmp_path):
    roots = [CASES[name].make(tmp_path / name) for name in ("csv", "emopia", "pmemo", "panda4q")]
    found = datasets.load_all(roots, label_range=(1, 9), weights=(1, 2, 3, 4))
    rows = sum((CASES[name].rows for name in ("csv", "emopia", "pmemo", "panda4q")), [])
    assert found.tracks["valence"].tolist() == pytest.approx([row[1] for row in rows])
    assert found.labels == "mixed" and found.tracks["track_id"][4] == "emopia/Q2_5N_W0_9"
    by_source = found.tracks.groupby("source", sort=False)
    assert by_source["weight"].first().to_dict() == {
        "my songs": 1, "emopia": 2, "pmemo": 3, "panda4q": 4
    }  # fmt: skip
    assert by_source["labels"].first().tolist() == [
        "continuous", "quadrant", "continuous", "quadrant"
    ]  # fmt: skip
    terms = datasets.terms(found.source)
    assert all(module.TERMS in terms for module in (csv_file, quadrants, pmemo, panda4q))


def test_one_data_set_is_as_loaded_alone(tmp_path):
    root = make_pmemo(tmp_path)
    alone, found = datasets.load(root), datasets.load_all([root])
    pd.testing.assert_frame_equal(alone.tracks, found.tracks)
    assert (alone.notes, alone.source) == (found.notes, found.source)


def test_a_data_set_given_twice(tmp_path):
    make_pmemo(tmp_path / "pmemo")
    (tmp_path / "link").symlink_to(tmp_path / "pmemo")
    message = error_of_all([tmp_path / "pmemo", tmp_path / "link"])
    assert f"{tmp_path / 'pmemo'} is given twice in `data`" in message


def test_a_label_range_that_belongs_to_no_data_set(tmp_path):
    roots = [make_pmemo(tmp_path / "pmemo"), make_folders(tmp_path / "folders")]
    message = error_of_all(roots, label_range=(1, 9))
    assert "`label_range` is (1, 9), but the data sets pmemo, quadrants know their own" in message
    csv = CASES["csv"].make(tmp_path / "csv")
    assert "`label_range` is missing" in error_of_all([roots[0], csv])


def test_a_kind_that_only_one_data_set_has(tmp_path):
    roots = [make_pmemo(tmp_path / "pmemo"), make_folders(tmp_path / "folders")]
    assert f"{roots[1]} is not laid out as pmemo" in error_of_all(roots, "pmemo")


def test_one_recording_in_two_tables(tmp_path):
    fill(tmp_path, {"a.csv": "path,valence,arousal\na.mp3,0,0\n"})
    (tmp_path / "b.csv").write_bytes((tmp_path / "a.csv").read_bytes())
    message = error_of_all([tmp_path / "a.csv", tmp_path / "b.csv"], label_range=(0, 1))
    assert f"  {tmp_path / 'a.mp3'} (2 times)" in message
