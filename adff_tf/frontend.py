"""Settings of the front end: from a waveform to the log-mel that a network takes."""

import math
from typing import Literal

import pydantic
from pydantic import Field

from .settings import Settings

POOLS = 5  # one per level; each halves time and mel
FEWEST_FRAMES = 2**POOLS  # of a part, and fewest mels: one is left after five pools
LATER = {"filterbank": "mel"}  # fields that earlier versions lack, and what those did
OCTAVE, LOWEST_HZ, TUNING_HZ = 24, 20.0, 440.0  # of the octave filterbank: bands, first, tuning


class Frontend(Settings):
    """Waveform to log-mel (Section 3.2: librosa, 44.1 kHz, 128 mels, window 60 ms, hop 10 ms)."""

    sample_rate_hz: int = Field(44100, ge=8000, le=192000)
    """Sample rate of the front end in Hz; recordings are resampled to this rate."""
    mels: int = Field(128, ge=FEWEST_FRAMES, le=512)
    """Number of bands."""
    filterbank: Literal["mel", "octave"] = "mel"
    """mel: bands of power from 0 Hz to half the sample rate (Slaney's scale and norm, the default
    of librosa). octave: bands of magnitude, 24 an octave from 20 Hz, tuned to A at 440 Hz, as MLEM;
    their number follows from sample rate and n_fft."""
    win_length_s: float = Field(0.060, gt=0, le=1)
    """Length of the Hann window of the STFT in seconds."""
    hop_length_s: float = Field(0.010, gt=0, le=1)
    """Step between frames of the STFT in seconds."""
    n_fft: int = Field(4096, ge=64)
    """Length of the DFT in samples. Not in the paper: with the next power of two over win_length,
    librosa, TensorFlow and TFLite give the same numbers."""
    floor_db: float = Field(-100.0, ge=-100, le=-20)
    """Floor of the log-mel in dB; quieter values are clipped to it. -100 is librosa's floor. The
    rounding of 16-bit files lies at -82 dB, with dither at -77: a floor of -70 or more hides it."""

    @property
    def win_length(self) -> int:
        """Length of the window in samples."""
        return round(self.win_length_s * self.sample_rate_hz)

    @property
    def hop_length(self) -> int:
        """Step between frames in samples."""
        return round(self.hop_length_s * self.sample_rate_hz)

    @property
    def octave_bins(self) -> tuple[int, ...]:
        """Bins of the DFT at the ends and centres of the octave filterbank's bands."""
        return octave_bins(self.sample_rate_hz, self.n_fft)

    @property
    def unstated(self) -> set[str]:
        """Fields that earlier versions lack, where the value is theirs: keys of files omit them."""
        return {name for name, value in LATER.items() if getattr(self, name) == value}

    def frames(self, seconds: float) -> int:
        """Return the frames of a segment of `seconds`: 100 a second at the paper's hop_length.

        Centring gives one frame more, which is dropped.
        """
        return round(seconds * self.sample_rate_hz / self.hop_length)

    @pydantic.model_validator(mode="after")
    def _check_lengths(self):
        for name, samples, fewest in (
            ("hop_length_s", self.hop_length, 1),
            ("win_length_s", self.win_length, 2),
        ):
            if samples < fewest:
                raise ValueError(
                    f"{name} {getattr(self, name):g} is {samples} samples at "
                    f"{self.sample_rate_hz} Hz; use {name} {fewest / self.sample_rate_hz:.2g} "
                    "or more"
                )
        if self.win_length > self.n_fft:
            raise ValueError(
                f"n_fft {self.n_fft} is shorter than the window of {self.win_length} samples; "
                f"use {2 ** (self.win_length - 1).bit_length()}"
            )
        if self.filterbank == "octave" and self.mels != (count := len(self.octave_bins) - 2):
            raise ValueError(
                f"the octave filterbank has {count} bands with n_fft {self.n_fft} at "
                f"{self.sample_rate_hz} Hz; give mels {count}"
            )
        return self


def octave_bins(rate_hz: int, n_fft: int) -> tuple[int, ...]:
    """Return the bins of a DFT that lie nearest to 24 frequencies an octave, each bin once.

    As in madmom, which MLEM's authors use: from 20 Hz to the last bin below half the rate.
    """
    first = math.ceil(OCTAVE * math.log2(LOWEST_HZ / TUNING_HZ))
    last = math.ceil(OCTAVE * math.log2(rate_hz / 2 / TUNING_HZ))
    frequencies = (TUNING_HZ * 2 ** (k / OCTAVE) for k in range(first, last + 1))
    bins = {min(round(hz * n_fft / rate_hz), n_fft // 2 - 1) for hz in frequencies}
    return tuple(sorted(bins))
