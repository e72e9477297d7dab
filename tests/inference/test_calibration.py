"""Intervals, prediction sets and familiarity, against numbers worked by hand and by simulation."""

import json
import math

import numpy as np
import pytest

from adff_tf.errors import InputError
from adff_tf.inference.calibration import Calibration, calibrate, check_level
from adff_tf.inference.formats import make_format
from adff_tf.tasks import TASKS

from .test_emotion import classes, emotion

TEN = tuple(k / 10 for k in range(1, 11))  # held-out scores .1, .2, …, 1
VALENCE = TASKS["valence"]


def of_valence(labels, values, std, is_sign=False, distances=()) -> Calibration:
    """Return the calibration of a model of valence."""
    labels, values, std = (np.array(given, "float64") for given in (labels, values, std))
    signs = np.full(len(labels), is_sign)
    by = {"valence": values}, {"valence": labels}, {"valence": std}
    return calibrate(VALENCE, *by, signs, np.array(distances))


@pytest.mark.parametrize(
    ("level", "q"), [(0.5, 0.6), (0.8, 0.9), (0.9, 1.0), (10 / 11, 1.0), (0.95, math.inf)]
)
def test_the_quantile_by_hand(level, q):
    assert Calibration({"valence": TEN}, {"valence": 0.0}).quantile("valence", level) == q


STD = np.array([0.1] * 10 + [0.2] + [0.4] * 10)  # of 21 songs, the median is .2


def test_scores_are_residuals_over_the_relative_spread_where_it_tells_of_them():
    off = STD / 2
    found = of_valence(off, np.zeros(21), STD)
    assert found.spread == {"valence": 0.2}
    wanted = [0.05 / 1.5] * 10 + [0.1 / 2] + [0.2 / 3] * 10
    assert found.scores["valence"] == pytest.approx(wanted, abs=1e-4)
    assert of_valence(off, np.zeros(21), np.full(21, math.nan)).spread == {"valence": 0.0}


def test_the_width_is_constant_where_the_spread_tells_nothing():
    found = of_valence(np.full(21, 0.3), np.zeros(21), STD)
    assert found.spread == {"valence": 0.0}
    assert found.scores["valence"] == pytest.approx([0.3] * 21, abs=1e-4)


def test_a_sign_counts_the_way_to_its_side():
    found = of_valence([1, 1, -1], [0.2, -0.3, 0.4], [0.1, 0.1, 0.1], is_sign=True)
    assert found.scores["valence"] == pytest.approx([0.0, 0.3, 0.4], abs=2e-4)


def test_the_interval_is_wider_where_windows_disagree():
    calibration = Calibration({"valence": TEN}, {"valence": 0.2})
    assert calibration.interval("valence", 0.1, 0.2, 0.8) == pytest.approx((-1.7, 1.9))
    assert calibration.interval("valence", 0.1, 0.0, 0.8) == pytest.approx((-0.8, 1.0))
    assert calibration.interval("valence", 0.1, None, 0.8) == pytest.approx((-1.7, 1.9))


def test_the_song_has_its_interval_on_every_scale():
    calibration = Calibration(
        {"valence": TEN, "arousal": TEN}, {"valence": 0.0, "arousal": 0.0}, TEN * 2
    )
    song = emotion([0.0, 0.2], [0.4, 0.4])
    assert song.interval == {} and song.is_unfamiliar is None and song.interval_note is None
    song = type(song)(**{**vars(song), "calibration": calibration, "distance": 0.55})
    assert song.at_level(0.5).interval["valence"] == pytest.approx((-0.5, 0.7))
    assert song.at_level(0.5).rescaled(1, 9).interval["valence"] == pytest.approx((3.0, 7.8))
    found = song.at_level(0.5).as_dict()
    assert found["interval"]["level"] == 0.5
    assert found["interval"]["arousal"] == pytest.approx([-0.2, 1.0])
    few = song.at_level(0.95)
    assert few.as_dict()["interval"]["valence"] == [None, None]
    assert few.interval_note == "10 held-out songs are too few for 0.95: 19 are needed"
    json.dumps(few.as_dict(), allow_nan=False)
    text = make_format("table")(few)
    assert "-inf to inf" in text and "19 are needed" in text
    assert make_format("csv")(song).splitlines()[0].split(",")[6:10] == [
        "valence_low", "valence_high", "arousal_low", "arousal_high",
    ]  # fmt: skip


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("is_sign", [False, True])
def test_new_songs_are_covered_as_often_as_stated(level, is_sign):
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        truth, std = rng.uniform(-1, 1, 400), rng.gamma(3, 0.05, 400)
        values = truth + rng.normal(0, 1, 400) * (0.1 + 2 * std)
        labels = np.sign(truth) if is_sign else truth
        held_out, new = slice(0, 200), slice(200, None)
        found = of_valence(labels[held_out], values[held_out], std[held_out], is_sign)
        ends = np.array([
            found.interval("valence", v, s, level)
            for v, s in zip(values[new], std[new], strict=True)
        ])  # fmt: skip
        low, high = ends.T
        if is_sign:
            inside = np.where(labels[new] > 0, high >= 0, low <= 0)
        else:
            inside = (low <= labels[new]) & (labels[new] <= high)
        shares.append(inside.mean())
    assert np.mean(shares) == pytest.approx(level, abs=0.01) or (
        is_sign and np.mean(shares) > level  # more signs than that are right anyhow
    )


def test_prediction_sets_by_hand():
    calibration = Calibration({"probabilities": TEN})
    shares = {"Q1": 0.15, "Q2": 0.5, "Q3": 0.3, "Q4": 0.05}
    assert calibration.prediction_set(shares, 0.5) == ("Q2",)  # 1 - p within .6
    assert calibration.prediction_set(shares, 0.8) == ("Q2", "Q3", "Q1")  # within .9
    assert calibration.prediction_set(shares, 0.99) == ("Q2", "Q3", "Q1", "Q4")
    assert calibration.prediction_set(shares, 0.05) == ("Q2",)  # never empty
    truth = {"probabilities": np.array([0, 1])}
    given = {"probabilities": np.array([[0.7, 0.3], [0.6, 0.4]])}
    found = calibrate(TASKS["valence2"], given, truth, {}, np.array([False, False]), np.zeros(0))
    assert found.scores["probabilities"] == pytest.approx([0.3, 0.6], abs=2e-4)
    song = classes("quadrant", [[0.1, 0.5, 0.3, 0.1]])
    song = type(song)(**{**vars(song), "calibration": calibration})
    assert song.at_level(0.5).as_dict()["prediction_set"] == {"level": 0.5, "classes": ["Q2"]}


def test_familiarity_by_hand():
    distances = tuple(k / 100 for k in range(1, 101))
    calibration = Calibration({"valence": TEN}, {"valence": 0.0}, distances)
    assert calibration.percentile(0.505) == 50 and calibration.percentile(2.0) == 100
    assert calibration.is_unfamiliar(0.97) is True and calibration.is_unfamiliar(0.96) is False
    few = Calibration({"valence": TEN}, {"valence": 0.0}, TEN)
    assert few.is_unfamiliar(9.0) is None and few.percentile(9.0) == 100
    assert Calibration({"valence": TEN}, {"valence": 0.0}).percentile(1.0) is None


def test_it_is_read_as_it_was_written():
    made = of_valence([0.5, -0.5], [0.1, 0.3], [0.1, 0.2], distances=[1.5, 0.5])
    assert Calibration.parse(json.loads(json.dumps(made.as_dict())), "x") == made


@pytest.mark.parametrize(
    "content",
    [
        None, [], {}, {"scores": {}, "spread": {}},
        {"scores": {"valence": [2, 1]}, "spread": {}, "distances": []},
        {"scores": {"valence": ["a"]}, "spread": {}, "distances": []},
        {"scores": {"valence": [float("nan")]}, "spread": {}, "distances": []},
    ],
)  # fmt: skip
def test_other_content_is_refused(content):
    with pytest.raises(InputError, match="x holds no calibration"):
        Calibration.parse(content, "x")


@pytest.mark.parametrize("level", [0, 1, -0.1, 90, math.nan])
def test_levels_out_of_range_are_refused(level):
    with pytest.raises(InputError, match="between 0 and 1"):
        check_level(level)
