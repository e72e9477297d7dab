"""The table, JSON and CSV of predictions, against lines written by hand."""

import csv
import io
import json

import numpy as np
import pytest

from adff_tf.inference.emotion import Emotion
from adff_tf.inference.formats import make_format, rows
from adff_tf.tasks import TASKS


def emotion(task: str = "both", path: str = "a.wav", windows: int = 2, seconds: float = 2.0):
    """Return an emotion whose values are round numbers."""
    start = np.arange(windows) * 1.0
    if TASKS[task].is_regression:
        values = {"valence": np.linspace(0, 1, windows), "arousal": np.full(windows, -0.5)}
        values = {name: values[name] for name in TASKS[task].outputs}
    else:
        values = {"probabilities": np.tile([0.125, 0.5, 0.25, 0.125], (windows, 1))}
    end = np.minimum(start + 1.0, seconds)
    return Emotion(TASKS[task], path, seconds, 1.0, 1.0, start, end, values)


def parsed(text: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_by_hand():
    render = make_format("table")
    head, first = render(emotion()).splitlines()
    assert head == ("  seconds    valence    arousal  valence ±  arousal ±   quadrant  song")
    assert first == ("    2.000      0.500     -0.500      0.707      0.000         Q4  a.wav")
    short = render(emotion(windows=1, seconds=0.4)).splitlines()  # without the header
    assert short == [
        "    0.400      0.000     -0.500          –          –         Q4  a.wav"
        "  (shorter than a window of 1 s: padded with silence)"
    ]


def test_the_table_of_windows_and_of_classes():
    head, *lines = make_format("table", of_windows=True)(emotion()).splitlines()
    assert head.split() == ["start", "end", "valence", "arousal", "song"] and len(lines) == 2
    head, line = make_format("table")(emotion("quadrant")).splitlines()
    assert head.split() == ["seconds", "label", "p_Q1", "p_Q2", "p_Q3", "p_Q4", "song"]
    assert line.split() == ["2.000", "Q2", "0.125", "0.500", "0.250", "0.125", "a.wav"]


def test_a_name_keeps_its_line_in_the_table():
    odd = emotion(path="two\nlines\t\x1b[31m\u2028.wav")
    _, line = make_format("table")(odd).splitlines()
    assert line.endswith(r"two\nlines\t\x1b[31m\u2028.wav")
    assert parsed(make_format("csv")(odd))[0]["path"] == odd.path
    assert json.loads(make_format("json")(odd))["path"] == odd.path


def test_csv_by_hand():
    render = make_format("csv")
    assert render(emotion()) + render(emotion(path='b,"c".wav', windows=1, seconds=0.4)) == (
        "path,seconds,valence,arousal,valence_std,arousal_std,quadrant,padded\n"
        "a.wav,2,0.5,-0.5,0.707107,0,Q4,False\n"
        '"b,""c"".wav",0.4,0,-0.5,,,Q4,True\n'
    )


def test_csv_of_windows_and_of_classes():
    assert make_format("csv", of_windows=True)(emotion()) == (
        "path,start,end,valence,arousal\na.wav,0,1,0,-0.5\na.wav,1,2,1,-0.5\n"
    )
    assert make_format("csv")(emotion("quadrant")) == (
        "path,seconds,label,p_Q1,p_Q2,p_Q3,p_Q4,padded\na.wav,2,Q2,0.125,0.5,0.25,0.125,False\n"
    )
    assert make_format("csv")(emotion("arousal")) == (
        "path,seconds,arousal,arousal_std,padded\na.wav,2,-0.5,0,False\n"
    )


@pytest.mark.parametrize("task", ["both", "quadrant", "valence"])
def test_json_is_an_object_a_line(task):
    render, song = make_format("json"), emotion(task)
    text = render(song) + render(song)
    assert [json.loads(line) for line in text.splitlines()] == [song.as_dict()] * 2


def test_json_holds_no_nan():
    bad = emotion()
    bad.windows["valence"][0] = np.nan
    with pytest.raises(ValueError, match="JSON"):
        make_format("json")(bad)


@pytest.mark.parametrize("task", ["both", "quadrant", "valence", "arousal"])
@pytest.mark.parametrize("of_windows", [False, True])
def test_rows_are_flat(task, of_windows):
    found = list(rows(emotion(task), of_windows))
    assert len(found) == (2 if of_windows else 1)
    assert not any(isinstance(value, dict | list) for row in found for value in row.values())
