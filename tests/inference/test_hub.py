"""Models by `hf://`: names, folders in the hub's layout, downloads from a loopback server."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from adff_tf.errors import InputError
from adff_tf.inference.backends import Kind, is_model, locate
from adff_tf.inference.hub import hub_name
from adff_tf.inference.model import EmotionModel
from adff_tf.model import shipped

from .. import hub_server
from ..artifacts import assert_same

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "regression" / "adff_int8.tflite"
SONG = ROOT / "tests" / "regression" / "waveform.wav"
ASK = """
import contextlib, io, json, sys
from adff_tf import predict

*names, song = sys.argv[1:]
for name in names:
    out, err = (io.TextIOWrapper(io.BytesIO()) for _ in range(2))
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            predict.main([name, song, "--format", "json"])
        except SystemExit as stop:
            status = stop.code
    for stream in (out, err):
        stream.seek(0)
    print(json.dumps([status, out.read(), err.read()]))
heavy = {"tensorflow", "keras", "librosa", "sklearn", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model in the hub's layout, without what Keras reads."""
    place = tmp_path_factory.mktemp("hub")
    shutil.copy(MODEL, place / "model.tflite")
    with zipfile.ZipFile(MODEL) as archive:
        archive.extract("adff.json", place)
    return place


@pytest.fixture(scope="module")
def emotion() -> dict:
    """The model's own prediction."""
    return EmotionModel.load(MODEL).predict(SONG).as_dict()


def ask(names: list[str], environment: dict) -> list[tuple[int, str, str]]:
    """Return status, standard output and standard error of adff-predict for each model."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, *names, str(SONG)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hf://user/name", "user/name"),
        (Path("hf://user/name@v1"), "user/name@v1"),  # pathlib makes one slash of two
        ("hf://", ""),
        ("hf://user/a/b", "user/a/b"),
        ("hf", None),
        ("hf.tflite", None),
        ("runs/hf:/user/name", None),
        ("/hf:/user/name", None),
    ],
)
def test_names_on_the_hub(path, name):
    assert hub_name(path) == name
    assert is_model(path) == (name is not None or str(path).endswith(".tflite"))


def test_a_folder_in_the_hubs_layout(folder, emotion, tmp_path):
    assert is_model(folder) and locate(folder).path == folder / "model.tflite"
    assert locate(folder).kind == Kind.LITERT
    assert EmotionModel.from_preset(folder).predict(SONG).as_dict() == emotion
    shutil.copy(folder / "model.tflite", tmp_path)  # without a description it is none
    with pytest.raises(InputError, match="is no run folder"):
        locate(tmp_path)


def test_presets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = EmotionModel.load(shipped.NAME).description.settings
    for name in ("adff", "pretrained"):
        assert EmotionModel.from_preset(name).description.settings == settings
    assert EmotionModel.from_preset(str(MODEL)).description.settings != settings
    message = "no preset 'addf'; give 'adff', the model that ships, hf://USER/NAME"
    with pytest.raises(InputError, match=message):
        EmotionModel.from_preset("addf")


def test_a_download(folder, emotion, tmp_path):
    """By the command line, without TensorFlow; then from the cache, with and without a network."""
    names = ["hf://user/name", f"hf://user/name@{hub_server.COMMIT}"]
    with hub_server.serve({"user/name": folder}) as endpoint:
        environment = hub_server.environment(endpoint, tmp_path)
        asked = ask(names, environment)
    asked += ask(names[:1], environment | {"HF_HUB_OFFLINE": "1"})
    asked += ask(names[:1], environment)  # nothing listens any more
    assert len(asked) == 4
    for status, out, _ in asked:
        assert status == 0
        assert_same(json.loads(out), emotion)


def test_models_that_cannot_be_had(folder, tmp_path):
    """One line each, whatever is wrong."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pytorch_model.bin").write_text("another library's")
    messages = {
        "hf://user/nowhere": "is not on http://127.0.0.1:",
        "hf://user/name@v9": "has no revision v9",
        "hf://user/other": "holds no model.tflite",
        f"hf://{hub_server.GATED}": "asks for an agreement first",
        "hf://": "is no name of a model on the hub; give hf://USER/NAME",
        "hf://name": "is no name",
        "hf://user/name/file": "is no name",
        "hf://user/name@": "is no name",
        "hf://user/a name": "is no name",
        "hf://../..": "is no name",
        "hf://user/\x1b[2J": r"hf://user/\x1b[2J is no name",
    }
    repositories = {"user/name": folder, "user/other": tmp_path / "other"}
    with hub_server.serve(repositories) as endpoint:
        environment = hub_server.environment(endpoint, tmp_path / "cache")
        asked = ask(list(messages), environment)
    environment = hub_server.environment(endpoint, tmp_path / "empty")
    messages["hf://user/name"] = "cannot be reached; try again online"  # nothing listens any more
    asked += ask(["hf://user/name"], environment)
    for (name, message), (status, out, err) in zip(messages.items(), asked, strict=True):
        error = err.splitlines()[-1]
        assert status == 2 and not out and message in error, (name, err)
        assert error.startswith("error: hf://") and err.count("error: ") == 1, (name, err)
    (offline,) = ask(["hf://user/name"], environment | {"HF_HUB_OFFLINE": "1"})
    assert offline[0] == 2 and "HF_HUB_OFFLINE forbids downloads" in offline[2]


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # not importable
    with pytest.raises(InputError, match=r'pip install "adff-tf\[hub\]"$'):
        EmotionModel.from_preset("hf://user/name")
