"""A trained network's output `distance`: how far a segment lies from the training songs.

At each level the distance is Mahalanobis's in E_N (Lee et al., "A Simple Unified Framework for
Detecting Out-of-Distribution Samples", NeurIPS 2018, with one class), over features of unit
variance, with a little added to each variance so that no direction counts that the training songs
hardly show. Its unit is the median over training songs, so that distances of the folds' models can
be compared.
"""

import keras
import numpy as np

from ..config import Experiment
from ..features.segments import segment_set
from ..features.tracks import Tracks
from ..model.networks import FAMILIARITY, features, with_distance
from .predictions import mean_by_song

MOST_SEGMENTS = 2000  # of the training songs
ADDED = 1e-3  # to each variance, of features of unit variance
_TINY = 1e-6  # std of a feature that never changes


def add_distance(network: keras.Model, experiment: Experiment, tracks: Tracks) -> keras.Model:
    """Return a trained network with the output `distance`, `(batch, 1)`.

    Args:
        network: from log-mel to the task's outputs.
        experiment: its settings.
        tracks: those that it was trained on.
    """
    levels = {str(n): level for n, level in enumerate(features(network))}
    songs, values = predict_inside(keras.Model(network.inputs, levels), experiment, tracks)
    weights = []
    for e in values.values():
        mean, projection = whitening(e)
        away = np.linalg.norm((e - mean) @ projection, axis=1)
        unit = float(np.median(mean_by_song(songs, {"away": away})["away"]))
        weights += [mean, projection / max(unit, _TINY)]
    finished = with_distance(network)
    finished.get_layer(FAMILIARITY).set_weights(weights)
    return finished


def predict_inside(
    inner: keras.Model, experiment: Experiment, tracks: Tracks
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Predict tensors inside a network for segments of its training songs.

    Returns:
        The row of each segment's song, `(segments,)`, and values by output, `(segments, …)`
        float64.
    """
    segments = segment_set(experiment, tracks, training=False)
    rng = np.random.default_rng(experiment.training.seed)
    chosen = np.sort(rng.permutation(len(segments))[:MOST_SEGMENTS])
    size = experiment.training.batch_size
    batches = [
        inner.predict_on_batch(segments.read(0, chosen[k : k + size].tolist()))
        for k in range(0, len(chosen), size)
    ]
    return segments.track_rows[chosen], {
        name: np.concatenate([batch[name] for batch in batches]).astype("float64")
        for name in batches[0]
    }


def whitening(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean `(features,)` and projection `(features, features)` of `layers.Familiarity`.

    Args:
        features: of training segments, `(segments, features)`.
    """
    mean, std = features.mean(axis=0), features.std(axis=0) + _TINY
    standard = (features - mean) / std
    variances, directions = np.linalg.eigh(standard.T @ standard / len(features))
    return mean, directions / np.sqrt(np.maximum(variances, 0) + ADDED) / std[:, None]
