"""Windows against slices of the waveform, worked out without a ring, however the blocks come."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adff_tf.features.segments import segment_starts
from adff_tf.inference.windows import (
    ENVELOPE_HZ,
    BlockMeter,
    batched,
    cut_windows,
    window_starts,
)

totals = st.integers(1, 400)
lengths = st.integers(1, 60)
cuts = st.lists(st.integers(0, 400), max_size=6)


def blocks_of(waveform: np.ndarray, at: list[int]) -> list[np.ndarray]:
    """Return a waveform in blocks, empty ones among them where cuts coincide."""
    return np.split(waveform, sorted(cut for cut in at if cut <= len(waveform)))


@given(total=totals, window=lengths, share=st.floats(0.05, 1), at=cuts)
@settings(deadline=None, max_examples=300)
def test_blocks_give_the_windows_of_the_whole(total, window, share, at):
    waveform, hop = np.arange(1, total + 1, dtype="float32"), max(1, round(share * window))
    found = list(cut_windows(blocks_of(waveform, at), window, hop))
    assert [one.start for one in found] == window_starts(total, window, hop)
    assert [one.end for one in found] == [min(one.start + window, total) for one in found]
    padded = np.pad(waveform, (0, window))
    for one in found:
        assert one.samples.dtype == np.float32
        np.testing.assert_array_equal(one.samples, padded[one.start : one.start + window])


@given(total=totals, window=lengths, share=st.floats(0.05, 1))
def test_the_rule(total, window, share):
    hop = max(1, round(share * window))
    starts = window_starts(total, window, hop)
    regular = [start for start in range(0, total, hop) if start + window <= total] or [0]
    assert starts[: len(regular)] == regular and len(starts) - len(regular) in (0, 1)
    rest = total - (regular[-1] + window)
    assert starts[len(regular) :] == ([total - window] if rest > 0 and rest >= hop / 2 else [])


@pytest.mark.parametrize(
    ("total", "window", "hop", "starts"),
    [
        (1, 10, 5, [0]),
        (10, 10, 5, [0]),
        (12, 10, 5, [0]),  # 2 left, less than half a hop
        (13, 10, 5, [0, 3]),
        (15, 10, 5, [0, 5]),
        (14, 10, 8, [0, 4]),  # 4 left, exactly half a hop
        (25, 10, 10, [0, 10, 15]),
        (24, 10, 10, [0, 10]),
        (3, 1, 1, [0, 1, 2]),
    ],
)
def test_starts_by_hand(total, window, hop, starts):
    assert window_starts(total, window, hop) == starts


@given(total=totals, window=lengths)
def test_with_a_hop_of_one_window_they_are_the_segments_of_training(total, window):
    """Section 3.1: a last segment of half a segment or more is kept, in full length."""
    wanted = [k * window for k in range(max(1, total // window))]
    if total > window and (rest := total % window) and rest >= window / 2:
        wanted.append(total - window)
    ours = [one.start for one in cut_windows([np.zeros(total, "float32")], window, window)]
    training = segment_starts(total, window, "full", np.random.default_rng(0))
    assert ours == wanted == list(training)


def test_a_short_recording_is_padded_with_silence():
    (only,) = cut_windows([np.ones(2, "float32"), np.ones(1, "float32")], 5, 2)
    assert (only.start, only.end) == (0, 3)
    np.testing.assert_array_equal(only.samples, [1, 1, 1, 0, 0])


def test_a_window_comes_with_its_last_block():
    given_blocks = []

    def blocks():
        for k in range(10):
            given_blocks.append(k)
            yield np.full(2, k, "float32")

    windows = cut_windows(blocks(), 6, 4)
    assert next(windows).end == 6 and len(given_blocks) == 3
    assert next(windows).end == 10 and len(given_blocks) == 5


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, "float32")] * 3])
def test_nothing_has_no_windows(blocks):
    assert list(cut_windows(blocks, 4, 2)) == []


def test_ten_minutes_take_the_memory_of_half_a_minute():
    def peak(seconds: int) -> int:
        blocks = (np.full(250, 0.1, "float32") for _ in range(seconds * 4))
        tracemalloc.start()
        try:
            windows = sum(1 for _ in cut_windows(blocks, 20_000, 10_000))
            assert windows == seconds // 10 - 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(30)
    assert peak(600) < peak(30) + 20_000  # a window is 80 kB, and ten minutes are 2.4 MB


@given(total=totals, rate_hz=st.integers(ENVELOPE_HZ, 200), at=cuts)
def test_the_meter_measures_length_and_peaks(total, rate_hz, at):
    waveform = np.random.default_rng(total).normal(size=total).astype("float32")
    meter = BlockMeter(blocks_of(waveform, at), rate_hz)
    np.testing.assert_array_equal(np.concatenate(list(meter)), waveform)
    step = rate_hz // ENVELOPE_HZ
    assert meter.samples == total
    peaks = [np.abs(waveform[k : k + step]).max() for k in range(0, total, step)]
    np.testing.assert_array_equal(meter.peaks, np.array(peaks, "float32"))


def test_batches():
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([], 3)) == [] and list(batched("ab", 2)) == [["a", "b"]]
