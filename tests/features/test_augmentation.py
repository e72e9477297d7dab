"""Random changes of segments, compared with a resampler and with numbers worked by hand."""

import librosa
import numpy as np
import pytest
import soxr

from adff_tf.config import Augmentation, Frontend
from adff_tf.features import augmentation
from adff_tf.model.numpy_log_mel import track_log_mel

FRONTEND = Frontend(sample_rate_hz=16000, n_fft=1024, floor_db=-70.0)


def test_band_centres_are_the_peaks_of_the_filterbank():
    centres = augmentation.band_centres_hz(FRONTEND)
    bank = librosa.filters.mel(sr=16000, n_fft=1 << 16, n_mels=128)
    peaks = bank.argmax(axis=1) * 16000 / (1 << 16)
    np.testing.assert_allclose(centres, peaks, atol=0.5)


def test_low_pass_is_like_a_recording_of_a_lower_rate():
    """A tone of many overtones, resampled to 11.025 kHz and back, against the low-pass there."""
    time = np.arange(32000) / 16000
    waveform = 0.2 * np.sign(np.sin(2 * np.pi * 220 * time)) + 0.01 * np.sin(60 * time)
    narrow = soxr.resample(soxr.resample(waveform, 16000, 11025), 11025, 16000)
    original, expected = (track_log_mel(w, FRONTEND)[20:-20] for w in (waveform, narrow))
    passed = original.copy()
    augmentation.low_pass(passed, 11025 / 2, FRONTEND)
    centres = augmentation.band_centres_hz(FRONTEND)
    away = (centres < 5000) | (centres > 6200)  # from the transition
    np.testing.assert_allclose(passed[:, away], expected[:, away], atol=0.5)
    assert np.abs(original[:, away] - expected[:, away]).max() > 10


def test_masks_have_the_mean_and_their_greatest_size():
    settings = Augmentation(masks=2, mask_frames=10, mask_bands=4)
    mean = np.arange(128, dtype="float32")
    x = np.full((50, 100, 128), -30, "float32")
    changed = augmentation.augment(x, np.random.default_rng(0), settings, FRONTEND, mean)
    assert (x == -30).all(), "the input is not changed"
    for segment in changed:
        masked = segment != -30
        assert (segment == np.where(masked, mean, -30)).all()
        frames, bands = masked.all(axis=1), masked.all(axis=0)
        assert frames.sum() <= 20 and bands.sum() <= 8
        assert (masked == (frames[:, None] | bands[None])).all()
    sizes = [(segment != -30).all(axis=1).sum() for segment in changed]
    assert min(sizes) < 5 and max(sizes) > 12


def test_bandwidth_is_a_share_and_cuts_above_4_khz_only():
    x = np.full((400, 2, 128), -30, "float32")
    changed = augmentation.augment(
        x, np.random.default_rng(1), Augmentation(bandwidth=0.5), FRONTEND, np.zeros(128)
    )
    is_cut = (changed != x).any(axis=(1, 2))
    assert 0.3 < is_cut.mean() < 0.6  # a cutoff next to the end changes nothing
    low = augmentation.band_centres_hz(FRONTEND) < 4000
    assert (changed[:, :, low] == -30).all() and changed.min() == -70


def test_mixup_by_hand():
    values = np.array([[0.0, 2.0], [10.0, 4.0]], "float32")
    mixed = augmentation.mix(values, np.array([1, 0]), np.array([0.75, 0.5]))
    np.testing.assert_allclose(mixed, [[2.5, 2.5], [5.0, 3.0]])
    order, weight = augmentation.draw_mixup(0.4, 1000, np.random.default_rng(0))
    assert sorted(order) == list(range(1000)) and weight.min() >= 0.5
    # E max(w, 1 - w) of Beta(.4, .4), by integration
    grid = (np.arange(200000) + 0.5) / 200000
    density = (grid * (1 - grid)) ** -0.6
    expected = (np.maximum(grid, 1 - grid) * density).sum() / density.sum()
    assert weight.mean() == pytest.approx(expected, abs=0.02)
