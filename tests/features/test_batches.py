"""Batches: their form, labels and order."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adff_tf.features import batches
from adff_tf.tasks import TASKS


def test_batches_are_as_declared(segments):
    task = TASKS["both"]
    target, weight = tf.TensorSpec((None, 2), tf.float32), tf.TensorSpec((None,), tf.float32)
    expected = (
        tf.TensorSpec((None, 100, 128), tf.float32),
        {"valence": target, "arousal": target},
        {"valence": weight, "arousal": weight},
    )
    assert batches.training_batches(segments(), task, 4).element_spec == expected


def test_wrong_spec_says_got_and_expected():
    dataset = tf.data.Dataset.from_tensors(np.zeros((1, 99, 128), "float32"))
    with pytest.raises(
        ValueError, match=r"yields\s+TensorSpec\(shape=\(1, 99, 128\).*\s+but the network expects"
    ):
        batches.check_spec(dataset, batches.batch_spec(100, 128, TASKS["both"]))


def test_labels_stay_with_their_segments(tracks, segments):
    data = segments(sampling="full")
    for log_mel, targets, _ in batches.evaluation_batches(data, TASKS["both"], 5):
        for x, valence in zip(log_mel.numpy(), targets["valence"].numpy()[:, 0], strict=True):
            (row,) = np.flatnonzero(np.isclose(tracks.table["valence"], valence))
            assert (x[40] == np.asarray(tracks.log_mel(row))).all(axis=1).any()


def test_an_epoch_has_each_segment_at_most_once_and_resumes(tracks, segments):
    data, task = segments(), TASKS["arousal"]
    steps = batches.steps_per_epoch(data, 2)
    stream = [
        y["arousal"].numpy()[:, 0].tolist()
        for _, y, _ in batches.training_batches(data, task, 2).take(2 * steps)
    ]
    first, second = sum(stream[:steps], []), sum(stream[steps:], [])
    assert (
        sorted(first)
        == sorted(second)
        == sorted(tracks.table["arousal"].astype("float32").tolist())
        and first != second
    )
    resumed = [
        y["arousal"].numpy()[:, 0].tolist()
        for _, y, _ in batches.training_batches(data, task, 2, first_epoch=1).take(steps)
    ]
    assert sum(resumed, []) == second


def test_a_set_smaller_than_a_batch_is_one_batch(segments):
    (batch,) = batches.training_batches(segments(), TASKS["both"], 32).take(1)
    assert batch[0].shape == (6, 100, 128)


def test_targets_of_signs_and_classes_by_hand():
    table = pd.DataFrame(
        {
            "valence": [0.25, -1.0, 1.0],
            "arousal": [-0.5, 1.0, 1.0],
            "labels": ["continuous", "quadrant", "quadrant"],
        }
    )
    targets = batches.make_targets(TASKS["both"], table)
    np.testing.assert_array_equal(targets["valence"], [[0.25, 0], [-1, 1], [1, 1]])
    one_hot = batches.make_targets(TASKS["quadrant"], table)["probabilities"]
    np.testing.assert_array_equal(one_hot, [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]])


def test_mixup_mixes_log_mels_and_labels_alike_and_is_seeded(segments):
    """With a label that is the mean level of its segment, mixed labels stay mean levels."""
    data, task = segments(), TASKS["arousal"]
    means = [data.read(0, [k])[0].mean() for k in range(len(data))]
    data.tracks.table["arousal"] = [means[list(data.track_rows).index(r)] for r in range(6)]
    stream = batches.training_batches(data, task, 3, mixup=0.4)
    mixed = [(x.numpy(), y["arousal"].numpy()) for x, y, _ in stream.take(4)]
    for x, y in mixed:
        np.testing.assert_allclose(x.mean(axis=(1, 2)), y[:, 0], rtol=1e-4)
    assert any(
        abs(y[0, 0] - m) > 1e-3
        for _, y in mixed
        for m in [min(means, key=lambda m: abs(m - y[0, 0]))]
    )
    again = batches.training_batches(data, task, 3, first_epoch=1, mixup=0.4).take(2)
    for (x, _), (resumed, _, _) in zip(mixed[2:], again, strict=True):
        np.testing.assert_array_equal(x, resumed.numpy())
