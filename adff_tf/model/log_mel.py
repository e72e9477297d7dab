"""Waveform to log-mel in TensorFlow: the front end of every exported artifact, and the reference.

`numpy_log_mel.py` computes the same for the feature store and for LiteRT.

Contract (Section 3.2 of the paper; librosa is the reference):

    input     waveform `(batch, samples)` float32, full scale ±1, at `sample_rate_hz`
    output    log-mel `(batch, 1 + samples // hop_length, mels)` float32, dB
    window    periodic Hann of 60 ms, zero-padded to `n_fft`
    frames    centred on multiples of the hop of 10 ms; edges are padded by reflection
    mel       Slaney's filterbank on the power spectrum, 0 Hz to half the sample rate
    level     10 * log10(max(power, floor)) with no reference to the clip's maximum, so that
              loudness survives; digital silence is `floor_db` in every band

With `filterbank` octave the bands are of magnitude, see `config.Frontend`, and the level is
20 * log10(max(magnitude, floor)).

The DFT runs in float64 and the rest in float32. The log-mel equals
`librosa.feature.melspectrogram(n_fft=4096, win_length=2646, hop_length=441, n_mels=128,
pad_mode="reflect")` within 1e-3 dB where a cell is within 90 dB of its frame's maximum, and within
0.4 dB below. With a float32 DFT (`dft="float32"`, for devices without float64) the bounds are
5e-3 dB and 0.5 dB, and the DFT takes half the time.
"""

import numpy as np
import tensorflow as tf

from ..config import Frontend
from .numpy_log_mel import decibels, filterbank, hann


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
    # A frame holds the window's 6 x 441 samples, and the DFT pads it with zeros: so
    # `tf.signal.frame` needs no large gather indices. librosa centres the window in the DFT
    # instead, with the same power spectrum.
    edge = frontend.win_length // 2
    padded = tf.pad(waveform, [[0, 0], [edge, edge]], mode="REFLECT")
    frames = tf.signal.frame(padded, frontend.win_length, frontend.hop_length)
    windowed = tf.cast(frames, dft) * tf.cast(hann(frontend.win_length), dft)
    spectrum = tf.signal.rfft(windowed, [frontend.n_fft])
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    if frontend.filterbank == "octave":
        power = tf.sqrt(power)
    mel = tf.matmul(tf.cast(power, tf.float32), filterbank(frontend))
    scale = decibels(frontend)
    floor = 10 ** (frontend.floor_db / scale)
    return (scale / np.log(10.0)) * tf.math.log(tf.maximum(mel, floor))
