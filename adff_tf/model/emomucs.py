"""EmoMucs (de Berardinis, Cangelosi and Coutinho, ISMIR 2020): source models, alone and fused.

At the authors' size of 938 frames and 96 mels, C1D on the mix has 86,354 parameters and C2D 37,698.
Where paper and code differ, the code's reading is taken: C1D's convolutions have no activation,
and C2D's dropout has rate 0 and is left out. Batch norm is as in PyTorch.

With fusion the input has the stems side by side, `(batch, frames, 4 * mels)` in the order of
`networks.STEMS`. Each has a source model of its own:

    early   convolutions ─┐
    mid     hidden layer ─┼─ joined ── dropout ── 32 units a source, ReLU ── dropout ── outputs
    late    outputs ──────┘
"""

from collections.abc import Mapping

import keras
import numpy as np

from ..config import Experiment
from ..networks import C1D_FILTERS, C1D_KERNEL, C1D_POOL, C2D_POOLS, STEMS, EmoMucs
from ..tasks import TASKS
from .layers import RelativeLevel
from .network import FUSION, NETWORK, output_layers, standardised_input, task_outputs

C2D_FILTERS, UNITS, FUSED_UNITS = 32, 64, 32


def build(experiment: Experiment) -> keras.Model:
    """Return EmoMucs, untrained; see `networks.build_network`."""
    settings = experiment.network
    assert isinstance(settings, EmoMucs)
    settings.check(experiment.frames, experiment.frontend)

    # === Functional model ===
    log_mel, x = standardised_input(experiment)
    if settings.fusion == "none":
        e = source_features(x, settings)
        e = keras.layers.Identity(name=FUSION)(e)
        e = hidden(e, settings) if settings.source_model == "c1d" else e
    else:
        parts = [
            fused_part(_stem(x, k, experiment), experiment, f"{stem}_")
            for k, stem in enumerate(STEMS)
        ]
        e = keras.layers.Concatenate(name=FUSION)(parts)
        e = keras.layers.Dropout(settings.dropout, name="fusion_dropout")(e)
        e = keras.layers.Dense(FUSED_UNITS * len(STEMS), activation="relu", name="fc1")(e)
        e = keras.layers.Dropout(settings.dropout, name="fc1_dropout")(e)
    return keras.Model(log_mel, task_outputs(e, experiment.task), name=NETWORK)


def fused_part(x, experiment: Experiment, prefix: str):
    """Return the part of one source that the fusion takes, `(batch, features)`."""
    settings = experiment.network
    assert isinstance(settings, EmoMucs)
    e = source_features(x, settings, prefix)
    if settings.fusion == "early":
        return e
    if settings.source_model == "c1d":
        e = hidden(e, settings, prefix)
    if settings.fusion == "mid":
        return e
    task = TASKS[experiment.task]
    size = len(task.targets) if task.is_regression else len(task.classes)
    return keras.layers.Dense(size, name=f"{prefix}outputs")(e)


def source_features(x, settings: EmoMucs, prefix: str = ""):
    """Return a source model's features, `(batch, features)`, of `(batch, frames, mels)`."""
    if settings.level == "relative":
        x = RelativeLevel(dtype="float32", name=f"{prefix}relative_level")(x)
    return {"c1d": _c1d, "c2d": _c2d}[settings.source_model](x, prefix)


def hidden(e, settings: EmoMucs, prefix: str = ""):
    """Return C1D's hidden layer, `(batch, 64)`, with dropout before and behind it."""
    name = f"{prefix}fc1" if prefix else "fc1"
    e = keras.layers.Dropout(settings.dropout, name=f"{prefix}features_dropout")(e)
    e = keras.layers.Dense(UNITS, activation="relu", name=name)(e)
    return keras.layers.Dropout(settings.dropout, name=f"{name}_dropout")(e)


def _stem(x, k: int, experiment: Experiment):
    mels = experiment.frontend.mels
    return x[:, :, k * mels : (k + 1) * mels]


def _c1d(x, prefix: str):
    """Return `(batch, steps * 16)`."""
    for n, filters in enumerate(C1D_FILTERS, start=1):
        x = keras.layers.Conv1D(filters, C1D_KERNEL, name=f"{prefix}conv{n}")(x)
        x = keras.layers.MaxPooling1D(C1D_POOL, name=f"{prefix}pool{n}")(x)
        x = _norm(f"{prefix}norm{n}")(x)
    return keras.layers.Flatten(name=f"{prefix}features")(x)


def _c2d(x, prefix: str):
    """Return `(batch, 32)`."""
    x = keras.layers.Reshape((*x.shape[1:], 1), name=f"{prefix}channel")(x)
    for n, pool in enumerate(C2D_POOLS, start=1):
        x = keras.layers.Conv2D(C2D_FILTERS, 3, padding="same", name=f"{prefix}conv{n}")(x)
        x = _norm(f"{prefix}norm{n}")(x)
        x = keras.layers.Activation("elu", name=f"{prefix}elu{n}")(x)
        x = keras.layers.MaxPooling2D(pool, name=f"{prefix}pool{n}")(x)
    return keras.layers.GlobalAveragePooling2D(name=f"{prefix}features")(x)


def _norm(name: str) -> keras.layers.Layer:
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def load_stem_models(
    network: keras.Model, models: Mapping[str, keras.Model], task: str
) -> list[str]:
    """Copy the weights of source models, trained on one stem each, into a fused network.

    Args:
        network: of `build`, with fusion.
        models: by stem, of the same settings without fusion.
        task: a name in `TASKS`.

    Returns:
        The names of the layers that have a source model's weights.
    """
    copied = []
    for stem, model in models.items():
        sources = {f"{stem}_{layer.name}": layer.get_weights() for layer in model.layers}
        outputs = [model.get_layer(name) for name in output_layers(task)]
        together = zip(*(layer.get_weights() for layer in outputs), strict=True)
        sources[f"{stem}_outputs"] = [np.concatenate(part, axis=-1) for part in together]
        for layer in network.layers:
            if layer.weights and layer.name in sources:
                layer.set_weights(sources[layer.name])
                copied.append(layer.name)
    return copied
