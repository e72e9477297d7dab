"""The simple and the full set, and `fresh`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adff_tf.config import Segments
from adff_tf.features.segments import read_segment, segment_set, segment_starts

from .. import tiny


@pytest.mark.parametrize(
    ("frames", "starts"),
    [
        (60, [0]),  # shorter than a segment: one, padded
        (100, [0]),
        (149, [0]),  # the last 49 are under half a segment: dropped
        (150, [0, 50]),  # 50 are half: moved back to full length
        (199, [0, 99]),
        (200, [0, 100]),
        (260, [0, 100, 160]),
    ],
)
def test_full_set_by_hand(frames, starts):
    assert segment_starts(frames, 100, "full", np.random.default_rng(0)) == starts


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(1, 500), segment=st.integers(1, 120), seed=st.integers(0, 99))
def test_segments_lie_inside_the_track(frames, segment, seed):
    for sampling in ("simple", "full"):
        starts = segment_starts(frames, segment, sampling, np.random.default_rng(seed))
        assert (
            starts == sorted(starts) and starts[0] >= 0 and starts[-1] <= max(0, frames - segment)
        )
        if sampling == "full":
            left_out = frames - (starts[-1] + segment)
            assert left_out < segment / 2 and all(
                b - a <= segment for a, b in zip(starts, starts[1:], strict=False)
            )


def test_short_track_is_padded_with_silence(tracks):
    padded = read_segment(tracks.log_mel(0), 0, 100, -100.0)
    assert padded.shape == (100, 128) and (padded[51:] == -100).all() and (padded[:51] > -100).all()


def test_simple_set_draws_once_or_afresh(segments):
    once, fresh = segments(), segments(fresh=True)
    indices = np.arange(6)
    np.testing.assert_array_equal(once.read(0, indices), once.read(5, indices))
    assert (fresh.read(0, indices) != fresh.read(5, indices)).any()
    np.testing.assert_array_equal(fresh.read(5, indices), segments(fresh=True).read(5, indices))


def test_fresh_changes_training_segments_alone(tracks):
    experiment = tiny.experiment()
    experiment = experiment.model_copy(
        update={"segments": Segments(seg_len=1.0, seg_num=2, sampling="full", fresh=True)}
    )
    training, test = (segment_set(experiment, tracks, training) for training in (True, False))
    assert list(training.track_rows) == [0, 1, 2, 3, 4, 5] and len(test) == 12
    indices = np.arange(6)
    assert (training.read(0, indices) != training.read(1, indices)).any()
    np.testing.assert_array_equal(test.read(0, indices), test.read(1, indices))


def test_full_set_covers_every_track_in_order(segments):
    rows = segments(sampling="full").track_rows
    assert rows.tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5]
