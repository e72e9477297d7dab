"""Random changes of a recording's waveform, before teacher and student see it.

The teacher labels anything, so a changed recording is a new one. A waveform is `(samples,)`
float32, full scale ±1. All random numbers come from the generator that is given.
"""

import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import soxr
from scipy import signal

from .. import audio

MAX_SPEED = 1.15  # of the recording's, tempo and pitch together; 1 / MAX_SPEED at least
GAIN_DB = (-12.0, 6.0)
BAND_DB = 9.0  # of each band of the equaliser, up or down
EQUALISED, MIXED, NOISY, CODED = 0.7, 0.3, 0.3, 0.3  # share of the copies
MIX_DB = (-18.0, -3.0)  # level of the second recording below the first
NOISE_DB = (-45.0, -15.0)  # likewise
TAPS = 511  # of the filters
CODECS = {  # encoder of FFmpeg: its container and sample rate
    "libmp3lame": ("mp3", 44_100),
    "aac": ("mp4", 44_100),
    "libopus": ("ogg", 48_000),
}
BIT_RATES = (32_000, 48_000, 64_000, 96_000, 128_000)  # bits a second, mono

Waveform = np.ndarray


def augment(
    waveform: Waveform,
    rate_hz: int,
    second: Callable[[], Waveform | None],
    rng: np.random.Generator,
) -> Waveform:
    """Return a changed copy of a recording.

    Args:
        waveform: `(samples,)`, at least one.
        rate_hz: its sample rate.
        second: returns another recording to mix in, or None where there is none; called only where
            it is needed.
        rng: random numbers.

    Returns:
        The copy; its length follows its speed.
    """
    y = change_speed(waveform, MAX_SPEED ** rng.uniform(-1, 1))
    if rng.random() < MIXED and (other := second()) is not None:
        y = add(y, loop(other, len(y), rng), rng.uniform(*MIX_DB))
    if rng.random() < EQUALISED:
        y = equalise(y, rate_hz, rng)
    if rng.random() < NOISY:
        y = add(y, noise(len(y), rng), rng.uniform(*NOISE_DB))
    y = (y * 10 ** (rng.uniform(*GAIN_DB) / 20)).astype("float32")
    if rng.random() < CODED:
        y = audio.load(encode(y, rate_hz, rng.choice(list(CODECS)), rng.choice(BIT_RATES)), rate_hz)
    return y


def change_speed(waveform: Waveform, speed: float) -> Waveform:
    """Return the recording played faster, `(round(samples / speed),)` or one sample off."""
    return soxr.resample(waveform, 48_000 * speed, 48_000)


def loop(waveform: Waveform, samples: int, rng: np.random.Generator) -> Waveform:
    """Return a recording from a random position on, repeated to a length."""
    start = int(rng.integers(len(waveform)))
    return np.resize(np.roll(waveform, -start), samples)


def add(waveform: Waveform, other: Waveform, level_db: float) -> Waveform:
    """Return the sum; `other` is scaled to `level_db` relative to the waveform's RMS."""
    other_rms = _rms(other)
    if not other_rms:
        return waveform
    return waveform + other * (_rms(waveform) / other_rms * 10 ** (level_db / 20))


def equalise(waveform: Waveform, rate_hz: int, rng: np.random.Generator) -> Waveform:
    """Return the waveform through an octave equaliser with random gains, of linear phase."""
    octaves = 62.5 * 2.0 ** np.arange(np.floor(np.log2(rate_hz / 2 / 62.5)))
    gains_db = rng.uniform(-BAND_DB, BAND_DB, len(octaves))
    hz = [0.0, *octaves, rate_hz / 2]
    db = [gains_db[0], *gains_db, gains_db[-1]]
    taps = signal.firwin2(TAPS, hz, 10 ** (np.array(db) / 20), fs=rate_hz)
    return signal.oaconvolve(waveform, taps, mode="same").astype("float32")


def noise(samples: int, rng: np.random.Generator) -> Waveform:
    """Return white or pink noise."""
    white = rng.standard_normal(samples, dtype="float32")
    if rng.random() < 0.5:
        return white
    shares = np.linspace(0, 1, TAPS)  # of the Nyquist frequency
    taps = signal.firwin2(TAPS, shares, np.maximum(shares, 0.005) ** -0.5)
    return signal.oaconvolve(white, taps, mode="same").astype("float32")


def encode(waveform: Waveform, rate_hz: int, codec: str, bit_rate: int) -> bytes:
    """Return a recording as the content of a file, by one of CODECS."""
    container, codec_rate_hz = CODECS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(str(codec), rate=codec_rate_hz)
        stream.layout, stream.bit_rate = "mono", int(bit_rate)
        frame = av.AudioFrame.from_ndarray(
            waveform[None].astype("float32"), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = rate_hz, 0
        resampler = av.AudioResampler(
            stream.format, "mono", codec_rate_hz, frame_size=stream.frame_size or 0
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()


def _rms(waveform: Waveform) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype="float64"))))
