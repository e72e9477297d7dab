"""One fit: early stopping, divergence, several devices."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.config import Frontend, Training
from adff_tf.features.tracks import prepare_tracks
from adff_tf.support.console import SILENT
from adff_tf.training import fit
from adff_tf.training.run import load_index
from adff_tf.training.splits import inner_split

from .small import Lines, make_experiment


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
    """With a patience of two epochs; NaN or infinity in the loss ends the fit at once."""
    progress = fit._Progress(tmp_path, Training(early_stopping=2), 1, "a fit", SILENT)
    progress.history = pd.DataFrame({"loss": loss, "val_loss": val_loss})
    assert (progress.best, bool(progress.stop_reason())) == (best, stops)


def test_early_stopping_keeps_the_best_epoch_of_the_inner_split(manifest, tmp_path):
    settings = make_experiment(
        manifest,
        training={"epochs": 8, "early_stopping": 1, "learning_rate": 0.5, "inner_fraction": 0.4},
    )
    tracks, _ = prepare_tracks(
        load_index(settings, tmp_path).tracks, tmp_path / "features", Frontend()
    )
    result = fit.fit(settings, tracks, tmp_path / "fit")
    losses = result.history["val_loss"]
    assert (
        len(losses) == 8 or losses.argmin() == len(losses) - 2
    )  # stopped one epoch after the best
    train, val = inner_split(tracks, 0.4, settings.training.seed)
    assert not set(train.table["group"]) & set(val.table["group"])
    track_rows, predicted = fit.predict_segments(result.model, settings, val)
    errors = [
        np.mean((predicted[n] - val.table[n].to_numpy()[track_rows]) ** 2)
        for n in ("valence", "arousal")
    ]
    assert sum(errors) == pytest.approx(losses.min(), rel=1e-3)


@pytest.mark.parametrize("early_stopping", [0, 5])
def test_a_loss_that_is_no_number_is_a_divergence_whatever_the_weights(
    early_stopping, manifest, tmp_path, monkeypatch
):
    """The best weights that early stopping kept are not the result of a diverged fit."""
    tracks = prepare_tracks(
        datasets.load(manifest, label_range=(-1, 1)).tracks, tmp_path / "features", Frontend()
    )[0]
    ended = fit._Progress.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        ended(self, epoch, {**logs, "loss": np.nan} if epoch == 1 else logs)

    monkeypatch.setattr(fit._Progress, "on_epoch_end", on_epoch_end)
    settings = make_experiment(manifest, training={"early_stopping": early_stopping, "epochs": 4})
    reporter = Lines()
    for _ in range(2):
        with pytest.raises(fit.DivergedError, match="it diverged: "):
            fit.fit(settings, tracks, tmp_path / "fit", "it", reporter)
    assert reporter.lines[-2:] == ["it: diverged, stopped", "it: goes on after epoch 2 of 4"]


TWO_DEVICES = """
import sys, numpy as np, pandas as pd, tensorflow as tf
from pathlib import Path
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from adff_tf.features.tracks import Tracks
from adff_tf.training import fit as fits
from tests import tiny
fits.choose_strategy = lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
rng = np.random.default_rng(0)
names = [str(k) for k in range(8)]
table = pd.DataFrame({"track_id": names, "path": names, "group": names})
table = table.assign(valence=0.5, arousal=-0.5, labels="continuous", weight=1.0)
files = [Path(sys.argv[1]) / f"{name}.f32" for name in names]
for file in files:
    rng.normal(-40, 10, (120, 128)).astype("float32").tofile(file)
mean, std = np.full((8, 128), -40.0), np.full((8, 128), 10.0)
tracks = Tracks(table, files, np.full(8, 120), mean, std)
experiment = tiny.experiment(tflm=False, training={"epochs": 6})
result = fits.fit(experiment, tracks, Path(sys.argv[1]))
loss = result.history["loss"]
print(loss.iloc[0] > loss.iloc[-1], np.isfinite(loss).all())
"""


def test_several_devices_train_by_mirrored_strategy(tmp_path):
    """Two logical CPUs stand in for two GPUs; in a process, because devices are set up once."""
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
