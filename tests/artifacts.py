"""Small runs, their exports, and recordings to predict on; and how two predictions compare.

The exports are made here, not by `adff_tf.export`, so that tests of prediction need no room above
it, and hold what is written down in `inference.description` and `inference.backends`.
"""

import hashlib
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from adff_tf.inference.backends import Outputs
from adff_tf.inference.calibration import Calibration
from adff_tf.inference.description import FILE, Description, describe
from adff_tf.inference.model import EmotionModel
from adff_tf.model import log_mel as front_end
from adff_tf.model.lstm import Bidirectional
from adff_tf.model.model_file import find_model, load_network
from adff_tf.model.network import build_adff
from adff_tf.model.networks import with_distance
from adff_tf.support.console import silence_stderr
from adff_tf.tasks import PROBABILITIES, TASKS

from . import tiny

RATE = 44100
WINDOW = 441 * 100  # of the tiny experiment: 1 s

BAD_SAMPLES = [  # samples, their rate, and a part of the error
    (np.zeros((2, 3, 4)), RATE, "shape"),
    (np.zeros(()), RATE, "shape"),
    (np.zeros((2, RATE)), RATE, "transpose"),
    (np.zeros(RATE), 44100.5, "whole number"),
    (np.zeros(RATE), 999, "1000 to 768000"),
    (np.zeros(RATE), 10**6, "1000 to 768000"),
    (np.zeros(RATE), -44100, "1000 to 768000"),
    (np.zeros(RATE, complex), RATE, "complex"),
    (np.zeros(RATE, "int64"), RATE, "int64"),
    (np.zeros(RATE, bool), RATE, "bool"),
    (np.zeros(RATE, "uint16"), RATE, "uint16"),
    (np.array(["a"]), RATE, "type"),
    (np.full(RATE, 20000.0), RATE, "full scale"),
    (np.full(RATE, np.nan), RATE, "NaN"),
    (np.full((RATE, 2), 1e300), RATE, "NaN or infinite"),
    (np.append(np.zeros(2 * RATE), -np.inf), RATE, "NaN or infinite"),
    ([0.0, 0.1], RATE, "list"),
]


CALIBRATION = Calibration(  # of every run made here
    {name: tuple(k / 100 for k in range(1, 31)) for name in ("valence", "arousal", PROBABILITIES)},
    {"valence": 0.1, "arousal": 0.2},
    tuple(k / 10 for k in range(30)),
)


def music(seconds: float, seed: int = 0) -> np.ndarray:
    """Return noise whose loudness and colour wander, so that no two windows are alike."""
    rng, samples = np.random.default_rng(seed), int(seconds * RATE)
    noise = np.cumsum(rng.normal(0, 0.02, samples)) * 0.2 + rng.normal(0, 0.05, samples)
    noise -= np.convolve(noise, np.ones(500) / 500, "same")
    return (noise * (1 + 0.9 * np.sin(np.arange(len(noise)) / 9000))).astype("float32")


def save_run(folder: Path, task: str = "both") -> Path:
    """Write a run folder with an untrained model, which is all that prediction needs."""
    experiment = tiny.experiment(task)
    keras.utils.set_random_seed(1)
    network = build_adff(experiment, "float32")
    network.get_layer("standardise").set_weights([np.full(128, -50.0), np.full(128, 20.0)])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(experiment.to_json())
    with_distance(network).save(folder / "model.keras")
    (folder / "calibration.json").write_text(json.dumps(CALIBRATION.as_dict()))
    return folder


# === Exports ===


def converted(function, spec: tf.TensorSpec) -> bytes:
    """Return a function of one tensor to outputs by name as a TFLite model.

    A fixed batch and constant weights keep it within the builtin operations.
    """
    traced = tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
    names = sorted(traced.structured_outputs)
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    module = tf.Module()
    module.named = tf.function(
        lambda value: dict(zip(names, frozen(value), strict=True)),
        input_signature=[spec],
        autograph=False,
    )
    concrete = module.named.get_concrete_function()
    with silence_stderr():
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()


def flatbuffer(run: Path) -> tuple[bytes, dict]:
    """Return a run's network as a TFLite model, and its description."""
    predict, description = _portable(run)
    spec = tf.TensorSpec((1, description["window"]), tf.float32, "waveform")
    return converted(predict, spec), description


def write(path: Path, model: bytes, description: dict | list | bytes | None, **changes) -> Path:
    """Write a TFLite model with its description in a zip archive behind it.

    changes: of the description's fields; None drops a field.
    """
    path.write_bytes(model)
    if isinstance(description, dict):
        own = {"size": len(model), "sha256": hashlib.sha256(model).hexdigest()}
        fields = (description | own | changes).items()
        description = {key: value for key, value in fields if value is not None}
    if description is not None:
        is_text = isinstance(description, bytes)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(FILE, description if is_text else json.dumps(description))
    return path


def write_saved_model(run: Path, folder: Path, **changes) -> Path:
    """Write a run's network as a SavedModel with its description. changes: as in `write`."""
    predict, description = _portable(run)
    fields = (description | changes).items()
    text = json.dumps({key: value for key, value in fields if value is not None})
    module = tf.Module()
    module.predict = tf.function(
        predict,
        input_signature=[tf.TensorSpec((None, description["window"]), tf.float32, "waveform")],
        autograph=False,
    )
    module.describe = tf.function(
        lambda query: {"description": tf.fill(tf.shape(query), text)},
        input_signature=[tf.TensorSpec((None,), tf.string, "query")],
        autograph=False,
    )
    signatures = {"serving_default": module.predict, "description": module.describe}
    module.network = predict.network  # a SavedModel stores the weights that it can reach
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def _portable(run: Path):
    """Return a run's function from waveforms to outputs, without cuDNN, and its description."""
    file, experiment = find_model(run)
    network = load_network(file)
    for layer in network.layers:
        if isinstance(layer, Bidirectional):
            layer.forward_layer.use_cudnn = layer.backward_layer.use_cudnn = False

    def predict(waveform):
        log_mel = front_end.log_mel(waveform, experiment.frontend, "float32")
        outputs = network(log_mel[:, : experiment.frames], training=False)
        return {name: v if name == PROBABILITIES else v[:, 0] for name, v in outputs.items()}

    predict.network = network
    return predict, describe(experiment, "no terms", True, CALIBRATION)


# === Models without a network ===


class Recorder:
    """A backend that predicts the mean |sample| and keeps the windows that it was given."""

    def __init__(self, value: float | None = None):
        self.windows: list[np.ndarray] = []
        self.batches: list[int] = []
        self._value = value

    def predict(self, waveforms: np.ndarray) -> Outputs:
        """See `Backend`."""
        self.batches.append(len(waveforms))
        self.windows += list(waveforms.copy())
        loudness = np.abs(waveforms).mean(axis=1)
        return {"arousal": loudness if self._value is None else np.full(len(loudness), self._value)}


class Forgetful:
    """A backend that predicts the first sample and keeps nothing."""

    def predict(self, waveforms: np.ndarray) -> Outputs:
        """See `Backend`."""
        return {"arousal": waveforms[:, 0].copy()}


def model_of(backend, window: int = WINDOW, rate_hz: int = RATE) -> EmotionModel:
    """Return a model of arousal by any backend."""
    return EmotionModel(Description(TASKS["arousal"], rate_hz, window), backend)


# === Predictions side by side ===


def assert_same(found, wanted, atol: float = 1e-4, path: str = "") -> None:
    """Assert equal keys in equal order, equal words, and numbers within `atol`."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), path
        for key in wanted:
            assert_same(found[key], wanted[key], atol, f"{path}/{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), path
        for k, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
            assert_same(ours, theirs, atol, f"{path}/{k}")
    elif isinstance(wanted, float):
        assert isinstance(found, int | float) and found == pytest.approx(wanted, abs=atol), path
    else:
        assert found == wanted and type(found) is type(wanted), path
