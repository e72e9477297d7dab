"""TODO adff_tf.inference.windows."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    pass


ENVELOPE_HZ = 20  # peaks a second kept of the waveform, for plots


def cut_windows(
    blocks: Iterable[np.ndarray], length: int, hop: int
) -> Iterator[tuple[int, np.ndarray]]:
    """The windows of a waveform that comes in blocks: (first sample, `(length,)` float32); see the module's conventions.

    Holds one window and one block at a time. hop: samples, at most `length`.
    """
    held, at, next_start = np.zeros(0, "float32"), 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while next_start + length <= at + len(held):
            yield next_start, held[next_start - at : next_start - at + length]
            next_start += hop
        done = max(at, min(next_start, at + len(held) - length))
        held, at = held[done - at :], done
    total = at + len(held)
    rest = total - (next_start - hop + length)
    if total < length:
        yield 0, np.pad(held, (0, length - total))
    elif rest and rest >= hop / 2:
        yield total - length, held[-length:]


class BlockMeter:
    """Passes blocks on and notes their length and their peaks."""

    def __init__(self, blocks: Iterable[np.ndarray], rate_hz: int):
        self._blocks, self._step = blocks, rate_hz // ENVELOPE_HZ
        self.samples = 0
        self._peaks: list[np.ndarray] = []
        self._rest = np.zeros(0, "float32")

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.samples += len(block)
            joined = np.concatenate([self._rest, np.abs(block)])
            whole = len(joined) // self._step * self._step
            self._peaks.append(joined[:whole].reshape(-1, self._step).max(axis=1))
            self._rest = joined[whole:]
            yield block

    @property
    def peaks(self) -> np.ndarray:
        return np.concatenate(
            [*self._peaks, *([self._rest.max(keepdims=True)] if len(self._rest) else [])]
        )


def batched(items: Iterable, size: int) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
