"""Samples as mono float32, full scale ±1. Arrays that cannot be audio are refused."""

import numpy as np

from ..errors import InputError

MAX_PEAK = 100.0  # lossy decoding may pass full scale, but not by this much


class AudioError(InputError):
    """A recording that cannot be used.

    Attributes:
        name: the recording's path, or the name given for it.
        reason: one sentence without the name.
    """

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason

    def __reduce__(self):
        return type(self), (self.name, self.reason)


def from_array(samples: np.ndarray) -> np.ndarray:
    """Return `(samples,)` or `(samples, channels)` of an audio type as mono float32 `(samples,)`.

    Raises InputError for another shape or type.
    """
    _check_shape(samples)
    if samples.ndim == 2 and samples.size and samples.shape[1] > samples.shape[0]:
        raise InputError(_transposed(samples))
    return to_mono(to_full_scale(samples))


def from_block(samples: np.ndarray) -> np.ndarray:
    """Return one block of a stream as mono float32 `(samples,)`. Raises InputError.

    A block may be shorter than its number of channels: a block is refused only where it has more
    channels than samples, and more than eight channels.
    """
    _check_shape(samples)
    if samples.ndim == 2 and samples.shape[1] > max(8, len(samples)):
        raise InputError(_transposed(samples))
    return to_mono(to_full_scale(samples))


def _check_shape(samples: np.ndarray) -> None:
    if not isinstance(samples, np.ndarray):
        raise InputError(f"{type(samples).__name__} was given; give a NumPy array of samples")
    if samples.ndim not in (1, 2):
        raise InputError(
            f"an array of shape {samples.shape} was given; give (samples,) or (samples, channels)"
        )


def _transposed(samples: np.ndarray) -> str:
    return (
        f"an array of shape {samples.shape} was given, more channels than samples; "
        "give (samples, channels): transpose it with .T"
    )


def to_full_scale(samples: np.ndarray) -> np.ndarray:
    """Return samples of an audio type as float32, full scale ±1, in the same shape."""
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # overflow becomes infinity, which `check` refuses
            return samples.astype(np.float32, copy=False)
    if samples.dtype.newbyteorder("=") not in (np.int8, np.int16, np.int32, np.uint8):
        raise InputError(
            f"samples of type {samples.dtype} were given; "
            "give float32, float64, int8, int16, int32 or uint8"
        )
    full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    scaled = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        scaled -= full_scale
    scaled /= full_scale
    return scaled


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Return `(samples,)` or `(samples, channels)` as `(samples,)`, the mean over channels."""
    if samples.ndim == 1:
        return samples
    if samples.shape[1] == 1:
        return samples[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):
        if samples.shape[1] == 2:  # NumPy's mean of so short rows takes 20 times as long
            return np.add(samples[:, 0], samples[:, 1], dtype=np.float32) / np.float32(2)
        return samples.mean(axis=1, dtype=np.float32)


def check(samples: np.ndarray, name: str) -> None:
    """Raise AudioError unless all samples are numbers within ±`MAX_PEAK`."""
    if not samples.size:
        return
    peak = max(samples.max(), -samples.min())  # two reductions, no copy
    if not np.isfinite(peak):
        raise AudioError(name, "holds NaN or infinite samples; every sample must be a number")
    if peak > MAX_PEAK:
        raise AudioError(
            name,
            f"reaches {peak:g}, and full scale is 1; divide float samples by the full scale of "
            "the integers they came from (32768 for 16 bits), or give the integers themselves",
        )
