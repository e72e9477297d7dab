"""A path, bytes or an array as one mono waveform at the wanted rate, whole or in blocks."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import InputError
from .decoding import OnBlock, decode, open_recording
from .resampling import check_rate, resample, resample_stream
from .samples import AudioError, from_array, from_block

Source = str | Path | bytes | np.ndarray


def load(
    source: Source, sample_rate_hz: int = 44100, *, source_rate_hz: int | None = None
) -> np.ndarray:
    """Return a recording as a mono waveform `(samples,)` float32, full scale ±1.

    Args:
        source: a file's path, a file's content as bytes, or an array `(samples,)` or
            `(samples, channels)` of float, int8, int16, int32 or uint8.
        sample_rate_hz: the wanted rate, samples a second.
        source_rate_hz: the rate of an array's samples; a file states its own.

    Raises:
        AudioError: the file is missing or unreadable, holds no audio that can be decoded, is cut
            off, has no samples, or has NaN or infinite ones.
        InputError: an argument of the wrong type, shape or range. (AudioError is an InputError.)
    """
    return np.concatenate(list(blocks(source, sample_rate_hz, source_rate_hz=source_rate_hz)))


def blocks(
    source: Source,
    sample_rate_hz: int = 44100,
    *,
    source_rate_hz: int | None = None,
    name: str = "",
    on_block: OnBlock | None = None,
) -> Iterator[np.ndarray]:
    """Yield the waveform of `load` in non-empty blocks `(samples,)`, at least one.

    Memory does not grow with the recording's length. Arguments and errors are those of `load`;
    errors are raised at the first block, and damage further on when decoding reaches it.

    Args:
        name: the recording's name in errors; its path by default.
        on_block: called with the source's own rate in Hz for each decoded block of a file, also
            for blocks decoded ahead of the first one yielded.
    """
    wanted_hz = check_rate(sample_rate_hz, "sample_rate_hz")
    if isinstance(source, np.ndarray):
        if source_rate_hz is None:
            raise InputError(
                "an array of samples was given without its rate; "
                "pass source_rate_hz, for example 44100"
            )
        rate = check_rate(source_rate_hz, "source_rate_hz")
        name = name or f"the array of shape {source.shape}"
        yield from resample([(rate, from_array(source))], wanted_hz, name)
        return
    if not isinstance(source, str | Path | bytes):
        raise InputError(
            f"audio was given as {type(source).__name__}; "
            "give a path (str or Path), bytes or a NumPy array"
        )
    if source_rate_hz is not None:
        raise InputError(
            f"source_rate_hz={source_rate_hz} was given for a file, which states its own rate; "
            "leave it out"
        )
    name = name or ("<bytes>" if isinstance(source, bytes) else str(source))
    try:
        opened = io.BytesIO(source) if isinstance(source, bytes) else open_recording(str(source))
        with opened as file:
            yield from resample(decode(file, name, on_block or (lambda _: None)), wanted_hz, name)
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check the path and its permissions"
        raise AudioError(name, reason) from error


def stream_blocks(
    stream: Iterable[np.ndarray], sample_rate_hz: int, *, source_rate_hz: int
) -> Iterator[np.ndarray]:
    """Yield a stream of sample blocks as mono blocks `(samples,)` float32 at the wanted rate.

    A block passes on as soon as it is given, later by the resampler's delay of a few hundredths of
    a second where the rates differ. An empty stream yields nothing.

    Args:
        stream: `(samples,)` or `(samples, channels)` arrays of any length, such as a microphone's;
            an array is one block.
        sample_rate_hz: the wanted rate, samples a second.
        source_rate_hz: the rate of the stream.

    Raises:
        InputError: a rate out of range; a block of the wrong type, shape or values.
    """
    wanted_hz = check_rate(sample_rate_hz, "sample_rate_hz")
    rate = check_rate(source_rate_hz, "source_rate_hz")
    whole = [stream] if isinstance(stream, np.ndarray) else stream
    return resample_stream(((rate, from_block(block)) for block in whole), wanted_hz, "the stream")
