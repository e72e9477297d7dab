"""Changes of waveforms against levels and lengths computed by hand."""

import numpy as np
import pytest

from adff_tf import audio
from adff_tf.pretraining import augment

RATE_HZ = 16_000


def rms_db(x):
    return 20 * np.log10(np.sqrt(np.mean(np.square(x, dtype="float64"))))


def sine(hz, seconds=1.0):
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype("float32")


def test_speed_moves_length_and_pitch():
    faster = augment.change_speed(sine(1000), 1.1)
    assert abs(len(faster) - RATE_HZ / 1.1) <= 1
    spectrum = np.abs(np.fft.rfft(faster[: RATE_HZ // 2]))
    assert abs(spectrum.argmax() * 2 - 1100) <= 2


def test_the_second_recording_has_the_level_asked_for():
    first, second = sine(200), 0.01 * sine(3000)
    mixed = augment.add(first, second, -6.0)
    assert abs(rms_db(mixed - first) - (rms_db(first) - 6.0)) < 0.01
    assert (augment.add(first, np.zeros_like(first), -6.0) == first).all()


def test_loop_repeats_the_recording():
    looped = augment.loop(np.arange(5.0), 12, np.random.default_rng(0))
    assert len(looped) == 12 and (np.diff(looped) % 5 == 1).all()


def test_the_equaliser_has_the_gains_of_its_octaves():
    rng = np.random.default_rng(3)
    gains_db = np.random.default_rng(3).uniform(-augment.BAND_DB, augment.BAND_DB, 7)
    for hz, gain_db in ((1000, gains_db[4]), (2000, gains_db[5]), (4000, gains_db[6])):
        equalised = augment.equalise(sine(hz), RATE_HZ, np.random.default_rng(3))
        middle = slice(2000, 14_000)
        assert abs(rms_db(equalised[middle]) - rms_db(sine(hz)[middle]) - gain_db) < 0.5
    assert len(augment.equalise(sine(1000), RATE_HZ, rng)) == RATE_HZ


def test_noise_is_white_or_pink():
    slopes = set()
    for seed in range(12):
        power = np.abs(np.fft.rfft(augment.noise(2**16, np.random.default_rng(seed)))) ** 2
        octave = [10 * np.log10(power[k : 2 * k].mean()) for k in (2000, 4000, 8000)]
        slopes.add(round((octave[2] - octave[0]) / 2))
    assert slopes == {0, -3}  # dB an octave


def test_a_copy_follows_its_seed():
    x, second = sine(500, 4.0), lambda: sine(50, 0.1)
    first, again, other = (
        augment.augment(x, RATE_HZ, second, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.dtype == np.float32 and np.array_equal(first, again)
    assert len(first) != len(other)
    for seed in range(20):
        y = augment.augment(x, RATE_HZ, lambda: None, np.random.default_rng(seed))
        assert np.isfinite(y).all()
        assert len(x) / augment.MAX_SPEED - 1 <= len(y) <= len(x) * augment.MAX_SPEED + 1


@pytest.mark.parametrize("codec", augment.CODECS)
def test_a_codec_keeps_a_tone_and_its_length(codec):
    """Encoded at the lowest bit rate, decoded by the package's own loader."""
    tone = sine(1000, 3.0)
    decoded = audio.load(augment.encode(tone, RATE_HZ, codec, min(augment.BIT_RATES)), RATE_HZ)
    assert abs(len(decoded) - len(tone)) < 0.2 * RATE_HZ
    middle = decoded[RATE_HZ : 2 * RATE_HZ]
    assert abs(rms_db(middle) - rms_db(tone)) < 1
    assert np.abs(np.fft.rfft(middle)).argmax() == 1000
    assert not np.allclose(middle, tone[RATE_HZ : 2 * RATE_HZ], atol=1e-4)
