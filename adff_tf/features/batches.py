"""Batches: segments and labels as `tf.data` datasets for training and evaluation.

An element is (log_mel `(batch, frames, mels)` float32 dB, targets by output name). Targets are
`(batch, 1)` float32 for regression and class indices `(batch,)` int64 for classification.
`batch_spec` declares this form, and every dataset is checked against it.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ..tasks import Task
from .segments import SegmentSet


def training_batches(
    segments: SegmentSet, task: Task, batch_size: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Return shuffled batches, epoch after epoch, without end.

    Every epoch has `steps_per_epoch` full batches. The segments beyond them are left out, and
    differ from epoch to epoch. A set smaller than `batch_size` is one batch.
    """
    size = min(batch_size, len(segments))

    def batches() -> Iterator:
        for epoch in itertools.count(first_epoch):
            order = segments.order(epoch)
            for step in range(steps_per_epoch(segments, batch_size)):
                yield epoch, order[step * size : (step + 1) * size]

    return _dataset(segments, task, batches, tf.data.INFINITE_CARDINALITY)


def steps_per_epoch(segments: SegmentSet, batch_size: int) -> int:
    return max(1, len(segments) // batch_size)


def evaluation_batches(segments: SegmentSet, task: Task, batch_size: int) -> tf.data.Dataset:
    """Return all segments once, in order; random segments have their positions of epoch 0."""

    def batches() -> Iterator:
        for start in range(0, len(segments), batch_size):
            yield 0, np.arange(start, min(start + batch_size, len(segments)))

    return _dataset(segments, task, batches, -(-len(segments) // batch_size))


def batch_spec(frames: int, mels: int, task: Task) -> tuple:
    """Return the declared form of a batch, see the module's docstring."""
    target = (
        tf.TensorSpec((None, 1), tf.float32)
        if task.is_regression
        else tf.TensorSpec((None,), tf.int64)
    )
    return tf.TensorSpec((None, frames, mels), tf.float32), dict.fromkeys(task.outputs, target)


def check_spec(dataset: tf.data.Dataset, declared: tuple) -> tf.data.Dataset:
    """Return the dataset. Raises ValueError where its elements are not as declared."""
    if dataset.element_spec != declared:
        raise ValueError(
            f"the pipeline yields\n  {dataset.element_spec}\nbut the network expects\n  {declared}"
        )
    return dataset


def _dataset(
    segments: SegmentSet, task: Task, batches: Callable[[], Iterator], count: int
) -> tf.data.Dataset:
    """Return `count` batches from (epoch, segment indices), read in order and ahead of use."""
    labels = {
        name: values[segments.track_rows]
        for name, values in task.labels(segments.tracks.table).items()
    }
    if task.is_regression:
        labels = {name: values[:, None] for name, values in labels.items()}
    spec = batch_spec(segments.frames, segments.tracks.mels, task)

    def read(epoch, indices):
        x = tf.numpy_function(segments.read, [epoch, indices], tf.float32, stateful=False)
        y = {name: tf.gather(tf.constant(values), indices) for name, values in labels.items()}
        return tf.ensure_shape(x, spec[0].shape), y

    indices = tf.data.Dataset.from_generator(
        batches, output_signature=(tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), tf.int64))
    )
    dataset = indices.map(read, num_parallel_calls=2, deterministic=True)
    return _prefetch(
        check_spec(dataset.apply(tf.data.experimental.assert_cardinality(count)), spec)
    )


def _prefetch(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetch batches, to the GPU where there is one; a distribution strategy feeds several."""
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1:
        return dataset.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))
    return dataset.prefetch(2)
