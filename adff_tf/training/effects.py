"""A trained network's output `effects`: what each mid-level feature adds to each target.

The effect of Chowdhury et al. (SMC 2021) is weight times feature; here the feature is less its mean
over the training songs, so that an answer is explained by what sets the song apart.
"""

import keras
import numpy as np

from ..config import Experiment
from ..features.tracks import Tracks
from ..model.networks import with_effects
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
    mean = mean_by_song(*predict_inside(inner, experiment, tracks))[CONCEPTS].mean(axis=0)
    kernels = [network.get_layer(name).get_weights()[0] for name in TASKS[experiment.task].targets]
    finished = with_effects(network)
    finished.get_layer(EFFECTS).set_weights([mean, np.concatenate(kernels, axis=1).T])
    return finished
