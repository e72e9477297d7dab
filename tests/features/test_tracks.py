"""Tracks: bad recordings, copies, the limit of open files, statistics."""

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf import datasets
from adff_tf.config import Frontend, Segments
from adff_tf.errors import InputError
from adff_tf.features.segments import SegmentSet
from adff_tf.features.store import FeatureStore
from adff_tf.features.tracks import prepare_tracks
from adff_tf.support import console

from .conftest import RATE


@pytest.fixture
def with_bad_files(songs, tmp_path):
    (tmp_path / "text.mp3").write_text("these are words\n" * 50)
    (tmp_path / "empty.wav").touch()
    bad = [
        (name, str(tmp_path / name), 0.0, 0.0, name, "here", "continuous", "", 1.0)
        for name in ("text.mp3", "empty.wav", "missing.flac")
    ]
    return pd.concat([songs, pd.DataFrame(bad, columns=songs.columns)], ignore_index=True)


def test_bad_recordings_are_all_listed_at_once(with_bad_files, tmp_path):
    with pytest.raises(InputError, match="3 of 9 recordings cannot be used") as caught:
        prepare_tracks(with_bad_files, tmp_path / "f", Frontend())
    assert all(
        name in str(caught.value)
        for name in ("text.mp3", "empty.wav", "missing.flac", "`skip_bad_audio`")
    )


def test_bad_recordings_can_be_left_out(with_bad_files, tmp_path):
    tracks, bad = prepare_tracks(with_bad_files, tmp_path / "f", Frontend(), skip_bad_audio=True)
    assert list(tracks.table["track_id"]) == ["0", "1", "2", "3", "4", "5"]
    assert (
        set(bad) == {"text.mp3", "empty.wav", "missing.flac"}
        and "missing.flac" in bad["missing.flac"]
    )


def test_no_good_recording_is_an_error_even_when_skipping(with_bad_files, tmp_path):
    with pytest.raises(InputError, match="None is left"):
        prepare_tracks(
            with_bad_files.iloc[6:].reset_index(drop=True),
            tmp_path / "f",
            Frontend(),
            skip_bad_audio=True,
        )


def test_copies_are_computed_once_and_stay_together(songs, tmp_path, monkeypatch):
    """Song 3 is there four times, in the groups g1, x and y; song 5 joins g2 to y."""
    for name in "abc":
        shutil.copyfile(songs["path"][3], tmp_path / f"{name}.wav")
    (tmp_path / "d.wav").symlink_to(songs["path"][5])
    more = [
        (name, str(tmp_path / f"{name}.wav"), 0.0, 0.0, group, "here", "continuous", "", 1.0)
        for name, group in zip("abcd", "xxyy", strict=True)
    ]
    table = pd.concat([songs, pd.DataFrame(more, columns=songs.columns)], ignore_index=True)
    written, write, logged = [], FeatureStore._write, []
    monkeypatch.setattr(
        FeatureStore, "_write", lambda self, file, x: (written.append(file), write(self, file, x))
    )
    reporter = console.Silent()
    reporter.log = logged.append
    tracks, _ = prepare_tracks(table, tmp_path / "f", Frontend(), reporter=reporter)
    assert len(written) == len(set(written)) == 6
    assert list(tracks.table["group"]) == ["g0", "g0", *["g1"] * 8]
    assert logged == [
        "  note: 2 recordings are there more than once, and their groups are one:\n"
        "  3, a, b, c\n  5, d"
    ]


def test_copies_in_two_data_sets_stay_together(songs, tmp_path):
    """Song 3 of one data set is song 7 of the other, whose other songs stay apart."""
    indexes = []
    for name, own in {"a": [3, 4], "b": [3, 5]}.items():
        (tmp_path / name).mkdir()
        rows = ["path,valence,arousal,track_id"]
        for song, source in enumerate(own, start=7):
            shutil.copyfile(songs["path"][source], tmp_path / name / f"{song}.wav")
            rows.append(f"{song}.wav,0,0,{song}")
        (tmp_path / name / f"{name}.csv").write_text("\n".join(rows))
        indexes.append(tmp_path / name / f"{name}.csv")
    index = datasets.load_all(indexes, label_range=(-1, 1))
    tracks, _ = prepare_tracks(index.tracks, tmp_path / "f", Frontend())
    groups = dict(zip(tracks.table["track_id"], tracks.table["group"], strict=True))
    assert groups == {"a/7": "a/7", "a/8": "a/8", "b/7": "a/7", "b/8": "b/8"}


def test_more_tracks_than_files_may_be_open(tmp_path):
    """60 tracks, 60 segments a batch, and a limit of 24 open files more than the process has."""
    names = [str(k) for k in range(60)]
    for k in range(60):
        soundfile.write(tmp_path / f"{k}.wav", np.full(RATE // 10, k / 100), RATE)
    paths = [str(tmp_path / f"{name}.wav") for name in names]
    table = pd.DataFrame(
        {"track_id": names, "path": paths, "valence": 0.0, "arousal": 0.0, "group": names}
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    prepare_tracks(table[:1], tmp_path / "f", Frontend())  # open what is opened once
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 24, hard)
    )
    try:
        tracks, _ = prepare_tracks(table, tmp_path / "f", Frontend())
        batch = SegmentSet(tracks, 10, Segments(seg_len=0.1), -100.0).read(0, range(60))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert batch.shape == (60, 10, 128)


def test_each_copy_that_cannot_be_used_is_listed(songs, tmp_path):
    names = [str(tmp_path / f"{name}.wav") for name in "abc"]
    for name in names:
        Path(name).touch()
    with pytest.raises(InputError) as caught:
        prepare_tracks(songs[:3].assign(path=names), tmp_path / "features", Frontend())
    assert [line for line in str(caught.value).splitlines() if "empty" in line] == [
        f"  {name}: the file is empty (0 bytes)" for name in names
    ]


def test_standardisation_is_over_all_frames(tracks):
    pooled = np.concatenate(
        [np.asarray(log_mel, "float64") for log_mel in map(tracks.log_mel, range(6))]
    )
    mean, std = tracks.standardisation()
    np.testing.assert_allclose(mean, pooled.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(std, np.maximum(pooled.std(axis=0), 1), rtol=1e-6)
