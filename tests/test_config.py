"""Settings: JSON both ways, and errors that name the setting."""

import os
from pathlib import Path

import pytest

from adff_tf import presets
from adff_tf.config import Data, Experiment, Frontend, Network, Segments, Validation
from adff_tf.errors import InputError


@pytest.mark.parametrize("preset", presets.PRESETS.values())
def test_json_both_ways(preset):
    assert Experiment.from_json(preset().to_json()) == preset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"training": {"epoch": 3}}', "training.epoch: no such setting"),
        ('{"training": {"epochs": 0}}', "training.epochs: .*greater than or equal to 1; given 0"),
        (
            '{"segments": {"seg_num": 16, "seg_len": 5}}',
            "seg_num 16 cuts 500 frames into parts of 31",
        ),
        ('{"task": "mood"}', "task: .*'both'.*given 'mood'"),
        (
            '{"frontend": {"n_fft": 1024}}',
            "n_fft 1024 is shorter than the window of 2646 samples; use 4096",
        ),
        ('{"training": {"ema": 0.9, "early_stopping": 3}}', "ema averages .*give one of them"),
        ('{"training": {"ema": 0.9}, "start": {"freeze": 1}}', "give ema or freeze, not both"),
        ('{"training": {"epochs": 2}, "start": {"freeze": 2}}', "freeze 2 of 2 epochs leaves"),
        ('{"validation": {"split": "mine"}}', "validation.split: .*'published'.*given 'mine'"),
        ("not json", "my.json cannot be used"),
    ],
)
def test_errors_name_the_setting(text, message):
    with pytest.raises(InputError, match=message):
        Experiment.from_json(text, "my.json")


def test_one_data_set_may_be_given_by_its_path():
    """Also as a config.json of one data set had it."""
    assert Data(data="here").data == Data(data=Path("here")).data == (Path("here"),)
    for text, data in (('"here"', (Path("here"),)), ("null", ()), ('["a", "b"]', ("a", "b"))):
        found = Experiment.from_json(f'{{"data": {{"data": {text}}}}}')
        assert found.data.data == tuple(map(Path, data))
        assert Experiment.from_json(found.to_json()) == found


def test_folds_that_are_scored():
    assert list(Validation(folds=3).scored_folds) == [1, 2, 3]
    assert list(Validation(hold_out=True).scored_folds) == [1]
    assert list(Validation(split="published").scored_folds) == [1]


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Frontend().mels = 64
    assert Segments(seg_len=20).seg_len == 20.0


def test_a_path_that_is_not_utf8():
    data = Data(data=Path(os.fsdecode(b"/music/caf\xe9")))
    with pytest.raises(InputError, match="is not UTF-8, as JSON has to be: /music/caf.*rename it"):
        Experiment(data=data).to_json()


@pytest.mark.parametrize("network", ["3", "null", '"mlem"', '{"model": "vgg"}'])
def test_a_network_that_there_is_not(network):
    with pytest.raises(
        InputError, match="network: model is one of adff, emomucs, mlem, musicnn-linear; given"
    ):
        Experiment.from_json(f'{{"network": {network}}}')


def test_a_network_of_an_earlier_version_is_adff():
    found = Experiment.from_json('{"network": {"width": 0.5}}').network
    assert found == Network(width=0.5)
    with pytest.raises(
        InputError, match=r"network\.width: .*given 9"
    ):  # pydantic's tag is left out
        Experiment.from_json('{"network": {"width": 9}}')
