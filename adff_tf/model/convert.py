"""A trained network with its front end as a TFLite FlatBuffer: one window in, outputs by name.

The DFT is float32, as TFLite has no other; `model.log_mel` states the cost.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ..config import Experiment
from ..support.console import silence_stderr
from ..tasks import VECTORS
from .log_mel import log_mel


def window_function(network: keras.Model, experiment: Experiment) -> tuple[Callable, tf.TensorSpec]:
    """Return the function from one window of waveform to outputs, and its input.

    Args:
        network: float32 and without cuDNN (`servable.without_cudnn`).
        experiment: its settings.
    """
    frontend, frames = experiment.frontend, experiment.frames

    def predict(waveform):
        return network(log_mel(waveform, frontend, "float32")[:, :frames], training=False)

    return predict, tf.TensorSpec((1, frames * frontend.hop_length), tf.float32, "waveform")


def convert(function: Callable, spec: tf.TensorSpec) -> bytes:
    """Return a function of one tensor to outputs by name as a float32 TFLite model.

    The LSTMs' loops convert to builtin operations only with a fixed batch and constant weights.
    """
    traced = tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
    # the frozen function returns a list, in this order
    names = list(tf.nest.flatten({name: name for name in traced.structured_outputs}))
    with silence_stderr():  # C++ lists ignored operations
        frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    module = tf.Module()

    @tf.function(input_signature=[spec], autograph=False)
    def predict(argument):
        outputs = zip(names, frozen(argument), strict=True)
        return {name: value if name in VECTORS else value[:, 0] for name, value in outputs}

    module.predict = predict
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [predict.get_concrete_function()], module
    )
    with silence_stderr():
        return converter.convert()
