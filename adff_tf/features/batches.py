"""Batches: segments and labels as `tf.data` datasets for training and evaluation.

An element is (log_mel, targets by output name, weights by output name):

    log_mel    `(batch, frames, mels)` float32, dB
    targets    regression: `(batch, 2)` float32, the label in [-1, 1] and 1 where only its sign is
               known, else 0; classification: `(batch, classes)` float32, one-hot
    weights    `(batch,)` float32, of the loss

Of tracks with concepts there is the output `concepts` too: `(batch, concepts)` in [-1, 1], and a
weight of 0 where they are unknown. Where tracks have nothing but concepts (`features.concepts`),
each is half of a training batch and counts twice, so that every loss is the mean over its half.

Mixup makes all numbers of a target fractions. `batch_spec` declares this form, and every dataset is
checked against it.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import tensorflow as tf

from ..tasks import CONCEPTS, Task
from .augmentation import draw_mixup, mix
from .segments import SegmentSet
from .tracks import Tracks

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

    def batches() -> Iterator:
        for epoch in itertools.count(first_epoch):
            for step, indices in enumerate(batch_rows(segments, epoch, batch_size)):
                yield (epoch, step), indices

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
    labelled = int(segments.is_labelled.sum())
    return max(1, labelled // _labelled_size(segments, batch_size))


def batch_rows(segments: SegmentSet, epoch: int, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the segment indices of an epoch's batches.

    Where segments have nothing but concepts, they are the second half of every batch; they are
    drawn again from the start where they are too few.
    """
    order = segments.order(epoch)
    labelled, others = (order[segments.is_labelled[order] == wanted] for wanted in (True, False))
    size = _labelled_size(segments, batch_size)
    rest = batch_size - size
    for step in range(steps_per_epoch(segments, batch_size)):
        batch = labelled[step * size : (step + 1) * size]
        if len(others):
            batch = np.concatenate(
                [batch, np.take(others, range(step * rest, (step + 1) * rest), mode="wrap")]
            )
        yield batch


def _labelled_size(segments: SegmentSet, batch_size: int) -> int:
    """Return the segments with emotion labels in a training batch."""
    has_others = not segments.is_labelled.all()
    return max(1, batch_size // 2) if has_others else batch_size


def evaluation_batches(segments: SegmentSet, task: Task, batch_size: int) -> tf.data.Dataset:
    """Return all segments once, in order; random segments have their positions of epoch 0."""

    def batches() -> Iterator:
        for start in range(0, len(segments), batch_size):
            yield (0, 0), np.arange(start, min(start + batch_size, len(segments)))

    return _dataset(segments, task, batches, -(-len(segments) // batch_size))


def batch_spec(frames: int, mels: int, task: Task, concepts: int = 0) -> tuple:
    """Return the declared form of a batch, see the module's docstring."""
    targets = dict.fromkeys(task.outputs, tf.TensorSpec((None, len(task.classes) or 2), tf.float32))
    if concepts:
        targets[CONCEPTS] = tf.TensorSpec((None, concepts), tf.float32)
    return (
        tf.TensorSpec((None, frames, mels), tf.float32),
        targets,
        dict.fromkeys(targets, tf.TensorSpec((None,), tf.float32)),
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
    is_sign = (table["labels"] == "quadrant").to_numpy("float32")
    return {name: np.stack([values, is_sign], axis=1) for name, values in labels.items()}


def _targets_and_weights(tracks: Tracks, task: Task) -> tuple[list, list]:
    """Return the targets of each track, and the weights of each, in the order of the outputs."""
    targets = list(make_targets(task, tracks.table).values())
    weights = [tracks.table["weight"].to_numpy("float32")] * len(targets)
    if tracks.concepts:
        known = tracks.table[list(tracks.concepts)].to_numpy("float32")
        has_concepts = np.isfinite(known).all(axis=1).astype("float32")
        targets.append(np.nan_to_num(known))
        weights.append(has_concepts)
        if (weights[0] == 0).any():
            weights = [2 * weight for weight in weights]
    return targets, weights


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
    tracks = segments.tracks
    spec = batch_spec(segments.frames, tracks.mels, task, len(tracks.concepts))
    names = list(spec[1])
    targets, weights = _targets_and_weights(tracks, task)

    def read(position, indices):
        rows = segments.track_rows[indices]
        x, y = segments.read(position[0], indices), [values[rows] for values in targets]
        x, y = change(x, y, position) if change else (x, y)
        return x, *y, *(weight[rows] for weight in weights)

    def load(position, indices):
        types = [tf.float32] * (2 * len(names) + 1)
        x, *rest = tf.numpy_function(read, [position, indices], types, stateful=False)
        y, weight = (
            {name: tf.ensure_shape(value, form[name].shape)
             for name, value in zip(names, values, strict=True)}
            for form, values in ((spec[1], rest[: len(names)]), (spec[2], rest[len(names) :]))
        )  # fmt: skip
        return tf.ensure_shape(x, spec[0].shape), y, weight

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
