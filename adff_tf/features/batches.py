"""Batches: segments and labels as `tf.data` datasets for training and evaluation.

An element is (log_mel, targets by output name, weights by output name):

    log_mel    `(batch, frames, mels)` float32, dB
    targets    regression: `(batch, 2)` float32, the label in [-1, 1] and 1 where only its sign is
               known, else 0; classification: `(batch, classes)` float32, one-hot
    weights    `(batch,)` float32, of the loss

Mixup makes all numbers of a target fractions. `batch_spec` declares this form, and every dataset is
checked against it.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import tensorflow as tf

from ..tasks import Task
from .augmentation import draw_mixup, mix
from .segments import SegmentSet

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def training_batches(
    segments: SegmentSet,
    task: Task,
    batch_size: int,
    first_epoch: int = 0,
    augment: Augment | None = None,
    mixup: float = 0.0,
) -> tf.data.Dataset:
    """Return shuffled batches, epoch after epoch, without end.

    Every epoch has `steps_per_epoch` full batches. The segments beyond them are left out, and
    differ from epoch to epoch. A set smaller than `batch_size` is one batch.

    Args:
        augment: changes the log-mels of a batch, given a generator of the seed, epoch and step.
        mixup: parameter alpha of mixup; 0: off.
    """
    size = min(batch_size, len(segments))

    def batches() -> Iterator:
        for epoch in itertools.count(first_epoch):
            order = segments.order(epoch)
            for step in range(steps_per_epoch(segments, batch_size)):
                yield (epoch, step), order[step * size : (step + 1) * size]

    def change(x, y, position):
        rng = np.random.default_rng((segments.seed, *position, 2))
        if augment:
            x = augment(x, rng)
        if mixup:
            order, weight = draw_mixup(mixup, len(x), rng)
            x, y = mix(x, order, weight), [mix(values, order, weight) for values in y]
        return x, y

    count = tf.data.INFINITE_CARDINALITY
    return _dataset(segments, task, batches, count, change if augment or mixup else None)


def steps_per_epoch(segments: SegmentSet, batch_size: int) -> int:
    return max(1, len(segments) // batch_size)


def evaluation_batches(segments: SegmentSet, task: Task, batch_size: int) -> tf.data.Dataset:
    """Return all segments once, in order; random segments have their positions of epoch 0."""

    def batches() -> Iterator:
        for start in range(0, len(segments), batch_size):
            yield (0, 0), np.arange(start, min(start + batch_size, len(segments)))

    return _dataset(segments, task, batches, -(-len(segments) // batch_size))


def batch_spec(frames: int, mels: int, task: Task) -> tuple:
    """Return the declared form of a batch, see the module's docstring."""
    target = tf.TensorSpec((None, len(task.classes) or 2), tf.float32)
    return (
        tf.TensorSpec((None, frames, mels), tf.float32),
        dict.fromkeys(task.outputs, target),
        dict.fromkeys(task.outputs, tf.TensorSpec((None,), tf.float32)),
    )


def check_spec(dataset: tf.data.Dataset, declared: tuple) -> tf.data.Dataset:
    """Return the dataset. Raises ValueError where its elements are not as declared."""
    if dataset.element_spec != declared:
        raise ValueError(
            f"the pipeline yields\n  {dataset.element_spec}\nbut the network expects\n  {declared}"
        )
    return dataset


def make_targets(task: Task, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the targets of an index by output, `(tracks, 2)` or `(tracks, classes)` float32."""
    labels = task.labels(table)
    if not task.is_regression:
        identity = np.eye(len(task.classes), dtype="float32")
        return {name: identity[indices] for name, indices in labels.items()}
    is_sign = np.asarray(table.get("labels", pd.Series("", table.index)) == "quadrant", "float32")
    return {name: np.stack([values, is_sign], axis=1) for name, values in labels.items()}


def _dataset(
    segments: SegmentSet,
    task: Task,
    batches: Callable[[], Iterator],
    count: int,
    change: Callable | None = None,
) -> tf.data.Dataset:
    """Return `count` batches of ((epoch, step), segment indices), read in order and ahead of use.

    Args:
        change: returns other log-mels and targets from these and (epoch, step).
    """
    spec = batch_spec(segments.frames, segments.tracks.mels, task)
    table = segments.tracks.table
    targets = [values[segments.track_rows] for values in make_targets(task, table).values()]
    weights = np.asarray(table.get("weight", np.ones(len(table))), "float32")[segments.track_rows]

    def read(position, indices):
        x, y = segments.read(position[0], indices), [values[indices] for values in targets]
        x, y = change(x, y, position) if change else (x, y)
        return x, *y, weights[indices]

    def load(position, indices):
        types = [tf.float32] * (len(targets) + 2)
        x, *y, weight = tf.numpy_function(read, [position, indices], types, stateful=False)
        y = {
            name: tf.ensure_shape(value, spec[1][name].shape)
            for name, value in zip(task.outputs, y, strict=True)
        }
        weight = tf.ensure_shape(weight, (None,))
        return tf.ensure_shape(x, spec[0].shape), y, dict.fromkeys(task.outputs, weight)

    indices = tf.data.Dataset.from_generator(
        batches, output_signature=(tf.TensorSpec((2,), tf.int64), tf.TensorSpec((None,), tf.int64))
    )
    dataset = indices.map(load, num_parallel_calls=2, deterministic=True)
    return _prefetch(
        check_spec(dataset.apply(tf.data.experimental.assert_cardinality(count)), spec)
    )


def _prefetch(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetch batches, to the GPU where there is one; a distribution strategy feeds several."""
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1:
        return dataset.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))
    return dataset.prefetch(2)
