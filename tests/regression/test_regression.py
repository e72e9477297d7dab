"""Answers of small networks with fixed weights, against those written down in tests/regression."""

import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from adff_tf import audio
from adff_tf.export import saved_model, tflite
from adff_tf.export.about import about
from adff_tf.litert import EmotionRunner
from adff_tf.model import servable

from . import make

GOLDEN = json.loads((make.FOLDER / "answers.json").read_text())
WAVEFORM = make.FOLDER / "waveform.wav"


def assert_same(found, wanted, atol: float):
    """Nested answers: the same names and words, numbers within `atol`."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name in wanted:
            assert_same(found[name], wanted[name], atol)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other, atol)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=atol)
    else:
        assert found == wanted


def test_the_waveform_is_what_the_script_makes():
    np.testing.assert_allclose(soundfile.read(WAVEFORM)[0], make.waveform(), atol=1 / 32768)


@pytest.mark.parametrize("task", make.TASKS)
def test_the_keras_model(task):
    found = make.model(task).predict(WAVEFORM, hop_s=make.HOP_S, name="waveform.wav").as_dict()
    assert_same(found, GOLDEN[task], 1e-5)
    assert len(found["curve"]) == 3


def test_the_golden_windows_differ():
    """Answers that do not depend on the waveform would agree whatever broke."""
    assert min(GOLDEN["both"]["std"].values()) > 0.01
    shares = [list(window["probabilities"].values()) for window in GOLDEN["quadrant"]["curve"]]
    assert np.std(shares, axis=0).max() > 0.002


@pytest.mark.parametrize("task", make.TASKS)
def test_the_artifacts(task, tmp_path):
    """The SavedModel's `recording`, and the TFLite file by the runner."""
    experiment, network = make.network(task)
    told = about(experiment, "none")
    saved_model.write(network, experiment, told, tmp_path / "1")
    waveform = tf.constant(audio.load(WAVEFORM, make.RATE))
    recording = tf.saved_model.load(str(tmp_path / "1")).signatures["recording"]
    found = recording(waveform=waveform, hop=tf.constant(round(make.HOP_S * make.RATE)))
    for k, window in enumerate(GOLDEN[task]["curve"]):
        values = (
            window if task == "both" else {"probabilities": list(window["probabilities"].values())}
        )
        for name in told["outputs"]:
            np.testing.assert_allclose(found[name][k], values[name], atol=1e-5)

    _, content = next(tflite.files(servable.without_cudnn(network), experiment, told, []))
    (tmp_path / "model.tflite").write_bytes(content)
    answer = EmotionRunner.load(tmp_path / "model.tflite").predict(
        WAVEFORM, hop_s=make.HOP_S, name="waveform.wav"
    )
    assert_same(answer, GOLDEN[task], 1e-4)
