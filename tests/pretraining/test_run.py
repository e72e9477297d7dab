"""A whole pre-training of a tiny network: results, kill and resumption, starts, refusals."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from adff_tf.errors import InputError
from adff_tf.model.model_file import find_model, load_network
from adff_tf.pretraining import learning, run
from adff_tf.pretraining.run import Sources, pretrain

from .small import TinyTeacher, make_music, make_plan


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = make_music(tmp_path_factory.mktemp("music"), seconds=5.0)
    (folder / "words.mp3").write_text("not music")
    return folder


@pytest.fixture(scope="module")
def finished(music, tmp_path_factory):
    """A finished pre-training of two epochs, to read."""
    return pretrain(
        make_plan(), Sources([str(music)], terms="CC0"), tmp_path_factory.mktemp("out"), TinyTeacher
    )


class Killed(BaseException):
    pass


def test_the_folder_holds_a_model_to_start_from(finished):
    folder = finished.folder
    found = find_model(folder, with_head=False)
    assert found == (folder / "model.keras", make_plan().experiment)
    assert set(load_network(folder / "model.keras").output_names) == {"valence", "arousal"}
    record = json.loads((folder / "pretraining.json").read_text())
    assert record["teacher"]["sha256"].startswith("8579734e") and "ISC" in record["terms"]
    assert record["terms"].endswith("recordings: CC0") and "untrained" in record["head"]
    history = pd.read_csv(folder / "history.csv")
    best = int(history["explained_penultimate"].argmax())
    assert finished.metrics["epoch"] == best + 1 and finished.metrics["epochs"] == 2
    explained = finished.metrics["explained_variance"]
    assert explained["tags"] == pytest.approx(history["explained_tags"][best])
    assert not list(folder.glob("state-*")) and not (folder / "best.weights.h5").exists()


def test_what_was_heard_is_named_by_content(finished):
    heard = pd.read_csv(finished.folder / "heard.csv")
    index = pd.read_csv(finished.folder / "index.csv")
    assert len(index) == 5 and len(heard) == 4  # without words.mp3
    assert set(heard["features"]) < set(index["features"])
    assert list(finished.metrics["left_out"]) == [
        path for path in index["path"] if path.endswith("words.mp3")
    ]


def test_a_finished_pretraining_is_read_again(finished, music):
    again = pretrain(make_plan(), Sources([str(music)], terms="CC0"), finished.folder, TinyTeacher)
    assert again == finished


def test_a_killed_training_ends_with_the_same_numbers(finished, music, tmp_path, monkeypatch):
    shutil.copytree(finished.folder / "labelled", tmp_path / "labelled")
    sources = Sources([str(music)], labelled=tmp_path / "labelled", terms="CC0")
    whole = learning.explained_variance
    calls = []

    def killed_in_the_second_epoch(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise Killed
        return whole(*arguments)

    monkeypatch.setattr(learning, "explained_variance", killed_in_the_second_epoch)
    with pytest.raises(Killed):
        pretrain(make_plan(), sources, tmp_path / "out", TinyTeacher)
    assert (tmp_path / "out" / "state-00001.npz").exists()
    assert not (tmp_path / "out" / "model.keras").exists()
    done = pretrain(make_plan(), sources, tmp_path / "out", TinyTeacher)
    assert len(calls) == 3
    histories = [
        pd.read_csv(place / "history.csv").drop(columns="seconds")
        for place in (finished.folder, done.folder)
    ]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    networks = [load_network(place / "model.keras") for place in (finished.folder, done.folder)]
    for ours, theirs in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_earlier_pretraining_is_the_start(finished, tmp_path):
    more = make_music(tmp_path / "more", count=3, seconds=4.0)
    sources = Sources([str(more)], start_from=finished.folder, terms="CC BY 4.0")
    plan = make_plan(copies=0, epochs=1, learning_rate=1e-12)
    done = pretrain(plan, sources, tmp_path / "out", TinyTeacher)
    terms = json.loads((done.folder / "pretraining.json").read_text())["terms"]
    assert terms.endswith("recordings: CC BY 4.0; of its start: CC0")
    with (
        np.load(finished.folder / "statistics.npz") as a,
        np.load(done.folder / "statistics.npz") as b,
    ):
        assert all(np.array_equal(a[name], b[name]) for name in a.files)
    ours, theirs = (
        load_network(place / "model.keras").get_layer("level1_conv1").get_weights()[0]
        for place in (finished.folder, done.folder)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    roles = pd.read_csv(done.folder / "heard.csv")["role"].value_counts()
    assert roles["start"] == 4 and roles["train"] == 2 and roles["held_out"] == 1


def test_starts_and_folders_that_do_not_fit(finished, music, tmp_path):
    with pytest.raises(InputError, match="holds no pre-training"):
        run.read_start(music, make_plan())
    other = make_plan().model_copy(update={"seg_num": 3})
    with pytest.raises(InputError, match="seg_num: 2 there, 3 now"):
        run.read_start(finished.folder, other)
    with pytest.raises(InputError, match="holds a pre-training with other settings"):
        pretrain(make_plan(seed=3), Sources([str(music)]), finished.folder, TinyTeacher)
    shutil.copytree(finished.folder, tmp_path / "begun")
    (tmp_path / "begun" / "heard.csv").unlink()
    with pytest.raises(InputError, match="is not finished"):
        run.read_start(tmp_path / "begun", make_plan())


def test_recordings_that_leave_one_side_empty(tmp_path):
    music = make_music(tmp_path / "music", count=2, seconds=2.0)
    with pytest.raises(InputError, match="0 copies to train on and 0 held out.*\n.*is 2.00 s long"):
        pretrain(make_plan(), Sources([str(music)]), tmp_path / "out", TinyTeacher)
