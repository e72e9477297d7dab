"""Windows of a waveform: the one rule for where a model predicts.

A window is one segment as in training. Windows start every `hop` samples. The rest behind the last
whole window, if it is half a hop or more, is covered by a window that ends with the recording. A
recording shorter than a window is padded with silence. With a hop of one window this is the
paper's rule for segments (Section 3.1), and `features.segments` uses it for frames.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar, cast

import numpy as np

Item = TypeVar("Item")

ENVELOPE_HZ = 20  # peaks a second of the waveform, kept for plots


class Window(NamedTuple):
    """A window of a recording.

    Attributes:
        start, end: samples from the recording's start; `end` is within the recording.
        samples: `(window,)` float32, full scale ±1.
    """

    start: int
    end: int
    samples: np.ndarray


def window_starts(total: int, window: int, hop: int) -> list[int]:
    """Return the first sample (or frame) of each window of a recording of length `total`."""
    if total <= window:
        return [0]
    starts = list(range(0, total - window + 1, hop))
    if _has_last(total - (starts[-1] + window), hop):
        starts.append(total - window)
    return starts


def _has_last(rest: int, hop: int) -> bool:
    """Return whether the rest behind the last whole window gets a window of its own."""
    return rest > 0 and hop <= 2 * rest


def cut_windows(blocks: Iterable[np.ndarray], window: int, hop: int) -> Iterator[Window]:
    """Yield the windows of a waveform that comes in blocks, each as soon as it is complete.

    Memory holds one window and one block, whatever the length.

    Args:
        blocks: `(samples,)` float32 each, of any length.
        window, hop: samples; `hop` is at most `window`.
    """
    ring = _Ring(window)
    due = window
    for block in blocks:
        while len(block):
            block = ring.write(block, due - ring.samples)
            if ring.samples == due:
                yield Window(due - window, due, ring.last())
                due += hop
    total = ring.samples
    if 0 < total < window:
        yield Window(0, total, ring.last(padded=True))
    elif total and _has_last(total - (due - hop), hop):
        yield Window(total - window, total, ring.last())


class _Ring:
    """The last `window` samples of a stream. `samples` counts all that were written."""

    def __init__(self, window: int):
        self._buffer = np.zeros(window, "float32")
        self.samples = 0

    def write(self, block: np.ndarray, most: int) -> np.ndarray:
        """Write at most `most` samples of a block. Return the others."""
        taken, rest = block[:most], block[most:]
        at = self.samples % len(self._buffer)
        head = taken[: len(self._buffer) - at]
        self._buffer[at : at + len(head)] = head
        self._buffer[: len(taken) - len(head)] = taken[len(head) :]
        self.samples += len(taken)
        return rest

    def last(self, padded: bool = False) -> np.ndarray:
        """Return a copy of the last `window` samples; of fewer, with the silence behind them."""
        if padded:
            return self._buffer.copy()
        return np.roll(self._buffer, -self.samples % len(self._buffer))


class BlockMeter:
    """Passes the blocks of a waveform on, and measures its length and peaks."""

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
        """The greatest |sample| of each 1/20 s, `(seconds * 20,)`."""
        rest = [self._rest.max(keepdims=True)] if len(self._rest) else []
        return np.concatenate([*self._peaks, *rest])


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the same items; the next one is made in a thread meanwhile."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, iterator, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, iterator, end)
            yield cast(Item, item)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
