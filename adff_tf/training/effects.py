"""A trained network's output `effects`: what each mid-level feature adds to each target.

The effect of Chowdhury et al. (SMC 2021) is weight times feature; here the feature is less its mean
over the training songs, so that an answer is explained by what sets the song apart.
"""

from collections.abc import Sequence

import keras
import numpy as np

from ..config import Experiment
from ..features.tracks import Tracks
from ..model.networks import with_effects
from ..networks import Mlem
from ..tasks import CONCEPTS, EFFECTS, TASKS
from .familiarity import predict_inside
from .predictions import mean_by_song


def add_effects(network: keras.Model, experiment: Experiment, tracks: Tracks) -> keras.Model:
    """Return a trained network with `effects` in the place of `concepts`; without these, itself.

    Args:
        network: from log-mel to outputs.
        experiment: its settings.
        tracks: those that it was trained on.
    """
    if not experiment.concepts:
        return network
    inner = keras.Model(network.inputs, {CONCEPTS: network.get_layer(CONCEPTS).output})
    rows, values = predict_inside(inner, experiment, tracks)
    concepts = mean_by_song(rows, values)[CONCEPTS]
    targets = TASKS[experiment.task].targets
    if isinstance(experiment.network, Mlem) and experiment.network.mid_level == "separate":
        labels = tracks.table.iloc[np.unique(rows)][list(targets)].to_numpy("float64")
        _fit_last_layer(network, targets, concepts, labels)
    kernels = [network.get_layer(name).get_weights()[0] for name in targets]
    finished = with_effects(network)
    finished.get_layer(EFFECTS).set_weights(
        [concepts.mean(axis=0), np.concatenate(kernels, axis=1).T]
    )
    return finished


def _fit_last_layer(
    network: keras.Model, targets: Sequence[str], concepts: np.ndarray, labels: np.ndarray
) -> None:
    """Set the layer from concepts to targets to the least squares over songs.

    Its training is far from them after a few epochs, and the concepts do not depend on it.

    Args:
        network: whose outputs are linear in the concepts, with a bias.
        targets: names of the outputs.
        concepts: of training songs, `(songs, concepts)`.
        labels: `(songs, targets)`.
    """
    with_one = np.column_stack([concepts, np.ones(len(concepts))])
    solution, *_ = np.linalg.lstsq(with_one, labels, rcond=None)
    for name, weights in zip(targets, solution.T, strict=True):
        network.get_layer(name).set_weights([weights[:-1, None], weights[-1:]])
