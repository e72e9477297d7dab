"""TODO adff_tf.features.batches."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ..tasks import Task
from .segments import SegmentSet


def training_batches(
    segments: SegmentSet, task: Task, batch_size: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Shuffled batches of one epoch after the other, without end: (log_mel, targets by output name).

    Every epoch has `steps_per_epoch` full batches; the segments left over are other ones each time.
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
    """All segments once, in order: (log_mel, targets by output name). Random ones stand where epoch 0 put them."""

    def batches() -> Iterator:
        for start in range(0, len(segments), batch_size):
            yield 0, np.arange(start, min(start + batch_size, len(segments)))

    return _dataset(segments, task, batches, -(-len(segments) // batch_size))


def batch_spec(frames: int, mels: int, task: Task) -> tuple:
    """The declared form of a batch: `(batch, frames, mels)` float32 and the targets by output name."""
    target = (
        tf.TensorSpec((None, 1), tf.float32)
        if task.is_regression
        else tf.TensorSpec((None,), tf.int64)
    )
    return tf.TensorSpec((None, frames, mels), tf.float32), dict.fromkeys(task.outputs, target)


def check_spec(dataset: tf.data.Dataset, declared: tuple) -> tf.data.Dataset:
    """The dataset itself, if its elements are as declared; otherwise ValueError with both."""
    if dataset.element_spec != declared:
        raise ValueError(
            f"the pipeline yields\n  {dataset.element_spec}\nbut the network expects\n  {declared}"
        )
    return dataset


def _dataset(
    segments: SegmentSet, task: Task, batches: Callable[[], Iterator], count: int
) -> tf.data.Dataset:
    """`count` batches of (epoch, segment numbers) read, in order, ahead of the accelerator that consumes them."""
    labels = {
        name: values[segments.track_rows]
        for name, values in task.labels(segments.tracks.table).items()
    }
    if task.is_regression:
        labels = {name: values[:, None] for name, values in labels.items()}
    spec = batch_spec(segments.frames, segments.tracks.mean.shape[1], task)

    def read(epoch, numbers):
        x = tf.numpy_function(segments.read, [epoch, numbers], tf.float32, stateful=False)
        y = {name: tf.gather(tf.constant(values), numbers) for name, values in labels.items()}
        return tf.ensure_shape(x, spec[0].shape), y

    numbers = tf.data.Dataset.from_generator(
        batches, output_signature=(tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), tf.int64))
    )
    dataset = numbers.map(read, num_parallel_calls=2, deterministic=True)
    return _prefetch(
        check_spec(dataset.apply(tf.data.experimental.assert_cardinality(count)), spec)
    )


def _prefetch(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetch, on the GPU where there is one alone; several are fed by their distribution strategy."""
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1:
        return dataset.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))
    return dataset.prefetch(2)
