"""The counted work against the layers of the networks as Keras builds them."""

import keras
import numpy as np
import pytest

from adff_tf.config import Experiment, Segments
from adff_tf.model.networks import build_network
from adff_tf.networks import EmoMucs, Mlem, Network
from adff_tf.paper import work

SMALL = {"width": 0.1, "lstm_units": 5}
NETWORKS = {
    "adff": (Network(**SMALL), 1),
    "adff in 3 parts": (Network(**SMALL), 3),
    "adff without SE": (Network(**SMALL, se=False), 3),
    "adff without TFLM": (Network(**SMALL, tflm=False), 3),
    "mlem": (Mlem(width=0.1), 1),
    "c2d": (EmoMucs(), 1),
    "c1d": (EmoMucs(source_model="c1d"), 1),
    "late fusion": (EmoMucs(source_model="c1d", fusion="late"), 1),
}


def count_layers(model) -> work.Work:
    """Return the work by the shapes of the layers' weights and outputs."""
    found = work.Work(parameters=sum(np.prod(w.shape) for w in model.trainable_weights))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D):
            *_, channels = layer.output.shape
            positions = int(np.prod(layer.output.shape[1:-1]))
            patch = int(np.prod(layer.kernel.shape[:-1]))
            found.multiply_adds += positions * patch * channels
            found.patches += positions * patch
            found.cells += positions * channels
            found.convolutions += 1
        elif isinstance(layer, keras.layers.Bidirectional):
            cell, steps = layer.forward_layer.cell, layer.input.shape[1]
            both = 2 * np.prod(cell.kernel.shape) + 4 * np.prod(cell.recurrent_kernel.shape)
            found.lstm_multiply_adds += int(steps * both)  # the zeros of the joint kernel too
            found.loop_steps += steps
            found.lstms += 1
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_the_work_is_that_of_the_layers(name):
    network, seg_num = NETWORKS[name]
    settings = Experiment(network=network, segments=Segments(seg_len=3.1, seg_num=seg_num))
    counted, true = work.count(settings), count_layers(build_network(settings))
    # batch norm, biases, excitation and outputs are left out
    assert 0.85 * true.parameters < counted.parameters <= true.parameters
    true.parameters = counted.parameters
    assert counted == true
