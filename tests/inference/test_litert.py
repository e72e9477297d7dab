"""The runner without TensorFlow: held to `EmotionModel` and `audio` answer by answer, and asked where no TensorFlow is."""

import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from adff_tf import audio, litert, predict
from adff_tf.export.about import FILE, about
from adff_tf.inference import windows
from adff_tf.inference.model import EmotionModel
from adff_tf.litert import EmotionRunner, InputError
from adff_tf.model import log_mel as front_end
from adff_tf.model.lstm import Bidirectional
from adff_tf.model.model_file import find_model, load_network
from adff_tf.tasks import TASKS

from .. import commands, tiny
from ..audio.test_audio import encode
from .test_model import RATE, WINDOW, music, save_run


def converted(function, spec: tf.TensorSpec) -> bytes:
    """A function of one tensor to outputs by name as a TFLite model: fixed batch, constant weights, builtin operations only."""
    traced = tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
    names = sorted(traced.structured_outputs)
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    module = tf.Module()
    module.named = tf.function(
        lambda value: dict(zip(names, frozen(value), strict=True)),
        input_signature=[spec],
        autograph=False,
    )
    return tf.lite.TFLiteConverter.from_concrete_functions(
        [module.named.get_concrete_function()], module
    ).convert()


def flatbuffer(run: Path) -> tuple[bytes, dict]:
    """A run's network as a TFLite model, and what it has to tell about itself."""
    file, experiment = find_model(run)
    network, told = load_network(file), about(experiment, "no terms")
    for layer in network.layers:
        if isinstance(layer, Bidirectional):
            layer.forward_layer.use_cudnn = layer.backward_layer.use_cudnn = False

    def answer(waveform):
        outputs = network(
            front_end.log_mel(waveform, experiment.frontend, "float32")[:, : experiment.frames],
            training=False,
        )
        return {
            name: value[:, 0] if TASKS[experiment.task].is_regression else value
            for name, value in outputs.items()
        }

    return converted(answer, tf.TensorSpec((1, told["window"]), tf.float32, "waveform")), told


def write(path: Path, model: bytes, told: dict | list | bytes | None, **changes) -> Path:
    """An artifact: the model, and its description in a zip archive behind it. changes: of its fields; None drops one."""
    path.write_bytes(model)
    if isinstance(told, dict):
        told = told | {"size": len(model), "sha256": hashlib.sha256(model).hexdigest()} | changes
        told = {key: value for key, value in told.items() if value is not None}
    if told is not None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(FILE, told if isinstance(told, bytes) else json.dumps(told))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of each kind, and its artifact: by name, the EmotionModel, the file, its model's bytes and its description."""
    folder = tmp_path_factory.mktemp("exports")
    found = {}
    for task in ("both", "quadrant"):
        run = save_run(folder / task, task)
        model, told = flatbuffer(run)
        found[task] = (
            EmotionModel.load(run),
            write(folder / f"{task}.tflite", model, told),
            model,
            told,
        )
    return found


@pytest.fixture(scope="module")
def artifact(made) -> Path:
    return made["both"][1]


@pytest.fixture(scope="module")
def runner(artifact) -> EmotionRunner:
    return EmotionRunner.load(artifact)


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    """3.3 s in stereo at another rate."""
    path = tmp_path_factory.mktemp("songs") / "song.flac"
    soundfile.write(path, np.stack([music(3.3, 1), music(3.3, 2)], axis=1), 48000)
    return path


def reporter(window: int = WINDOW, rate_hz: int = RATE) -> tuple[EmotionRunner, list[np.ndarray]]:
    """A runner that answers 0 and keeps the windows that it was asked about."""
    heard: list[np.ndarray] = []

    def run(waveform):
        heard.append(waveform[0].copy())
        return {"arousal": np.zeros(1, "float32")}

    told = {
        "outputs": ["arousal"],
        "classes": [],
        "task": "arousal",
        "scale": [-1, 1],
        "sample_rate_hz": rate_hz,
        "window": window,
    }
    return EmotionRunner(told, run), heard


def assert_same(found, wanted, path="") -> None:
    """Equal keys in equal order, numbers within 1e-4."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), path
        for key in wanted:
            assert_same(found[key], wanted[key], f"{path}/{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), path
        for k, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
            assert_same(ours, theirs, f"{path}/{k}")
    elif isinstance(wanted, float):
        assert isinstance(found, int | float) and found == pytest.approx(wanted, abs=1e-4), path
    else:
        assert found == wanted and type(found) is type(wanted), path


# === The same answers as EmotionModel's ===


@pytest.mark.parametrize("task", ["both", "quadrant"])
@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.2, 3.3])
@pytest.mark.parametrize("hop_s", [None, 0.37, 1.0])
def test_the_same_json(made, task, seconds, hop_s):
    model, path, _, _ = made[task]
    waveform = music(seconds)
    wanted = model.predict(waveform, RATE, hop_s).as_dict()
    found = EmotionRunner.load(path).predict(waveform, RATE, hop_s)
    assert_same(found, wanted)
    json.dumps(found, allow_nan=False)


def test_files_bytes_and_arrays_of_another_rate(made, runner, song):
    model, stereo = made["both"][0], soundfile.read(song, dtype="int16")[0]
    wanted = model.predict(song).as_dict()
    assert_same(runner.predict(song), wanted)
    assert_same(runner.predict(str(song)), wanted)
    assert_same(runner.predict(song.read_bytes(), name=str(song)), wanted)
    assert_same(runner.predict(stereo, 48000, name=str(song)), wanted)
    assert_same(runner.predict(stereo, 48000), model.predict(stereo, 48000).as_dict())
    assert wanted["valence"] != pytest.approx(
        wanted["arousal"], abs=1e-3
    )  # or names could be swapped


def test_a_window_alone(made, runner):
    model, _, _, told = made["both"]
    window = music(1.0)
    wanted, found = model.answer(window[None]), runner.answer(window)
    assert list(found) == told["outputs"] and found["valence"].shape == ()
    for name in told["outputs"]:
        np.testing.assert_allclose(found[name], wanted[name][0], atol=1e-4)
    assert runner.about["terms"] == "no terms"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bias", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("seconds", [0.3, 2.7])
def test_the_form_of_every_tasks_answer(task, bias, seconds):
    """By a stand-in for the network, whose answers come from the window's own samples."""
    experiment, outputs = tiny.experiment(task), TASKS[task].outputs

    def answer(waveforms):
        loud = 20 * np.abs(waveforms).mean(axis=1)
        if TASKS[task].is_regression:
            return {name: (bias + (k - 0.5) * loud)[:, None] for k, name in enumerate(outputs)}
        shares = np.exp(np.outer(loud, np.cos(np.arange(len(TASKS[task].classes)) + bias)))
        return {outputs[0]: shares / shares.sum(axis=1, keepdims=True)}

    def run(waveform):
        return {
            name: value[:, 0] if TASKS[task].is_regression else value
            for name, value in answer(waveform).items()
        }

    runner, model = EmotionRunner(about(experiment, ""), run), EmotionModel(experiment, answer)
    assert_same(
        runner.predict(music(seconds), RATE, name="x"),
        model.predict(music(seconds), RATE, name="x").as_dict(),
    )


def test_from_many_threads(runner):
    songs = [music(1.6, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda song: runner.predict(song, RATE), songs))
    assert found == [runner.predict(song, RATE) for song in songs]


# === The same windows, however the sound comes ===


@given(
    total=st.integers(1, 400),
    window=st.integers(1, 60),
    share=st.floats(0.05, 1),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
@settings(deadline=None, max_examples=200)
def test_windows_are_those_of_inference(total, window, share, cuts):
    waveform, hop = np.linspace(-1, 1, total, dtype="float32"), max(1, round(share * window))
    wanted = list(windows.cut_windows([waveform], window, hop))
    runner, heard = reporter(window, 1000)
    rows = list(
        runner.stream(
            np.split(waveform, sorted(cut for cut in cuts if cut <= total)), 1000, hop / 1000
        )
    )
    np.testing.assert_array_equal(heard, [samples for _, samples in wanted])
    assert [row["start"] for row in rows] == [start / 1000 for start, _ in wanted]
    assert [row["end"] for row in rows] == [
        min(start + window, total) / 1000 for start, _ in wanted
    ]


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "uint8", "int8"])
def test_sound_is_that_of_audio(rate_hz, dtype):
    stereo = np.stack([music(1.4, 3), music(1.4, 4)], axis=1).clip(-1, 0.99)
    if dtype != "float32":
        bits = 8 * np.dtype(dtype).itemsize
        full = 1 if dtype == "float64" else 2 ** (bits - 1)
        stereo = (stereo.astype("float64") * full + (128 if dtype == "uint8" else 0)).astype(dtype)
    waveform = audio.load(stereo, RATE, source_rate_hz=rate_hz)
    wanted = [samples for _, samples in windows.cut_windows([waveform], WINDOW, WINDOW // 3)]
    rng = np.random.default_rng(0)
    blocks = np.split(stereo, np.sort(rng.integers(0, len(stereo), 40)))
    for ask in (
        lambda runner: runner.predict(stereo, rate_hz, 1 / 3)["curve"],
        lambda runner: list(runner.stream(blocks, rate_hz, 1 / 3)),
    ):
        runner, heard = reporter()
        assert len(ask(runner)) == len(wanted)
        np.testing.assert_allclose(heard, wanted, atol=1e-5)


@pytest.mark.parametrize("most", [1, 200, 5000, 100_000])
def test_a_stream_is_answered_as_the_recording_of_it(runner, song, most):
    stereo = soundfile.read(song, dtype="float32")[0][: 60_000 if most == 1 else None]
    wanted = runner.predict(stereo, 48000, 0.4)["curve"]
    rng = np.random.default_rng(most)
    sizes = np.minimum(rng.integers(0, most + 1, len(stereo)), most)
    ends = (
        np.unique(np.cumsum(sizes)[np.cumsum(sizes) < len(stereo)])
        if most > 1
        else np.arange(1, len(stereo))
    )
    assert_same(list(runner.stream(np.split(stereo, ends), 48000, 0.4)), wanted)


def test_a_stream_answers_once_a_window_is_full(runner):
    """Without a change of rate on the very block, with one a few hundredths of a second later."""
    given_s = 0.0

    def microphone(rate_hz):
        nonlocal given_s
        for k in range(1000):
            given_s = (k + 1) * 0.01
            yield np.full(rate_hz // 100, 0.1 * (-1) ** k, "float32")

    for rate_hz, late_s in ((44100, 0), (48000, 0.05), (16000, 0.1)):
        rows = runner.stream(microphone(rate_hz), rate_hz, 0.5)
        assert next(rows)["end"] == 1.0 and 1 <= given_s <= 1 + late_s + 1e-9
        assert next(rows)["start"] == 0.5 and 1.5 <= given_s <= 1.5 + late_s + 1e-9
        rows.close()


def test_a_stream_of_nothing_answers_nothing(runner):
    assert (
        list(runner.stream([], RATE)) == []
        and list(runner.stream([np.zeros(0, "float32")] * 3, 48000)) == []
    )


def test_the_microphone_of_the_docs(artifact, tmp_path, monkeypatch, capsys):
    class InputStream:
        """sounddevice's, of three seconds."""

        def __init__(self, samplerate, channels, callback):
            for _ in range(300):
                callback(
                    np.full((samplerate // 100, channels), 0.1, "float32"),
                    samplerate // 100,
                    None,
                    None,
                )
            code["heard"].put(None)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    text = (Path(__file__).parents[2] / "docs" / "on-device.md").read_text(encoding="utf-8")
    (example,) = [
        part.split("```")[0]
        for part in text.split("```python\n")[1:]
        if "sounddevice" in part.split("```")[0]
    ]
    monkeypatch.setitem(sys.modules, "adff_litert", litert)
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(InputStream=InputStream))
    monkeypatch.chdir(tmp_path)
    shutil.copy(artifact, "adff_int8.tflite")
    code: dict = {}
    exec(example.replace("hop_s=2.0", "hop_s=0.5"), code)  # the windows here are of 1 s
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "1.0",
        "1.5",
        "2.0",
        "2.5",
        "3.0",
    ]


def test_ten_minutes_take_the_memory_of_ten_seconds():
    def peak(seconds: int) -> int:
        told = reporter(20 * 1000, 1000)[0].about
        runner = EmotionRunner(told, lambda waveform: {"arousal": waveform[0, :1]})
        blocks = (np.full((250, 2), 0.1, "float32") for _ in range(seconds * 4))
        tracemalloc.start()
        try:
            answered = sum(1 for _ in runner.stream(blocks, 1000, 10.0))
            assert answered == max(1, seconds // 10 - 1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(600) < peak(30) + 20_000  # a window is 80 kB, and ten minutes are 2.4 MB


def test_a_long_file_is_not_held(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 1, "PCM_16") as file:
        for _ in range(20):
            file.write(np.zeros(30 * 44100, "int16"))  # ten minutes, 106 MB in float32
    told = reporter()[0].about
    runner = EmotionRunner(told, lambda waveform: {"arousal": waveform[0, :1]})
    tracemalloc.start()
    try:
        assert runner.predict(path, hop_s=1.0)["seconds"] == 600
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_mp3s_that_libsndfile_reads_in_part_are_refused_and_others_answered(tmp_path, capfd):
    """Of constant and variable bitrate, with and without a Xing tag, with a tag behind, damaged, and cut off."""
    samples = np.concatenate([music(3, 1), 1e-3 * music(9, 2)])[:, None].repeat(2, 1)
    files, runner = {}, reporter()[0]
    for tag in "01":
        files[f"cbr{tag}"] = encode(
            tmp_path / f"cbr{tag}.mp3", "libmp3lame", samples, RATE, write_xing=tag
        )
        vbr = {"flags": "+qscale", "global_quality": "472"}
        files[f"vbr{tag}"] = encode(
            tmp_path / f"vbr{tag}.mp3", "libmp3lame", samples, RATE, write_xing=tag, **vbr
        )
    for name, path in list(files.items()):
        content = bytearray(path.read_bytes())
        files[f"{name} id3v1"] = tmp_path / f"id3v1{path.name}"
        files[f"{name} id3v1"].write_bytes(content + b"TAG" + bytes(125))
        middle = len(content) // 2
        content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
        files[f"{name} damaged"] = tmp_path / f"damaged{path.name}"
        files[f"{name} damaged"].write_bytes(content)
    refused = set()
    for name, path in files.items():
        for source in (path, path.read_bytes()):
            try:
                seconds = runner.predict(source, hop_s=1.0)["seconds"]
            except InputError as error:
                assert "damaged" in str(error)
                refused.add(name)
            else:
                assert seconds == pytest.approx(len(audio.load(path)) / RATE, abs=0.03), name
    assert refused == {name for name in files if "damaged" in name or name.startswith("vbr0")}
    capfd.readouterr()  # mpg123's notes


CUT = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAV", "IMA_ADPCM"),
    ("WAV", "ULAW"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
]


@pytest.mark.parametrize(
    "form", [*CUT, ("FLAC", "PCM_16"), ("MP3", None)], ids=lambda form: f"{form[0]} {form[1]}"
)
def test_a_recording_that_is_cut_off_is_refused_as_prediction_refuses_it(tmp_path, form, capfd):
    soundfile.write(
        tmp_path / "whole", music(6.0)[:, None].repeat(2, 1), RATE, format=form[0], subtype=form[1]
    )
    content, runner = (tmp_path / "whole").read_bytes(), reporter()[0]
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    for half in (tmp_path / "cut", (tmp_path / "cut").read_bytes()):
        with pytest.raises(InputError, match="cut off or damaged|is damaged"):
            runner.predict(half)
        with pytest.raises(audio.AudioError, match="cut off or damaged"):
            audio.load(half, RATE)
    assert runner.predict(tmp_path / "whole")["seconds"] == pytest.approx(6, abs=0.05)
    capfd.readouterr()  # mpg123's notes


@pytest.mark.parametrize("quality", [2, 5, 8])
@pytest.mark.parametrize("seconds", [3, 7])
def test_a_short_mp3_that_libsndfile_reads_in_part_is_refused(tmp_path, quality, seconds, capfd):
    """Of variable bitrate without a Xing tag. It is read ahead to its end, wherever decoding stops."""
    options = {"flags": "+qscale", "global_quality": str(118 * quality), "write_xing": "0"}
    samples = np.concatenate([music(seconds / 3, 1), 1e-3 * music(seconds * 2 / 3, 2)])[
        :, None
    ].repeat(2, 1)
    path = encode(tmp_path / "song.mp3", "libmp3lame", samples, RATE, **options)
    whole, runner = len(audio.load(path)) / RATE, reporter()[0]
    assert whole == pytest.approx(seconds, abs=0.1)
    try:
        assert runner.predict(path)["seconds"] == pytest.approx(whole, abs=0.06)
    except InputError as error:
        assert "may leave out the rest" in str(error)
    capfd.readouterr()


def test_a_flac_from_a_pipe_states_no_length(tmp_path):
    soundfile.write(tmp_path / "piped.flac", music(6.0), RATE)
    content = bytearray((tmp_path / "piped.flac").read_bytes())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of the number of samples: 0, not known
    content[22:26] = bytes(4)
    assert reporter()[0].predict(bytes(content))["seconds"] == 6
    assert len(audio.load(bytes(content), RATE)) == 6 * RATE


def test_a_model_that_answers_no_number_is_told():
    told = reporter()[0].about
    broken = EmotionRunner(
        told, lambda waveform: {name: np.full(1, np.nan, "float32") for name in told["outputs"]}
    )
    with pytest.raises(InputError, match="answers NaN or infinity for finite samples"):
        broken.predict(music(2.0), RATE)
    with pytest.raises(InputError, match="answers NaN or infinity for finite samples"):
        list(broken.stream([music(2.0)], RATE))


def test_samples_of_either_byte_order(runner):
    samples = (20000 * music(1.5)).astype("int16")
    assert_same(
        runner.predict(samples.astype(">i2"), RATE, name="a"),
        runner.predict(samples.astype("<i2"), RATE, name="a"),
    )


def test_closed_streams_and_a_full_disk(artifact, song):
    command = [sys.executable, "-m", "adff_tf.litert", str(artifact)]
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(command)} - <&-"], capture_output=True, text=True
    )
    assert (
        done.returncode == 2
        and "standard input is closed" in done.stderr
        and "Traceback" not in done.stderr
    )
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(command)} {song} > /dev/full"], capture_output=True, text=True
    )
    assert (
        done.returncode == 2
        and done.stderr == "error: what was answered cannot be written: No space left on device\n"
    )
    assert subprocess.run(["bash", "-c", f"{' '.join(command)} {song} >&- 2>&-"]).returncode == 0
    done = subprocess.run([*command, ""], capture_output=True, text=True)
    assert done.returncode == 2 and "a song's name is empty" in done.stderr


def test_a_wav_from_a_pipe_states_no_length(tmp_path):
    soundfile.write(tmp_path / "piped.wav", music(6.0), RATE)
    content = bytearray((tmp_path / "piped.wav").read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    assert reporter()[0].predict(bytes(content))["seconds"] == 6


# === What users do wrong ===


@pytest.mark.parametrize("hop", [0.0, -1.0, float("nan"), 1.5, float("inf"), "1"])
def test_a_hop_out_of_range(runner, hop):
    for ask in (
        lambda: runner.predict(music(2.0), RATE, hop_s=hop),
        lambda: runner.stream([], RATE, hop),
    ):
        with pytest.raises(InputError, match="hop of"):
            ask()


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros((2, 3, 4)), RATE, "shape"),
        (np.zeros(()), RATE, "shape"),
        (np.zeros((2, RATE)), RATE, "transpose"),
        (np.zeros(RATE), None, "rate"),
        (np.zeros(RATE), 44100.5, "whole number"),
        (np.zeros(RATE), 999, "1000 to 768000"),
        (np.zeros(RATE), 10**6, "1000 to 768000"),
        (np.zeros(RATE), -44100, "1000 to 768000"),
        (np.zeros(RATE, complex), RATE, "complex"),
        (np.zeros(RATE, "int64"), RATE, "int64"),
        (np.zeros(RATE, bool), RATE, "bool"),
        (np.zeros(RATE, "uint16"), RATE, "uint16"),
        (np.array(["a"]), RATE, "type"),
        (np.full(RATE, 20000.0), RATE, "full scale"),
        (np.full(RATE, np.nan), RATE, "NaN"),
        (np.full((RATE, 2), 1e300), RATE, "NaN or infinite"),
        (np.append(np.zeros(2 * RATE), -np.inf), RATE, "NaN or infinite"),
        ([0.0, 0.1], RATE, "list|float"),
    ],
)
def test_samples_that_cannot_be_used(runner, samples, rate, says):
    with pytest.raises(InputError, match=says):
        runner.predict(samples, rate)
    with pytest.raises(InputError, match=says):
        list(runner.stream(samples if isinstance(samples, list) else [samples], rate))


def test_an_empty_array_and_a_stream_in_one_piece(runner):
    with pytest.raises(InputError, match="no samples"):
        runner.predict(np.zeros(0), RATE)
    stereo = np.stack([music(1.2), music(1.2)], axis=1)
    assert_same(list(runner.stream(stereo, RATE)), runner.predict(stereo, RATE)["curve"])


def test_windows_that_cannot_be_used(runner):
    for window, says in (
        (np.zeros(WINDOW - 1, "float32"), "shape"),
        (np.zeros((1, WINDOW), "float32"), "shape"),
        (np.full(WINDOW, np.nan, "float32"), "NaN"),
        (np.zeros(WINDOW, "int64"), "int64"),
    ):
        with pytest.raises(InputError, match=says):
            runner.answer(window)


def test_recordings_that_cannot_be_used(runner, tmp_path, song):
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, "float32"), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0, "float32"), RATE)
    soundfile.write(tmp_path / "slow.wav", np.zeros(1000, "float32"), 500)
    encode(tmp_path / "song.m4a", "aac", music(2.0)[:, None], RATE)
    files = {
        "empty.wav": b"",
        "text.mp3": b"these are words and no music at all",
        "text.raw": b"these are words and no music at all",
        "noise.flac": np.random.default_rng(0).bytes(3000),
        "cut.flac": song.read_bytes()[:-90_000],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    says = {
        "missing.wav": "No such file",
        ".": "folder",
        "nan.wav": "NaN",
        "nothing.wav": "no samples",
        "slow.wav": "500 Hz",
        "song.m4a": "ffmpeg -i song.m4a song.wav",
        "empty.wav": "empty",
        "text.mp3": "no audio",
        "text.raw": "no audio",
        "noise.flac": "no audio",
        "cut.flac": "damaged",
    }
    for name, words in says.items():
        with pytest.raises(InputError, match=words):
            runner.predict(tmp_path / name)
    with pytest.raises(InputError, match="leave it out"):
        runner.predict(song, 48000)
    with pytest.raises(InputError, match="no audio"):
        runner.predict(b"no audio at all, said somebody")


def test_models_that_are_none(made, tmp_path):
    _, path, model, told = made["both"]
    content = path.read_bytes()
    for name, data in {
        "empty": b"",
        "text": b"these are words",
        "random": np.random.default_rng(0).bytes(9000),
        "short": content[:6],
        "cut": content[:-40],
        "half": content[: len(content) // 2],
    }.items():
        (tmp_path / f"{name}.tflite").write_bytes(data)
    others = {
        "plain": write(tmp_path / "plain.tflite", model, None),
        "broken": write(tmp_path / "broken.tflite", model, b'{"format": 1'),
        "list": write(tmp_path / "list.tflite", model, [1]),
        "newer": write(tmp_path / "newer.tflite", model, told, format=2),
        "no sum": write(tmp_path / "sum.tflite", model, told, sha256=None),
        "no size": write(tmp_path / "size.tflite", model, told, size=None),
        "other": write(
            tmp_path / "other.tflite",
            model[:-1] + b"!",
            told,
            sha256=hashlib.sha256(model).hexdigest(),
        ),
        "size": write(tmp_path / "sizes.tflite", model, told, size=len(model) - 1),
        "window": write(tmp_path / "window.tflite", model, told, window=9),
        "outputs": write(tmp_path / "outputs.tflite", model, told, outputs=["valence"]),
    }
    says = {
        tmp_path / "missing.tflite": "No such file",
        tmp_path: "is a folder",
        path.parent / "both" / "model.keras": "is no .tflite file",
        tmp_path / "empty.tflite": "it is empty",
        tmp_path / "text.tflite": "is no .tflite file",
        tmp_path / "random.tflite": "is no .tflite file",
        tmp_path / "short.tflite": "is no .tflite file",
        tmp_path / "cut.tflite": "cut off",
        tmp_path / "half.tflite": "cut off",
        "a\0b": "is a folder or a device",
        "/dev/null": "is a folder or a device",
        others["plain"]: "no readable adff.json",
        others["broken"]: "no readable adff.json",
        others["list"]: "format 'list'",
        others["newer"]: "format 2, and this reads 1",
        others["no sum"]: "does not say sha256",
        others["no size"]: "does not say size",
        others["other"]: "is damaged",
        others["size"]: "is damaged",
        others["window"]: "says otherwise",
        others["outputs"]: "says otherwise",
    }
    for given_path, words in says.items():
        with pytest.raises(InputError, match=words):
            EmotionRunner.load(given_path)
    for threads in (0, -1, 65, 2.5, "2"):
        with pytest.raises(InputError, match="threads="):
            EmotionRunner.load(path, threads)


def test_a_model_of_log_mels_is_refused_by_name(made, tmp_path):
    def answer(log_mel):
        return {
            "valence": tf.reduce_mean(log_mel, (1, 2)),
            "arousal": tf.reduce_max(log_mel, (1, 2)),
        }

    model = converted(answer, tf.TensorSpec((1, 100, 128), tf.float32, "log_mel"))
    path = write(tmp_path / "adff_log_mel_float32.tflite", model, made["both"][3])
    with pytest.raises(InputError, match=r"takes log-mels.*adff_int8\.tflite"):
        EmotionRunner.load(path)


def test_a_path_of_odd_bytes(artifact, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/so\xffng \xe2\x82\xac.tflite"))
    shutil.copy(artifact, path)
    assert EmotionRunner.load(str(path)).window == WINDOW


def test_a_file_that_is_replaced_while_in_use(artifact, tmp_path):
    path = Path(shutil.copy(artifact, tmp_path / "model.tflite"))
    runner = EmotionRunner.load(path)
    wanted = runner.answer(music(1.0))
    path.write_bytes(b"")
    assert runner.answer(music(1.0)) == wanted


def test_without_litert_it_says_what_to_install(artifact, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match='pip install .*"ai-edge-litert>='):
        EmotionRunner.load(artifact)


def test_a_hundred_damaged_models_give_an_answer_or_a_message(made, runner, tmp_path):
    """Bytes changed, cut out or doubled, or the end missing; seeded, half of it in the last tenth, where the description is."""
    _, path, model, _ = made["both"]
    content, rng = path.read_bytes(), np.random.default_rng(0)
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
        "import sys, numpy as np; from pathlib import Path; from adff_tf.litert import *\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: print(float(EmotionRunner.load(path).answer(np.load(sys.argv[2]))['valence']))\n"
        "    except InputError as error: print('refused', error)\n"
    )
    np.save(tmp_path.parent / "window.npy", music(1.0))
    command = [sys.executable, "-c", program, str(tmp_path), str(tmp_path.parent / "window.npy")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = [line for line in done.stdout.splitlines() if not line.startswith("refused")]
    assert len(done.stdout.splitlines()) == 100 and len(answers) < 30
    wanted = float(runner.answer(music(1.0))["valence"])
    assert [float(answer) for answer in answers] == pytest.approx(
        [wanted] * len(answers), abs=1e-6
    )  # right, where there is one


# === The command line ===


def ask(arguments, capfd) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as stop:
        litert.main([str(argument) for argument in arguments])
    return stop.value.code or 0, *capfd.readouterr()


def test_json_is_what_python_gives(artifact, runner, song, capfd):
    status, out, err = ask([artifact, song, song, "--format", "json", "--hop", "0.25"], capfd)
    assert status == 0 and not err and len(out.splitlines()) == 2
    assert_same(json.loads(out.splitlines()[0]), runner.predict(song, hop_s=0.25))


def test_the_table_and_songs_that_cannot_be_used(artifact, song, tmp_path, capfd):
    soundfile.write(tmp_path / "short.wav", music(0.4), RATE)
    (tmp_path / "text.wav").write_text("no song")
    names = [
        song,
        tmp_path / "missing.wav",
        tmp_path / "short.wav",
        tmp_path / "text.wav",
        tmp_path,
    ]
    status, out, err = ask([artifact, *names, "--threads", "1"], capfd)
    head, long, short = out.splitlines()
    assert (
        status == 2
        and head.split()[:3] == ["seconds", "valence", "arousal"]
        and "padded" in short
        and "padded" not in long
    )
    assert (
        len(err.splitlines()) == 3
        and all(line.startswith("error: ") for line in err.splitlines())
        and "missing.wav" in err
    )


@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_the_table_is_prediction_s(made, song, task, tmp_path, capfd):
    """Word by word, but for what the float32 of two runtimes rounds otherwise; a name with a line break keeps its line."""
    odd = tmp_path / "two\nlines.flac"
    shutil.copy(song, odd)
    artifact = made[task][1]
    status, out, _ = ask([artifact, song, odd], capfd)
    wanted = commands.ask(predict.main, [artifact.parent / task, song, odd], capfd)[1]
    assert (
        status == 0 and len(out.splitlines()) == 3 and out.splitlines()[0] == wanted.splitlines()[0]
    )
    for word, meant in zip(out.split(), wanted.split(), strict=True):
        assert word == meant or float(word) == pytest.approx(float(meant), abs=2e-3)


@pytest.mark.parametrize(
    "options",
    [["--hop", "0"], ["--hop", "nan"], ["--hop", "9"], ["--threads", "0"], ["--hop", "x"]],
)
def test_options_out_of_range(artifact, song, options, capfd):
    status, out, err = ask([artifact, song, *options], capfd)
    assert status == 2 and not out and "Traceback" not in err and "error: " in err


def test_a_pipe(artifact, runner, song):
    """A recording from standard input, and a reader that goes away."""
    command = [sys.executable, "-m", "adff_tf.litert", str(artifact)]
    done = subprocess.run(
        [*command, "-", "--format", "json"], input=song.read_bytes(), capture_output=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    assert_same(json.loads(done.stdout), runner.predict(song, name="-"))
    shell = f"{' '.join(command)} {f'{song} ' * 20} --format json --hop 0.1 | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.returncode == 141 and not done.stderr


def test_ctrl_c(artifact, song):
    command = [
        sys.executable,
        "-m",
        "adff_tf.litert",
        str(artifact),
        *[str(song)] * 2000,
        "--format",
        "json",
    ]
    heed = functools.partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # a shell's background commands are deaf to it
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == b"stopped. What was printed holds.\n"


# === Where no TensorFlow is ===


def test_importing_it_loads_no_tensorflow():
    code = "import adff_tf.litert, sys; print({'tensorflow', 'keras', 'librosa', 'pydantic', 'ai_edge_litert'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def device(tmp_path_factory, artifact) -> tuple[Path, Path]:
    """A Python that has what `REQUIREMENTS` names and no more, and a folder with the runner and a model."""
    folder = tmp_path_factory.mktemp("device")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", *litert.REQUIREMENTS], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(
            f"pip cannot install {', '.join(litert.REQUIREMENTS)} here: {done.stderr.strip()[-300:]}"
        )
    shutil.copy(litert.__file__, folder / "adff_litert.py")
    shutil.copy(artifact, folder / "adff_int8.tflite")
    return python, folder


def test_on_a_device_without_tensorflow(device, runner, song):
    python, folder = device
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    here = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    for module in ("tensorflow", "keras", "adff_tf"):
        assert (
            "ModuleNotFoundError"
            in subprocess.run([python, "-c", f"import {module}"], **here).stderr
        )
    command = [python, "adff_litert.py", "adff_int8.tflite", str(song), "--format", "json"]
    started = time.perf_counter()
    done = subprocess.run(command, **here)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert time.perf_counter() - started < 20  # 0.6 s on an idle machine
    assert_same(json.loads(done.stdout), runner.predict(song))
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == [
        "adff_int8.tflite",
        "adff_litert.py",
        "venv",
    ]
    program = (
        "import numpy as np; from adff_litert import EmotionRunner\n"
        "runner = EmotionRunner.load('adff_int8.tflite')\n"
        "for window in runner.stream((np.zeros(480, 'int16') for _ in range(250)), 48000): print(window['end'])\n"
    )
    done = subprocess.run([python, "-c", program], **here)
    assert done.stdout.split() == ["1.0", "1.5", "2.0", "2.5"], done.stderr


def test_on_a_device_where_nothing_is_installed(device):
    _, folder = device
    command = [sys.executable, "-I", "-S", "adff_litert.py", "adff_int8.tflite", "song.wav"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (
        done.returncode == 1
        and done.stderr.startswith("error: No module named 'numpy'")
        and "pip install" in done.stderr
    )
    assert len(done.stderr.splitlines()) == 1
