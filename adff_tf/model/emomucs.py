"""EmoMucs's source models on the mix (de Berardinis, Cangelosi and Coutinho, ISMIR 2020).

C1D has 86,354 parameters and C2D 37,698 at the authors' size of 938 frames and 96 mels. Where paper
and code differ, the code's reading is taken: C1D's convolutions have no activation, and C2D's
dropout has rate 0 and is left out. Batch norm is as in PyTorch.
"""

import keras

from ..config import Experiment
from ..rivals import C1D_FILTERS, C1D_KERNEL, C1D_POOL, C2D_POOLS, EmoMucs
from .layers import RelativeLevel
from .network import FUSION, NETWORK, standardised_input, task_outputs

C2D_FILTERS, UNITS = 32, 64


def build(experiment: Experiment) -> keras.Model:
    """Return C1D-M or C2D-M, untrained; see `networks.build_network`."""
    settings = experiment.network
    assert isinstance(settings, EmoMucs)
    settings.check(experiment.frames, experiment.frontend.mels)

    # === Functional model ===
    log_mel, x = standardised_input(experiment)
    if settings.level == "relative":
        x = RelativeLevel(dtype="float32", name="relative_level")(x)
    make_features = {"c1d": c1d_features, "c2d": c2d_features}[settings.source_model]
    e = keras.layers.Identity(name=FUSION)(make_features(x))
    if settings.source_model == "c1d":
        e = keras.layers.Dropout(settings.dropout, name="features_dropout")(e)
        e = keras.layers.Dense(UNITS, activation="relu", name="fc1")(e)
        e = keras.layers.Dropout(settings.dropout, name="fc1_dropout")(e)
    return keras.Model(log_mel, task_outputs(e, experiment.task), name=NETWORK)


def c1d_features(x):
    """Return C1D's features, `(batch, steps * 16)`, of `(batch, frames, mels)`."""
    for n, filters in enumerate(C1D_FILTERS, start=1):
        x = keras.layers.Conv1D(filters, C1D_KERNEL, name=f"conv{n}")(x)
        x = keras.layers.MaxPooling1D(C1D_POOL, name=f"pool{n}")(x)
        x = _norm(n)(x)
    return keras.layers.Flatten(name="features")(x)


def c2d_features(x):
    """Return C2D's features, `(batch, 32)`, of `(batch, frames, mels)`."""
    x = keras.layers.Reshape((*x.shape[1:], 1), name="channel")(x)
    for n, pool in enumerate(C2D_POOLS, start=1):
        x = keras.layers.Conv2D(C2D_FILTERS, 3, padding="same", name=f"conv{n}")(x)
        x = _norm(n)(x)
        x = keras.layers.Activation("elu", name=f"elu{n}")(x)
        x = keras.layers.MaxPooling2D(pool, name=f"pool{n}")(x)
    return keras.layers.GlobalAveragePooling2D(name="features")(x)


def _norm(n: int) -> keras.layers.Layer:
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{n}")
