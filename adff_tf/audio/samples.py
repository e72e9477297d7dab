"""Samples as mono float32, full scale ±1; what can be no recording is refused."""

import numpy as np

from ..errors import InputError

MOST = 100.0  # a lossy file's peak may pass full scale, but not so far


class AudioError(InputError):
    """A recording that cannot be used; the message names the file and the reason."""


def from_array(samples: np.ndarray) -> np.ndarray:
    """`(samples,)` or `(samples, channels)` of any allowed type -> mono float32 `(samples,)`."""
    if samples.ndim not in (1, 2):
        raise InputError(f"an array of shape {samples.shape} was given; give (samples,) or (samples, channels)")
    if samples.ndim == 2 and samples.size and samples.shape[1] > samples.shape[0]:
        raise InputError(
            f"an array of shape {samples.shape} was given, more channels than samples; "
            "give (samples, channels): transpose it with .T"
        )
    return mono(full_scale(samples))


def full_scale(samples: np.ndarray) -> np.ndarray:
    """Samples of an audio type as float32, full scale ±1, in the same shape."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    if samples.dtype.newbyteorder("=") not in (np.int8, np.int16, np.int32, np.uint8):
        raise InputError(f"samples of type {samples.dtype} were given; give float32, float64, int8, int16, int32 or uint8")
    full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    scaled = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        scaled -= full_scale
    scaled /= full_scale
    return scaled


def mono(samples: np.ndarray) -> np.ndarray:
    """`(samples,)` or `(samples, channels)` -> `(samples,)`, the mean over channels."""
    if samples.ndim == 1:
        return samples
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def check(samples: np.ndarray, name: str) -> None:
    """Raise AudioError unless all samples are numbers within bounds."""
    if not samples.size:
        return
    peak = max(samples.max(), -samples.min())  # two reductions, no copy
    if not np.isfinite(peak):
        raise AudioError(f"{name}: holds NaN or infinite samples; every sample must be a number")
    if peak > MOST:
        raise AudioError(
            f"{name}: reaches {peak:g}, and full scale is 1; divide float samples by the full scale of the integers "
            "they came from (32768 for 16 bits), or give the integers themselves"
        )
