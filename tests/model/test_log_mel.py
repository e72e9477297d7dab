"""The front end against librosa, and NumPy's against TensorFlow's."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from adff_tf import audio, presets
from adff_tf.config import Frontend
from adff_tf.model.log_mel import log_mel
from adff_tf.model.numpy_log_mel import PlainFrontend, filterbank, track_log_mel

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
    expected, ours = by_librosa(waveform), track_log_mel(waveform, FRONTEND)
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
    quiet, loud = (track_log_mel(gain * chirp(1.0), FRONTEND) for gain in (0.25, 0.5))
    audible = quiet > -60
    np.testing.assert_allclose((loud - quiet)[audible], 20 * np.log10(2), atol=1e-3)


def test_a_clip_does_not_depend_on_its_batch():
    quiet, loud = 1e-3 * chirp(1.0), chirp(1.0)[::-1].copy()
    alone = log_mel(tf.constant(quiet[None]))[0]
    beside = log_mel(tf.constant(np.stack([quiet, loud])))[0]
    np.testing.assert_allclose(alone, beside, atol=1e-5)


def by_tensorflow(waveform: np.ndarray, frontend: Frontend) -> np.ndarray:
    return tf.function(log_mel)(tf.constant(waveform[None]), frontend)[0].numpy()


def sounds(rate_hz: int) -> dict[str, np.ndarray]:
    """Return noise, tones, silence and full scale, 3 s each and a little more."""
    t, rng = np.arange(3 * rate_hz + 17) / rate_hz, np.random.default_rng(0)
    noise = rng.normal(0, 0.1, len(t))
    found = {
        "noise": noise,
        "tone": 0.3 * np.sin(2 * np.pi * 440 * t),
        "full-scale tone": np.sin(2 * np.pi * 3001 * t),
        "sweep": 0.5 * np.sin(2 * np.pi * (100 * t + rate_hz / 20 * t**2)),
        "full-scale noise": np.sign(noise),
        "impulses": (np.arange(len(t)) % 5000 == 0).astype(float),
        "quiet noise": 1e-4 * noise,
        "silence": np.zeros(len(t)),
        "silence, then noise": noise * (t > 1.5),
        "a constant": np.full(len(t), 0.5),
    }
    return {name: sound.astype("float32") for name, sound in found.items()}


FRONTENDS = {
    "paper": FRONTEND,
    "shipped": Frontend(sample_rate_hz=16000, n_fft=1024, floor_db=-70.0),
    "odd window": Frontend(sample_rate_hz=22050, n_fft=2048, mels=96),
    "no padding": Frontend(sample_rate_hz=8000, n_fft=512, mels=40, win_length_s=0.064),
    "octave": presets.mlem().frontend,
}


@pytest.mark.parametrize("name", FRONTENDS)
def test_numpys_equals_tensorflows(name):
    frontend = FRONTENDS[name]
    for sound, waveform in sounds(frontend.sample_rate_hz).items():
        expected, ours = by_tensorflow(waveform, frontend), track_log_mel(waveform, frontend)
        assert ours.dtype == np.float32
        near = expected > expected.max(axis=1, keepdims=True) - 90
        difference = np.abs(ours[: len(expected)] - expected)  # see the test of odd windows
        assert difference[near].max() <= 1e-4 and difference.max() <= 0.05, sound


@needs_real_data
@pytest.mark.parametrize("song", [108, 372, 634, 683])
def test_numpys_equals_tensorflows_on_music(song):
    waveform = audio.load(real_data("pmemo", "chorus", f"{song}.mp3"), RATE)
    expected = by_tensorflow(waveform, FRONTEND)
    np.testing.assert_allclose(track_log_mel(waveform, FRONTEND), expected, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in FRONTENDS if name != "octave"])
def test_the_filterbank_is_librosas_to_the_bit(name):
    frontend = FRONTENDS[name]
    expected = librosa.filters.mel(
        sr=frontend.sample_rate_hz, n_fft=frontend.n_fft, n_mels=frontend.mels
    ).T
    np.testing.assert_array_equal(filterbank(frontend), expected)


@pytest.mark.parametrize("name", FRONTENDS)
def test_the_plain_front_end_has_the_settings(name):
    frontend = FRONTENDS[name]
    plain = PlainFrontend.of(frontend.model_dump(mode="json"))
    for field in PlainFrontend.__dataclass_fields__:
        assert getattr(plain, field) == getattr(frontend, field)


def test_the_octave_filterbank_is_mlems():
    """149 bands; the weights of each rise and fall in equal steps, and sum to 1."""
    frontend = FRONTENDS["octave"]
    bank, bins = filterbank(frontend), np.array(frontend.octave_bins)
    assert bank.shape == (1025, 149) and frontend.frames(40) == 1253
    np.testing.assert_allclose(bank.sum(axis=0), 1, atol=1e-6)
    assert bins[0] == round(20.6 * 2048 / 22050) and bins[-1] == 1023
    k = list(bins).index(327) - 1  # A at 3520 Hz; its neighbours at 3420 and 3623 Hz
    assert (bins[k], bins[k + 2]) == (318, 337)
    rises, falls = np.arange(10) / 9, np.arange(9, -1, -1) / 10
    np.testing.assert_allclose(bank[318:338, k], [*(rises / 9.5), *(falls / 9.5)], atol=1e-6)


def test_the_octave_levels_are_of_magnitude():
    """A full-scale sine on a bin: the Hann window gives it N/4, and half of that beside it."""
    frontend = FRONTENDS["octave"]
    k = 100
    tone = np.sin(2 * np.pi * k * np.arange(22050) / 2048).astype("float32")
    magnitude = np.zeros(1025)
    magnitude[[k - 1, k, k + 1]] = 256, 512, 256
    expected = magnitude @ filterbank(frontend)
    found = track_log_mel(tone, frontend)[15]
    heard = expected > 1
    assert heard.sum() >= 2
    np.testing.assert_allclose(found[heard], 20 * np.log10(expected[heard]), atol=0.01)


def test_another_number_of_octave_bands_is_refused():
    with pytest.raises(
        ValueError, match=r"has 149 bands with n_fft 2048 at 22050 Hz; give mels 149"
    ):
        Frontend(sample_rate_hz=22050, n_fft=2048, filterbank="octave")


def test_every_whole_hop_has_a_frame():
    """An odd window of 1323 samples: its last centre is the last sample."""
    frontend = FRONTENDS["odd window"]
    assert frontend.win_length % 2 and frontend.hop_length == 220
    for samples in (2199, 2200, 2201):
        assert len(track_log_mel(np.ones(samples, "float32"), frontend)) == 1 + samples // 220
