"""The teacher: Keras and NumPy against the package's own graph, and against each other."""

import os
from pathlib import Path

import numpy as np
import pytest

from adff_tf.errors import InputError
from adff_tf.model import musicnn, musicnn_files

GOLDEN = Path(__file__).with_name("musicnn_golden.npz")


@pytest.fixture(scope="module")
def random_model():
    """The network with random weights; batch norms scale by both signs."""
    model, rng = musicnn.build(), np.random.default_rng(0)
    for layer in model.layers:
        weights = [rng.normal(0, 0.05, w.shape) for w in layer.get_weights()]
        if layer.name.endswith("_norm"):
            gamma, beta, mean, variance = weights
            weights = [20 * gamma, beta, mean, 1 + np.abs(variance)]
        layer.set_weights(weights)
    return model


def close(found, expected):
    for name, size in musicnn.TARGETS.items():
        assert found[name].shape == (len(expected[name]), size)
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-4)


def test_numpy_equals_keras(random_model):
    patches = np.random.default_rng(1).uniform(0, 4, (5, 187, 96)).astype("float32")
    expected = random_model.predict(patches, batch_size=1, verbose=0)
    assert np.std(expected["tags"]) > 0.01
    close(musicnn.Teacher(random_model).predict(patches), expected)


def test_equals_the_package_s_own_graph():
    try:
        files = musicnn_files.read_checkpoint(os.environ.get("ADFF_MUSICNN"))
    except InputError as error:
        pytest.skip(f"no teacher here (or name its wheel or folder by ADFF_MUSICNN): {error}")
    golden = np.load(GOLDEN)
    model, patches = musicnn_files.load_teacher(files), golden["log_mel"].astype("float32")
    close(model.predict(patches, verbose=0), golden)
    close(musicnn.Teacher(model).predict(patches), golden)


def test_the_log_mel_is_that_of_the_paper():
    """A sine in one band by hand: power of a Hann window, Slaney's filters."""
    import librosa

    t = np.arange(16_000) / 16_000
    waveform = (0.5 * np.sin(2 * np.pi * 1000 * t)).astype("float32")
    found = musicnn.log_mel(waveform)
    assert found.shape == (63, 96) and found.dtype == np.float32
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    power = np.abs(np.fft.rfft(waveform[30 * 256 - 256 : 30 * 256 + 256] * window)) ** 2
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=96)
    np.testing.assert_allclose(found[30], np.log10(1 + 1e4 * (filters @ power)), atol=1e-3)


def test_patches_follow_each_other_and_the_rest_is_dropped():
    log_mel = np.arange(400 * 96, dtype="float32").reshape(400, 96)
    patches = musicnn.cut_patches(log_mel)
    assert patches.shape == (2, 187, 96)
    assert (patches[1, 0] == log_mel[187]).all()
