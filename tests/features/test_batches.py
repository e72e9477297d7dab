"""Batches: their form, labels and order."""

import numpy as np
import pytest
import tensorflow as tf

from adff_tf.features import batches
from adff_tf.tasks import TASKS


def test_batches_are_as_declared(segments):
    task = TASKS["both"]
    target = tf.TensorSpec((None, 1), tf.float32)
    expected = (tf.TensorSpec((None, 100, 128), tf.float32), {"valence": target, "arousal": target})
    assert batches.training_batches(segments(), task, 4).element_spec == expected


def test_wrong_spec_says_got_and_expected():
    dataset = tf.data.Dataset.from_tensors(np.zeros((1, 99, 128), "float32"))
    with pytest.raises(
        ValueError, match=r"yields\s+TensorSpec\(shape=\(1, 99, 128\).*\s+but the network expects"
    ):
        batches.check_spec(dataset, batches.batch_spec(100, 128, TASKS["both"]))


def test_labels_stay_with_their_segments(tracks, segments):
    data = segments(sampling="full")
    for log_mel, targets in batches.evaluation_batches(data, TASKS["both"], 5):
        for x, valence in zip(log_mel.numpy(), targets["valence"].numpy()[:, 0], strict=True):
            (row,) = np.flatnonzero(np.isclose(tracks.table["valence"], valence))
            assert (x[40] == np.asarray(tracks.log_mel(row))).all(axis=1).any()


def test_an_epoch_has_each_segment_at_most_once_and_resumes(tracks, segments):
    data, task = segments(), TASKS["arousal"]
    steps = batches.steps_per_epoch(data, 2)
    stream = [
        y["arousal"].numpy().ravel().tolist()
        for _, y in batches.training_batches(data, task, 2).take(2 * steps)
    ]
    first, second = sum(stream[:steps], []), sum(stream[steps:], [])
    assert (
        sorted(first)
        == sorted(second)
        == sorted(tracks.table["arousal"].astype("float32").tolist())
        and first != second
    )
    resumed = [
        y["arousal"].numpy().ravel().tolist()
        for _, y in batches.training_batches(data, task, 2, first_epoch=1).take(steps)
    ]
    assert sum(resumed, []) == second


def test_a_set_smaller_than_a_batch_is_one_batch(segments):
    (batch,) = batches.training_batches(segments(), TASKS["both"], 32).take(1)
    assert batch[0].shape == (6, 100, 128)
