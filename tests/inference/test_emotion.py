"""`Emotion` against numbers worked by hand, in every task."""

import copy
import json
import pickle

import numpy as np
import pytest

from adff_tf.errors import InputError
from adff_tf.inference.emotion import Emotion, check_scale, curve_row
from adff_tf.tasks import TASKS

SHARES = [[0.1, 0.2, 0.3, 0.4], [0.3, 0.4, 0.1, 0.2]]


def emotion(valence, arousal) -> Emotion:
    """Return an emotion with a window a second."""
    n = len(valence)
    start, seconds = np.arange(n) * 1.0, n + 0.0
    values = {"valence": np.array(valence, "float32"), "arousal": np.array(arousal, "float32")}
    return Emotion(TASKS["both"], "a.wav", seconds, 1.0, 1.0, start, start + 1.0, values)


def classes(task: str, shares) -> Emotion:
    """Return an emotion of classes with a window a second."""
    start, values = np.arange(len(shares)) * 1.0, {"probabilities": np.array(shares)}
    return Emotion(TASKS[task], "a.wav", len(shares), 1.0, 1.0, start, start + 1.0, values)


def test_the_song_by_hand():
    song = emotion([-0.5, 0.0, 0.8], [0.1, 0.2, 0.3])
    assert song.valence == pytest.approx(0.1) and song.arousal == pytest.approx(0.2)
    assert song.values == pytest.approx({"valence": 0.1, "arousal": 0.2})
    assert song.std == pytest.approx({"valence": np.sqrt(0.43), "arousal": 0.1})
    assert song.label is None and song.probabilities == {} and not song.is_padded


def test_one_window_has_no_std():
    assert emotion([0.1], [0.2]).std == {"valence": None, "arousal": None}


@pytest.mark.parametrize(
    ("valence", "arousal", "quadrant"),
    [(0.2, 0.0, "Q1"), (-0.2, 0.5, "Q2"), (-0.2, -0.5, "Q3"), (0.0, -0.5, "Q4")],
)
def test_quadrants(valence, arousal, quadrant):
    song = emotion([valence], [arousal])
    assert song.quadrant == quadrant and song.rescaled(1, 9).quadrant == quadrant


def test_classes_by_hand():
    song = classes("quadrant", SHARES)
    assert song.probabilities == pytest.approx({"Q1": 0.2, "Q2": 0.3, "Q3": 0.2, "Q4": 0.3})
    assert song.label == song.quadrant == max(song.probabilities, key=song.probabilities.get)
    assert song.values == {} and song.std == {}
    assert [row["label"] for row in song.curve] == ["Q4", "Q2"]


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if not task.is_regression])
def test_a_quadrant_belongs_to_two_dimensions(task):
    n = len(TASKS[task].classes)
    song = classes(task, [[1 / n] * n])
    assert (song.quadrant is not None) == (task == "quadrant")
    assert list(song.probabilities) == list(TASKS[task].classes)


def test_an_output_that_the_task_lacks():
    song = classes("quadrant", SHARES)
    for name in ("valence", "arousal", "mood"):
        with pytest.raises(AttributeError, match="the task is quadrant, with probabilities"):
            getattr(song, name)
    assert not hasattr(song, "valence") and hasattr(emotion([0.0], [0.0]), "valence")


def test_a_copy_and_another_process_have_the_same_emotion():
    song = emotion([0.1, 0.4], [0.2, -0.3])
    for twin in (copy.deepcopy(song), pickle.loads(pickle.dumps(song))):
        assert twin.as_dict() == song.as_dict() and twin.valence == song.valence


def test_rescaled_by_hand():
    song = emotion([-1.0, 0.0, 1.0], [0.5, 0.5, 0.5])
    nine, one = song.rescaled(1, 9), song.rescaled(1, 9).rescaled(0, 1)
    np.testing.assert_allclose(nine.windows["valence"], [1, 5, 9])
    assert nine.arousal == 7 and nine.std["valence"] == pytest.approx(4)
    assert one.arousal == pytest.approx(0.75) and nine.as_dict()["scale"] == [1, 9]
    assert song.rescaled(-1, 1) is song
    with pytest.raises(InputError, match="9 to 1"):
        song.rescaled(9, 1)


def test_classes_have_no_scale():
    song = classes("quadrant", SHARES)
    assert song.rescaled(1, 9).probabilities == song.probabilities


@pytest.mark.parametrize("scale", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), (-np.inf, 0)])
def test_scales_that_are_none(scale):
    with pytest.raises(InputError, match="give the lower end first"):
        check_scale(*scale)


def test_the_dict_of_numbers():
    row = json.loads(json.dumps(emotion([0.25, 0.75], [-0.5, -0.5]).as_dict(), allow_nan=False))
    assert row == {
        "path": "a.wav", "seconds": 2.0, "valence": 0.5, "arousal": -0.5, "quadrant": "Q4",
        "std": {"valence": pytest.approx(np.sqrt(0.125)), "arousal": 0.0}, "scale": [-1, 1],
        "window_s": 1.0, "hop_s": 1.0, "padded": False,
        "curve": [
            {"start": 0.0, "end": 1.0, "valence": 0.25, "arousal": -0.5},
            {"start": 1.0, "end": 2.0, "valence": 0.75, "arousal": -0.5},
        ],
    }  # fmt: skip
    assert list(row)[:5] == ["path", "seconds", "valence", "arousal", "quadrant"]


def test_the_dict_of_classes():
    row = json.loads(json.dumps(classes("quadrant", SHARES).as_dict(), allow_nan=False))
    assert list(row) == [
        "path", "seconds", "quadrant", "label", "probabilities", "window_s", "hop_s", "padded",
        "curve",
    ]  # fmt: skip
    assert row["curve"][0] == {
        "start": 0.0, "end": 1.0, "label": "Q4",
        "probabilities": {"Q1": 0.1, "Q2": 0.2, "Q3": 0.3, "Q4": 0.4},
    }  # fmt: skip


def test_a_row_is_of_plain_numbers_in_milliseconds():
    values = {"valence": np.float32(0.25), "arousal": np.float32(-0.5)}
    row = curve_row(TASKS["both"], 1 / 3, 4 / 3, values)
    assert row == {"start": 0.333, "end": 1.333, "valence": 0.25, "arousal": -0.5}
    assert all(type(value) is float for value in row.values())


def test_shorter_than_a_window_is_padded():
    song = emotion([0.0], [0.0])
    short = Emotion(song.task, "a", 0.4, 1.0, 0.5, song.start, song.end, song.windows)
    assert short.is_padded and short.as_dict()["padded"]
