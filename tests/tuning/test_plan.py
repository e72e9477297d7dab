"""The plan: from values to an experiment, search.json, and the versions that made it."""

import json

import pytest

from adff_tf import __version__
from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.tuning import plan as plans
from adff_tf.tuning.plan import Plan, check_versions
from adff_tf.tuning.space import PAPER

from .plans import make_plan


def test_values_reach_the_data_pipeline_and_the_network():
    base = Experiment()
    values = {
        "seg_num": 4,
        "seg_len": 10.0,
        "learning_rate": 3.14159e-4,
        "dropout": 0.25,
        "lstm_units": 16,
        "se_ratio": 8,
        "width": 0.5,
        "level_end": "norm-relu",
    }
    found = Plan(base, PAPER).build_experiment(values)
    assert found.frames == 1000 and found.segments.seg_num == 4
    assert found.training.learning_rate == 3.14e-4 and found.network.dropout == 0.25
    assert found.network.level_end == "norm-relu"
    sections = {name: getattr(base, name) for name in ("segments", "training", "network")}
    assert found.model_copy(update=sections) == base


def test_a_plan_survives_json(manifest):
    before = make_plan(manifest, "seg_num=1,2", "learning_rate=1e-4:1e-2")
    assert Plan.from_json(before.to_json()) == before


def write_old_search(folder, manifest):
    """Write search.json and index.csv as version 0.1.0.dev0 did, with its names of settings."""
    content = json.loads(make_plan(manifest, "seg_num=1,2").to_json())
    content["versions"]["adff_tf"] = "0.1.0.dev0"
    frontend = content["base"]["frontend"]
    frontend["window_s"] = frontend.pop("win_length_s")
    frontend["hop_s"] = frontend.pop("hop_length_s")
    folder.mkdir()
    (folder / "search.json").write_text(json.dumps(content))
    (folder / "index.csv").write_text("track_id,role\n0,learn\n")
    return content["versions"]["keras_tuner"]


def test_a_search_of_an_older_version_is_refused_by_one_line(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "__version__", "0.2.0.dev0")
    keras_tuner = write_old_search(tmp_path / "s", manifest)
    with pytest.raises(InputError) as refused:
        check_versions(tmp_path / "s")
    assert str(refused.value) == (
        f"{tmp_path / 's'} holds a search made by adff_tf 0.1.0.dev0 and "
        f"keras_tuner {keras_tuner}, which adff_tf 0.2.0.dev0 and keras_tuner {keras_tuner} "
        "cannot resume; give another folder, or resume it with the versions that made it"
    )


def test_a_search_without_versions_is_refused(manifest, tmp_path):
    write_old_search(tmp_path / "s", manifest)
    (tmp_path / "s" / "search.json").write_text("{}")
    with pytest.raises(
        InputError, match=f"made by an unknown version, which adff_tf {__version__}"
    ):
        check_versions(tmp_path / "s")


def test_a_search_that_has_not_begun_may_change_its_version(manifest, tmp_path):
    write_old_search(tmp_path / "s", manifest)
    (tmp_path / "s" / "index.csv").unlink()
    check_versions(tmp_path / "s")
