"""`adff.json`: the form in which artifacts carry it, and descriptions that are refused."""

import json

import pytest

from adff_tf import __version__
from adff_tf.errors import InputError
from adff_tf.inference.description import FIELDS, FORMAT, Description, describe
from adff_tf.tasks import TASKS

from .. import tiny


@pytest.fixture
def content() -> dict:
    return describe(tiny.experiment(), "CC BY 4.0")


@pytest.mark.parametrize("task", TASKS)
def test_a_description_is_read_as_it_was_written(task):
    experiment = tiny.experiment(task)
    content = json.loads(json.dumps(describe(experiment, "some terms")))
    found = Description.parse(content, "here")
    assert found == Description.of(experiment, "some terms")
    assert found.task is TASKS[task] and found.outputs == TASKS[task].outputs
    assert (found.sample_rate_hz, found.window, found.window_s) == (44100, 44100, 1.0)
    assert found.scale == (-1.0, 1.0) and found.terms == "some terms"


def test_the_layout_that_artifacts_in_use_have(content):
    """Format 1. A reader of another version, and export's serving kit, rely on each name."""
    assert content == {
        "format": 1, "adff_tf": __version__, "task": "both", "outputs": ["valence", "arousal"],
        "classes": [], "scale": [-1.0, 1.0], "sample_rate_hz": 44100, "window": 44100,
        "frames": 100, "mels": 128, "terms": "CC BY 4.0", "calibration": None,
        "experiment": tiny.experiment().model_dump(mode="json"),
    }  # fmt: skip


def test_the_window_is_that_of_the_segment():
    assert Description.of(tiny.experiment(seg_len=15.0)).window == 15 * 44100


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format(content, number):
    with pytest.raises(InputError, match=f"here has a description of format {number!r}.*reads 1"):
        Description.parse(content | {"format": number}, "here")
    assert FORMAT == 1


@pytest.mark.parametrize("value", [[1], "text", None, 3])
def test_no_description_at_all(value):
    with pytest.raises(InputError, match=f"format '{type(value).__name__}'"):
        Description.parse(value, "here")


@pytest.mark.parametrize("name", FIELDS)
def test_fields_that_are_missing_or_of_another_type(content, name):
    others = {key: value for key, value in content.items() if key != name}
    for bad in (others, content | {name: None}, content | {name: 1.5}):
        with pytest.raises(InputError, match=f"here: its description lacks {name}; export"):
            Description.parse(bad, "here")


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "moods"},
        {"task": "arousal"},
        {"outputs": ["valence"]},
        {"outputs": ["arousal", "valence"]},
        {"outputs": ["probabilities"]},
        {"outputs": [["valence"], ["arousal"]]},
        {"classes": ["Q1", "Q2"]},
        {"task": "quadrant", "outputs": ["probabilities"], "classes": ["Q2", "Q1", "Q3", "Q4"]},
        {"scale": []},
        {"scale": [-1, 0, 1]},
    ],
    ids=repr,
)
def test_a_task_that_contradicts_the_rest(content, changes):
    with pytest.raises(InputError, match="here: its description contradicts itself"):
        Description.parse(content | changes, "here")


def test_terms_may_be_missing(content):
    del content["terms"]
    assert Description.parse(content, "here").terms == ""
