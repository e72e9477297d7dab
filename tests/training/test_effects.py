"""Answers explained by mid-level features: effects that sum to the answer, in every backend."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf

from adff_tf import EmotionModel, predict
from adff_tf.config import Experiment
from adff_tf.datasets import synthetic
from adff_tf.datasets.synthetic.factors import AROUSAL, VALENCE
from adff_tf.export.artifacts import export
from adff_tf.model.networks import build_network
from adff_tf.networks import FACTORS, MID_LEVEL, Mlem
from adff_tf.presets import demo
from adff_tf.training.run import run

from .. import tiny
from .small import change, make_experiment


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run on built-in music whose factors are the concepts, its folder."""
    settings = tiny.experiment(training={"epochs": 1})
    settings = settings.model_copy(update={"network": Mlem(width=0.05, mid_level="separate")})
    return run(settings, tmp_path_factory.mktemp("runs") / "explained").folder


def answers(folder, backend="auto"):
    model = EmotionModel.load(folder, backend=backend)
    songs = sorted((folder / "synthetic" / "audio").iterdir())[:4]
    return [model.predict(song) for song in songs]


def test_effects_sum_to_the_answer_but_for_a_constant(finished):
    rest = [
        {name: e.values[name] - sum(e.effects[name].values()) for name in ("valence", "arousal")}
        for e in answers(finished)
    ]
    assert list(answers(finished)[0].effects["valence"]) == list(FACTORS)
    for name in ("valence", "arousal"):
        values = [row[name] for row in rest]
        assert values == pytest.approx([values[0]] * 4, abs=1e-4)
        assert np.std([e.values[name] for e in answers(finished)]) > 1e-3


def test_backends_and_artifacts_agree(finished, tmp_path):
    by_litert, by_keras = answers(finished, "litert"), answers(finished, "keras")
    done = export(finished, tmp_path / "export", ["tflite", "saved_model"])
    song = sorted((finished / "synthetic" / "audio").iterdir())[0]
    exported = [
        EmotionModel.load(done.folder / name).predict(song)
        for name in ("adff_float32.tflite", "saved_model")
    ]
    for other in (by_keras[0], *exported):
        for name, effects in by_litert[0].effects.items():
            assert other.effects[name] == pytest.approx(effects, abs=1e-3)


def test_the_command_prints_and_draws_them(finished, tmp_path, capsys):
    song = sorted((finished / "synthetic" / "audio").iterdir())[0]
    predict.main([str(finished), str(song), "--explain", "--plot", "--out", str(tmp_path / "p")])
    lines = capsys.readouterr().out.splitlines()
    table = {line[:28].strip(): [float(x) for x in line[28:].split()] for line in lines[3:-1]}
    assert {name.replace("_", " ") for name in FACTORS} | {"mean of the training songs"} == set(
        table
    )
    emotion = EmotionModel.load(finished).predict(song)
    total = np.sum(list(table.values()), axis=0)
    assert total == pytest.approx([emotion.valence, emotion.arousal], abs=0.01)
    greatest = [max(map(abs, row)) for row in table.values()][:-1]
    assert greatest == sorted(greatest, reverse=True)
    assert len(list((tmp_path / "p").glob("*-effects.svg"))) == 1
    scaled = emotion.rescaled(1, 9).effects["valence"]["mode"]
    assert scaled == pytest.approx(4 * emotion.effects["valence"]["mode"])


def test_csv_and_models_without_concepts_are_refused(finished, capsys):
    song = str(sorted((finished / "synthetic" / "audio").iterdir())[0])
    for arguments, message in (
        ([str(finished), song, "--explain", "--format", "csv"], "csv has a row a song"),
        ([song, "--explain"], "does not explain its answers"),
    ):
        with pytest.raises(SystemExit) as stop:
            predict.main(arguments)
        assert stop.value.code == 2 and message in capsys.readouterr().err


def test_clips_of_the_mid_level_set_teach_beside_songs_with_emotions(manifest, tmp_path):
    rng, place = np.random.default_rng(0), tmp_path / "mid"
    (place / "audio").mkdir(parents=True)
    for k in range(4):
        soundfile.write(place / "audio" / f"{k}.mp3", rng.normal(0, 0.1, 60000), 44100)
    ratings = pd.DataFrame(rng.uniform(1, 10, (4, 7)), columns=list(MID_LEVEL))
    ratings.assign(song_id=range(4)).to_csv(place / "annotations.csv", index=False)
    settings = change(make_experiment(manifest), data={"mid_level_data": place})
    settings = Experiment.model_validate(
        settings.model_dump() | {"network": Mlem(width=0.05, mid_level="separate")}
    )
    folder = run(settings, tmp_path / "run").folder
    history = pd.read_csv(folder / "fold1" / "history.csv")
    assert (history["concepts_loss"] > 0).all()
    assert set(json.loads((folder / "metrics.json").read_text())["mean"]) >= {"valence", "arousal"}
    song = manifest.parent / "0.wav"
    assert list(EmotionModel.load(folder).predict(song).effects["arousal"]) == list(MID_LEVEL)


@pytest.mark.parametrize(("way", "moves"), [("separate", False), ("joint", True)])
def test_emotions_move_the_concepts_only_where_both_are_trained_together(way, moves):
    settings = tiny.experiment().model_copy(update={"network": Mlem(width=0.05, mid_level=way)})
    network = build_network(settings)
    x = tf.random.stateless_normal((2, settings.frames, 128), (0, 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(network(x)["valence"]))
    kernels = [network.get_layer(name).kernel for name in ("concepts", "valence")]
    concepts, valence = tape.gradient(loss, [kernel.value for kernel in kernels])
    assert (concepts is not None) == moves and float(tf.reduce_sum(tf.abs(valence))) > 0


@pytest.mark.slow
def test_the_right_factor_has_the_largest_effect(tmp_path):
    """200 songs that the network never heard, against the formula that made their labels."""
    settings = demo()
    settings = settings.model_copy(update={"network": Mlem(width=0.25, mid_level="separate")})
    settings = change(settings, data={"clips": 1000}, training={"precision": "float32"})
    folder = run(settings, tmp_path / "run").folder
    table = pd.read_csv(folder / "fold1" / "predictions.csv", dtype={"track_id": str})
    truth = synthetic.scaled_factors(folder / "synthetic").loc[table["track_id"]]
    assert len(truth) == 200
    model = EmotionModel.load(folder)
    audio = folder / "synthetic" / "audio"
    found = [model.predict(audio / f"{name}.flac").effects for name in table["track_id"]]
    for target, weights in (("valence", VALENCE), ("arousal", AROUSAL)):
        wanted = (truth[list(weights)] * pd.Series(weights)).abs().idxmax(axis=1)
        greatest = pd.DataFrame([e[target] for e in found]).abs().idxmax(axis=1)
        assert np.mean(wanted.to_numpy() == greatest.to_numpy()) >= 0.7, target
