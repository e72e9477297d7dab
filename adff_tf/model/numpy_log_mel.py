"""The log-mel of `log_mel.py` in NumPy: for the feature store, and for LiteRT without TensorFlow.

`log_mel.log_mel` states the contract. Its bounds against librosa hold here too: the DFT runs in
float64 and the rest in float32. The DFT takes most of the time; the other steps pass the memory
once:

- Frames are views of the waveform. The window writes them into a buffer of zeros.
- The squares of real and imaginary parts stay side by side, and the filterbank has each row twice:
  the product adds the two squares.
- The product takes a few bands at once, and of the bins those in which these bands have a weight.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import numpy as np

if TYPE_CHECKING:
    from ..config import Frontend  # its import would take a third of the time to a first answer

BLOCK = 2**17  # values of the frames in one DFT: their spectra stay in a core's cache
GROUP = 8  # bands of one product: small enough that the BLAS takes one thread for it


@dataclass(frozen=True)
class PlainFrontend:
    """The attributes of `config.Frontend` that decide the log-mel, without pydantic."""

    sample_rate_hz: int
    mels: int
    win_length: int
    hop_length: int
    n_fft: int
    floor_db: float
    filterbank: str

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "PlainFrontend":
        """Return the front end of settings as `config.Frontend` dumps them."""
        rate_hz = settings["sample_rate_hz"]
        win_length, hop_length = (
            round(settings[name] * rate_hz) for name in ("win_length_s", "hop_length_s")
        )
        return cls(
            rate_hz, settings["mels"], win_length, hop_length, settings["n_fft"],
            settings["floor_db"], settings.get("filterbank", "mel"),
        )  # fmt: skip


AnyFrontend = Union["Frontend", PlainFrontend]


def track_log_mel(waveform: np.ndarray, frontend: AnyFrontend) -> np.ndarray:
    """Return the log-mel of one recording of any length, on one core.

    Args:
        waveform: `(samples,)`, full scale ±1, at `frontend.sample_rate_hz`.
        frontend: front-end settings.

    Returns:
        `(1 + samples // hop_length, mels)` float32, dB.
    """
    frames = cut_frames(waveform, frontend)
    mel = np.empty((len(frames), frontend.mels), "float32")
    buffer = np.zeros((max(1, BLOCK // frontend.n_fft), frontend.n_fft))
    for start in range(0, len(frames), len(buffer)):
        rows = slice(start, start + len(buffer))
        power_in_bands(frames[rows], frontend, buffer, mel[rows])
    return to_db(mel, frontend)


def cut_frames(waveform: np.ndarray, frontend: AnyFrontend) -> np.ndarray:
    """Return the frames of a waveform as views, `(1 + samples // hop_length, win_length)` float32.

    The edges are padded by reflection.
    """
    window, hop = frontend.win_length, frontend.hop_length
    padded = np.pad(waveform.astype("float32", copy=False), window // 2, mode="reflect")
    padded = np.pad(padded, (0, window % 2))  # the centre of an odd window is a sample
    return np.lib.stride_tricks.sliding_window_view(padded, window)[: len(waveform) + 1 : hop]


def power_in_bands(
    frames: np.ndarray, frontend: AnyFrontend, buffer: np.ndarray, out: np.ndarray
) -> None:
    """Write the power, or magnitude, in each band of a block of frames, with the DFT in float64.

    Args:
        frames: `(frames, win_length)` float32.
        frontend: front-end settings.
        buffer: `(frames or more, n_fft)` float64, zero where the window does not reach.
        out: `(frames, mels)` float32.
    """
    windowed = buffer[: len(frames)]
    np.multiply(frames, _hann64(frontend.win_length), out=windowed[:, : frontend.win_length])
    parts = np.fft.rfft(windowed).view("float64")
    np.square(parts, out=parts)
    if frontend.filterbank == "octave":
        magnitude = np.sqrt(parts[:, ::2] + parts[:, 1::2]).astype("float32")
        np.matmul(magnitude, filterbank(frontend), out=out)
    else:
        _groups(frontend).multiply(parts.astype("float32"), out)


def to_db(mel: np.ndarray, frontend: AnyFrontend) -> np.ndarray:
    """Turn power, or magnitude, into dB above the floor, in place, and return it."""
    scale = decibels(frontend)
    np.maximum(mel, np.float32(10 ** (frontend.floor_db / scale)), out=mel)
    np.log(mel, out=mel)
    mel *= np.float32(scale / np.log(10))
    return mel


def decibels(frontend: AnyFrontend) -> int:
    """Return the dB of a factor of ten in the filterbank's output: 10 of power, 20 of magnitude."""
    return 20 if frontend.filterbank == "octave" else 10


class BandGroups:
    """A filterbank cut into groups of neighbouring bands."""

    def __init__(self, filterbank: np.ndarray):
        """filterbank: `(bins, bands)` float32."""
        self._groups = []  # bands, columns of the squares, weights of each group
        for first in range(0, filterbank.shape[1], GROUP):
            bands = slice(first, first + GROUP)
            used = np.flatnonzero(filterbank[:, bands].any(axis=1))
            low, high = (used[0], used[-1] + 1) if len(used) else (0, 1)
            weights = np.repeat(filterbank[low:high, bands], 2, axis=0)
            self._groups.append((bands, slice(2 * low, 2 * high), weights))

    def multiply(self, squares: np.ndarray, out: np.ndarray) -> None:
        """Write the power in each band.

        Args:
            squares: `(frames, 2 bins)` float32: re², im² of each bin.
            out: `(frames, bands)` float32.
        """
        for bands, columns, weights in self._groups:
            np.matmul(squares[:, columns], weights, out=out[:, bands])


@functools.cache
def hann(window: int) -> np.ndarray:
    """Return the periodic Hann window, `(window,)` float32, rounded once from float64."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype("float32")


@functools.cache
def filterbank(frontend: AnyFrontend) -> np.ndarray:
    """Return the front end's filterbank, `(n_fft // 2 + 1, mels)` float32.

    Slaney's is librosa's to the bit: triangles between neighbours on Slaney's scale, of equal area.
    The scale is linear to 1000 Hz, and has 27 steps to 6400 Hz and on.
    """
    if frontend.filterbank == "octave":
        return _octave_filterbank(frontend)
    hz_a_mel, knee_hz, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    knee, top_hz = knee_hz / hz_a_mel, frontend.sample_rate_hz / 2
    top = knee + np.log(top_hz / knee_hz) / log_step  # at 8 kHz and more
    mels = np.linspace(0, top, frontend.mels + 2)
    edges_hz = np.where(mels < knee, hz_a_mel * mels, knee_hz * np.exp(log_step * (mels - knee)))
    bins_hz = np.fft.rfftfreq(frontend.n_fft, 1 / frontend.sample_rate_hz)[:, None]
    widths = np.diff(edges_hz)
    rising = (bins_hz - edges_hz[:-2]) / widths[:-1]
    falling = (edges_hz[2:] - bins_hz) / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype("float32")
    return (triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))).astype("float32")


def _octave_filterbank(frontend: AnyFrontend) -> np.ndarray:
    """Return triangles between neighbours of `octave_bins`; the weights of each sum to 1."""
    from ..frontend import octave_bins  # here because of pydantic, as above

    bins = np.array(octave_bins(frontend.sample_rate_hz, frontend.n_fft))
    at = np.arange(frontend.n_fft // 2 + 1)[:, None]
    low, centre, high = bins[:-2], bins[1:-1], bins[2:]
    triangles = np.minimum((at - low) / (centre - low), (high - at) / (high - centre))
    triangles = np.maximum(0, triangles)
    return (triangles / triangles.sum(axis=0)).astype("float32")


@functools.cache
def _hann64(window: int) -> np.ndarray:
    return hann(window).astype("float64")


@functools.cache
def _groups(frontend: AnyFrontend) -> BandGroups:
    return BandGroups(filterbank(frontend))
