"""Asking a model: windows against slices of the waveform, answers against librosa and the network itself, and what is refused."""

import copy
import json
import pickle
import shutil

import keras
import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from adff_tf.audio import AudioError
from adff_tf.errors import InputError
from adff_tf.features import segments
from adff_tf.inference.emotion import Emotion
from adff_tf.inference.model import EmotionModel
from adff_tf.inference.windows import cut_windows
from adff_tf.model.model_file import find_model, load_network
from adff_tf.model.network import build_adff
from adff_tf.tasks import TASKS

from .. import tiny

RATE = 44100
WINDOW = 441 * 100  # of the tiny experiment: 1 s


def save_run(folder, task: str = "both"):
    """A run folder with an untrained model: all that asking it needs."""
    experiment = tiny.experiment(task)
    keras.utils.set_random_seed(1)
    network = build_adff(experiment, "float32")
    network.get_layer("standardise").set_weights([np.full(128, -50.0), np.full(128, 20.0)])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(experiment.to_json())
    network.save(folder / "model.keras")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def model(run):
    return EmotionModel.load(run)


@pytest.fixture(scope="module")
def quadrant_model(tmp_path_factory):
    return EmotionModel.load(save_run(tmp_path_factory.mktemp("runs") / "quadrant", "quadrant"))


def music(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise whose loudness and colour wander, so that no two windows are alike."""
    rng = np.random.default_rng(seed)
    noise = np.cumsum(rng.normal(0, 0.02, int(seconds * RATE))) * 0.2 + rng.normal(
        0, 0.05, int(seconds * RATE)
    )
    noise -= np.convolve(noise, np.ones(500) / 500, "same")
    return (noise * (1 + 0.9 * np.sin(np.arange(len(noise)) / 9000))).astype("float32")


# === Windows ===


@given(
    total=st.integers(1, 400),
    length=st.integers(1, 60),
    share=st.floats(0.05, 1),
    cuts=st.lists(st.integers(1, 399), max_size=6),
)
@settings(deadline=None, max_examples=200)
def test_windows_are_slices_however_the_blocks_come(total, length, share, cuts):
    waveform, hop = np.arange(1, total + 1, dtype="float32"), max(1, round(share * length))
    found = list(
        cut_windows(np.split(waveform, sorted(cut for cut in cuts if cut < total)), length, hop)
    )
    for start, samples in found:
        assert len(samples) == length
        np.testing.assert_array_equal(
            samples, np.pad(waveform, (0, length))[start : start + length]
        )
    starts = [start for start, _ in found]
    regular = [start for start in starts if start % hop == 0 and start + length <= total] or [0]
    assert (
        regular[: len(starts)] == list(range(0, max(1, total - length + 1), hop)) or total < length
    )
    assert len(starts) - len(range(0, max(1, total - length + 1), hop)) in (0, 1)
    left = total - (starts[-1] + length)
    assert left < hop / 2 or left <= 0


@given(total=st.integers(1, 400), length=st.integers(1, 60))
def test_with_a_hop_of_one_window_they_are_trainings_segments(total, length):
    ours = [start for start, _ in cut_windows([np.zeros(total, "float32")], length, length)]
    assert ours == segments.segment_starts(total, length, "full", np.random.default_rng(0))


# === Answers ===


def test_a_window_is_answered_as_the_network_answers_librosas_log_mel(run, model):
    waveform = music(1.0)
    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=RATE,
        n_fft=4096,
        win_length=2646,
        hop_length=441,
        n_mels=128,
        pad_mode="reflect",
    )
    log_mel = 10 * np.log10(np.maximum(power, 1e-10)).T[None, :100]
    wanted = load_network(find_model(run)[0]).predict(log_mel, verbose=0)
    answer = model.predict(waveform, RATE)
    assert answer.valence == pytest.approx(wanted["valence"].item(), abs=1e-4)
    assert answer.arousal == pytest.approx(wanted["arousal"].item(), abs=1e-4)
    assert abs(answer.valence - answer.arousal) > 1e-3


def test_a_songs_value_is_the_mean_over_its_windows(model):
    waveform = music(3.3)
    answer = model.predict(waveform, RATE, hop_s=0.5)
    starts = [
        0,
        0.5,
        1,
        1.5,
        2,
        2.3,
    ]  # and the last one from further forward: 0.3 s are left behind 2 + 1
    np.testing.assert_allclose(answer.start, starts, atol=1e-4)
    alone = [
        model.predict(waveform[int(s * RATE) : int(s * RATE) + RATE], RATE)
        for s in answer.start + 1e-6
    ]
    np.testing.assert_allclose(answer.windows["valence"], [a.valence for a in alone], atol=1e-5)
    assert answer.arousal == pytest.approx(np.mean([a.arousal for a in alone]), abs=1e-5)
    assert answer.std["arousal"] == pytest.approx(
        np.std([a.arousal for a in alone], ddof=1), abs=1e-5
    )
    assert answer.seconds == pytest.approx(3.3) and not answer.is_padded


def test_files_bytes_and_arrays_are_one(model, tmp_path):
    stereo = np.stack([music(1.6, 1), music(1.6, 2)], axis=1)
    soundfile.write(tmp_path / "song.wav", stereo, RATE, subtype="FLOAT")
    by_path = model.predict(tmp_path / "song.wav")
    for other in (
        model.predict((tmp_path / "song.wav").read_bytes()),
        model.predict(stereo, RATE),
        model.predict(stereo.mean(axis=1), RATE),
    ):
        np.testing.assert_allclose(other.windows["arousal"], by_path.windows["arousal"], atol=1e-6)
    assert by_path.path == str(tmp_path / "song.wav") and other.path == "<ndarray>"


def test_a_batch_is_eight_windows_or_forty_seconds_and_one_at_least():
    """More would be memory for nothing: two hours at full width are to take less than 2 GB."""
    sizes = []

    def answer(batch):
        sizes.append(len(batch))
        return {"arousal": np.zeros(len(batch), "float32")}

    for seg_len, largest in ((1.0, 8), (15.0, 2), (60.0, 1)):
        sizes.clear()
        EmotionModel(tiny.experiment("arousal", seg_len=seg_len), answer).predict(
            music(61.0), RATE, hop_s=1.0
        )
        assert max(sizes) == largest


def test_a_window_has_the_same_numbers_in_a_short_and_a_long_recording(
    model, tmp_path, monkeypatch
):
    monkeypatch.setattr("adff_tf.audio.decoding.LONG_S", 5.0)
    monkeypatch.setattr("adff_tf.audio.decoding.BLOCK", 9_999)
    waveform = music(20.0)
    soundfile.write(tmp_path / "long.flac", waveform, RATE)
    soundfile.write(tmp_path / "short.flac", waveform[7 * RATE : 8 * RATE], RATE)
    whole, part = (
        model.predict(tmp_path / "long.flac", hop_s=1.0),
        model.predict(tmp_path / "short.flac"),
    )
    assert whole.windows["valence"][7] == pytest.approx(part.valence, abs=1e-6)
    assert len(whole.start) == 20


def test_a_song_shorter_than_a_window_is_padded_with_silence(model):
    waveform = music(0.4)
    short, padded = (
        model.predict(waveform, RATE),
        model.predict(np.pad(waveform, (0, WINDOW - len(waveform))), RATE),
    )
    assert short.is_padded and short.values == padded.values and short.end == pytest.approx([0.4])
    assert short.std == {"valence": None, "arousal": None}
    assert model.predict(np.zeros(1, "float32"), RATE).is_padded


def test_silence_is_a_song(model):
    answer = model.predict(np.zeros(2 * RATE, "float32"), RATE)
    assert np.isfinite([answer.valence, answer.arousal]).all()


def test_classes(quadrant_model):
    answer = quadrant_model.predict(music(2.0), RATE, hop_s=0.5)
    assert list(answer.probabilities) == ["Q1", "Q2", "Q3", "Q4"] and sum(
        answer.probabilities.values()
    ) == pytest.approx(1)
    np.testing.assert_allclose(
        list(answer.probabilities.values()), answer.windows["probabilities"].mean(axis=0)
    )
    assert (
        answer.label == answer.quadrant == max(answer.probabilities, key=answer.probabilities.get)
    )
    row = answer.as_dict()
    assert (
        set(row["curve"][0]) == {"start", "end", "label", "probabilities"} and "valence" not in row
    )
    with pytest.raises(AttributeError, match="quadrant"):
        _ = answer.valence


def emotion(valence, arousal, task="both"):
    n = len(valence)
    values = {"valence": np.array(valence, "float32"), "arousal": np.array(arousal, "float32")}
    return Emotion(
        TASKS[task], "a.wav", n + 0.0, 1.0, 1.0, np.arange(n) * 1.0, np.arange(n) + 1.0, values
    )


@pytest.mark.parametrize(
    ("valence", "arousal", "quadrant"),
    [(0.2, 0.0, "Q1"), (-0.2, 0.5, "Q2"), (-0.2, -0.5, "Q3"), (0.0, -0.5, "Q4")],
)
def test_quadrants(valence, arousal, quadrant):
    answer = emotion([valence], [arousal])
    assert answer.quadrant == quadrant and answer.rescaled(1, 9).quadrant == quadrant


def test_an_answer_can_be_copied_and_sent_to_another_process(model):
    emotion = model.predict(music(1.0), RATE)
    for twin in (copy.deepcopy(emotion), pickle.loads(pickle.dumps(emotion))):
        assert twin.as_dict() == emotion.as_dict() and twin.valence == emotion.valence


def test_rescaled_by_hand():
    answer = emotion([-1.0, 0.0, 1.0], [0.5, 0.5, 0.5])
    nine, one = answer.rescaled(1, 9), answer.rescaled(1, 9).rescaled(0, 1)
    np.testing.assert_allclose(nine.windows["valence"], [1, 5, 9])
    assert (
        nine.arousal == 7
        and nine.std["valence"] == pytest.approx(4)
        and one.arousal == pytest.approx(0.75)
    )
    with pytest.raises(InputError, match="9 to 1"):
        answer.rescaled(9, 1)


def test_the_dict_is_json_and_as_designed(model):
    row = json.loads(
        json.dumps(model.predict(music(2.0), RATE, name="x").as_dict(), allow_nan=False)
    )
    assert {"path", "seconds", "valence", "arousal", "quadrant", "curve"} <= set(row)
    assert (
        row["path"] == "x"
        and row["seconds"] == 2.0
        and row["scale"] == [-1, 1]
        and row["hop_s"] == 0.5
    )
    assert [(w["start"], w["end"]) for w in row["curve"]] == [(0, 1), (0.5, 1.5), (1, 2)]
    assert row["valence"] == pytest.approx(np.mean([w["valence"] for w in row["curve"]]))


def test_peaks_are_those_of_the_waveform(model):
    waveform = music(1.53)
    peaks = model.predict(waveform, RATE).peaks
    assert (
        len(peaks) == 31
        and peaks[3] == np.abs(waveform[3 * 2205 : 4 * 2205]).max()
        and peaks.max() == np.abs(waveform).max()
    )


# === What users do wrong ===


def test_a_model_that_answers_no_number_is_told(model):
    broken = EmotionModel(
        model.experiment,
        lambda waveforms: {name: np.full(len(waveforms), np.nan) for name in model.task.outputs},
    )
    with pytest.raises(
        InputError, match="answers valence with NaN or infinity for finite samples: it is damaged"
    ):
        broken.predict(music(1.0), RATE)


@pytest.mark.parametrize("hop", [0.0, -1.0, float("nan"), 1.5, float("inf"), "1"])
def test_a_hop_out_of_range(model, hop):
    with pytest.raises(InputError, match="hop of"):
        model.predict(music(2.0), RATE, hop_s=hop)


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros((2, 3, 4)), RATE, "shape"),
        (np.zeros(RATE), None, "without its rate"),
        (np.zeros(RATE), 44100.5, "whole number"),
        (np.zeros(RATE, complex), RATE, "complex"),
        (np.full(RATE, 20000.0), RATE, "full scale"),
        (np.full(RATE, np.nan), RATE, "NaN"),
        (np.zeros(0), RATE, "no samples"),
        ([0.0, 0.1], RATE, "list"),
    ],
)
def test_arrays_that_cannot_be_used(model, samples, rate, says):
    with pytest.raises(InputError, match=says):
        model.predict(samples, rate)


def test_a_song_that_is_not_there(model, tmp_path):
    with pytest.raises(AudioError, match="No such file"):
        model.predict(tmp_path / "none.mp3")


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
    """Cut short, bytes changed, another network's, no model at all: a message each, whatever is wrong inside."""
    copy, content, rng = (
        shutil.copytree(run, tmp_path / "run"),
        (run / "model.keras").read_bytes(),
        np.random.default_rng(0),
    )
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
