"""An export's `.tflite` by LiteRT: files that are refused, threads, and no TensorFlow."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from adff_tf.errors import InputError
from adff_tf.inference.backends import litert, load_backend, locate
from adff_tf.inference.model import EmotionModel

from ..artifacts import RATE, WINDOW, assert_same, converted, music, write

HEAVY = ("tensorflow", "keras", "librosa", "sklearn", "pandas")
EXTRAS = (*HEAVY, "matplotlib", "tensorboard", "keras_tuner", "psutil", "pyarrow", "grpc", "ray")


# === Threads ===


def test_one_model_from_many_threads(tflite):
    model, songs = EmotionModel.load(tflite), [music(1.6, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda song: model.predict(song, RATE).as_dict(), songs))
    assert found == [model.predict(song, RATE).as_dict() for song in songs]
    assert len({row["valence"] for row in found}) == 8


def test_several_interpreters_predict_the_same(tflite):
    one = EmotionModel.load(tflite)
    several = EmotionModel(*load_backend(locate(tflite), callers=3))
    songs = [music(1.6, seed) for seed in range(8)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda song: several.predict(song, RATE).as_dict(), songs))
    for row, song in zip(found, songs, strict=True):
        assert_same(row, one.predict(song, RATE).as_dict(), atol=1e-6)


def test_windows_at_once_keep_their_order(tflite):
    windows = np.stack([music(1.0, seed) for seed in range(7)])
    one, four = (EmotionModel.load(tflite, threads=threads) for threads in (1, 4))
    for name, values in one.predict_windows(windows).items():
        np.testing.assert_array_equal(four.predict_windows(windows)[name], values)
        assert len(set(values.tolist())) == 7


def test_a_failed_window_gives_its_interpreter_back():
    """Or the next window would wait for ever."""
    calls = []

    def run(waveform):
        calls.append(waveform)
        if len(calls) == 1:
            raise RuntimeError("no more memory")
        return {"arousal": waveform[:, 0]}

    backend = litert.LiteRTBackend([run], ("arousal",))
    with pytest.raises(RuntimeError, match="no more memory"):
        backend.predict(np.zeros((1, 9), "float32"))
    assert backend.predict(np.ones((2, 9), "float32"))["arousal"].tolist() == [1, 1]


@pytest.mark.parametrize("threads", [0, -1, 65, 2.5, "2"])
def test_threads_out_of_range(tflite, threads):
    with pytest.raises(InputError, match="threads="):
        EmotionModel.load(tflite, threads)


@pytest.mark.parametrize("threads", [None, 1, 64])
def test_threads_change_no_prediction(made, threads):
    found = EmotionModel.load(made["both"].tflite, threads).predict(music(1.0), RATE)
    assert_same(found.as_dict(), made["both"].model.predict(music(1.0), RATE).as_dict())


# === Files ===


def test_a_file_that_is_replaced_while_in_use(tflite, tmp_path):
    path = Path(shutil.copy(tflite, tmp_path / "model.tflite"))
    model = EmotionModel.load(path)
    wanted = model.predict(music(1.0), RATE).as_dict()
    path.write_bytes(b"")
    assert model.predict(music(1.0), RATE).as_dict() == wanted


def test_a_path_of_odd_bytes(tflite, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/so\xffng \xe2\x82\xac.tflite"))
    shutil.copy(tflite, path)
    assert EmotionModel.load(str(path)).window == WINDOW


def test_files_that_are_no_models(made, tmp_path):
    content, cut = made["both"].tflite.read_bytes(), "cut off"
    contents = {
        "empty": (b"", "it is empty"),
        "text": (b"these are words", "is no .tflite file"),
        "random": (np.random.default_rng(0).bytes(9000), "is no .tflite file"),
        "short": (content[:6], "is no .tflite file"),
        "cut": (content[:-40], cut),
        "half": (content[: len(content) // 2], cut),
    }
    for name, (data, says) in contents.items():
        (tmp_path / f"{name}.tflite").write_bytes(data)
        with pytest.raises(InputError, match=says):
            EmotionModel.load(tmp_path / f"{name}.tflite")
    (tmp_path / "folder.tflite").mkdir()
    os.symlink("/dev/null", tmp_path / "device.tflite")
    for name, says in {
        "missing": "No such file", "folder": "is a folder", "device": "is a folder or a device",
        "a\0b": "is a folder or a device",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=says):
            EmotionModel.load(tmp_path / f"{name}.tflite")


def test_another_file_under_the_name(made, tmp_path):
    path = shutil.copy(made["both"].run / "model.keras", tmp_path / "model.tflite")
    with pytest.raises(InputError, match=r"is no \.tflite file.*adff_int8\.tflite"):
        EmotionModel.load(path)


@pytest.mark.parametrize(
    ("description", "changes", "says"),
    [
        (None, {}, "no readable adff.json"),
        (b'{"format": 1', {}, "no readable adff.json"),
        ([1], {}, "format 'list'"),
        ({}, {"format": 2}, "format 2, and adff-tf .* reads 1"),
        ({}, {"format": None}, "format None"),
        ({}, {"sha256": None}, "lacks size or sha256"),
        ({}, {"size": None}, "lacks size or sha256"),
        ({}, {"sha256": hashlib.sha256(b"another").hexdigest()}, "is damaged"),
        ({}, {"size": 9}, "is damaged"),
        ({}, {"window": 9}, "says otherwise"),
        ({}, {"window": None}, "lacks window"),
        ({}, {"task": "valence", "outputs": ["valence"]}, "says otherwise"),
        ({}, {"outputs": ["valence"]}, "contradicts itself"),
    ],
    ids=repr,
)
def test_descriptions_that_do_not_fit(made, tmp_path, description, changes, says):
    own = made["both"].description if description == {} else description
    path = write(tmp_path / "model.tflite", made["both"].flatbuffer, own, **changes)
    with pytest.raises(InputError, match=says) as caught:
        EmotionModel.load(path)
    assert "model.tflite" in str(caught.value)


def test_a_byte_of_the_model_changed(made, tmp_path):
    model = made["both"].flatbuffer
    sha256 = hashlib.sha256(model).hexdigest()
    path = tmp_path / "model.tflite"
    write(path, model[:-1] + b"!", made["both"].description, sha256=sha256)
    with pytest.raises(InputError, match=r"is damaged.*SHA-256.*Copy it"):
        EmotionModel.load(path)


def test_a_model_of_log_mels_is_refused_by_name(made, tmp_path):
    def outputs(log_mel):
        valence, arousal = tf.reduce_mean(log_mel, (1, 2)), tf.reduce_max(log_mel, (1, 2))
        return {"valence": valence, "arousal": arousal}

    model = converted(outputs, tf.TensorSpec((1, 100, 128), tf.float32, "log_mel"))
    path = write(tmp_path / "adff_log_mel_float32.tflite", model, made["both"].description)
    with pytest.raises(InputError, match=r"takes log-mels.*adff_int8\.tflite"):
        EmotionModel.load(path)


def test_a_hundred_damaged_models_give_a_prediction_or_a_message(made, tmp_path):
    """Bytes changed, cut out or doubled, or the end missing; half of it in the description."""
    model = made["both"].flatbuffer
    content, rng = made["both"].tflite.read_bytes(), np.random.default_rng(0)
    for k in range(100):
        damaged = bytearray(content)
        at = int(rng.integers(len(model) - 200 if k % 2 else 8, len(content) - 1))
        if k % 5 < 3:
            for place in rng.integers(at, len(content), 1 + k % 4) if k % 2 else [at]:
                damaged[place] ^= 1 << int(rng.integers(8))
        elif k % 5 == 3:
            del damaged[at : at + int(rng.integers(1, 100))]
        else:
            damaged[at:at] = damaged[at : at + int(rng.integers(1, 100))]
        (tmp_path / f"{k}.tflite").write_bytes(damaged if k % 10 else damaged[:at])
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from adff_tf.errors import InputError\n"
        "from adff_tf.inference.model import EmotionModel\n"
        "window = np.load(sys.argv[2])\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: print(EmotionModel.load(path).predict(window, 44100).valence)\n"
        "    except InputError as error: print('refused', str(error).splitlines()[0])\n"
    )
    window = tmp_path.parent / "window.npy"
    np.save(window, music(1.0))
    command = [sys.executable, "-c", program, str(tmp_path), str(window)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = [float(line) for line in lines if not line.startswith("refused")]
    assert len(lines) == 100 and len(found) < 30
    wanted = made["both"].model.predict(music(1.0), RATE).valence
    assert found == pytest.approx([wanted] * len(found), abs=1e-4)  # right, where there is one


# === Without TensorFlow ===


def test_without_litert_the_message_says_what_to_install(tflite, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match='pip install "ai-edge-litert>='):
        EmotionModel.load(tflite)


def run_program(program: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_first_prediction_takes_two_seconds_and_no_tensorflow(made, song):
    """Processor time, so that other work on the machine does not count; 0.9 s here."""
    program = (
        "import sys, time\n"
        "from adff_tf import predict\n"
        "predict.main(sys.argv[1:])\n"
        f"loaded = sorted({set(HEAVY)} & set(sys.modules))\n"
        "print(time.process_time(), *loaded, file=sys.stderr)\n"
    )
    done = run_program(program, made["both"].tflite, song, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert_same(json.loads(done.stdout), made["both"].model.predict(song).as_dict())
    seconds, *loaded = done.stderr.split()
    assert not loaded and float(seconds) < 2


def test_on_a_device_where_no_extra_is_installed(made, song):
    """The table, a stream, and the message for a model that needs more."""
    missing = f"import sys; sys.modules |= dict.fromkeys({EXTRAS})\n"  # None: not importable
    program = f"{missing}from adff_tf import predict; predict.main(sys.argv[1:])"
    done = run_program(program, made["both"].tflite, song)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == 2
    stream = (
        f"{missing}import numpy as np; from adff_tf import EmotionModel\n"
        "model = EmotionModel.load(sys.argv[1])\n"
        "blocks = (np.zeros(480, 'int16') for _ in range(250))\n"
        "for window in model.stream(blocks, 48000): print(window['end'])\n"
    )
    done = run_program(stream, made["both"].tflite)
    assert done.stdout.split() == ["1.0", "1.5", "2.0", "2.5"], done.stderr
    for path in (made["both"].run, made["both"].saved_model):
        done = run_program(program, path, song)
        assert done.returncode == 2 and not done.stdout, done.stderr
        assert done.stderr == (
            'error: this needs tensorflow, which is not installed: pip install "adff-tf[train]"\n'
        )
