"""A run of a rival: the same folds, files and answers as ADFF's."""

import json
import re

import keras
import numpy as np
import pandas as pd
import pytest

from adff_tf import EmotionModel, train
from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.export.artifacts import export
from adff_tf.model.emomucs import load_stem_models
from adff_tf.model.networks import build_network
from adff_tf.networks import NETWORKS, STEMS, EmoMucs, Mlem
from adff_tf.training.run import run
from adff_tf.tuning import __main__ as tuning

from .. import tiny
from .small import change, make_experiment

SMALL = {
    "emomucs": EmoMucs(source_model="c1d"),
    "mlem": Mlem(width=0.03, concepts=2),
}


@pytest.fixture(scope="module", params=SMALL)
def finished(request, manifest, tmp_path_factory):
    """A run of one fold, its folder."""
    settings = change(make_experiment(manifest), segments={"sampling": "full"})
    settings = settings.model_copy(update={"network": SMALL[request.param]})
    return run(settings, tmp_path_factory.mktemp("runs") / request.param).folder


def test_its_folder_is_as_adffs(finished):
    settings = Experiment.from_json((finished / "config.json").read_text())
    assert settings.network == SMALL[finished.name]
    metrics = json.loads((finished / "metrics.json").read_text())
    assert set(metrics["mean"]) == {"valence", "arousal", "quadrant"}
    report = (finished / "report.md").read_text()
    assert settings.network.title in report and "width 0.2" not in report
    assert settings.network.title in (finished / "model_card.md").read_text()


def test_it_predicts_and_exports(finished, tmp_path):
    waveform = np.random.default_rng(0).normal(0, 0.1, 3 * 44100).astype("float32")
    by_litert, by_keras = (
        EmotionModel.load(finished, backend=backend).predict(waveform, 44100)
        for backend in ("litert", "keras")
    )
    assert by_litert.values == pytest.approx(by_keras.values, abs=1e-4)
    assert by_litert.distance == pytest.approx(by_keras.distance, rel=1e-2)
    done = export(finished, tmp_path / "export")
    artifacts = done.report["artifacts"]  # hardly trained, it swings widely on stress signals
    assert artifacts["adff_float32.tflite"]["worst_of_music"] < 1e-4
    assert artifacts["saved_model"]["passed"]
    int8, exact = (done.folder / f"adff_{kind}.tflite" for kind in ("int8", "float32"))
    assert int8.stat().st_size < exact.stat().st_size


@pytest.mark.parametrize("model", NETWORKS)
def test_the_command_line_has_each_networks_options(model):
    _, experiment = train.parse(["--model", model])
    assert type(experiment.network) is NETWORKS[model]


def test_the_command_line_refuses_other_networks(capsys):
    with pytest.raises(InputError, match="--model vgg was given; give adff, emomucs, mlem"):
        train.parse(["--model", "vgg"])
    with pytest.raises(SystemExit):
        train.parse(["--model", "emomucs", "--lstm-units", "3"])
    assert "--lstm-units" in capsys.readouterr().err
    with pytest.raises(InputError, match="the search is over ADFF's settings"):
        tuning.parse(["--preset", "fast", "--data", "x", "--model", "emomucs"])


def test_a_preset_of_a_rival_is_its_authors():
    _, experiment = train.parse(["--preset", "emomucs"])
    assert experiment.frontend.sample_rate_hz == 12000 and experiment.frames == 938
    assert experiment.network == EmoMucs(level="relative")


# === Stems ===


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """A run on built-in music and its own stems, its folder."""
    settings = tiny.experiment(training={"epochs": 1})
    network = EmoMucs(source_model="c1d", fusion="late")
    settings = settings.model_copy(update={"network": network})
    return run(settings, tmp_path_factory.mktemp("runs") / "fused").folder


def test_a_run_on_stems_is_scored_and_reported(fused):
    metrics = json.loads((fused / "metrics.json").read_text())
    assert metrics["mean"]["valence"]["rmse"] > 0
    assert len(list((fused / "synthetic" / "stems").iterdir())) == 12
    assert "with late fusion of stems" in (fused / "report.md").read_text()
    assert not (fused / "model.tflite").exists() and not (fused / "servable").exists()


def test_a_model_of_stems_is_refused_where_a_song_has_none(fused, tmp_path, capsys):
    with pytest.raises(InputError, match="takes separated sources, and a song has none"):
        EmotionModel.load(fused)
    with pytest.raises(InputError, match="takes separated sources: there is no artifact"):
        export(fused, tmp_path / "export", ["tflite"])
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "emomucs", "--fusion", "late", "--data", "x"], "give their folder by stems"),
        (["--model", "emomucs", "--stems", "x"], "stems are for emomucs with fusion"),
        (["--stems", "x"], "stems are for emomucs with fusion"),
        (["--model", "emomucs", "--fusion", "mid"], "c2d has no hidden layer for fusion mid"),
        (["--model", "emomucs", "--stem-models", "freeze"], "stem_models freeze needs fusion"),
    ],
)
def test_stems_that_do_not_fit_the_network(arguments, message, capsys):
    with pytest.raises((InputError, SystemExit)) as stop:
        train.parse([*arguments, "--preset", "paper"])
    shown = re.sub(r"[\s│|]+", " ", f"{stop.value} {capsys.readouterr().err}")
    assert message in shown


@pytest.mark.parametrize("way", ["freeze", "finetune"])
def test_source_models_are_trained_alone_and_then_fused(way, tmp_path):
    settings = tiny.experiment(training={"epochs": 1})
    network = EmoMucs(source_model="c1d", fusion="late", stem_models=way)
    settings = settings.model_copy(update={"network": network})
    settings = change(settings, validation={"final_model": False})
    folder = run(settings, tmp_path / "run").folder
    fold = folder / "fold1"
    fused = keras.models.load_model(fold / "model.keras", compile=False)
    moved = []
    for stem in STEMS:
        alone = keras.models.load_model(fold / stem / "model.keras", compile=False)
        for name in ("conv1", "fc1"):
            kernels = [
                m.get_layer(n).get_weights()[0]
                for m, n in ((alone, name), (fused, f"{stem}_{name}"))
            ]
            moved.append(np.abs(kernels[0] - kernels[1]).max())
        expected = np.concatenate(
            [alone.get_layer(n).get_weights()[0] for n in ("valence", "arousal")], axis=1
        )
        moved.append(np.abs(fused.get_layer(f"{stem}_outputs").get_weights()[0] - expected).max())
    assert all(move == 0 for move in moved) if way == "freeze" else all(move > 0 for move in moved)
    metrics = run(settings, folder).metrics  # a call that finds all done counts the fits' seconds
    histories = [pd.read_csv(file) for file in folder.rglob("history.csv")]
    assert len(histories) == 1 + len(STEMS)
    assert metrics["seconds"] >= sum(history["seconds"].sum() for history in histories) - 0.1
    stems = metrics["stems"]
    assert list(stems) == list(STEMS) and all(stems[stem]["arousal"]["rmse"] > 0 for stem in STEMS)
    report = (folder / "report.md").read_text()
    assert "| vocals alone |" in report and "| drums alone |" in report


def test_a_fused_network_begins_with_the_answers_of_its_parts():
    settings = tiny.experiment()
    alone = settings.model_copy(update={"network": EmoMucs(source_model="c1d")})
    fused = settings.model_copy(update={"network": EmoMucs(source_model="c1d", fusion="late")})
    keras.utils.set_random_seed(0)
    models, network = {stem: build_network(alone) for stem in STEMS}, build_network(fused)
    load_stem_models(network, models, "both")
    x = np.random.default_rng(0).normal(0, 1, (2, settings.frames, 4 * 128)).astype("float32")
    parts = keras.Model(network.inputs, network.get_layer("fusion").output).predict(x, verbose=0)
    for k, stem in enumerate(STEMS):
        outputs = models[stem].predict(x[:, :, 128 * k : 128 * (k + 1)], verbose=0)
        expected = np.concatenate([outputs["valence"], outputs["arousal"]], axis=1)
        np.testing.assert_allclose(parts[:, 2 * k : 2 * k + 2], expected, atol=1e-5)
