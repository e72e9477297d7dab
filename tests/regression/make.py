"""Makes the regression set beside it: `python -m tests.regression.make`, from the root of the repository.

`waveform.wav` is 1.5 s of a chord with a beat, `answers.json` what two small networks answer to its windows. Neither is drawn at
random, and the weights follow a formula, so that they are the same wherever they are made. Made once, with the versions that
`answers.json` names; made again only where answers are meant to change, and then CHANGELOG.md says so.
"""

import json
from pathlib import Path

import keras
import numpy as np
import soundfile
import tensorflow as tf

from adff_tf.config import Experiment
from adff_tf.inference.model import EmotionModel
from adff_tf.model.network import build_adff

from .. import tiny

FOLDER = Path(__file__).parent
RATE = 44100
HOP_S = 0.25
TASKS = ("both", "quadrant")


def waveform() -> np.ndarray:
    """A minor seventh chord in saw-like partials that decays four times, a rising tone, and a hiss: `(66150,)` float32."""
    t = np.arange(int(1.5 * RATE)) / RATE
    chord = sum(
        np.sin(2 * np.pi * f * k * t) / k
        for f in (220.0, 261.63, 329.63, 392.0)
        for k in range(1, 9)
    )
    beat, rise = np.exp(-6 * (t % 0.375)) * (1.5 - t), t * np.sin(2 * np.pi * 400 * t**3)
    hiss = np.sin(
        0.1 * np.arange(len(t)) ** 2
    )  # no recording is without, and without it rounding would be heard
    return (0.1 * chord * beat + 0.1 * rise + 0.001 * hiss).astype("float32")


def network(task: str) -> tuple[Experiment, keras.Model]:
    """A small network whose weights are sines of their number, of about the size that training starts with."""
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
    experiment, made = network(task)
    return EmotionModel.of(made, experiment)


def main() -> None:
    soundfile.write(FOLDER / "waveform.wav", waveform(), RATE, subtype="PCM_16")
    answers = {
        task: model(task)
        .predict(FOLDER / "waveform.wav", hop_s=HOP_S, name="waveform.wav")
        .as_dict()
        for task in TASKS
    }
    made_with = {"tensorflow": tf.__version__, "keras": keras.__version__}
    (FOLDER / "answers.json").write_text(
        json.dumps({"made_with": made_with, **answers}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
