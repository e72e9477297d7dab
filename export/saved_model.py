"""A trained network as a SavedModel for TensorFlow Serving, with the front end inside.

Signatures, whose outputs bear the task's names (`valence`, `arousal` float32 `(batch,)`, or
`probabilities` float32 `(batch, classes)`):

    serving_default  waveform float32 (batch, samples): whole windows, mono, full scale ±1, at the
                     model's rate
    log_mel          log_mel float32 (batch, frames, mels), dB, as `model.log_mel` computes it
    recording        waveform float32 (samples,) of any length from 1, hop int32 () in samples, 1 to
                     a window: the outputs for each window, and `start` float32 (windows,), seconds;
                     windows as `inference.windows` cuts them
    description      query string (batch,), ignored: description string (batch,), the JSON of
                     `inference.description`

A server cannot batch `recording`, because its inputs share no first dimension. A window with a NaN
or infinite sample yields NaN, and leaves the rest of its batch unchanged.
Core TensorFlow operations only, float32 weights, never traced for cuDNN.
"""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from adff_tf.config import Experiment
from adff_tf.model import log_mel as front_end
from adff_tf.model import servable
from adff_tf.tasks import VECTORS

Outputs = dict[str, tf.Tensor]

HOP_RANGE = "hop is in samples, from 1 to a window"


def write(network: keras.Model, experiment: Experiment, description: dict, folder: Path) -> None:
    """Write the SavedModel of a trained network.

    Args:
        network: from log-mel to outputs.
        experiment: its settings.
        description: of `inference.description.describe`.
        folder: must not exist.
    """
    twin = servable.without_cudnn(network)
    module = tf.Module()
    module.weights = [variable.value for variable in twin.variables]
    tf.saved_model.save(module, str(folder), signatures=signatures(twin, experiment, description))


def signatures(twin: keras.Model, experiment: Experiment, description: dict) -> dict[str, Callable]:
    """Return the SavedModel's functions by name. twin: of `servable.without_cudnn`."""
    window, frames, mels = (description[key] for key in ("window", "frames", "mels"))

    # a session does not check its inputs against their declared shape: ensure_shape does
    @_function(tf.TensorSpec((None, frames, mels), tf.float32, "log_mel"))
    def log_mel(log_mel):
        log_mel = tf.ensure_shape(log_mel, (None, frames, mels))
        outputs = twin(log_mel, training=False).items()
        flat = {name: value if name in VECTORS else value[:, 0] for name, value in outputs}
        return _nan_where_not_finite(log_mel, flat)

    @_function(tf.TensorSpec((None, window), tf.float32, "waveform"))
    def serving_default(waveform):
        waveform = tf.ensure_shape(waveform, (None, window))
        outputs = log_mel(front_end.log_mel(waveform, experiment.frontend)[:, :frames])
        return _nan_where_not_finite(waveform, outputs)

    @_function(tf.TensorSpec((None,), tf.float32, "waveform"), tf.TensorSpec((), tf.int32, "hop"))
    def recording(waveform, hop):
        starts = _window_starts(tf.size(waveform), window, hop)
        padded = tf.pad(waveform, [[0, tf.maximum(0, window - tf.size(waveform))]])

        def predict_at(start):
            outputs = serving_default(tf.slice(padded, [start], [window])[None])
            return {name: value[0] for name, value in outputs.items()}

        shapes = serving_default.structured_outputs.items()
        specs = {name: tf.TensorSpec(value.shape[1:], tf.float32) for name, value in shapes}
        outputs = tf.map_fn(predict_at, starts, fn_output_signature=specs, parallel_iterations=1)
        return {"start": tf.cast(starts, tf.float32) / description["sample_rate_hz"], **outputs}

    @_function(tf.TensorSpec((None,), tf.string, "query"))
    def describe(query):
        return {"description": tf.fill(tf.shape(query), json.dumps(description))}

    return {
        "serving_default": serving_default,
        "log_mel": log_mel,
        "recording": recording,
        "description": describe,
    }


def _function(*specs: tf.TensorSpec) -> Callable:
    """Return a decorator that traces a function once, for these inputs."""
    return lambda function: tf.function(
        function, input_signature=specs, autograph=False
    ).get_concrete_function()


def _nan_where_not_finite(inputs: tf.Tensor, outputs: Outputs) -> Outputs:
    """Return the outputs, NaN in rows whose input `(batch, …)` holds NaN or infinity."""
    is_valid = tf.reduce_all(tf.math.is_finite(inputs), axis=list(range(1, inputs.shape.rank)))
    nan = tf.constant(float("nan"))
    return {
        name: tf.where(tf.reshape(is_valid, [-1] + [1] * (value.shape.rank - 1)), value, nan)
        for name, value in outputs.items()
    }


def _window_starts(total: tf.Tensor, window: int, hop: tf.Tensor) -> tf.Tensor:
    """Return `inference.windows.window_starts` as int32 `(windows,)`. All are in samples."""
    checks = [
        tf.debugging.assert_positive(total, "the waveform is empty"),
        tf.debugging.assert_positive(hop, HOP_RANGE),
        tf.debugging.assert_less_equal(hop, window, HOP_RANGE),
    ]
    with tf.control_dependencies(checks):
        regular = tf.range(0, tf.maximum(0, total - window) + 1, hop)
    rest = total - (regular[-1] + window)
    has_last = (rest > 0) & (2 * rest >= hop)
    return tf.concat([regular, tf.fill([tf.cast(has_last, tf.int32)], total - window)], axis=0)
