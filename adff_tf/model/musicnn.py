"""MusiCNN trained on the Million Song Dataset, rebuilt from its paper and checkpoint.

The teacher of a pre-training, and the features of a baseline.

Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", ISMIR
2019 late-breaking. `build` is the network in Keras; `Teacher` computes the same numbers in NumPy,
several times faster on CPUs.

    log-mel ── norm ─┬─ timbral 7×38, 7×67 ────┬─ maximum over bands ── front `(time, 561)`
                     └─ temporal 128, 64, 32 ──┘
    front ── mid1 ── mid2 (+ mid1) ── mid3 (+ mid2) ── all four joined `(time, 753)`
          ── maximum and mean over time ── norm ── dense 200 ── norm = penultimate ── tags

Every convolution is followed by ReLU, then batch norm. Input: patches `(batch, 187, 96)` float32,
log10(1 + 10^4 · mel power) at 16 kHz, window and DFT of 512 samples, hop 256. A patch is 3 s.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from threadpoolctl import threadpool_limits

from ..networks import MUSICNN_PATCH
from ..support.environment import count_cores
from .musicnn_files import RATE_HZ

SAMPLE_RATE_HZ, N_FFT, HOP = RATE_HZ, 512, 256
BANDS, PATCH = 96, MUSICNN_PATCH
PATCH_S = PATCH * HOP / SAMPLE_RATE_HZ
TIMBRAL, TEMPORAL, MID, EPSILON = 204, 51, 64, 1e-3
TIMBRAL_BANDS, TEMPORAL_FRAMES = (38, 67), (128, 64, 32)
TARGETS = {"mean": 753, "max": 753, "penultimate": 200, "tags": 50}  # outputs and their sizes
DIMS = sum(TARGETS.values())

FRONT = ("timbral1", "timbral2", "temporal1", "temporal2", "temporal3")
MIDS = ("mid1", "mid2", "mid3")
CONVOLUTIONS = (*FRONT, *MIDS)  # in the checkpoint's order, as the following two
NORMS = ("input", *CONVOLUTIONS, "pool", "penultimate")
DENSE = ("penultimate", "tags")
AT_ONCE = 4  # patches: their intermediate arrays stay in a core's cache


def log_mel(waveform: np.ndarray) -> np.ndarray:
    """Return the teacher's log-mel of a waveform.

    Args:
        waveform: `(samples,)` float32 at 16 kHz, longer than 256 samples.

    Returns:
        `(1 + samples // 256, 96)` float32.
    """
    import librosa  # here because the import takes a second

    mel = librosa.feature.melspectrogram(
        y=waveform,
        sr=SAMPLE_RATE_HZ,
        n_fft=N_FFT,
        hop_length=HOP,
        n_mels=BANDS,
        pad_mode="reflect",  # librosa's default when the teacher was trained
    )
    return np.log10(1 + 1e4 * mel.T).astype("float32")


def cut_patches(log_mel: np.ndarray) -> np.ndarray:
    """Return whole patches one after another, `(patches, 187, 96)`; the rest is dropped."""
    count = len(log_mel) // PATCH
    return log_mel[: count * PATCH].reshape(count, PATCH, BANDS)


# === The network in Keras ===


def build() -> keras.Model:
    """Return the untrained network; its outputs are a dict with the names and sizes of TARGETS."""
    log_mel = keras.Input((PATCH, BANDS), name="log_mel")
    x = _norm(layers.Reshape((PATCH, BANDS, 1))(log_mel), "input")
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)))(x)
    parts = []
    for n, bands in enumerate(TIMBRAL_BANDS, start=1):
        parts.append(_strongest_band(padded, TIMBRAL, (7, bands), "valid", f"timbral{n}"))
    for n, frames in enumerate(TEMPORAL_FRAMES, start=1):
        parts.append(_strongest_band(x, TEMPORAL, (frames, 1), "same", f"temporal{n}"))
    found = [ops.concatenate(parts, axis=-1)]
    for name in MIDS:
        y = layers.Conv1D(MID, 7, padding="same", activation="relu", name=f"{name}_conv")(found[-1])
        y = _norm(y, name)
        found.append(y if name == "mid1" else y + found[-1])
    features = ops.concatenate(found, axis=-1)
    mean, maximum = ops.mean(features, axis=1), ops.max(features, axis=1)
    # one feature's maximum, then its mean, then the next feature's
    pooled = ops.reshape(ops.stack([maximum, mean], axis=-1), (-1, 2 * TARGETS["mean"]))
    dense = layers.Dense(TARGETS["penultimate"], activation="relu", name="penultimate")
    penultimate = _norm(dense(_norm(pooled, "pool")), "penultimate")
    tags = layers.Dense(TARGETS["tags"], name="tags")(penultimate)
    outputs = {"mean": mean, "max": maximum, "penultimate": penultimate, "tags": tags}
    return keras.Model(log_mel, outputs, name="musicnn")


def _norm(x, name: str):
    return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)


def _strongest_band(x, filters: int, kernel: tuple[int, int], padding: str, name: str):
    """Return the maximum over bands of a convolution, `(batch, time, filters)`."""
    y = layers.Conv2D(filters, kernel, padding=padding, activation="relu", name=f"{name}_conv")(x)
    return ops.max(_norm(y, name), axis=2)


def load(prefix: str | Path) -> keras.Model:
    """Return the network with the weights of a checkpoint.

    Args:
        prefix: the checkpoint's files without `.index` and `.data-00000-of-00001`.

    Raises:
        tensorflow.errors.OpError, ValueError: the checkpoint is missing, damaged or of another
            network.
    """
    import tensorflow as tf

    model, weights = build(), tf.train.load_checkpoint(str(prefix))
    for layer, name, variables in _layers():
        values = [weights.get_tensor(f"{name}/{variable}") for variable in variables]
        if layer in ("mid1_conv", "mid2_conv", "mid3_conv"):
            values[0] = values[0][:, :, 0]  # (7, width, 1, filters), a convolution over time
        model.get_layer(layer).set_weights(values)
    return model


def _layers() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each layer's name here, its name in the checkpoint, and its variables' names."""
    norm = ("gamma", "beta", "moving_mean", "moving_variance")
    for names, end, stored, variables in (
        (CONVOLUTIONS, "_conv", "conv2d", ("kernel", "bias")),
        (NORMS, "_norm", "batch_normalization", norm),
        (DENSE, "", "dense", ("kernel", "bias")),
    ):
        for n, name in enumerate(names):
            yield name + end, f"{stored}_{n}" if n else stored, variables


# === The same in NumPy ===


class Teacher:
    """The network of `build` as matrix products, a thread a core.

    A convolution is one product per band, and the maximum over bands is taken as the products
    arrive. ReLU and batch norm come after the maximum, on a hundredth of the values: both are
    monotonic, and a filter whose batch norm turns the order around is negated.

    Args:
        model: the Keras network with its weights.
    """

    def __init__(self, model: keras.Model):
        weights = {layer.name: layer.get_weights() for layer in model.layers}
        self._norms = {name: _scale_and_shift(*weights[f"{name}_norm"]) for name in NORMS}
        self._dense = {name: weights[name] for name in DENSE}
        self._kernels, self._biases, self._signs = {}, {}, {}
        for name in CONVOLUTIONS:
            kernel, self._biases[name] = weights[f"{name}_conv"]
            if name in FRONT:
                kernel = kernel[:, :, 0]  # of the only channel
                self._signs[name] = np.where(self._norms[name][0] < 0, -1, 1).astype("float32")
                kernel = kernel * self._signs[name]
            self._kernels[name] = np.ascontiguousarray(kernel)

    def predict(self, patches: np.ndarray) -> dict[str, np.ndarray]:
        """Return the targets of patches.

        Args:
            patches: `(patches, 187, 96)` float32, at least one.

        Returns:
            `(patches, size)` float32 by the names and sizes of TARGETS.
        """
        parts = [patches[start : start + AT_ONCE] for start in range(0, len(patches), AT_ONCE)]
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(count_cores()) as pool:
            found = list(pool.map(self._predict, parts))
        return {name: np.concatenate([part[name] for part in found]) for name in TARGETS}

    def _predict(self, patches: np.ndarray) -> dict[str, np.ndarray]:
        x = self._apply_norm(np.asarray(patches, "float32"), "input")
        found = [np.concatenate([self._strongest_band(x, name) for name in FRONT], axis=-1)]
        for name in MIDS:
            y = self._mid(found[-1], name)
            found.append(y if name == "mid1" else y + found[-1])
        features = np.concatenate(found, axis=-1)
        mean, maximum = features.mean(axis=1), features.max(axis=1)
        pooled = np.stack([maximum, mean], axis=-1).reshape(len(x), -1)
        kernel, bias = self._dense["penultimate"]
        y = np.maximum(self._apply_norm(pooled, "pool") @ kernel + bias, 0)
        penultimate = self._apply_norm(y, "penultimate")
        kernel, bias = self._dense["tags"]
        tags = penultimate @ kernel + bias
        return {"mean": mean, "max": maximum, "penultimate": penultimate, "tags": tags}

    def _apply_norm(self, x: np.ndarray, name: str) -> np.ndarray:
        scale, shift = self._norms[name]
        return x * scale + shift

    def _strongest_band(self, x: np.ndarray, name: str) -> np.ndarray:
        """Return the maximum over bands of one of FRONT, `(batch, 187, filters)`."""
        kernel = self._kernels[name]
        frames, bands, filters = kernel.shape
        matrix = kernel.reshape(-1, filters)
        before = (frames - 1) // 2  # as padding="same", for even lengths too
        x = np.pad(x, ((0, 0), (before, frames - 1 - before), (0, 0)))
        if bands == 1:  # a window's values lie side by side in memory
            x = np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)
        windows = np.lib.stride_tricks.sliding_window_view(x, (frames, bands), (1, 2))
        best = np.full((len(x) * PATCH, filters), -np.inf, "float32")
        product = np.empty_like(best)
        for band in range(windows.shape[2]):
            np.matmul(windows[:, :, band].reshape(len(best), -1), matrix, out=product)
            np.maximum(best, product, out=best)
        y = np.maximum(best * self._signs[name] + self._biases[name], 0)
        return self._apply_norm(y, name).reshape(len(x), PATCH, filters)

    def _mid(self, x: np.ndarray, name: str) -> np.ndarray:
        """Return one of MIDS before its residual, `(batch, 187, 64)`."""
        kernel = self._kernels[name]
        frames, _, filters = kernel.shape
        padded = np.pad(x, ((0, 0), (frames // 2, frames // 2), (0, 0)))
        y = sum(padded[:, n : n + PATCH] @ kernel[n] for n in range(frames))
        return self._apply_norm(np.maximum(y + self._biases[name], 0), name)


def _scale_and_shift(gamma, beta, mean, variance) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch norm in evaluation as y = scale · x + shift, computed in float64."""
    scale = gamma.astype("float64") / np.sqrt(variance.astype("float64") + EPSILON)
    return scale.astype("float32"), (beta - mean * scale).astype("float32")
