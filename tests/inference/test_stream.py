"""A stream of blocks, such as a microphone's: the windows of the recording, as soon as they end."""

import shutil
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from adff_tf import audio
from adff_tf.errors import InputError
from adff_tf.inference.model import EmotionModel
from adff_tf.inference.windows import cut_windows

from ..artifacts import BAD_SAMPLES, RATE, WINDOW, Forgetful, Recorder, assert_same, model_of, music

DOCS = Path(__file__).parents[2] / "docs" / "on-device.md"


@pytest.fixture(scope="module")
def model(tflite) -> EmotionModel:
    return EmotionModel.load(tflite)


# === The windows of the recording ===


@pytest.mark.parametrize("most", [1, 200, 5000, 100_000])
def test_a_stream_is_predicted_as_the_recording_of_it(model, song, most):
    stereo = soundfile.read(song, dtype="float32")[0][: 60_000 if most == 1 else None]
    wanted = model.predict(stereo, 48000, 0.4).curve
    rng = np.random.default_rng(most)
    sizes = np.minimum(rng.integers(0, most + 1, len(stereo)), most)
    ends = np.unique(np.cumsum(sizes)[np.cumsum(sizes) < len(stereo)])
    if most == 1:
        ends = np.arange(1, len(stereo))
    assert_same(list(model.stream(np.split(stereo, ends), 48000, 0.4)), wanted)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "uint8", "int8"])
def test_the_windows_are_those_of_the_loaded_waveform(rate_hz, dtype):
    stereo = np.stack([music(1.4, 3), music(1.4, 4)], axis=1).clip(-1, 0.99)
    if dtype != "float32":
        bits = 8 * np.dtype(dtype).itemsize
        full = 1 if dtype == "float64" else 2 ** (bits - 1)
        centre = 128 if dtype == "uint8" else 0
        stereo = (stereo.astype("float64") * full + centre).astype(dtype)
    waveform = audio.load(stereo, RATE, source_rate_hz=rate_hz)
    wanted = [one.samples for one in cut_windows([waveform], WINDOW, WINDOW // 3)]
    rng = np.random.default_rng(0)
    blocks = np.split(stereo, np.sort(rng.integers(0, len(stereo), 40)))
    whole, stream = Recorder(), Recorder()
    assert len(model_of(whole).predict(stereo, rate_hz, 1 / 3).curve) == len(wanted)
    assert len(list(model_of(stream).stream(blocks, rate_hz, 1 / 3))) == len(wanted)
    for backend in (whole, stream):
        np.testing.assert_allclose(backend.windows, wanted, atol=1e-5)


def test_a_stream_in_one_piece(model):
    stereo = np.stack([music(1.2), music(1.2)], axis=1)
    assert_same(list(model.stream(stereo, RATE)), model.predict(stereo, RATE).curve)


@pytest.mark.parametrize("kind", ["run", "tflite", "saved_model"])
@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_every_backend_streams(made, kind, task):
    one, blocks = made[task], np.split(music(1.7), [5000, 50_000])
    model = one.model if kind == "run" else EmotionModel.load(getattr(one, kind))
    assert_same(list(model.stream(blocks, RATE)), one.model.predict(music(1.7), RATE).curve)


# === As soon as they end ===


def test_a_window_is_predicted_once_it_is_full(model):
    """On the very block at the model's rate, a few hundredths of a second later at another."""
    given_s = 0.0

    def microphone(rate_hz):
        nonlocal given_s
        for k in range(1000):
            given_s = (k + 1) * 0.01
            yield np.full(rate_hz // 100, 0.1 * (-1) ** k, "float32")

    for rate_hz, late_s in ((44100, 0), (48000, 0.05), (16000, 0.1)):
        rows = model.stream(microphone(rate_hz), rate_hz, 0.5)
        assert next(rows)["end"] == 1.0 and 1 <= given_s <= 1 + late_s + 1e-9
        assert next(rows)["start"] == 0.5 and 1.5 <= given_s <= 1.5 + late_s + 1e-9
        rows.close()


def test_a_stream_of_nothing_predicts_nothing(model):
    assert list(model.stream([], RATE)) == []
    assert list(model.stream([np.zeros(0, "float32")] * 3, 48000)) == []


def test_the_rest_of_a_stream_is_the_end_of_a_recording(model):
    (only,) = model.stream([music(0.4)], RATE)
    assert (only["start"], only["end"]) == (0.0, 0.4)
    assert [row["end"] for row in model.stream([music(1.3)], RATE)] == [1.0, 1.3]
    assert [row["end"] for row in model.stream([music(1.2)], RATE)] == [1.0]  # under half a hop


@pytest.mark.parametrize("rate_hz", [1000, 2000])
def test_ten_minutes_take_the_memory_of_half_a_minute(rate_hz):
    def peak(seconds: int) -> int:
        model = model_of(Forgetful(), 20 * 1000, 1000)
        blocks = (np.full((rate_hz // 4, 2), 0.1, "float32") for _ in range(seconds * 4))
        tracemalloc.start()
        try:
            windows = sum(1 for _ in model.stream(blocks, rate_hz, 10.0))
            assert windows == seconds // 10 - 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(30)
    assert peak(600) < peak(30) + 20_000  # a window is 80 kB, and ten minutes are 2.4 MB


# === The example in docs/on-device.md ===


class InputStream:
    """sounddevice's, of three seconds of a microphone and the end of the stream."""

    def __init__(self, samplerate, channels, callback):
        block = np.full((samplerate // 100, channels), 0.1, "float32")
        for _ in range(300):
            callback(block, len(block), None, None)
        self.put_end = lambda: callback(SimpleNamespace(copy=lambda: None), 0, None, None)

    def __enter__(self):
        self.put_end()

    def __exit__(self, *_):
        pass


def examples(word: str) -> list[str]:
    """Return the Python examples of the document that hold a word."""
    parts = DOCS.read_text(encoding="utf-8").split("```python\n")[1:]
    return [code for part in parts if word in (code := part.split("```")[0])]


def test_the_microphone_of_the_docs(tflite, tmp_path, monkeypatch, capsys):
    (example,) = examples("sounddevice")
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(InputStream=InputStream))
    monkeypatch.chdir(tmp_path)
    shutil.copy(tflite, "adff_int8.tflite")
    assert "hop_s=2.0" in example
    exec(example.replace("hop_s=2.0", "hop_s=0.5"), {})  # the windows here are of 1 s
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1.0", "1.5", "2.0", "2.5", "3.0"]


def test_the_song_of_the_docs(tflite, tmp_path, monkeypatch, capsys):
    (example,) = examples("song.mp3")
    monkeypatch.chdir(tmp_path)
    shutil.copy(tflite, "adff_int8.tflite")
    soundfile.write("song.mp3", music(2.0), RATE)
    exec(example, {})
    assert capsys.readouterr().out.splitlines()[-1] == "no terms"


# === What users do wrong ===


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        *BAD_SAMPLES,
        (np.zeros(RATE), None, "source_rate_hz=None"),
    ],
)
def test_blocks_that_cannot_be_used(model, samples, rate, says):
    with pytest.raises(InputError, match=says):
        list(model.stream([samples], rate))


def test_a_stream_that_is_a_list_of_numbers(model):
    with pytest.raises(InputError, match="float was given; give a NumPy array"):
        list(model.stream([0.0, 0.1], RATE))


def test_a_rate_out_of_range_is_refused_before_the_first_block(model):
    with pytest.raises(InputError, match="source_rate_hz=0"):
        model.stream(iter([]), 0)


def test_a_model_that_predicts_nan():
    with pytest.raises(InputError, match="predicts arousal as NaN or infinity for finite samples"):
        list(model_of(Recorder(np.nan)).stream([music(2.0)], RATE))
