"""Makes the regression set: `python -m tests.regression.make`, from the repository's root.

`waveform.wav` is 1.5 s of a chord with a beat. `answers.json` holds the predictions of two small
networks for its windows; `adff_int8.tflite` is one of them as the export writes it, for the tests
of the core alone. None is random, and the weights follow a formula, so that they are the
same wherever they are made. The set was made once, with the versions that `answers.json` names. It
is made again only where predictions are meant to change, and then CHANGELOG.md says so.
"""

import itertools
import json
from pathlib import Path

import keras
import numpy as np
import soundfile
import tensorflow as tf

from adff_tf.config import Experiment
from adff_tf.export import tflite
from adff_tf.inference.description import describe
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable
from adff_tf.model.network import build_adff

from .. import tiny

FOLDER = Path(__file__).parent
RATE = 44100
HOP_S = 0.25
TASKS = ("both", "quadrant")


def waveform() -> np.ndarray:
    """Return the waveform, `(66150,)` float32.

    It is a minor seventh chord in saw-like partials that decays four times, a rising tone, and a
    hiss.
    """
    t = np.arange(int(1.5 * RATE)) / RATE
    chord = sum(
        np.sin(2 * np.pi * f * k * t) / k
        for f in (220.0, 261.63, 329.63, 392.0)
        for k in range(1, 9)
    )
    beat, rise = np.exp(-6 * (t % 0.375)) * (1.5 - t), t * np.sin(2 * np.pi * 400 * t**3)
    # recordings have some, and without it rounding would move the log-mel
    hiss = np.sin(0.1 * np.arange(len(t)) ** 2)
    return (0.1 * chord * beat + 0.1 * rise + 0.001 * hiss).astype("float32")


def network(task: str) -> tuple[Experiment, keras.Model]:
    """Return a small network and its settings.

    Its weights are sines of their index, of about the size that training starts with.
    """
    experiment = tiny.experiment(task)
    made = build_adff(experiment, "float32")
    weights = []
    for n, weight in enumerate(made.get_weights()):
        wave = np.sin(np.arange(weight.size) * 12.9898 + n).reshape(weight.shape)
        weights.append(wave * (np.sqrt(9 / np.prod(weight.shape[:-1])) if weight.ndim > 1 else 0.1))
    made.set_weights(weights)
    made.get_layer("standardise").set_weights([np.full(128, -45.0), np.full(128, 15.0)])
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            layer.set_weights([np.full(channels, value) for value in (1.0, 0.1, 0.2, 0.5)])
    return experiment, made


def model(task: str) -> EmotionModel:
    """Return the network of a task as a model."""
    experiment, made = network(task)
    return EmotionModel.from_network(made, experiment)


def artifact() -> bytes:
    """Return the network of both targets as `adff_int8.tflite`."""
    experiment, made = network("both")
    description = describe(experiment, "made by a formula; free of terms")
    twin = servable.without_cudnn(made)
    files = dict(itertools.islice(tflite.files(twin, experiment, description, []), 3))
    return files["adff_int8.tflite"]


def main() -> None:
    soundfile.write(FOLDER / "waveform.wav", waveform(), RATE, subtype="PCM_16")
    wav = FOLDER / "waveform.wav"
    answers = {
        task: model(task).predict(wav, hop_s=HOP_S, name=wav.name).as_dict() for task in TASKS
    }
    (FOLDER / "adff_int8.tflite").write_bytes(artifact())
    made_with = {"tensorflow": tf.__version__, "keras": keras.__version__}
    (FOLDER / "answers.json").write_text(
        json.dumps({"made_with": made_with, **answers}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
