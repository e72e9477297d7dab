"""A trained network as a SavedModel for TensorFlow Serving, the whole front end inside.

Signatures, every output by name (`valence`, `arousal` float32 `(batch,)`, or `probabilities` float32 `(batch, classes)`):

    serving_default  waveform float32 (batch, samples): whole windows, mono, full scale ±1, at the model's rate
    log_mel          log_mel float32 (batch, frames, mels), dB, as `features.log_mel` gives it
    recording        waveform float32 (samples,) of any length from 1, hop int32 () in samples, 1 to a window: the outputs for
                     each window, with `start` float32 (windows,) in seconds; windows as `inference.windows` cuts them
    about            query string (batch,), not looked at: about string (batch,), the JSON of `about.py`

`recording` cannot be served with batching, as its inputs share no first dimension. A window that holds NaN or an infinite sample is
answered NaN, and the rest of its batch as if it were not there.
Core TensorFlow operations alone, float32 weights, and never traced for cuDNN.
"""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from ..config import Experiment
from ..model import log_mel as front_end
from ..model import servable
from ..tasks import TASKS

Outputs = dict[str, tf.Tensor]


def write(network: keras.Model, experiment: Experiment, about: dict, folder: Path) -> None:
    """Write the SavedModel of a trained network into `folder`, which must not exist."""
    twin = servable.without_cudnn(network)
    module = tf.Module()
    module.weights = [variable.value for variable in twin.variables]
    tf.saved_model.save(module, str(folder), signatures=signatures(twin, experiment, about))


def signatures(twin: keras.Model, experiment: Experiment, about: dict) -> dict[str, Callable]:
    """The SavedModel's functions by name; twin: `servable.without_cudnn` of the network."""
    window, frames, mels = about["window"], about["frames"], about["mels"]
    is_regression = TASKS[experiment.task].is_regression

    @_function(tf.TensorSpec((None, frames, mels), tf.float32, "log_mel"))
    def log_mel(log_mel):
        log_mel = tf.ensure_shape(
            log_mel, (None, frames, mels)
        )  # a session does not hold its inputs to their declared shape
        outputs = twin(log_mel, training=False)
        return _where_finite(
            log_mel,
            {name: value[:, 0] if is_regression else value for name, value in outputs.items()},
        )

    @_function(tf.TensorSpec((None, window), tf.float32, "waveform"))
    def serving_default(waveform):
        waveform = tf.ensure_shape(waveform, (None, window))
        return _where_finite(
            waveform, log_mel(front_end.log_mel(waveform, experiment.frontend)[:, :frames])
        )

    @_function(tf.TensorSpec((None,), tf.float32, "waveform"), tf.TensorSpec((), tf.int32, "hop"))
    def recording(waveform, hop):
        starts = _starts(tf.size(waveform), window, hop)
        padded = tf.pad(waveform, [[0, tf.maximum(0, window - tf.size(waveform))]])

        def one(start):
            return {
                name: value[0]
                for name, value in serving_default(
                    tf.slice(padded, [start], [window])[None]
                ).items()
            }

        specs = {
            name: tf.TensorSpec(value.shape[1:], tf.float32)
            for name, value in serving_default.structured_outputs.items()
        }
        outputs = tf.map_fn(one, starts, fn_output_signature=specs, parallel_iterations=1)
        return {"start": tf.cast(starts, tf.float32) / about["sample_rate_hz"], **outputs}

    @_function(tf.TensorSpec((None,), tf.string, "query"))
    def tell(query):
        return {"about": tf.fill(tf.shape(query), json.dumps(about))}

    return {
        "serving_default": serving_default,
        "log_mel": log_mel,
        "recording": recording,
        "about": tell,
    }


def _function(*specs: tf.TensorSpec) -> Callable:
    """A decorator that traces a function for these inputs, once."""
    return lambda function: tf.function(
        function, input_signature=specs, autograph=False
    ).get_concrete_function()


def _where_finite(inputs: tf.Tensor, outputs: Outputs) -> Outputs:
    """The outputs, NaN in the rows whose input `(batch, …)` holds NaN or infinity."""
    is_valid = tf.reduce_all(tf.math.is_finite(inputs), axis=list(range(1, inputs.shape.rank)))
    return {
        name: tf.where(
            tf.reshape(is_valid, [-1] + [1] * (value.shape.rank - 1)),
            value,
            tf.constant(float("nan")),
        )
        for name, value in outputs.items()
    }


def _starts(total: tf.Tensor, window: int, hop: tf.Tensor) -> tf.Tensor:
    """First samples of the windows of a recording of `total` samples, int32 `(windows,)`, as `inference.windows` cuts them."""
    checks = [
        tf.debugging.assert_positive(total, "the waveform is empty"),
        tf.debugging.assert_positive(hop, "hop is in samples, from 1 to a window"),
        tf.debugging.assert_less_equal(hop, window, "hop is in samples, from 1 to a window"),
    ]
    with tf.control_dependencies(checks):
        regular = tf.range(0, tf.maximum(0, total - window) + 1, hop)
    rest = total - (regular[-1] + window)
    has_last = (rest > 0) & (2 * rest >= hop)
    return tf.concat([regular, tf.fill([tf.cast(has_last, tf.int32)], total - window)], axis=0)
