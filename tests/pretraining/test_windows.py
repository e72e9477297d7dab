"""Windows, their targets and their statistics against numbers worked by hand."""

import numpy as np
import pytest

from adff_tf.config import Augmentation
from adff_tf.model.musicnn import DIMS, PATCH_S
from adff_tf.pretraining.labelling import Copy
from adff_tf.pretraining.recordings import Recording
from adff_tf.pretraining.windows import Windows, statistics, window_target

from .small import make_plan

PLAN = make_plan(augmentation=Augmentation())


def make_copy(folder, name, frames, patches) -> Copy:
    """A copy whose values count up, frame by frame and patch by patch."""
    files = folder / f"{name}.log_mel.f16", folder / f"{name}.targets.f16"
    for file, rows, columns in zip(files, (frames, patches), (128, DIMS), strict=True):
        values = np.arange(rows)[:, None] + np.linspace(0, 1, columns)
        file.write_bytes(values.astype("<f2").tobytes())
    return Copy(Recording(name, name, False), 0, *files)


@pytest.fixture
def copies(tmp_path):
    return [make_copy(tmp_path, "long", 951, 3), make_copy(tmp_path, "short", 61, 1)]


def test_a_target_is_the_mean_of_its_patches_by_the_seconds_they_share():
    targets = np.array([[0.0, 1.0], [10.0, 2.0], [100.0, 4.0]])
    assert PATCH_S == 187 * 256 / 16_000 == 2.992
    np.testing.assert_allclose(window_target(targets, 0, 2.992), [0, 1])
    np.testing.assert_allclose(window_target(targets, 1.992, 4.992), [20 / 3, 5 / 3])
    whole = window_target(targets, 0, 10)  # patches end at 8.976 s
    np.testing.assert_allclose(whole, targets.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(window_target(targets, 9, 10), targets[2])


def test_statistics_are_those_of_all_frames_and_patches(copies):
    found = statistics(copies, 128)
    frames = np.concatenate([copy.log_mel(128) for copy in copies]).astype("float64")
    patches = np.concatenate([copy.targets() for copy in copies]).astype("float64")
    np.testing.assert_allclose(found["band_mean"], frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["band_std"], frames.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found["target_std"], patches.std(axis=0), rtol=1e-4)
    constant = statistics(copies[1:], 128)
    assert (constant["target_std"] == 1).all() and (constant["band_std"] >= 1).all()


def test_windows_have_the_log_mel_and_the_standardised_target_of_their_place(copies):
    found = statistics(copies, 128)
    windows = Windows(copies, PLAN, found)
    x, y = windows.read([(0, 250), (1, 0)])
    assert x.shape == (2, 100, 128) and y.shape == (2, DIMS)
    np.testing.assert_array_equal(x[0], copies[0].log_mel(128)[250:350])
    assert (x[1, 61:] == -70).all()  # padded with silence
    # 2.5 s to 3.5 s: .492 s of patch 0 and .508 s of patch 1
    target = 0.508 + np.linspace(0, 1, DIMS)
    expected = (target - found["target_mean"]) / found["target_std"]
    np.testing.assert_allclose(y[0], expected, atol=2e-3)


def test_positions_fill_an_epoch_and_follow_seed_and_epoch(copies):
    found = statistics(copies, 128)
    windows = Windows(copies, PLAN, found)
    first, again, next_epoch = (windows.random_positions(epoch) for epoch in (0, 0, 1))
    assert first == again != next_epoch
    assert sorted(row for row, _ in first) == [0] * 10 + [1]  # 9.5 s and .6 s in windows of 1 s
    assert all(0 <= start <= 850 for _, start in first) and windows.steps == 2
    assert windows.fixed_positions() == [*[(0, 100 * k) for k in range(9)], (0, 850), (1, 0)]


def test_batches_hold_their_windows(copies):
    windows = Windows(copies, PLAN, statistics(copies, 128))
    x, y = next(windows.training_batches(3).as_numpy_iterator())
    expected = windows.read(windows.random_positions(3)[:4])
    np.testing.assert_array_equal(x, expected[0])
    np.testing.assert_array_equal(y, expected[1])
    assert [len(x) for x, _ in windows.evaluation_batches().as_numpy_iterator()] == [4, 4, 3]
    masked = Windows(copies, make_plan(), windows.statistics)
    x, _ = next(masked.training_batches(3).as_numpy_iterator())
    assert not np.array_equal(x, expected[0])
    again, _ = next(masked.training_batches(3).as_numpy_iterator())
    np.testing.assert_array_equal(x, again)
