"""One model by its run, its SavedModel and its `.tflite`: the same numbers; where models lie."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from adff_tf.errors import InputError
from adff_tf.inference.backends import Kind, Location, is_model, load_backend, locate
from adff_tf.inference.model import EmotionModel

from ..artifacts import RATE, WINDOW, assert_same, music, write_saved_model

EXPORTS = ("tflite", "saved_model")


def test_a_model_is_told_from_a_recording(made, song, tmp_path):
    both = made["both"]
    exported = both.saved_model.parent.parent
    for path in (both.run, both.run / "model.keras", both.tflite, exported, both.saved_model):
        assert is_model(path)
    renamed = shutil.copy(both.tflite, tmp_path / "renamed")
    assert is_model(renamed) and is_model("pretrained") and is_model("nowhere.tflite")
    for path in (song, song.parent, tmp_path, "-", tmp_path / "nowhere"):
        assert not is_model(path)


def test_backends_are_chosen_and_refused(made):
    both = made["both"]
    assert locate("pretrained", "keras").kind == Kind.RUN
    assert locate("pretrained", "litert").kind == Kind.LITERT
    assert locate(both.run, "keras").kind == Kind.RUN
    for path, backend in (
        (both.run, "litert"),
        (both.saved_model, "litert"),
        (both.tflite, "keras"),
    ):
        with pytest.raises(InputError, match=f"has no backend {backend}"):
            locate(path, backend)


# === The same numbers ===


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_the_same_json(made, kind, task):
    model = EmotionModel.load(getattr(made[task], kind))
    for seconds in (0.4, 1.0, 1.2, 3.3):
        for hop_s in (None, 0.37, 1.0):
            waveform = music(seconds)
            wanted = made[task].model.predict(waveform, RATE, hop_s).as_dict()
            found = model.predict(waveform, RATE, hop_s).as_dict()
            assert_same(found, wanted)
            json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("kind", EXPORTS)
def test_files_bytes_and_arrays_of_another_rate(made, song, kind):
    model, stereo = (
        EmotionModel.load(getattr(made["both"], kind)),
        soundfile.read(song, dtype="int16")[0],
    )
    wanted = made["both"].model.predict(song).as_dict()
    assert_same(model.predict(song).as_dict(), wanted)
    assert_same(model.predict(str(song)).as_dict(), wanted)
    assert_same(model.predict(song.read_bytes(), name=str(song)).as_dict(), wanted)
    assert_same(model.predict(stereo, 48000, name=str(song)).as_dict(), wanted)
    assert wanted["valence"] != pytest.approx(wanted["arousal"], abs=1e-3)  # names not swapped


@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_windows_in_one_batch(made, task):
    """A target's column may be `(batch, 1)` in a backend and is `(batch,)` in a model."""
    windows = np.stack([music(1.0, seed) for seed in range(3)])
    wanted = made[task].model.predict_windows(windows)
    for kind in EXPORTS:
        found = EmotionModel.load(getattr(made[task], kind)).predict_windows(windows)
        assert set(found) == set(wanted) == set(made[task].description["outputs"])
        for name, values in wanted.items():
            shape = (3, 4) if name == "probabilities" else (3,)
            assert found[name].shape == values.shape == shape
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], values, atol=1e-4)


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_an_export_carries_its_description(made, kind, task):
    found = EmotionModel.load(getattr(made[task], kind)).description
    assert found.terms == "no terms" and (found.window, found.sample_rate_hz) == (WINDOW, RATE)
    assert found.task is made[task].model.task


# === Where a model lies ===


def test_places(made):
    both = made["both"]
    run, export = both.run, both.saved_model.parent.parent
    keras, saved = (
        Location(Kind.RUN, run / "model.keras"),
        Location(Kind.SAVED_MODEL, both.saved_model),
    )
    for path in (run, str(run), run / "model.keras"):
        assert locate(path) == keras
    for path in (export, export / "saved_model", both.saved_model, str(both.saved_model)):
        assert locate(path) == saved
    assert locate(both.tflite) == Location(Kind.LITERT, both.tflite)
    assert [one.needs_tensorflow for one in (keras, saved, locate(both.tflite))] == [
        True,
        True,
        False,
    ]


def test_the_suffix_in_capitals(made, tmp_path):
    path = shutil.copy(made["both"].tflite, tmp_path / "MODEL.TFLITE")
    assert locate(path).kind == Kind.LITERT and EmotionModel.load(path).window == WINDOW


def test_a_home_folder(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(made["both"].tflite, tmp_path / "model.tflite")
    assert locate("~/model.tflite").path == tmp_path / "model.tflite"
    with pytest.raises(InputError, match="Give the path in full"):
        locate("~nobody-of-that-name/model.tflite")


@pytest.mark.parametrize("kind", ["run", *EXPORTS])
def test_the_hash_is_of_the_content(made, kind, tmp_path):
    path, copy = getattr(made["both"], kind), tmp_path / f"copy.{kind}"
    (shutil.copytree if path.is_dir() else shutil.copyfile)(path, copy)
    before = locate(path).sha256()
    assert locate(copy).sha256() == before and len(before) == 64
    changed = next(
        file for file in (copy / "model.keras", copy / "saved_model.pb", copy) if file.is_file()
    )
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert Location(locate(path).kind, changed if kind == "run" else copy).sha256() != before


# === SavedModels that are none ===


def test_damaged_saved_models(made, tmp_path):
    file = "saved_model.pb"
    for number, damage in enumerate(("cut", "text", "no variables")):
        copy = shutil.copytree(made["both"].saved_model, tmp_path / str(number))
        content = (copy / file).read_bytes()
        if damage == "no variables":
            shutil.rmtree(copy / "variables")
        else:
            (copy / file).write_bytes(
                b"no model" if damage == "text" else content[: len(content) // 2]
            )
        with pytest.raises(InputError, match="is damaged or no export's SavedModel.*\n?Export"):
            EmotionModel.load(copy)


def test_a_saved_model_without_description(tmp_path):
    """As `adff-export` wrote before 0.2, and as others write."""
    module = tf.Module()
    spec = tf.TensorSpec((None, WINDOW), tf.float32, "waveform")
    module.run = tf.function(lambda waveform: {"arousal": waveform[:, 0]}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.run})
    with pytest.raises(InputError, match=r"holds no description.*Export the run again"):
        EmotionModel.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "format 2, and adff-tf .* reads 1"),
        ({"window": 9}, r"takes .*44100.*, and its description .*9"),
        ({"window": None}, "lacks window"),
        ({"task": "quadrant"}, "contradicts itself"),
    ],
    ids=repr,
)
def test_saved_models_that_contradict_their_description(made, tmp_path, changes, says):
    with pytest.raises(InputError, match=says):
        EmotionModel.load(write_saved_model(made["both"].run, tmp_path / "1", **changes))


def test_a_model_needs_no_path_twice(made):
    description, backend = load_backend(locate(made["both"].tflite), threads=1)
    assert EmotionModel(description, backend).window == WINDOW
