"""Waveform to log-mel, and log-mel to stacked segments: the front end of training, prediction and every exported artifact.

Conventions (Section 3.2 of the paper; librosa is the reference): a Hann window of 60 ms zero-padded to `n_fft`, a hop of 10 ms,
frames centred on multiples of the hop with reflected edges, Slaney's mel filterbank, and 10 * log10(max(power, 1e-10)) in dB, with
no reference to the clip's own maximum, so that loudness survives. Digital silence is -100 dB in every band; `floor_db` raises that.

The DFT runs in float64 and everything else in float32: equal to `librosa.feature.melspectrogram(n_fft=4096, win_length=2646,
hop_length=441, n_mels=128, pad_mode="reflect")` within 1e-3 dB where a cell is within 90 dB of its frame's maximum, and within
0.4 dB below that. A float32 DFT (`dft="float32"`, for devices that have no other) takes half the DFT's time and is off by
up to 5e-3 dB
within 90 dB of the maximum, and 0.5 dB below.
"""

import functools

import numpy as np
import tensorflow as tf

from ..config import Frontend
from .layers import cut_and_stack

__all__ = ["cut_and_stack", "log_mel", "track_log_mel"]

BLOCK = (
    160  # frames computed at once by `track_log_mel`: bounds memory, and one shape means one trace
)


def log_mel(
    waveform: tf.Tensor, frontend: Frontend = Frontend(), dft: str = "float64"
) -> tf.Tensor:
    """Log-mel of waveforms, in the TensorFlow graph.

    waveform: `(batch, samples)` float32, full scale ±1, at `frontend.sample_rate_hz`, longer than half a window.
    Returns `(batch, 1 + samples // hop, mels)` float32, dB. A clip's values do not depend on the rest of its batch.
    """
    edge = frontend.win_length // 2
    return _framed_log_mel(tf.pad(waveform, [[0, 0], [edge, edge]], mode="REFLECT"), frontend, dft)


def track_log_mel(waveform: np.ndarray, frontend: Frontend = Frontend()) -> np.ndarray:  # noqa: B008 - frozen
    """`log_mel` of one recording of any length, block by block: `(samples,)` to `(1 + samples // hop, mels)` float32, dB."""
    edge, hop, frames = (
        frontend.win_length // 2,
        frontend.hop_length,
        1 + len(waveform) // frontend.hop_length,
    )
    padded = np.pad(waveform.astype("float32", copy=False), edge, mode="reflect")
    samples = (BLOCK - 1) * hop + frontend.win_length
    blocks = []
    for start in range(0, frames, BLOCK):
        block = padded[start * hop : start * hop + samples]
        block = np.pad(block, (0, samples - len(block)))
        blocks.append(_block_log_mel(tf.constant(block[None]), frontend)[0].numpy())
    return np.concatenate(blocks)[:frames]


def _framed_log_mel(padded: tf.Tensor, frontend: Frontend, dft: str) -> tf.Tensor:
    """Log-mel of waveforms whose edges are padded already; each frame uses its own `window` samples alone.

    Framing at the window's 6 x 441 samples, and zero-padding in the DFT, keeps `tf.signal.frame` free of large gather indices.
    A zero-padded window has the same power spectrum wherever it stands in the DFT, so librosa's centring of it is left out.
    """
    frames = tf.signal.frame(padded, frontend.win_length, frontend.hop_length)
    spectrum = tf.signal.rfft(
        tf.cast(frames, dft) * tf.cast(_hann(frontend.win_length), dft), [frontend.n_fft]
    )
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    mel = tf.matmul(tf.cast(power, tf.float32), _filterbank(frontend))
    return (10.0 / np.log(10.0)) * tf.math.log(tf.maximum(mel, 10 ** (frontend.floor_db / 10)))


@tf.function
def _block_log_mel(padded: tf.Tensor, frontend: Frontend) -> tf.Tensor:
    return _framed_log_mel(padded, frontend, "float64")


@functools.cache
def _hann(window: int) -> np.ndarray:
    """Periodic Hann window, `(window,)` float32, rounded once from float64 (as scipy's and librosa's)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype("float32")


@functools.cache
def _filterbank(frontend: Frontend) -> np.ndarray:
    """Slaney's mel filterbank, `(n_fft // 2 + 1, mels)` float32."""
    import librosa.filters  # here, because the import alone takes a second

    return librosa.filters.mel(
        sr=frontend.sample_rate_hz, n_fft=frontend.n_fft, n_mels=frontend.mels
    ).T
