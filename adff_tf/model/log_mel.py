"""Waveform to log-mel: the front end of training, prediction and every exported artifact.

Contract (Section 3.2 of the paper; librosa is the reference):

    input     waveform `(batch, samples)` float32, full scale ±1, at `sample_rate_hz`
    output    log-mel `(batch, 1 + samples // hop_length, mels)` float32, dB
    window    periodic Hann of 60 ms, zero-padded to `n_fft`
    frames    centred on multiples of the hop of 10 ms; edges are padded by reflection
    mel       Slaney's filterbank on the power spectrum, 0 Hz to half the sample rate
    level     10 * log10(max(power, floor)) with no reference to the clip's maximum, so that
              loudness survives; digital silence is `floor_db` in every band

The DFT runs in float64 and the rest in float32. The log-mel equals
`librosa.feature.melspectrogram(n_fft=4096, win_length=2646, hop_length=441, n_mels=128,
pad_mode="reflect")` within 1e-3 dB where a cell is within 90 dB of its frame's maximum, and within
0.4 dB below. With a float32 DFT (`dft="float32"`, for devices without float64) the bounds are
5e-3 dB and 0.5 dB, and the DFT takes half the time.
"""

import functools

import numpy as np
import tensorflow as tf

from ..config import Frontend

BLOCK_FRAMES = 160  # of `track_log_mel`: bounds its memory, and one shape means one trace


def log_mel(
    waveform: tf.Tensor,
    frontend: Frontend = Frontend(),  # noqa: B008 - frozen
    dft: str = "float64",
) -> tf.Tensor:
    """Return the log-mel of waveforms, in the TensorFlow graph.

    A clip's values do not depend on the rest of its batch.

    Args:
        waveform: `(batch, samples)` float32, full scale ±1, at `frontend.sample_rate_hz`, longer
            than half a window.
        frontend: front-end settings.
        dft: dtype of the DFT, float64 or float32.

    Returns:
        `(batch, 1 + samples // hop_length, mels)` float32, dB.
    """
    edge = frontend.win_length // 2
    return _framed_log_mel(tf.pad(waveform, [[0, 0], [edge, edge]], mode="REFLECT"), frontend, dft)


def track_log_mel(
    waveform: np.ndarray,
    frontend: Frontend = Frontend(),  # noqa: B008 - frozen
) -> np.ndarray:
    """Return the log-mel of one recording of any length, computed block by block.

    Args:
        waveform: `(samples,)`, full scale ±1, at `frontend.sample_rate_hz`.
        frontend: front-end settings.

    Returns:
        `(1 + samples // hop_length, mels)` float32, dB.
    """
    window, hop = frontend.win_length, frontend.hop_length
    frames = 1 + len(waveform) // hop
    padded = np.pad(waveform.astype("float32", copy=False), window // 2, mode="reflect")
    samples = (BLOCK_FRAMES - 1) * hop + window
    blocks = []
    for start in range(0, frames, BLOCK_FRAMES):
        block = padded[start * hop : start * hop + samples]
        block = np.pad(block, (0, samples - len(block)))
        blocks.append(_block_log_mel(tf.constant(block[None]), frontend)[0].numpy())
    return np.concatenate(blocks)[:frames]


def _framed_log_mel(padded: tf.Tensor, frontend: Frontend, dft: str) -> tf.Tensor:
    """Return the log-mel of waveforms whose edges are padded already.

    A frame holds the window's 6 x 441 samples, and the DFT pads it with zeros: so `tf.signal.frame`
    needs no large gather indices. librosa centres the window in the DFT instead, with the same
    power spectrum.
    """
    frames = tf.signal.frame(padded, frontend.win_length, frontend.hop_length)
    windowed = tf.cast(frames, dft) * tf.cast(_hann(frontend.win_length), dft)
    spectrum = tf.signal.rfft(windowed, [frontend.n_fft])
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    mel = tf.matmul(tf.cast(power, tf.float32), _filterbank(frontend))
    return (10.0 / np.log(10.0)) * tf.math.log(tf.maximum(mel, 10 ** (frontend.floor_db / 10)))


@tf.function
def _block_log_mel(padded: tf.Tensor, frontend: Frontend) -> tf.Tensor:
    return _framed_log_mel(padded, frontend, "float64")


@functools.cache
def _hann(window: int) -> np.ndarray:
    """Return the periodic Hann window, `(window,)` float32, rounded once from float64."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype("float32")


@functools.cache
def _filterbank(frontend: Frontend) -> np.ndarray:
    """Return Slaney's mel filterbank, `(n_fft // 2 + 1, mels)` float32."""
    import librosa.filters  # here because the import takes a second

    return librosa.filters.mel(
        sr=frontend.sample_rate_hz, n_fft=frontend.n_fft, n_mels=frontend.mels
    ).T
