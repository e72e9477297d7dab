"""Starting from a trained model: transfer, frozen layers, settings taken over and refused."""

import json

import numpy as np
import pandas as pd
import pytest

from adff_tf.config import Frontend
from adff_tf.errors import InputError
from adff_tf.features.tracks import prepare_tracks
from adff_tf.inference.backends import locate
from adff_tf.model.network import build_adff
from adff_tf.training import fit, start
from adff_tf.training.run import load_index, run

from .. import tiny
from .small import Lines, change, make_experiment


@pytest.fixture(scope="module")
def trained(manifest, tmp_path_factory):
    """A finished tiny run."""
    return run(make_experiment(manifest), tmp_path_factory.mktemp("start") / "run").folder


@pytest.fixture(scope="module")
def tracks(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    return prepare_tracks(
        load_index(make_experiment(manifest), folder).tracks, folder / "features", Frontend()
    )[0]


def weights(network, layer):
    return network.get_layer(layer).get_weights()


def assert_equal(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_same_task_takes_every_layer(trained, manifest):
    found = start.find_start(trained)
    network = build_adff(make_experiment(manifest))
    transferred, new = start.transfer(network, found)
    assert not new and {"standardise", "level1_conv1", "fc1", "valence"} <= set(transferred)
    source = start.load_network(found.file)
    for layer in transferred:
        assert_equal(weights(network, layer), weights(source, layer))
    assert found.terms.startswith("Your own recordings")


@pytest.mark.parametrize("changes", [{"task": "quadrant"}, {"fc": (9,)}, {"task": "valence"}])
def test_another_head_is_new_and_the_backbone_is_taken(trained, manifest, changes):
    found = start.find_start(trained)
    network = build_adff(make_experiment(manifest, **changes))
    before = weights(network, "fc1")
    transferred, new = start.transfer(network, found)
    assert "fc1" in new and set(new) == set(start._head(network))
    assert_equal(weights(network, "fc1"), before)
    source = start.load_network(found.file)
    for layer in transferred:
        assert_equal(weights(network, layer), weights(source, layer))


def test_another_seg_num_leaves_the_first_convolution_new(trained, manifest):
    network = build_adff(make_experiment(manifest, seg_num=1))
    assert start.transfer(network, start.find_start(trained))[1] == ["level1_conv1"]


def test_a_head_marked_as_untrained_is_new(trained, manifest, tmp_path):
    for name in ("model.keras", "config.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    (tmp_path / start.PRETRAINING).write_text(json.dumps({"terms": "A teacher's."}))
    found = start.find_start(tmp_path)
    _, new = start.transfer(build_adff(make_experiment(manifest)), found)
    assert set(new) == {"fc1", "valence", "arousal"}
    assert found.terms == "A teacher's."
    with pytest.raises(InputError, match="cannot predict yet: train it by adff-train --start-from"):
        locate(tmp_path)


def test_frozen_layers_do_not_change_and_the_head_does(trained, manifest, tracks, tmp_path):
    """Batch norm's statistics too; in the epochs after `freeze` all layers change."""
    source = start.load_network(start.find_start(trained).file)
    base = change(
        make_experiment(manifest, training={"epochs": 2, "learning_rate": 0.01}),
        start={"start_from": trained, "freeze": 1},
    )
    seen = {}
    saved = fit.save_state

    def save(model, path):
        seen[path.stem] = {layer.name: layer.get_weights() for layer in model.layers}
        saved(model, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "save_state", save)
        # a start whose head is of another task, so that its own is new
        fit.fit(base.model_copy(update={"task": "valence"}), tracks, tmp_path / "fit")
    first, second = seen["state-00001"], seen["state-00002"]
    for layer in ("level1_conv1", "level3_norm"):
        assert_equal(first[layer], weights(source, layer))
        assert np.abs(second[layer][-1] - first[layer][-1]).max() > 0
    assert np.abs(second["fc1"][0] - first["fc1"][0]).max() > 0


@pytest.mark.parametrize(("freeze", "ema"), [(1, 0.0), (0, 0.9)])
def test_a_killed_fine_tuning_ends_with_the_same_weights(
    freeze, ema, trained, manifest, tracks, tmp_path
):
    settings = change(
        make_experiment(manifest, training={"epochs": 3, "ema": ema}, task="valence"),
        start={"start_from": trained, "freeze": freeze, "backbone_rate": 0.5},
        augmentation={"mixup": 0.4, "masks": 1, "bandwidth": 0.5},
    )
    whole = fit.fit(settings, tracks, tmp_path / "whole").model.get_weights()
    saved = fit.save_state
    for epoch in (1, 2):

        def save(model, path, epoch=epoch):
            saved(model, path)
            if path.stem == f"state-{epoch:05d}":
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(fit, "save_state", save)
            fit.fit(settings, tracks, tmp_path / "killed")
    assert_equal(fit.fit(settings, tracks, tmp_path / "killed").model.get_weights(), whole)


def test_the_moving_average_is_of_the_weights_over_the_steps(manifest, tracks, tmp_path):
    """By hand from the weights after every epoch of one step, as Keras defines it."""
    settings = make_experiment(manifest, training={"epochs": 3, "batch_size": 32, "ema": 0.5})
    path, saved = [], fit.save_state

    def save(model, file):
        path.append(model.get_layer("fc1").get_weights()[0])
        saved(model, file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "save_state", save)
        fitted = fit.fit(settings, tracks, tmp_path / "fit")
    average = path[0]  # Keras begins with the weights after the first step
    for step in path[1:]:
        average = 0.5 * average + 0.5 * step
    np.testing.assert_allclose(weights(fitted.model, "fc1")[0], average, atol=1e-6)


def test_settings_are_taken_over_and_the_start_is_recorded(trained, manifest):
    base = tiny.experiment(seg_len=2.0, width=0.5)
    adopted = start.adopt(base, trained)
    begun = start.find_start(trained)
    assert adopted.network == begun.experiment.network
    assert adopted.segments.seg_len == 1.0 and adopted.training == base.training
    assert (adopted.start.start_sha256, adopted.start.start_from) == (begun.sha256, trained)
    assert start.check_start(adopted).file == begun.file


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("frontend", {"sample_rate_hz": 22050}, "`sample_rate_hz` 22050, in the start 44100"),
        ("network", {"width": 0.5}, "`width` 0.5, in the start 0.05"),
        ("start", {"start_sha256": "0"}, "is another model than before"),
        ("start", {"start_from": None, "freeze": 1}, "none was given: set `start_from`"),
    ],
)
def test_contradictions_are_refused(trained, manifest, section, changes, message):
    adopted = change(start.adopt(make_experiment(manifest), trained), **{section: changes})
    with pytest.raises(InputError, match=message):
        start.check_start(adopted)


def test_heard_are_the_training_tracks_and_what_the_start_heard(trained, tmp_path):
    index = pd.read_csv(trained / "index.csv")
    assert start.find_start(trained).heard() == set(index["features"])
    fold = start.find_start(trained / "fold1")
    assert fold.heard() == set(index["features"][index["fold"] != 1])
    (trained / start.HEARD).write_text("features\nabc.f32\n")
    try:
        assert fold.heard() == {"abc.f32", *index["features"][index["fold"] != 1]}
    finally:
        (trained / start.HEARD).unlink()


def test_the_log_names_the_layers(trained, manifest, tracks, tmp_path):
    lines = Lines()
    settings = change(make_experiment(manifest, task="valence"), start={"start_from": trained})
    fit.fit(settings, tracks, tmp_path / "fit", "it", lines)
    assert any("2 new (fc1, valence)" in line for line in lines.lines), lines.lines


def test_heard_test_songs_are_refused_and_a_run_states_its_start(trained, manifest, tmp_path):
    adopted = start.adopt(make_experiment(manifest), trained)
    with pytest.raises(InputError, match=r"was trained on \d of \d test songs"):
        run(adopted, tmp_path / "refused")
    allowed = change(adopted, start={"allow_heard": True}, training={"epochs": 1})
    folder = run(allowed, tmp_path / "allowed").folder
    heard = set(pd.read_csv(folder / start.HEARD)["features"])
    assert heard == set(pd.read_csv(trained / "index.csv")["features"])
    for text in ((folder / name).read_text() for name in ("report.md", "model_card.md")):
        assert f"Started from `{trained}` (SHA-256 {adopted.start.start_sha256})" in text
        assert "Made from: Your own recordings" in text
    # a fold's model has not seen its test songs' labels, but its start has heard the songs
    assert start.find_start(folder / "fold1").heard() >= heard
