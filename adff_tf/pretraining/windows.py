"""Windows of labelled copies, their targets, and batches of both.

A window is a segment as in training: `frames` of the student's log-mel. Its target is the mean of
the teacher's patches that it covers, weighted by the seconds that both share. Windows of training
start at random, anew every epoch; windows of evaluation follow each other. Targets are standardised
by the mean and std of the training copies.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from ..features.augmentation import augment
from ..features.segments import read_segment
from ..inference.windows import window_starts
from ..model.musicnn import DIMS, PATCH_S
from .labelling import Copy
from .settings import Plan

Statistics = dict[str, np.ndarray]  # see `statistics`
Position = tuple[int, int]  # row of a copy, first frame of a window


def statistics(copies: Sequence[Copy], mels: int) -> Statistics:
    """Return mean and std of mel bands and targets over all frames and patches of copies.

    Returns:
        `band_mean` and `band_std`, `(mels,)` float32 dB, no std below 1 dB; `target_mean` and
        `target_std`, `(1756,)` float32, with a std of 1 for a target that never changes.
    """
    band_mean, band_std = _mean_and_std(copy.log_mel(mels) for copy in copies)
    target_mean, target_std = _mean_and_std(copy.targets() for copy in copies)
    found = {
        "band_mean": band_mean,
        "band_std": np.maximum(band_std, 1),
        "target_mean": target_mean,
        "target_std": np.where(target_std > 1e-4, target_std, 1),
    }
    return {name: values.astype("float32") for name, values in found.items()}


def _mean_and_std(arrays: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and std of the rows of all arrays, float64."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for array in arrays:
        values = array.astype("float64")
        count += len(values)
        total, squares = total + values.sum(axis=0), squares + np.square(values).sum(axis=0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))


def window_target(targets: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """Return the mean of the patches that a window covers, weighted by the seconds they share.

    Args:
        targets: of the whole patches from the copy's start on, `(patches, dims)`.
        start_s, end_s: of the window, in seconds.

    Returns:
        `(dims,)` float32. A window beyond the last whole patch gets that patch.
    """
    first = min(int(start_s / PATCH_S), len(targets) - 1)
    last = min(max(int(np.ceil(end_s / PATCH_S)), first + 1), len(targets))
    begin = np.arange(first, last) * PATCH_S
    shared = np.minimum(begin + PATCH_S, end_s) - np.maximum(begin, start_s)
    weights = np.maximum(shared, 0) if (shared > 0).any() else np.ones(last - first)
    return (weights / weights.sum() @ targets[first:last].astype("float64")).astype("float32")


class Windows:
    """The windows of some copies.

    Args:
        copies: labelled copies, one at least.
        plan: the pre-training's settings.
        statistics: of the training copies.
    """

    def __init__(self, copies: Sequence[Copy], plan: Plan, statistics: Statistics):
        self.copies, self.plan, self.statistics = copies, plan, statistics
        self.frames = plan.experiment.frames
        # centring gives a log-mel one frame more than its length in hops
        self.lengths = [max(1, len(copy.log_mel(plan.frontend.mels)) - 1) for copy in copies]

    @property
    def seconds(self) -> float:
        """Length of all copies together."""
        return sum(self.lengths) * self._hop_s

    @property
    def steps(self) -> int:
        """Batches of an epoch of training."""
        return max(1, len(self.random_positions(0)) // self.plan.learning.batch_size)

    def random_positions(self, epoch: int) -> list[Position]:
        """Return an epoch's windows in random order: as many as fit into each copy, at random."""
        rng = np.random.default_rng((self.plan.learning.seed, epoch, 0))
        found = [
            (row, int(rng.integers(0, max(0, length - self.frames) + 1)))
            for row, length in enumerate(self.lengths)
            for _ in range(max(1, round(length / self.frames)))
        ]
        return [found[k] for k in rng.permutation(len(found))]

    def fixed_positions(self) -> list[Position]:
        """Return windows that follow each other, in order."""
        return [
            (row, start)
            for row, length in enumerate(self.lengths)
            for start in window_starts(length, self.frames, self.frames)
        ]

    def read(self, positions: Sequence[Position]) -> tuple[np.ndarray, np.ndarray]:
        """Return windows, `(n, frames, mels)` float32 dB, and standardised targets, `(n, 1756)`."""
        mels, floor_db = self.plan.frontend.mels, self.plan.frontend.floor_db
        x = np.empty((len(positions), self.frames, mels), "float32")
        y = np.empty((len(positions), DIMS), "float32")
        for n, (row, start) in enumerate(positions):
            copy, seconds = self.copies[row], start * self._hop_s
            x[n] = read_segment(copy.log_mel(mels), start, self.frames, floor_db)
            y[n] = window_target(copy.targets(), seconds, seconds + self.frames * self._hop_s)
        return x, (y - self.statistics["target_mean"]) / self.statistics["target_std"]

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        """Return an epoch's `steps` batches, masked and low-passed at random."""
        size, positions = self.plan.learning.batch_size, self.random_positions(epoch)
        settings, frontend = self.plan.augmentation, self.plan.frontend
        band_mean = self.statistics["band_mean"]

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            rng = np.random.default_rng((self.plan.learning.seed, epoch, 1))
            for step in range(self.steps):
                x, y = self.read(positions[step * size : (step + 1) * size])
                yield augment(x, rng, settings, frontend, band_mean), y

        return self._dataset(batches, self.steps)

    def evaluation_batches(self) -> tf.data.Dataset:
        """Return the windows of `fixed_positions`, unchanged."""
        size, positions = self.plan.learning.batch_size, self.fixed_positions()
        starts = range(0, len(positions), size)
        return self._dataset(
            lambda: (self.read(positions[k : k + size]) for k in starts), len(starts)
        )

    @property
    def _hop_s(self) -> float:
        return self.plan.frontend.hop_length / self.plan.frontend.sample_rate_hz

    def _dataset(self, batches: Callable[[], Iterator], count: int) -> tf.data.Dataset:
        spec = (
            tf.TensorSpec((None, self.frames, self.plan.frontend.mels), tf.float32),
            tf.TensorSpec((None, DIMS), tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(batches, output_signature=spec)
        return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(4)
