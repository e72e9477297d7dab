"""MusiCNN's embedding of tracks: by a network with random weights, cached, and absent."""

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from adff_tf.features import embedding
from adff_tf.features.tracks import Tracks
from adff_tf.model import musicnn, musicnn_files

RATE = 16_000


@pytest.fixture
def tracks(tmp_path) -> Tracks:
    """Three recordings, one of them shorter than a patch."""
    rng, paths = np.random.default_rng(0), []
    for k, seconds in enumerate((4.0, 7.5, 1.0)):
        paths.append(str(tmp_path / f"{k}.wav"))
        sf.write(paths[-1], 0.1 * rng.normal(size=int(seconds * RATE)), RATE)
    files = [tmp_path / f"key{k}.f32" for k in range(3)]
    empty = np.zeros((3, 4))
    return Tracks(pd.DataFrame({"path": paths}), files, np.ones(3, int), empty, empty)


@pytest.fixture
def installed(monkeypatch):
    model, calls = musicnn.build(), []

    def load(files):
        calls.append(files)
        return model

    monkeypatch.setattr(musicnn_files, "is_installed", lambda: True)
    monkeypatch.setattr(musicnn_files, "read_checkpoint", lambda: "files")
    monkeypatch.setattr(musicnn_files, "load_teacher", load)
    return model, calls


def test_it_is_the_mean_over_patches(tracks, installed):
    model, calls = installed
    found = embedding.musicnn_embedding(tracks)
    assert found.shape == (3, 200)
    waveform, _ = sf.read(tracks.table["path"][1], dtype="float32")
    patches = musicnn.cut_patches(musicnn.log_mel(waveform))
    wanted = model.predict(patches, verbose=0)["penultimate"].mean(axis=0)
    assert len(patches) == 2 and np.std(wanted) > 0
    np.testing.assert_allclose(found[1], wanted, atol=1e-4)
    again = embedding.musicnn_embedding(tracks)
    np.testing.assert_array_equal(again, found)
    assert len(calls) == 1  # read from the feature store


def test_without_the_package_there_is_none(tracks, monkeypatch):
    monkeypatch.setattr(musicnn_files, "is_installed", lambda: False)
    assert embedding.musicnn_embedding(tracks) is None
