"""The front end against librosa."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from adff_tf import audio
from adff_tf.config import Frontend
from adff_tf.model.log_mel import log_mel, track_log_mel

from ..real_data import needs_real_data, real_data

FRONTEND = Frontend()
RATE = FRONTEND.sample_rate_hz


def by_librosa(waveform: np.ndarray) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
        y=waveform,
        sr=RATE,
        n_fft=4096,
        win_length=2646,
        hop_length=441,
        n_mels=128,
        pad_mode="reflect",
        power=2.0,
    )
    return 10 * np.log10(np.maximum(mel, 1e-10)).T


def assert_equal_to_librosa(waveform: np.ndarray) -> None:
    expected, ours = by_librosa(waveform), track_log_mel(waveform)
    assert ours.shape == expected.shape
    difference = np.abs(ours - expected)
    near = expected > expected.max(axis=1, keepdims=True) - 90
    assert difference[near].max() <= 1e-3
    assert difference.max() <= 0.4


def chirp(seconds: float = 3.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * (100 * t + 900 * t**2))).astype("float32")


@pytest.mark.parametrize("hz", [110.0, 440.0, 3520.0])
def test_pure_tone_equals_librosa(hz):
    t = np.arange(2 * RATE) / RATE
    assert_equal_to_librosa((0.3 * np.sin(2 * np.pi * hz * t)).astype("float32"))


@pytest.mark.parametrize("seconds", [0.05, 1.0, 12.345])  # under a block, and over one
def test_chirp_equals_librosa(seconds):
    assert_equal_to_librosa(chirp(seconds))


@needs_real_data
@pytest.mark.parametrize("song", [108, 372, 634, 683])
def test_pmemo_chorus_equals_librosa(song):
    assert_equal_to_librosa(audio.load(real_data("pmemo", "chorus", f"{song}.mp3"), RATE))


@pytest.mark.parametrize("floor_db", [-100.0, -70.0])
def test_silence_is_the_floor(floor_db):
    silence = track_log_mel(np.zeros(RATE, "float32"), Frontend(floor_db=floor_db))
    np.testing.assert_allclose(silence, floor_db, atol=2e-5)


def test_a_higher_floor_hides_the_rounding_to_16_bits():
    """Rounding lies at -82 dB: a twelfth of a squared step is -101 dB, the window's energy adds 30,
    and Slaney's norm takes 10."""
    t = np.arange(RATE) / RATE
    exact = (0.3 * np.sin(2 * np.pi * 440 * t)).astype("float32")
    rounded = (np.round(exact * 32768) / 32768).astype("float32")
    low, high = Frontend(), Frontend(floor_db=-70.0)
    empty = track_log_mel(rounded, low)[10:-10, 60:]
    assert (
        np.median(empty) == pytest.approx(-82, abs=1)
        and (track_log_mel(exact, low)[10:-10, 60:] < -95).all()
    )
    np.testing.assert_allclose(track_log_mel(rounded, high), track_log_mel(exact, high), atol=1.0)
    np.testing.assert_allclose(
        track_log_mel(exact, high),
        np.maximum(track_log_mel(exact, low), -70),
        atol=2e-5,
    )


def test_doubling_the_amplitude_adds_6_db():
    quiet, loud = (track_log_mel(gain * chirp(1.0)) for gain in (0.25, 0.5))
    audible = quiet > -60
    np.testing.assert_allclose((loud - quiet)[audible], 20 * np.log10(2), atol=1e-3)


def test_a_clip_does_not_depend_on_its_batch():
    quiet, loud = 1e-3 * chirp(1.0), chirp(1.0)[::-1].copy()
    alone = log_mel(tf.constant(quiet[None]))[0]
    beside = log_mel(tf.constant(np.stack([quiet, loud])))[0]
    np.testing.assert_allclose(alone, beside, atol=1e-5)


def test_in_the_graph_and_by_blocks_are_the_same():
    waveform = chirp(11.0)
    in_graph = tf.function(log_mel)(tf.constant(waveform[None]))[0]
    np.testing.assert_allclose(track_log_mel(waveform), in_graph, atol=1e-4)
