"""Decoded blocks of one rate to blocks at the wanted rate, by soxr at quality HQ."""

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import soxr

from ..errors import InputError
from .samples import AudioError, check

MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000


def check_rate(rate_hz: Any, name: str) -> int:
    """Return a sample rate as an int. Raises InputError; `name` is the argument's."""
    try:
        rate = operator.index(rate_hz)
    except TypeError:
        rate = 0
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise InputError(
            f"{name}={rate_hz!r} was given; give a whole number of samples a second, "
            f"{MIN_RATE_HZ} to {MAX_RATE_HZ}"
        )
    return rate


def resample(
    decoded: Iterable[tuple[int, np.ndarray]], wanted_hz: int, name: str
) -> Iterator[np.ndarray]:
    """Yield decoded blocks checked and at the wanted rate, without the empty ones.

    Args:
        decoded: (rate in Hz, mono samples `(samples,)`) of each block, all of one rate.
        name: the recording's, for errors.

    Raises:
        AudioError: no samples, or samples that are no numbers.
    """
    is_empty = True
    for block in resample_stream(decoded, wanted_hz, name):
        is_empty = False
        yield block
    if is_empty:
        raise AudioError(name, "holds no samples; give a recording that is longer than nothing")


def resample_stream(
    decoded: Iterable[tuple[int, np.ndarray]], wanted_hz: int, name: str
) -> Iterator[np.ndarray]:
    """Yield the non-empty blocks at the wanted rate."""
    resampler = None
    for rate, block in decoded:
        check(block, name)
        if rate != wanted_hz:
            resampler = resampler or soxr.ResampleStream(
                rate, wanted_hz, 1, dtype="float32", quality="HQ"
            )
            block = resampler.resample_chunk(np.ascontiguousarray(block, np.float32))
        if block.size:
            yield np.ascontiguousarray(block, np.float32)
    if resampler is not None:
        rest = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        if rest.size:
            yield rest
