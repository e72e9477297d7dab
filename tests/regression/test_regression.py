"""Predictions of small networks with fixed weights, against `answers.json` beside this file."""

import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from adff_tf import audio
from adff_tf.export import saved_model, tflite
from adff_tf.inference.description import describe
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable

from ..artifacts import assert_same
from . import make

GOLDEN = json.loads((make.FOLDER / "answers.json").read_text())
WAVEFORM = make.FOLDER / "waveform.wav"


def predicted(model: EmotionModel) -> dict:
    return model.predict(WAVEFORM, hop_s=make.HOP_S, name="waveform.wav").as_dict()


def test_the_waveform_is_what_the_script_makes():
    np.testing.assert_allclose(soundfile.read(WAVEFORM)[0], make.waveform(), atol=1 / 32768)


@pytest.mark.parametrize("task", make.TASKS)
def test_the_keras_model(task):
    found = predicted(make.model(task))
    assert_same(found, GOLDEN[task], 1e-5)
    assert len(found["curve"]) == 3


def test_the_golden_windows_differ():
    """Predictions that do not depend on the waveform would agree whatever broke."""
    assert min(GOLDEN["both"]["std"].values()) > 0.01
    shares = [list(window["probabilities"].values()) for window in GOLDEN["quadrant"]["curve"]]
    assert np.std(shares, axis=0).max() > 0.002


@pytest.mark.parametrize("task", make.TASKS)
def test_the_artifacts(task, tmp_path):
    """The SavedModel, also its `recording`, and the TFLite file."""
    experiment, network = make.network(task)
    description = describe(experiment, "none")
    saved_model.write(network, experiment, description, tmp_path / "1")
    waveform = tf.constant(audio.load(WAVEFORM, make.RATE))
    recording = tf.saved_model.load(str(tmp_path / "1")).signatures["recording"]
    found = recording(waveform=waveform, hop=tf.constant(round(make.HOP_S * make.RATE)))
    for k, window in enumerate(GOLDEN[task]["curve"]):
        if task == "quadrant":
            window = {"probabilities": list(window["probabilities"].values())}
        for name in description["outputs"]:
            np.testing.assert_allclose(found[name][k], window[name], atol=1e-5)
    assert_same(predicted(EmotionModel.load(tmp_path / "1")), GOLDEN[task], 1e-5)

    twin = servable.without_cudnn(network)
    _, content = next(tflite.files(twin, experiment, description, []))
    (tmp_path / "model.tflite").write_bytes(content)
    assert_same(predicted(EmotionModel.load(tmp_path / "model.tflite")), GOLDEN[task], 1e-4)
