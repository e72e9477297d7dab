"""A linear model on MusiCNN's embedding: its last layer, its run, and what it refuses."""

import json
import re

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf import EmotionModel, train
from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.export.artifacts import export
from adff_tf.features import embedding
from adff_tf.model import musicnn, musicnn_files
from adff_tf.presets import musicnn_linear
from adff_tf.tasks import TASKS
from adff_tf.training.baselines import linear_layer, predict_linear
from adff_tf.training.run import run

from .small import change


def random_musicnn():
    """MusiCNN with random weights whose values stay in the range of the trained ones."""
    keras.utils.set_random_seed(0)
    model, rng = musicnn.build(), np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, rng.normal(0, 0.5, beta.shape), mean, variance])
    return model


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of one fold with random weights of MusiCNN, its folder. Songs are noise of 6 s."""
    model, rng, rows = random_musicnn(), np.random.default_rng(1), []
    folder = tmp_path_factory.mktemp("set")
    for k, (valence, arousal) in enumerate(rng.uniform(-1, 1, (16, 2))):
        noise = np.convolve(rng.normal(size=96000), [1, valence], "same")
        soundfile.write(folder / f"{k}.wav", 10 ** (arousal - 2) * noise, 16000)
        rows.append((f"{k}.wav", valence, arousal))
    table = pd.DataFrame(rows, columns=["path", "valence", "arousal"])
    table.to_csv(folder / "labels.csv", index=False)
    settings = change(
        musicnn_linear(),
        data={"data": (folder / "labels.csv",), "label_range": (-1, 1)},
        segments={"seg_len": 3.0},
        validation={"folds": 2, "hold_out": True, "final_model": False},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(musicnn_files, "is_installed", lambda: True)
        patch.setattr(musicnn_files, "read_checkpoint", lambda: {})
        patch.setattr(musicnn_files, "load_teacher", lambda files: model)
        yield run(settings, tmp_path_factory.mktemp("runs") / "linear").folder


def test_its_scores_are_those_of_the_baseline(finished):
    """The embedding is once that of segments of 3 s, and once of the recording."""
    metrics = json.loads((finished / "metrics.json").read_text())
    for target in ("valence", "arousal"):
        own, row = metrics["mean"][target], metrics["baselines"][embedding.NAME][target]
        assert own["rmse"] == pytest.approx(row["rmse"], rel=1e-3)
    report = (finished / "report.md").read_text()
    assert "a linear model on MusiCNN's embedding" in report and "epochs" not in report
    assert not (finished / "fold1" / "history.csv").exists()


def test_it_predicts_and_exports(finished, tmp_path):
    waveform = np.random.default_rng(0).normal(0, 0.1, 4 * 44100).astype("float32")
    by_litert, by_keras = (
        EmotionModel.load(finished, backend=backend).predict(waveform, 44100)
        for backend in ("litert", "keras")
    )
    assert by_litert.values == pytest.approx(by_keras.values, abs=1e-4)
    assert by_litert.distance == pytest.approx(by_keras.distance, rel=1e-2)
    artifacts = export(finished, tmp_path / "export", ["saved_model"]).report["artifacts"]
    assert artifacts["saved_model"]["passed"]


@pytest.mark.parametrize("name", ["valence", "valence2", "quadrant"])
def test_the_last_layer_is_the_linear_model(name):
    """The layer gives scikit-learn's predictions, also where a class has no training song."""
    rng, task = np.random.default_rng(0), TASKS[name]
    x, groups = rng.normal(3, 2, (90, 5)), np.arange(90) // 2
    valence = np.clip(0.2 * (x[:, 0] - 3) + 0.05 * rng.normal(size=90), -1, 1)
    table = pd.DataFrame({"valence": valence, "arousal": np.abs(x[:, 1])})  # two quadrants of four
    (y,) = task.labels(table).values()
    kernel, bias = linear_layer(task, x, y, groups)
    found = x @ kernel + bias
    if task.is_regression:
        found = found[:, 0]
    else:
        found = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, predict_linear(task, x, y, groups, x), atol=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("valence", [0.5]), ("quadrant", [1, 0, 0, 0])])
def test_songs_with_one_label_have_one_answer(name, expected):
    task, x = TASKS[name], np.random.default_rng(0).normal(size=(6, 3))
    (y,) = task.labels(pd.DataFrame({"valence": [0.5] * 6, "arousal": [0.5] * 6})).values()
    kernel, bias = linear_layer(task, x, y, np.arange(6))
    assert not kernel.any()
    found = bias if task.is_regression else np.exp(bias) / np.exp(bias).sum()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_command_line_brings_its_front_end():
    _, experiment = train.parse(["--model", "musicnn-linear"])
    assert experiment.frontend.sample_rate_hz == 16000 and experiment.frontend.mels == 96
    assert experiment.frames // musicnn.PATCH == 3
    assert experiment.data == train.parse([])[1].data
    _, by_preset = train.parse(["--preset", "musicnn-linear"])
    assert by_preset.network == experiment.network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mels", "128"], "needs MusiCNN's front end, mels 96"),
        (["--seg-len", "2"], "too short for MusiCNN's patches of 187"),
    ],
)
def test_another_front_end_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        train.parse(["--model", "musicnn-linear", *arguments])
    assert message in re.sub(r"[\s│|]+", " ", capsys.readouterr().err)


def test_without_the_weights_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(musicnn_files, "is_installed", lambda: False)
    with pytest.raises(InputError, match="pip install --no-deps musicnn==0.1.0"):
        run(Experiment.model_validate(musicnn_linear().model_dump()), tmp_path / "run")
