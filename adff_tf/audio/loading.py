"""`load` and `blocks`: a path, bytes or an array as one mono waveform at the wanted rate, whole or in pieces."""

import io
import operator
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ..errors import InputError
from .decoding import Heard, decoded, opened
from .samples import AudioError, check, from_array


def load(source: str | Path | bytes | np.ndarray, sample_rate_hz: int = 44100, *, source_rate_hz: int | None = None) -> np.ndarray:
    """The recording as a mono waveform, `(samples,)` float32, full scale ±1.

    Args:
        source: a file's path, a file's content as bytes, or samples as an array `(samples,)` or `(samples, channels)`
            of float, int8, int16, int32 or uint8.
        sample_rate_hz: the wanted rate, in samples a second.
        source_rate_hz: the rate of an array's samples; a file states its own.

    Raises:
        AudioError: the file is missing or unreadable or holds no audio that can be decoded; no samples, NaN or infinity.
        InputError: an argument of the wrong type, shape or range. (AudioError is an InputError.)
    """
    return np.concatenate(list(blocks(source, sample_rate_hz, source_rate_hz=source_rate_hz)))


def blocks(
    source: str | Path | bytes | np.ndarray,
    sample_rate_hz: int = 44100,
    *,
    source_rate_hz: int | None = None,
    name: str = "",
    heard: Heard | None = None,
) -> Iterator[np.ndarray]:
    """The waveform of `load` in pieces `(samples,)`, at least one, none of them empty; a recording of hours takes no more memory
    than one of minutes.

    Arguments and errors as in `load`, the errors when the first piece is asked for; damage further on, when it is reached.
    name: what errors call it, its path by default. heard: told the source's own rate in Hz with each block that is decoded of a
    file, also where it is decoded ahead of the first piece, which takes long for a long one.
    """
    wanted = checked_rate(sample_rate_hz, "sample_rate_hz")
    if isinstance(source, np.ndarray):
        if source_rate_hz is None:
            raise InputError("an array of samples was given without its rate; pass source_rate_hz, for example 44100")
        rate, name = checked_rate(source_rate_hz, "source_rate_hz"), f"the array of shape {source.shape}"
        yield from finished([(rate, from_array(source))], wanted, name)
        return
    if not isinstance(source, str | Path | bytes):
        raise InputError(f"audio was given as {type(source).__name__}; give a path (str or Path), bytes or a NumPy array")
    if source_rate_hz is not None:
        raise InputError(f"source_rate_hz={source_rate_hz} was given for a file, which states its own rate; leave it out")
    name = name or ("<bytes>" if isinstance(source, bytes) else str(source))
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else opened(str(source)) as file:
            yield from finished(decoded(file, name, heard or (lambda rate_hz: None)), wanted, name)
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); check the path and its permissions") from error


def checked_rate(rate_hz: Any, name: str) -> int:
    try:
        rate = operator.index(rate_hz)
    except TypeError:
        rate = 0
    if not 1000 <= rate <= 768_000:
        raise InputError(f"{name}={rate_hz!r} was given; give a whole number of samples a second, 1000 to 768000")
    return rate


def finished(decoded: Iterable[tuple[int, np.ndarray]], wanted_hz: int, name: str) -> Iterator[np.ndarray]:
    """Blocks of one rate in Hz and mono samples, checked and at the wanted rate, without the empty ones."""
    resampler, empty = None, True
    for rate, block, is_last in _with_last(decoded):
        check(block, name)
        if rate != wanted_hz:
            resampler = resampler or soxr.ResampleStream(rate, wanted_hz, 1, dtype="float32", quality="HQ")
            block = resampler.resample_chunk(np.ascontiguousarray(block, np.float32), last=is_last)
        if block.size:
            empty = False
            yield np.ascontiguousarray(block, np.float32)
    if empty:
        raise AudioError(f"{name}: holds no samples; give a recording that is longer than nothing")


def _with_last(decoded: Iterable[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Each block with whether it is the last one."""
    before = None
    for item in decoded:
        if before:
            yield *before, False
        before = item
    if before:
        yield *before, True
