"""Make musicnn_golden.npz: targets of two patches by the package musicnn's own graph.

    pip install "tensorflow==2.17.*" "tf_keras==2.17.*"
    pip install --no-deps musicnn==0.1.0
    TF_USE_LEGACY_KERAS=1 python tests/pretraining/make_golden.py

The package's `models.define_model` builds the graph from TensorFlow 1's layers, which legacy Keras
still has; the checkpoint is restored into it by name. Its extractor, which needs old versions of
librosa and NumPy, is not used.
"""

import os
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import musicnn
import numpy as np
import tensorflow as tf
from musicnn import models

FILE = Path(__file__).with_name("musicnn_golden.npz")
OUTPUTS = ("tags", "timbral", "temporal", "cnn1", "cnn2", "cnn3", "mean", "max", "penultimate")


def make_patches() -> np.ndarray:
    """Return two patches, `(2, 187, 96)` float16: chords that beat over noise, and a sweep."""
    frames, bands = np.mgrid[:187, :96]
    chord = sum(np.exp(-0.5 * (bands - band) ** 2) for band in (11, 23, 30, 42, 61))
    beat = 0.5 + 2.0 * chord * np.exp(-(frames % 31) / 9)
    sweep = 3.0 * np.exp(-0.1 * (bands - frames / 2) ** 2) + 0.01 * bands
    noise = np.random.default_rng(0).uniform(0, 0.5, (2, 187, 96))
    return (np.stack([beat, sweep]) + noise).astype("float16")


def run_package(patches: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of the package's graph for patches, `(batch, 187, 96)` float32."""
    tf.compat.v1.disable_eager_execution()
    log_mel = tf.compat.v1.placeholder(tf.float32, [None, 187, 96])
    is_training = tf.compat.v1.placeholder_with_default(False, [])
    found = models.define_model(log_mel, is_training, "MSD_musicnn", 50)
    outputs = dict(zip(OUTPUTS, found, strict=True))
    with tf.compat.v1.Session() as session:
        folder = Path(musicnn.__file__).parent / "MSD_musicnn"
        tf.compat.v1.train.Saver().restore(session, f"{folder}/")
        return session.run(outputs, {log_mel: patches})


if __name__ == "__main__":
    log_mel = make_patches()
    values = run_package(log_mel.astype("float32"))
    kept = {name: values[name] for name in ("mean", "max", "penultimate", "tags")}
    np.savez_compressed(FILE, log_mel=log_mel, **{k: v.reshape(2, -1) for k, v in kept.items()})
