"""The folder of clips: its files, resuming, and users' mistakes."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf.datasets import synthetic
from adff_tf.errors import InputError

from .pieces import PLAIN


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return synthetic.make(
        tmp_path_factory.mktemp("set") / "small", clips=4, seconds=2.0, seed=3, workers=1
    )


def test_the_set_is_what_the_module_says(small):
    table = pd.read_csv(small / "labels.csv", dtype={"track_id": str})
    assert list(table.columns[:5]) == ["track_id", "path", "valence", "arousal", "group"]
    assert list(table.columns[5:]) == list(vars(PLAIN))
    assert sorted(files(small)) == sorted(["labels.csv", "synthetic.json", *table["path"]])
    for path in table["path"]:
        info = soundfile.info(small / path)
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (
            44100,
            1,
            88200,
            "PCM_16",
        )


def test_index(small):
    index = synthetic.index(small)
    table = pd.read_csv(small / "labels.csv")
    assert index.labels == "continuous" and len(index.tracks) == 4
    np.testing.assert_allclose(index.tracks[["valence", "arousal"]], table[["valence", "arousal"]])
    assert (index.tracks["group"] == index.tracks["track_id"]).all()
    assert all(Path(path).is_file() for path in index.tracks["path"])


def test_clips_do_not_depend_on_the_number_of_processes(small, tmp_path):
    again = synthetic.make(tmp_path / "again", clips=4, seconds=2.0, seed=3, workers=2)
    assert files(again) == files(small)


def test_clips_are_the_same_in_a_fresh_process_and_differ_by_seed(small):
    code = (
        "from adff_tf.datasets import synthetic as s; import sys; "
        "sys.stdout.buffer.write(s.clip(3, 1, 2.0)[1].tobytes())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert there == synthetic.clip(3, 1, 2.0)[1].tobytes()
    assert there != synthetic.clip(4, 1, 2.0)[1].tobytes()


def test_progress_counts_every_clip(small):
    calls = []
    synthetic.make(small, clips=4, seconds=2.0, seed=3, progress=lambda: calls.append(1))
    assert len(calls) == 4


def test_resumes_after_a_kill(small, tmp_path):
    before = files(small)
    folder, calls = tmp_path / "set", []

    def stop_at_two():
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthetic.make(folder, clips=4, seconds=2.0, seed=3, progress=stop_at_two, workers=1)
    assert not (folder / "labels.csv").exists() and len(list((folder / "audio").iterdir())) == 2
    with pytest.raises(InputError, match="no finished"):
        synthetic.index(folder)
    kept = folder / "audio" / "0.flac"
    (folder / "audio" / ".2.0123456789ab.part.flac").write_bytes(b"half a clip")
    stamp = kept.stat().st_mtime_ns
    synthetic.make(folder, clips=4, seconds=2.0, seed=3, workers=1)
    assert kept.stat().st_mtime_ns == stamp
    assert files(folder) == before


# === Users' mistakes ===


@pytest.mark.parametrize(
    "other", [{"clips": 5}, {"seconds": 3.0}, {"seed": 4}, {"sample_rate_hz": 22050}]
)
def test_another_recipe_is_refused(small, other):
    before = files(small)
    with pytest.raises(InputError, match=f"another recipe: {next(iter(other))}"):
        synthetic.make(small, **{"clips": 4, "seconds": 2.0, "seed": 3, **other})
    assert files(small) == before


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        synthetic.make(tmp_path, clips=1, seconds=2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        synthetic.make(tmp_path / "file", clips=1, seconds=2.0)


def test_a_damaged_recipe(tmp_path):
    (tmp_path / "synthetic.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        synthetic.make(tmp_path, clips=1, seconds=2.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clips": 0},
        {"clips": 2.5},
        {"seconds": 1.0},
        {"seconds": float("nan")},
        {"seed": -1},
        {"sample_rate_hz": 100},
    ],
)
def test_arguments_out_of_range(tmp_path, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        synthetic.make(tmp_path / "set", **{"clips": 1, "seconds": 2.0, **wrong})
    assert not (tmp_path / "set").exists()


def test_a_full_disk_loses_nothing(small, tmp_path, monkeypatch):
    folder, write = tmp_path / "set", Path.write_bytes

    def full(path, content):
        if path.name.startswith((".2.", "2.")):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="disk is full"):
        synthetic.make(folder, clips=4, seconds=2.0, seed=3, workers=1)
    monkeypatch.undo()
    assert json.loads((folder / "synthetic.json").read_text())["clips"] == 4
    assert sorted(path.name for path in (folder / "audio").iterdir()) == ["0.flac", "1.flac"]
    assert files(synthetic.make(folder, clips=4, seconds=2.0, seed=3, workers=1)) == files(small)
