"""One fit: the optimizer against worked numbers and Keras's, the learning rate over time, several devices."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adff_tf.config import Training
from adff_tf.support.console import SILENT
from adff_tf.training import fit
from adff_tf.training import optimizer as optimizers


def minimise(optimizer, gradients) -> list[np.ndarray]:
    """The path of a variable that starts at (1, -2) under given gradients."""
    variable = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer.build([variable])
    path = []
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        path.append(np.array(variable))
    return path


GRADIENTS = [[0.5, -0.1], [0.2, 0.3], [-0.4, 0.0]]


def test_adam_is_keras_adam_without_decay():
    ours = minimise(optimizers.Adam(0.01), GRADIENTS)
    np.testing.assert_allclose(ours, minimise(keras.optimizers.Adam(0.01), GRADIENTS), rtol=1e-6)


def test_weight_decay_is_added_to_the_gradient_by_hand():
    l2, rate, b1, b2 = 0.1, 0.01, 0.9, 0.999
    w, m, v, expected = np.array([1.0, -2.0]), 0.0, 0.0, []
    for t, gradient in enumerate(GRADIENTS, start=1):
        g = np.array(gradient) + l2 * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-7)
        expected.append(w)
    np.testing.assert_allclose(
        minimise(optimizers.Adam(rate, l2=l2), GRADIENTS), expected, rtol=1e-5
    )


def test_adam_takes_its_rate_from_a_schedule():
    settings = Training(learning_rate=0.1, decay_epochs=(1, 2), decay_factor=0.5)
    rates = optimizers.schedule(settings, steps_per_epoch=10)
    assert [float(rates(step)) for step in (0, 10, 11, 20, 21)] == pytest.approx(
        [0.1, 0.1, 0.05, 0.05, 0.025]
    )


def test_cosine_rises_for_a_tenth_and_falls_to_zero():
    rates = optimizers.schedule(
        Training(schedule="cosine", learning_rate=0.3, epochs=10), steps_per_epoch=10
    )
    assert (
        float(rates(0)) == 0
        and float(rates(10)) == pytest.approx(0.3)
        and float(rates(100)) == pytest.approx(0, abs=1e-7)
    )
    assert float(rates(55)) == pytest.approx(0.15, rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "val_loss", "best", "stops"),
    [
        ([3.0, 2.0, 1.0], [0.5, 0.4, 0.6], 2, False),
        ([3.0, 2.0, 1.0, 0.5], [0.5, 0.4, 0.6, 0.4], 2, True),
        ([3.0, 2.0], [0.5, np.nan], 1, False),
        ([3.0, np.nan], [np.nan, np.nan], 1, True),
        ([3.0, np.inf], [0.5, 0.4], 2, True),
    ],
)
def test_when_it_stops_early(loss, val_loss, best, stops, tmp_path):
    """With a patience of two epochs; a loss that is no number ends it at once."""
    progress = fit._Progress(tmp_path, Training(early_stopping=2), 1, "a fit", SILENT)
    progress.history = pd.DataFrame({"loss": loss, "val_loss": val_loss})
    assert (progress.best, progress.should_stop()) == (best, stops)


TWO_DEVICES = """
import sys, numpy as np, pandas as pd, tensorflow as tf
from pathlib import Path
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from adff_tf import pipeline, training
from tests import tiny
training.distribution = lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
rng = np.random.default_rng(0)
names = [str(k) for k in range(8)]
table = pd.DataFrame({"track_id": names, "path": names, "valence": 0.5, "arousal": -0.5, "group": names})
files = [Path(sys.argv[1]) / f"{name}.npy" for name in names]
for file in files:
    np.save(file, rng.normal(-40, 10, (120, 128)).astype("float32"))
tracks = pipeline.Tracks(table, files, np.full(8, 120), np.full((8, 128), -40.0), np.full((8, 128), 10.0))
result = training.fit(tiny.experiment(tflm=False, training={"epochs": 6}), tracks, Path(sys.argv[1]))
print(result.history["loss"].iloc[0] > result.history["loss"].iloc[-1], np.isfinite(result.history["loss"]).all())
"""


def test_several_devices_train_by_mirrored_strategy(tmp_path):
    """Two logical CPUs stand in for two GPUs; a process of its own, since devices are set up once."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, tmp_path],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "True True"
