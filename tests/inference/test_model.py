"""`EmotionModel` against librosa, the network itself and slices of the waveform; bad input."""

import json
import shutil
import tracemalloc

import librosa
import numpy as np
import pytest
import soundfile

from adff_tf.audio import AudioError
from adff_tf.errors import InputError
from adff_tf.inference.description import Description
from adff_tf.inference.model import EmotionModel
from adff_tf.inference.windows import window_starts
from adff_tf.model.model_file import find_model, load_network
from adff_tf.tasks import TASKS

from .. import tiny
from ..artifacts import (
    BAD_SAMPLES,
    CALIBRATION,
    RATE,
    WINDOW,
    Forgetful,
    Recorder,
    assert_same,
    model_of,
    music,
    save_run,
)
from ..audio.test_audio import encode


@pytest.fixture(scope="module")
def run(made):
    return made["both"].run


@pytest.fixture(scope="module")
def model(made):
    return made["both"].model


# === Predictions ===


def test_a_window_is_predicted_as_the_network_predicts_librosas_log_mel(run, model):
    waveform = music(1.0)
    power = librosa.feature.melspectrogram(
        y=waveform, sr=RATE, n_fft=4096, win_length=2646, hop_length=441, n_mels=128,
        pad_mode="reflect",
    )  # fmt: skip
    log_mel = 10 * np.log10(np.maximum(power, 1e-10)).T[None, :100]
    wanted = load_network(find_model(run)[0]).predict(log_mel, verbose=0)
    emotion = model.predict(waveform, RATE)
    assert emotion.valence == pytest.approx(wanted["valence"].item(), abs=1e-4)
    assert emotion.arousal == pytest.approx(wanted["arousal"].item(), abs=1e-4)
    assert abs(emotion.valence - emotion.arousal) > 1e-3


def test_a_network_in_memory_is_a_model(run, model):
    file, experiment = find_model(run)
    ours = EmotionModel.from_network(load_network(file), experiment)
    assert ours.description == Description.of(experiment)
    assert model.description == Description.of(experiment, calibration=CALIBRATION)
    waveform = music(1.4)
    assert ours.predict(waveform, RATE).values == pytest.approx(
        model.predict(waveform, RATE).values
    )


def test_a_songs_value_is_the_mean_over_its_windows(model):
    waveform = music(3.3)
    emotion = model.predict(waveform, RATE, hop_s=0.5)
    starts = [0, 0.5, 1, 1.5, 2, 2.3]  # the last window covers the 0.3 s behind 2 + 1
    np.testing.assert_allclose(emotion.start, starts, atol=1e-4)
    np.testing.assert_allclose(emotion.end, np.add(starts, 1), atol=1e-4)
    first = [int(start * RATE) for start in emotion.start + 1e-6]
    alone = [model.predict(waveform[at : at + RATE], RATE) for at in first]
    arousal = [one.arousal for one in alone]
    np.testing.assert_allclose(
        emotion.windows["valence"], [one.valence for one in alone], atol=1e-5
    )
    assert emotion.arousal == pytest.approx(np.mean(arousal), abs=1e-5)
    assert emotion.std["arousal"] == pytest.approx(np.std(arousal, ddof=1), abs=1e-5)
    assert emotion.seconds == pytest.approx(3.3) and not emotion.is_padded


class Loud:
    """A backend whose outputs come from the window's mean |sample|."""

    def __init__(self, task: str, bias: float):
        self.task, self.bias = TASKS[task], bias

    def predict(self, waveforms):
        loud = 20 * np.abs(waveforms).mean(axis=1)
        if self.task.is_regression:
            columns = {
                name: self.bias + (k - 0.5) * loud for k, name in enumerate(self.task.outputs)
            }
            return {name: column[:, None] for name, column in columns.items()}
        shares = np.exp(np.outer(loud, np.cos(np.arange(len(self.task.classes)) + self.bias)))
        return {"probabilities": shares / shares.sum(axis=1, keepdims=True)}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bias", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("seconds", [0.3, 2.7])
def test_the_form_of_every_tasks_emotion(task, bias, seconds):
    """Worked out here from the outputs for the padded slices."""
    backend, waveform = Loud(task, bias), music(seconds)
    model = EmotionModel(Description.of(tiny.experiment(task)), backend)
    row = model.predict(waveform, RATE, name="x").as_dict()
    starts = window_starts(len(waveform), WINDOW, WINDOW // 2)
    padded = np.pad(waveform, (0, WINDOW))
    outputs = backend.predict(np.stack([padded[at : at + WINDOW] for at in starts]))
    assert row["path"] == "x" and row["seconds"] == seconds and row["padded"] == (seconds < 1)
    assert (row["window_s"], row["hop_s"]) == (1.0, 0.5) and len(row["curve"]) == len(starts)
    if TASKS[task].is_regression:
        means = {name: float(value.mean()) for name, value in outputs.items()}
        assert {name: row[name] for name in means} == pytest.approx(means)
        if task == "both":
            quadrant = {(1, 1): "Q1", (0, 1): "Q2", (0, 0): "Q3", (1, 0): "Q4"}
            assert row["quadrant"] == quadrant[means["valence"] >= 0, means["arousal"] >= 0]
        else:
            assert "quadrant" not in row
    else:
        means = outputs["probabilities"].mean(axis=0)
        assert list(row["probabilities"]) == list(TASKS[task].classes)
        assert list(row["probabilities"].values()) == pytest.approx(means.tolist())
        assert row["label"] == TASKS[task].classes[int(means.argmax())]
        assert row.get("quadrant") == (row["label"] if task == "quadrant" else None)


def test_files_bytes_and_arrays_are_one(model, tmp_path):
    stereo = np.stack([music(1.6, 1), music(1.6, 2)], axis=1)
    path = tmp_path / "song.wav"
    soundfile.write(path, stereo, RATE, subtype="FLOAT")
    by_path = model.predict(path)
    others = (
        model.predict(str(path)),
        model.predict(path.read_bytes()),
        model.predict(stereo.mean(axis=1), RATE),
        model.predict(stereo, RATE),
    )
    for other in others:
        np.testing.assert_allclose(other.windows["arousal"], by_path.windows["arousal"], atol=1e-6)
    assert by_path.path == str(path) and other.path == "<ndarray>"
    assert model.predict(stereo, RATE, name="a name").path == "a name"


def test_samples_of_either_byte_order(model):
    samples = (20000 * music(1.5)).astype("int16")
    big, little = (model.predict(samples.astype(order), RATE) for order in (">i2", "<i2"))
    assert big.as_dict() == little.as_dict()


@pytest.mark.parametrize(("seg_len", "largest"), [(1.0, 8), (15.0, 2), (60.0, 1)])
def test_a_batch_is_eight_windows_or_forty_seconds_and_one_at_least(seg_len, largest):
    """More takes memory for nothing: two hours at full width are to take less than 2 GB."""
    backend = Recorder()
    model_of(backend, int(seg_len * RATE)).predict(music(61.0), RATE, hop_s=1.0)
    assert max(backend.batches) == largest


def test_progress_is_the_seconds_done():
    seconds = []
    model_of(Recorder()).predict(music(9.6), RATE, hop_s=1.0, on_progress=seconds.append)
    assert seconds == pytest.approx([8.0, 9.6])


def test_windows_predicted_apart_make_the_same_emotion(model):
    waveform = music(2.2)
    whole = model.predict(waveform, RATE, hop_s=1.0, name="x")
    windows = np.stack([waveform[at : at + WINDOW] for at in (0, WINDOW)])
    outputs = [model.predict_windows(windows[:1]), model.predict_windows(windows[1:])]
    hop = model.hop_samples(1.0)
    apart = model.emotion("x", len(waveform), hop, [0, WINDOW], outputs)
    assert_same(apart.as_dict(), whole.as_dict(), atol=1e-6)


def test_a_window_has_the_same_numbers_in_a_short_and_a_long_recording(
    model, tmp_path, monkeypatch
):
    monkeypatch.setattr("adff_tf.audio.decoding.LONG_S", 5.0)
    monkeypatch.setattr("adff_tf.audio.decoding.BLOCK", 9_999)
    waveform = music(20.0)
    for suffix in ("flac", "wav"):
        long, short = tmp_path / f"long.{suffix}", tmp_path / f"short.{suffix}"
        soundfile.write(long, waveform, RATE)
        soundfile.write(short, waveform[7 * RATE : 8 * RATE], RATE)
        whole, part = model.predict(long, hop_s=1.0), model.predict(short)
        assert whole.windows["valence"][7] == pytest.approx(part.valence, abs=1e-6)
        assert len(whole.start) == 20


def test_a_song_shorter_than_a_window_is_padded_with_silence(model):
    waveform = music(0.4)
    short = model.predict(waveform, RATE)
    padded = model.predict(np.pad(waveform, (0, WINDOW - len(waveform))), RATE)
    assert short.is_padded and short.values == padded.values and short.end == pytest.approx([0.4])
    assert short.std == {"valence": None, "arousal": None}
    assert model.predict(np.zeros(1, "float32"), RATE).is_padded


def test_silence_is_a_song(model):
    emotion = model.predict(np.zeros(2 * RATE, "float32"), RATE)
    assert np.isfinite([emotion.valence, emotion.arousal]).all()


def test_classes(made):
    emotion = made["quadrant"].model.predict(music(2.0), RATE, hop_s=0.5)
    probabilities = emotion.probabilities
    assert list(probabilities) == ["Q1", "Q2", "Q3", "Q4"]
    assert sum(probabilities.values()) == pytest.approx(1)
    means = emotion.windows["probabilities"].mean(axis=0)
    np.testing.assert_allclose(list(probabilities.values()), means)
    assert emotion.label == emotion.quadrant == max(probabilities, key=probabilities.get)
    row = emotion.as_dict()
    assert set(row["curve"][0]) == {"start", "end", "label", "probabilities"}
    assert "valence" not in row
    with pytest.raises(AttributeError, match="quadrant"):
        _ = emotion.valence


def test_the_dict_is_json_and_as_designed(model):
    emotion = model.predict(music(2.0), RATE, name="x")
    row = json.loads(json.dumps(emotion.as_dict(), allow_nan=False))
    assert {"path", "seconds", "valence", "arousal", "quadrant", "curve"} <= set(row)
    assert row["path"] == "x" and row["seconds"] == 2.0
    assert row["scale"] == [-1, 1] and row["hop_s"] == 0.5
    assert [(w["start"], w["end"]) for w in row["curve"]] == [(0, 1), (0.5, 1.5), (1, 2)]
    assert row["valence"] == pytest.approx(np.mean([w["valence"] for w in row["curve"]]))


def test_peaks_are_those_of_the_waveform(model):
    waveform = music(1.53)
    peaks = model.predict(waveform, RATE).peaks
    assert len(peaks) == 31 and peaks[3] == np.abs(waveform[3 * 2205 : 4 * 2205]).max()
    assert peaks.max() == np.abs(waveform).max()


@pytest.mark.parametrize(
    ("form", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16")],
)
def test_ten_minutes_of_wav_are_not_held(tmp_path, form, subtype):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2, subtype, format=form) as file:
        for _ in range(20):
            file.write(np.zeros((30 * 44100, 2), "int16"))  # 106 MB in mono float32
    model = model_of(Forgetful())
    model.predict(np.zeros(RATE, "float32"), RATE)
    tracemalloc.start()
    try:
        assert model.predict(path, hop_s=1.0).seconds == 600
        assert tracemalloc.get_traced_memory()[1] < 12e6
    finally:
        tracemalloc.stop()


# === What users do wrong ===


def test_a_model_that_predicts_nan():
    broken = model_of(Recorder(np.nan))
    with pytest.raises(InputError, match="predicts arousal as NaN or infinity for finite samples"):
        broken.predict(music(1.0), RATE)


@pytest.mark.parametrize("hop", [0.0, -1.0, float("nan"), 1.5, float("inf"), "1"])
def test_a_hop_out_of_range(model, hop):
    with pytest.raises(InputError, match="hop of"):
        model.predict(music(2.0), RATE, hop_s=hop)
    with pytest.raises(InputError, match="hop of"):
        model.stream([], RATE, hop)  # before the first block


def test_hops_in_samples(model):
    assert model.hop_samples(None) == WINDOW // 2 and model.hop_samples(1 / RATE) == 1
    assert model.hop_samples(1) == WINDOW and model.hop_samples(np.float32(0.5)) == WINDOW // 2


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        *BAD_SAMPLES,
        (np.zeros(RATE), None, "without its rate"),
        (np.zeros(0), RATE, "no samples"),
    ],
)
def test_arrays_that_cannot_be_used(model, samples, rate, says):
    with pytest.raises(InputError, match=says):
        model.predict(samples, rate)


@pytest.mark.parametrize("shape", [(1, WINDOW - 1), (WINDOW,), (1, 1, WINDOW), (2, WINDOW + 1)])
def test_windows_of_another_shape(model, shape):
    with pytest.raises(InputError, match=rf"give \(batch, {WINDOW}\), at {RATE} Hz"):
        model.predict_windows(np.zeros(shape, "float32"))


def test_recordings_that_cannot_be_used(model, tmp_path, song):
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, "float32"), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0, "float32"), RATE)
    soundfile.write(tmp_path / "slow.wav", np.zeros(1000, "float32"), 500)
    words = b"these are words and no music at all"
    noise = np.random.default_rng(0).bytes(3000)
    contents = {
        "empty.wav": b"", "text.mp3": words, "text.raw": words, "noise.flac": noise,
        "cut.flac": song.read_bytes()[:-90_000],
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    says = {
        "missing.wav": "No such file",
        ".": "folder",
        "nan.wav": "NaN",
        "nothing.wav": "no samples",
        "slow.wav": "500 Hz",
        "empty.wav": "empty",
        "text.mp3": "no audio",
        "text.raw": "no audio",
        "noise.flac": "no audio",
        "cut.flac": "cut off or damaged",
    }
    for name, reason in says.items():
        with pytest.raises(AudioError, match=reason):
            model.predict(tmp_path / name)
    with pytest.raises(InputError, match="leave it out"):
        model.predict(song, 48000)
    with pytest.raises(AudioError, match="no audio"):
        model.predict(b"no audio at all, as a text")


def test_an_m4a_is_predicted(model, tmp_path):
    path = encode(tmp_path / "song.m4a", "aac", music(2.0)[:, None], RATE)
    assert model.predict(path).seconds == pytest.approx(2.0, abs=0.05)


# === Runs that are none ===


def test_model_folders_that_are_none(run, tmp_path):
    with pytest.raises(InputError, match="there is no model"):
        EmotionModel.load(tmp_path / "none")
    with pytest.raises(InputError, match="no run folder: config.json is missing.*\n.*nothing"):
        EmotionModel.load(tmp_path)
    shutil.copy(run / "model.keras", tmp_path / "model.keras")
    with pytest.raises(InputError, match="no config.json beside it"):
        EmotionModel.load(tmp_path / "model.keras")
    with pytest.raises(InputError, match="is no model"):
        EmotionModel.load(run / "config.json")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    shutil.copy(run / "config.json", unfinished)
    with pytest.raises(InputError, match="not finished"):
        EmotionModel.load(unfinished)


def test_a_folds_model(run, model, tmp_path):
    (tmp_path / "fold1").mkdir()
    shutil.copy(run / "config.json", tmp_path)
    shutil.copy(run / "model.keras", tmp_path / "fold1")
    fold = EmotionModel.load(tmp_path / "fold1" / "model.keras")
    waveform = music(1.0)
    assert fold.predict(waveform, RATE).values == model.predict(waveform, RATE).values


def test_a_config_of_another_version(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    config = json.loads((copy / "config.json").read_text())
    config["network"]["heads"] = 4
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="network.heads: no such setting"):
        EmotionModel.load(copy)
    (copy / "environment.json").write_text('{"adff_tf": "9.1"}')
    with pytest.raises(InputError, match="made with adff-tf 9.1"):
        EmotionModel.load(copy)


def test_damaged_models(run, tmp_path):
    """Cut short, bytes changed, another network's, no model at all: each gives a message."""
    copy = shutil.copytree(run, tmp_path / "run")
    content, rng = (run / "model.keras").read_bytes(), np.random.default_rng(0)
    other = save_run(tmp_path / "other", "quadrant") / "model.keras"
    damaged = [b"", b"no model", content[: len(content) // 2], other.read_bytes()]
    for _ in range(20):
        mutated = bytearray(content)
        for at in rng.integers(0, len(content), 200):
            mutated[at] = rng.integers(256)
        damaged.append(bytes(mutated))
    refused = 0
    for number, bad in enumerate(damaged):
        (copy / "model.keras").write_bytes(bad)
        try:
            EmotionModel.load(copy)
        except InputError as error:
            assert "model.keras" in str(error)
            refused += 1
        else:
            assert number >= 4, "a model that is none was loaded"
    assert refused >= 20
