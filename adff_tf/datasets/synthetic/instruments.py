"""The sounds of the synthetic set: pitched notes, drums, and the last stage of the mix.

Waveforms are mono float32, `(samples,)`. A pitched note is a pair of wavetables, one period each,
built from harmonic amplitudes and band-limited for the pitch: a bright wavetable that decays
quickly and a darker wavetable that lasts. Bells, marimba and electric piano use two-operator
frequency modulation (Chowning 1973). The caller passes the `numpy` generator of all random
numbers, so the same generator state gives the same sound.
"""

import dataclasses

import numpy as np
import scipy.fft

TABLE = 8192  # samples of a period; without interpolation the error is 70 dB down
NOTE_S = 2.0  # the longest note


@dataclasses.dataclass(frozen=True)
class Timbre:
    """The parameters of an instrument's sound.

    Attributes:
        slope: fall of the harmonics in dB an octave.
        even: level of the even harmonics relative to the odd harmonics.
        attack_s: rise time in seconds.
        decay_s: time in seconds in which the level falls by 8.7 dB; long for sustained sounds.
        stroke: level of the noise of hammer, plectrum or breath at the start.
        fm: modulation index at the start; 0 selects wavetables.
        ratio: modulator frequency over carrier frequency.
    """

    slope: float
    even: float
    attack_s: float
    decay_s: float
    stroke: float
    fm: float = 0.0
    ratio: float = 1.0


PIANO = Timbre(slope=9, even=0.9, attack_s=0.004, decay_s=0.7, stroke=0.3)
GUITAR = Timbre(slope=7, even=1.0, attack_s=0.002, decay_s=0.5, stroke=0.4)
ORGAN = Timbre(slope=8, even=1.0, attack_s=0.012, decay_s=30.0, stroke=0.25)
STRINGS = Timbre(slope=6, even=1.0, attack_s=0.025, decay_s=8.0, stroke=0.3)
BRASS = Timbre(slope=5, even=1.0, attack_s=0.02, decay_s=4.0, stroke=0.3)
CLARINET = Timbre(slope=6, even=0.15, attack_s=0.02, decay_s=6.0, stroke=0.25)
FLUTE = Timbre(slope=14, even=0.8, attack_s=0.02, decay_s=6.0, stroke=0.4)
ELECTRIC_PIANO = Timbre(
    slope=0, even=1.0, attack_s=0.003, decay_s=0.8, stroke=0.25, fm=2.2, ratio=1.0
)
MARIMBA = Timbre(slope=0, even=1.0, attack_s=0.001, decay_s=0.25, stroke=0.4, fm=1.0, ratio=4.0)
BELL = Timbre(slope=0, even=1.0, attack_s=0.001, decay_s=0.9, stroke=0.3, fm=1.6, ratio=2.0)
PLUCKED_BASS = Timbre(slope=10, even=0.9, attack_s=0.004, decay_s=0.5, stroke=0.3)
SYNTH_BASS = Timbre(slope=7, even=0.7, attack_s=0.008, decay_s=3.0, stroke=0.2)

CHORD_TIMBRES = (PIANO, GUITAR, ORGAN, STRINGS, BRASS, ELECTRIC_PIANO)
MELODY_TIMBRES = (PIANO, GUITAR, BRASS, CLARINET, FLUTE, MARIMBA, BELL, STRINGS)
BASS_TIMBRES = (PLUCKED_BASS, SYNTH_BASS)


def vary(timbre: Timbre, rng: np.random.Generator) -> Timbre:
    """Draw another instrument of the same kind."""
    return dataclasses.replace(
        timbre,
        slope=timbre.slope + rng.uniform(-1.5, 1.5),
        attack_s=timbre.attack_s * 2 ** rng.uniform(-0.7, 0.7),
        decay_s=timbre.decay_s * 2 ** rng.uniform(-0.7, 0.7),
        stroke=timbre.stroke * 2 ** rng.uniform(-0.7, 0.7),
        fm=timbre.fm * 2 ** rng.uniform(-0.5, 0.5),
    )


class Instrument:
    """Notes of one timbre at one sampling rate; each pitch is computed once.

    Args:
        timbre: parameters of the sound.
        sample_rate_hz: sampling rate.
        detune_cents: distance between the two strings of each note, which beat when it is not 0.
        rng: draws the phases of the harmonics and the noise of the stroke.
    """

    def __init__(
        self, timbre: Timbre, sample_rate_hz: int, detune_cents: float, rng: np.random.Generator
    ):
        self.timbre, self.sample_rate_hz, self.detune_cents = timbre, sample_rate_hz, detune_cents
        samples = int(NOTE_S * sample_rate_hz)
        t = np.arange(samples, dtype=np.float32) / sample_rate_hz
        self._phases = rng.uniform(0, 2 * np.pi, TABLE // 2)
        self._count = np.arange(samples)
        self._envelope = np.minimum(1, t / timbre.attack_s) * np.exp(-t / timbre.decay_s)
        self._flare = np.exp(-t / (0.25 * min(timbre.decay_s, 1.0)))
        self._stroke = timbre.stroke * np.exp(-t / 0.008) * rng.standard_normal(samples, np.float32)
        self._made: dict[int, np.ndarray] = {}

    def note(self, midi: int) -> np.ndarray:
        """Return the note at full length, `(samples,)` float32, about -12 dB RMS at its start.

        midi: pitch; 69 is A4, 440 Hz.
        """
        if midi not in self._made:
            string = self._modulated if self.timbre.fm else self._harmonic
            frequency = 440 * 2 ** ((midi - 69) / 12)
            apart = 2 ** (self.detune_cents / 2400)
            body = (
                string(frequency)
                if apart == 1
                else 0.7 * (string(frequency / apart) + string(frequency * apart))
            )
            self._made[midi] = (0.35 * (body * self._envelope + self._stroke)).astype(np.float32)
        return self._made[midi]

    def _harmonic(self, frequency: float) -> np.ndarray:
        step = frequency / self.sample_rate_hz * TABLE
        at = (self._count * step).astype(np.int64) & (TABLE - 1)
        dark = self._table(frequency, self.timbre.slope + 5)
        bright = self._table(frequency, self.timbre.slope)
        return dark[at] + self._flare * bright[at]

    def _table(self, frequency: float, slope: float) -> np.ndarray:
        """Return one period, `(TABLE,)`, unit RMS, no harmonic above 0.45 of the sampling rate."""
        harmonics = np.arange(1, min(TABLE // 2, int(0.45 * self.sample_rate_hz / frequency)) + 1)
        amplitude = 10 ** (-slope * np.log2(harmonics) / 20) * np.where(
            harmonics % 2, 1.0, self.timbre.even
        )
        spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
        spectrum[harmonics] = amplitude * np.exp(1j * self._phases[harmonics - 1])
        table = scipy.fft.irfft(spectrum)
        return (table / np.sqrt(np.mean(table**2))).astype(np.float32)

    def _modulated(self, frequency: float) -> np.ndarray:
        turns = self._count * (frequency / self.sample_rate_hz)
        # Whole periods are removed before the cast: float32 has too few digits for a long note.
        carrier, modulator = (
            (2 * np.pi * (phase - np.floor(phase))).astype(np.float32)
            for phase in (turns, turns * self.timbre.ratio)
        )
        # High notes have a lower index, else their sidebands would pass half the sampling rate.
        index = self.timbre.fm * min(1, 1500 / frequency)
        return 1.4 * np.sin(carrier + index * self._flare * np.sin(modulator))


def make_drums(sample_rate_hz: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return `kick`, `snare` and `hat`, each `(samples,)` float32."""
    t = np.arange(int(0.35 * sample_rate_hz), dtype=np.float32) / sample_rate_hz
    low, drop, body = rng.uniform(42, 60), rng.uniform(60, 160), rng.uniform(150, 230)
    noise = rng.standard_normal(len(t)).astype(np.float32)
    hiss = np.diff(noise, prepend=np.float32(0))  # a first difference: +6 dB an octave
    kick = np.sin(2 * np.pi * (low * t + drop * 0.03 * (1 - np.exp(-t / 0.03)))) * np.exp(
        -t / rng.uniform(0.07, 0.14)
    )
    snare = 0.5 * np.sin(2 * np.pi * body * t) * np.exp(-t / 0.06) + 0.35 * noise * np.exp(
        -t / rng.uniform(0.04, 0.1)
    )
    hat = 0.25 * np.diff(hiss, prepend=np.float32(0)) * np.exp(-t / rng.uniform(0.012, 0.05))
    return {
        "kick": kick.astype(np.float32),
        "snare": snare.astype(np.float32),
        "hat": hat.astype(np.float32),
    }


def master(
    mix: np.ndarray,
    sample_rate_hz: int,
    tilt_db_per_octave: float,
    loudness_db: float,
    rng: np.random.Generator,
    parts: dict[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the finished clip: reverberation, equaliser, spectral tilt, noise floor, limiter.

    Args:
        mix: `(samples,)` float32.
        sample_rate_hz: its sampling rate.
        tilt_db_per_octave: slope added to the spectrum about 1 kHz, from 80 Hz to 12 kHz.
        loudness_db: RMS of the result in dB below full scale.
        rng: draws the room, the equaliser's three bumps and treble shelf, and the noise floor.
        parts: by name, `(samples,)` each, whose sum is the mix.

    Returns:
        `(samples,)` float32 within ±1, RMS within 0.1 dB of `loudness_db`; and the parts with the
        same room, equaliser and gain, without noise floor and limiter.
    """
    tail = int(rng.uniform(0.15, 0.4) * sample_rate_hz)
    size = scipy.fft.next_fast_len(len(mix) + tail, real=True)
    spectrum = scipy.fft.rfft(mix, size)
    frequency = scipy.fft.rfftfreq(size, 1 / sample_rate_hz).astype(np.float32)
    octaves = np.log2(np.clip(frequency, 80, 12000) / np.float32(1000))
    gain_db = tilt_db_per_octave * octaves
    for centre, width, db in zip(
        rng.uniform(-3, 3.3, 3), rng.uniform(0.3, 0.8, 3), rng.uniform(-4, 4, 3), strict=True
    ):
        gain_db += np.float32(db) * np.exp(
            -(((octaves - np.float32(centre)) / np.float32(width)) ** 2)
        )
    # Microphones and tape differ most in the treble: with this shelf no treble band alone gives the
    # brightness of the playing.
    corner_hz = np.float32(3000 * (8 / 3) ** rng.random())
    gain_db += np.float32(rng.uniform(-5, 5)) / (1 + (corner_hz / np.maximum(frequency, 1)) ** 4)
    transfer = 10 ** (gain_db / 20) * scipy.fft.rfft(_room(tail, rng), size)
    spectrum *= transfer
    wet = scipy.fft.irfft(spectrum, size)[: len(mix)]
    level = np.sqrt(np.mean(wet**2))
    wet /= level
    wet += np.float32(10 ** (rng.uniform(-65, -50) / 20)) * rng.standard_normal(
        len(mix), np.float32
    )
    finished, gain = _limit(wet, loudness_db)
    wet_parts = {}
    for name, part in (parts or {}).items():
        played = scipy.fft.irfft(scipy.fft.rfft(part, size) * transfer, size)[: len(mix)]
        wet_parts[name] = (played * (gain / level)).astype(np.float32)
    return finished, wet_parts


def _room(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an impulse response: the direct sound, then noise that decays by 60 dB to its end."""
    response = rng.standard_normal(samples, np.float32) * np.exp(
        np.linspace(0, -6.9, samples, dtype=np.float32)
    )
    response *= np.float32(rng.uniform(0.05, 0.25)) / np.sqrt(np.sum(response**2))
    response[0] = 1
    return response


def _limit(wave: np.ndarray, loudness_db: float, crest: float = 4.5) -> tuple[np.ndarray, float]:
    """Round off the peaks of `wave` (unit RMS) at `crest` times its RMS; set RMS to the level.

    Returns the clip, and the gain behind the rounding.
    """
    rounded = np.float32(crest) * np.tanh(wave / np.float32(crest))
    gain = np.float32(10 ** (loudness_db / 20) / np.sqrt(np.mean(rounded**2)))
    return rounded * gain, float(gain)
