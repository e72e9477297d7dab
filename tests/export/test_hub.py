"""The hub's folder: its card, by huggingface_hub; its model from a server, by Keras and LiteRT."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import soundfile
from huggingface_hub.repocard_data import model_index_to_eval_results

from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.export import __main__ as command
from adff_tf.export import hub, tflite
from adff_tf.export.artifacts import export
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable
from adff_tf.model.log_mel import log_mel
from adff_tf.model.model_file import load_network

from .. import hub_server, tiny
from ..artifacts import RATE, assert_same, music, save_run
from .test_trained_model import write_index

METRICS = {
    "source": "pmemo (somebody/PMEmo2019)",
    "mean": {
        "valence": {"r2": 0.25, "rmse": 0.5, "sign": 0.75},
        "arousal": {"r2": None, "rmse": None, "sign": 0.875},
        "quadrant": {"accuracy": 0.625},
    },
}
LOAD = """
import json, sys
import keras
import numpy as np
import adff_tf.model.network  # registers the layers

log_mels, song = sys.argv[1:]
network = keras.saving.load_model("hf://user/name")
outputs = network(np.load(log_mels))
from adff_tf import EmotionModel

emotion = EmotionModel.from_preset("hf://user/name").predict(song)
print(json.dumps([{name: v.numpy().ravel().tolist() for name, v in outputs.items()},
                  emotion.as_dict()]))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    place = save_run(tmp_path_factory.mktemp("runs") / "songs")
    write_index(place)
    (place / "metrics.json").write_text(json.dumps(METRICS))
    (place / "model_card.md").write_text("# Model card: songs\n\nIts limits: ±0.1.\n")
    return place


@pytest.fixture(scope="module")
def printed(run) -> str:
    """Return what the program prints."""
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())) as out:
        command.main([str(run), "--out", str(run.parent / "export"), "--formats", "hub"])
    out.seek(0)
    return out.read()


@pytest.fixture(scope="module")
def folder(run, printed) -> Path:
    return run.parent / "export" / "hub"


def test_the_program_compares_and_names_the_next_step(folder, printed):
    report = json.loads((folder.parent / "parity.json").read_text())
    assert report["passed"]
    bounds = {name: parity["bound_worst"] for name, parity in report["artifacts"].items()}
    assert bounds == {"hub": 1e-5, "hub/model.tflite": 5e-3}
    rows = [line.split() for line in printed.splitlines() if line.startswith("hub")]
    sizes = {row[0]: float(row[1]) for row in rows if len(row) > 2}
    assert sizes["hub"] > sizes["hub/model.tflite"] > 0
    assert f"hf upload USER/NAME {folder}" in printed


def test_the_folder(run, folder):
    keras_files = {"config.json", "metadata.json", "model.weights.h5"}
    assert {path.name for path in folder.iterdir()} == keras_files | {
        "model.tflite", "adff.json", "README.md", "LICENSE", "trained_on.csv"
    }  # fmt: skip
    description = json.loads((folder / "adff.json").read_text())
    settings = Experiment.model_validate(description["experiment"])
    assert settings.to_json() == (run / "config.json").read_text()  # Keras has the name here
    assert "PMEmo" in description["terms"]
    assert description["terms"] in (folder / "LICENSE").read_text()
    assert "somebody" not in (folder / "README.md").read_text()


def test_the_card_by_huggingface_hub(folder):
    card = huggingface_hub.ModelCard.load(folder / "README.md")
    header = huggingface_hub.metadata_load(folder / "README.md")
    assert header.pop("model-index") and header.pop("tags")
    assert header == {
        "datasets": ["pmemo"],
        "library_name": "keras",
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "license_link": "LICENSE",
        "metrics": ["accuracy", "r_squared", "rmse"],
        "pipeline_tag": "audio-classification",
    }
    index = card.data.to_dict()["model-index"]
    name, results = model_index_to_eval_results(index)
    assert name == "songs" and index[0]["results"][0]["dataset"]["type"] == "pmemo"
    assert len(index[0]["results"]) == 1  # one data set
    found = {result.metric_name: (result.metric_type, result.metric_value) for result in results}
    assert found == {  # what is not defined is left out
        "r2 of valence": ("r_squared", 0.25),
        "rmse of valence": ("rmse", 0.5),
        "sign of valence": ("accuracy", 0.75),
        "sign of arousal": ("accuracy", 0.875),
        "accuracy of quadrant": ("accuracy", 0.625),
    }
    assert "# Model card: songs" in card.text and "Its limits: ±0.1." in card.text
    assert 'keras.saving.load_model("hf://USER/NAME")' in card.text
    assert "`(batch, 100, 128)`" in card.text and "44100 samples" in card.text


@pytest.mark.parametrize(
    ("terms", "licence"),
    [
        ("CC BY-NC-SA 4.0, not for commercial use: trained on EMOPIA", "cc-by-nc-sa-4.0"),
        ("CC BY 4.0", "cc-by-4.0"),
        ("Recordings by quadrant. If they are EMOPIA: CC BY-NC-SA 4.0", "other"),
        ("not known: the run has no metrics.json", "other"),
    ],
)
def test_licences_and_a_run_without_scores(tmp_path, terms, licence):
    description = {"terms": terms, "classes": ["low", "high"], "frames": 7, "mels": 128}
    description |= {"window": 70, "sample_rate_hz": 16000}
    card = hub.render_card(SimpleNamespace(run=tmp_path / "alone", description=description))
    assert card.data.license == licence
    header = card.data.to_dict()  # without fields that are empty
    assert ("license_link" in header) == (licence == "other")
    assert not {"model-index", "datasets", "metrics"} & set(header)
    assert "# Model card: alone" in card.text and '.predict("song.mp3").label' in card.text


def test_scores_by_data_set(tmp_path):
    scores = {"quadrant": {"accuracy": 0.5}}
    sources = {"EMOPIA": scores, "pmemo-2": {"quadrant": {"accuracy": 0.75}}}
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS | {"sources": sources}))
    description = {"terms": "", "classes": [], "frames": 7, "mels": 1, "window": 7}
    trained = SimpleNamespace(run=tmp_path, description=description | {"sample_rate_hz": 1})
    data = hub.render_card(trained).data
    assert data.datasets == ["emopia", "pmemo-2"] and data.metrics == ["accuracy"]
    found = {(result.dataset_name, result.metric_value) for result in data.eval_results}
    assert found == {("EMOPIA", 0.5), ("pmemo-2", 0.75)}


def test_a_server_of_the_hub_has_one_model_for_keras_and_litert(run, folder, tmp_path):
    """Keras's own `hf://` and ours predict as the run does."""
    model = EmotionModel.load(run)
    experiment = Experiment.from_json((run / "config.json").read_text(), "the run")
    windows = np.stack([music(1.0, seed) for seed in range(3)])
    log_mels = log_mel(windows, experiment.frontend)[:, : experiment.frames].numpy()
    np.save(tmp_path / "log_mels.npy", log_mels)
    soundfile.write(tmp_path / "song.wav", music(2.5, 3), RATE)
    with hub_server.serve({"user/name": folder}) as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, tmp_path / "log_mels.npy", tmp_path / "song.wav"],
            env=hub_server.environment(endpoint, tmp_path / "cache"),
            cwd=Path(hub_server.__file__).parents[1],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    by_keras, by_litert = json.loads(done.stdout)
    for name, wanted in model.predict_windows(windows).items():
        np.testing.assert_allclose(by_keras[name], wanted, atol=1e-5)
    wanted = model.predict(tmp_path / "song.wav").as_dict()
    assert_same(by_litert, wanted, atol=5e-3)  # float16


def test_the_tflite_is_the_one_of_the_format_tflite(run, folder):
    network = servable.without_cudnn(load_network(run / "model.keras"))
    description = json.loads((folder / "adff.json").read_text())
    written = tflite.files(network, tiny.experiment(), description, ())
    wanted = next(content for name, content in written if name == "adff_float16.tflite")
    assert (folder / "model.tflite").read_bytes() == wanted


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # not importable
    with pytest.raises(InputError, match=r'pip install "adff-tf\[hub\]"$'):
        export("anything", tmp_path / "out", ["hub"])
    assert not list(tmp_path.iterdir())
