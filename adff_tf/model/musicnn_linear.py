"""A linear model on MusiCNN's embedding, as a network from log-mel to outputs.

    log-mel, dB ── log10(1 + 10^4 power) ── patches of 3 s ── musicnn ── mean ── outputs

`training.linear` gives it MusiCNN's weights and solves for the last layer. The embedding is that of
the baseline `musicnn-linear` of every report, but for the edges of segments.
"""

import keras
from keras import ops

from ..config import Experiment
from ..networks import MusicnnLinear
from . import musicnn
from .network import FUSION, NETWORK, standardised_input, task_outputs

TEACHER = "musicnn"  # name of the layer


def build(experiment: Experiment) -> keras.Model:
    """Return the model without MusiCNN's weights; see `networks.build_network`."""
    settings = experiment.network
    assert isinstance(settings, MusicnnLinear)
    settings.check(experiment.frames, experiment.frontend)
    patches = experiment.frames // musicnn.PATCH
    teacher = musicnn.build()
    embedding = keras.Model(teacher.inputs, teacher.output["penultimate"], name=TEACHER)
    embedding.trainable = False

    # === Functional model ===
    log_mel, x = standardised_input(experiment)  # which stay 0 and 1
    x = ops.log(1 + ops.exp((x / 10 + 4) * ops.log(10.0))) / ops.log(10.0)
    x = x[:, : patches * musicnn.PATCH]
    x = ops.reshape(x, (-1, musicnn.PATCH, musicnn.BANDS))
    e = ops.reshape(embedding(x), (-1, patches, musicnn.TARGETS["penultimate"]))
    e = keras.layers.Identity(name=FUSION)(ops.mean(e, axis=1))
    return keras.Model(log_mel, task_outputs(e, experiment.task), name=NETWORK)
