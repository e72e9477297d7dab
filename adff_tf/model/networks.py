"""Every network behind one interface: log-mel in, the task's outputs out.

    adff        network.py
    emomucs     emomucs.py
    mlem        mlem.py
    musicnn-linear  musicnn_linear.py

Input `log_mel` `(batch, frames, mels)` float32, dB. Outputs: a dict, see `network.prediction_head`.
Every network has a layer `standardise`, which holds mean and std of each mel band: 0 and 1 until
they are assigned. Its layer `fusion` takes the features from which the outputs are computed: E_1 …
E_5 of ADFF, the last features of the others. While it is trained, a network with named concepts has
the output `concepts`, `(batch, concepts)` float32.
"""

from collections.abc import Collection

import keras

from ..config import Experiment
from ..tasks import CONCEPTS, DISTANCE, EFFECTS
from . import emomucs, mlem, musicnn_linear
from .layers import Effects, Familiarity
from .network import FUSION, build_adff, dtype_policy

FAMILIARITY = "familiarity"  # name of the layer of the output `distance`
BUILDERS = {
    "adff": build_adff,
    "emomucs": emomucs.build,
    "mlem": mlem.build,
    "musicnn-linear": musicnn_linear.build,
}


def build_network(experiment: Experiment, precision: str | None = None) -> keras.Model:
    """Return the untrained network of an experiment.

    Args:
        experiment: the settings.
        precision: a Keras dtype policy; by default Keras's current policy.

    Raises:
        InputError: the segment is too small for the network's pools.
    """
    with dtype_policy(precision):
        return BUILDERS[experiment.network.model](experiment)


def is_standardised(experiment: Experiment) -> bool:
    """Whether the statistics of the training songs belong into the layer `standardise`."""
    return getattr(experiment.network, "level", "standardised") == "standardised"


def features(network: keras.Model) -> list:
    """Return the tensors that the layer `fusion` takes, `(batch, features)` each."""
    found = network.get_layer(FUSION).input
    return list(found) if isinstance(found, list | tuple) else [found]


def with_distance(network: keras.Model) -> keras.Model:
    """Return a network with one more output, `distance` `(batch, 1)`, of `layers.Familiarity`."""
    outputs = dict(zip(network.output_names, network.outputs, strict=True))
    outputs[DISTANCE] = Familiarity(dtype="float32", name=FAMILIARITY)(features(network))
    return keras.Model(network.inputs[0], outputs, name=network.name)


def with_effects(network: keras.Model) -> keras.Model:
    """Return a network with the output `effects` of `layers.Effects` in the place of `concepts`."""
    outputs = dict(zip(network.output_names, network.outputs, strict=True))
    concepts = outputs.pop(CONCEPTS)
    outputs[EFFECTS] = Effects(len(outputs), dtype="float32", name=EFFECTS)(concepts)
    return keras.Model(network.inputs[0], outputs, name=network.name)


def with_outputs(network: keras.Model, names: Collection[str]) -> keras.Model:
    """Return a network with those outputs of a trained one, beside its task's, that are named."""
    network = with_effects(network) if EFFECTS in names else network
    return with_distance(network) if DISTANCE in names else network
