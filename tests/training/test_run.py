"""Whole runs in miniature: folds, honesty of the split, resuming, the run folder, and what is refused."""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import soundfile

from adff_tf import datasets
from adff_tf.config import Data, Frontend
from adff_tf.datasets import Index
from adff_tf.errors import InputError
from adff_tf.features import tracks as track_features
from adff_tf.support import claims, folders
from adff_tf.support.console import SILENT, Silent
from adff_tf.tasks import TASKS
from adff_tf.training import baselines, fit, splits
from adff_tf.training import predictions as prediction_files
from adff_tf.training import run as runs

from .. import tiny


class Heard:
    """A reporter that remembers its lines."""

    def __init__(self):
        self.lines = []

    def log(self, text):
        self.lines.append(text)

    def bar(self, label, total, passing=False, minutely=False):
        return SILENT.bar(label, total)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Ten noises of a second, louder with arousal, darker with valence; two a song."""
    folder, rng, rows = tmp_path_factory.mktemp("set"), np.random.default_rng(1), []
    for k in range(10):
        valence, arousal = np.linspace(-0.9, 0.9, 10)[[k, (k * 3) % 10]]
        noise = (
            np.cumsum(rng.uniform(-1, 1, 48000)) / 200 * (valence + 1)
            + rng.uniform(-1, 1, 48000) * (1 - valence) / 4
        )
        soundfile.write(folder / f"{k}.wav", 0.3 * 10**arousal / 10 * noise, 44100)
        rows.append((f"{k}.wav", valence, arousal, f"song{k // 2}"))
    pd.DataFrame(rows, columns=["path", "valence", "arousal", "group"]).to_csv(
        folder / "labels.csv", index=False
    )
    return folder / "labels.csv"


def experiment(manifest, **changes):
    network = {
        "tflm": False
    }  # a third of the time to trace; the whole network is tested below and in test_network.py
    base = tiny.experiment(**{"task": "both", **network, **changes})
    return base.model_copy(update={"data": Data(data=manifest, label_range=(-1, 1))})


def change(base, **sections):
    """The experiment with fields of its sections changed: `change(e, training={"epochs": 3})`."""
    return base.model_copy(
        update={
            name: getattr(base, name).model_copy(update=fields) for name, fields in sections.items()
        }
    )


@pytest.fixture(scope="module")
def two_folds(manifest, tmp_path_factory):
    """A finished two-fold run with a final model, and its experiment."""
    settings = change(experiment(manifest), validation={"hold_out": False})
    folder = tmp_path_factory.mktemp("runs") / "two"
    return runs.run(settings, folder), settings


def test_run_folder_is_as_designed(two_folds):
    run, settings = two_folds
    names = {str(file.relative_to(run.folder)) for file in run.folder.rglob("*") if file.is_file()}
    expected = {
        "config.json",
        "index.csv",
        "metrics.json",
        "report.md",
        "environment.json",
        "model.keras",
    }
    expected |= {
        f"fold{n}/{name}"
        for n in (1, 2)
        for name in ("history.csv", "predictions.csv", "segments.csv", "model.keras")
    }
    expected |= {f"plots/{name}.png" for name in ("learning_curves", "predicted_vs_true", "plane")}
    assert expected <= names
    assert not [name for name in names if "state" in name or ".part" in name]


def test_scores_are_those_of_the_predictions_on_disk(two_folds):
    run, _ = two_folds
    metrics = json.loads((run.folder / "metrics.json").read_text())
    scores = []
    for number, fold in enumerate(metrics["folds"], start=1):
        table = pd.read_csv(run.folder / f"fold{number}" / "predictions.csv")
        score = sklearn.metrics.r2_score(table["valence_target"], table["valence_prediction"])
        assert fold["valence"]["r2"] == pytest.approx(score)
        scores.append(score)
    assert metrics["mean"]["valence"]["r2"] == pytest.approx(np.mean(scores))
    assert metrics["std"]["valence"]["r2"] == pytest.approx(np.std(scores, ddof=1))


def test_no_song_stands_on_both_sides_and_every_track_is_scored_once(two_folds):
    run, _ = two_folds
    index = pd.read_csv(run.folder / "index.csv")
    assert (index.groupby("group")["fold"].nunique() == 1).all()
    scored = pd.concat(
        [pd.read_csv(run.folder / f"fold{n}" / "predictions.csv").assign(fold=n) for n in (1, 2)]
    )
    assert sorted(scored["track_id"]) == sorted(index["track_id"])
    assert (
        index.set_index("track_id")["fold"].to_dict()
        == scored.set_index("track_id")["fold"].to_dict()
    )


def test_the_saved_model_gives_the_predictions_on_disk(two_folds):
    run, settings = two_folds
    model = keras.saving.load_model(run.folder / "fold1" / "model.keras", safe_mode=True)
    index = pd.read_csv(run.folder / "index.csv", dtype={"track_id": str})
    test = index[index["fold"] == 1].drop(columns="fold").reset_index(drop=True)
    tracks, _ = track_features.prepare_tracks(test, run.folder / "features", Frontend())
    track_rows, predictions = fit.predict_segments(model, settings, tracks)
    stored = pd.read_csv(run.folder / "fold1" / "predictions.csv")
    np.testing.assert_allclose(
        prediction_files.mean_by_song(track_rows, predictions)["valence"],
        stored["valence_prediction"],
        atol=1e-6,
    )


def test_the_standardisation_is_the_training_folds_alone(two_folds):
    run, settings = two_folds
    model = keras.saving.load_model(run.folder / "fold1" / "model.keras")
    index = pd.read_csv(run.folder / "index.csv", dtype={"track_id": str})
    learn = index[index["fold"] != 1].drop(columns="fold").reset_index(drop=True)
    tracks, _ = track_features.prepare_tracks(learn, run.folder / "features", Frontend())
    frames = np.concatenate([np.asarray(tracks.log_mel(row)) for row in range(len(tracks))])
    mean, _ = model.get_layer("standardise").get_weights()
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-4)


def test_a_finished_run_is_not_trained_again(two_folds, monkeypatch):
    run, settings = two_folds
    monkeypatch.setattr(fit, "fit", lambda *args, **kwargs: pytest.fail("trained again"))
    assert runs.run(settings, run.folder).metrics["folds"] == run.metrics["folds"]


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(manifest, tmp_path, monkeypatch):
    settings = experiment(manifest, training={"epochs": 3})
    whole = runs.run(settings, tmp_path / "whole")
    save = fit.save_state

    def killed(model, path):
        save(model, path)
        if path.name == "state-00002.npz":
            raise KeyboardInterrupt

    monkeypatch.setattr(fit, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.run(settings, tmp_path / "killed")
    monkeypatch.setattr(fit, "save_state", save)
    heard = Heard()
    resumed = runs.run(settings, tmp_path / "killed", reporter=heard)
    assert any("goes on after epoch 2 of 3" in line for line in heard.lines)
    for name in ("predictions.csv", "segments.csv"):
        assert (tmp_path / "killed" / "fold1" / name).read_bytes() == (
            tmp_path / "whole" / "fold1" / name
        ).read_bytes()
    assert resumed.metrics["folds"] == whole.metrics["folds"]
    history = pd.read_csv(tmp_path / "killed" / "fold1" / "history.csv")
    assert list(history["epoch"]) == [1, 2, 3]


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(manifest, tmp_path):
    settings = change(experiment(manifest), validation={"final_model": False})
    first, again = (runs.run(settings, tmp_path / name).metrics["folds"] for name in ("a", "b"))
    assert first == again
    other = runs.run(change(settings, training={"seed": 7}), tmp_path / "c").metrics["folds"]
    assert other != first


def test_the_whole_network_learns_in_mixed_precision(manifest, tmp_path):
    settings = experiment(
        manifest, task="arousal", tflm=True, training={"epochs": 3, "precision": "mixed_bfloat16"}
    )
    run = runs.run(change(settings, validation={"final_model": False}), tmp_path / "run")
    loss = pd.read_csv(run.folder / "fold1" / "history.csv")["loss"]
    assert loss.iloc[-1] < loss.iloc[0]


def test_early_stopping_keeps_the_best_epoch_of_the_inner_split(manifest, tmp_path):
    settings = experiment(
        manifest,
        training={"epochs": 8, "early_stopping": 1, "learning_rate": 0.5, "inner_fraction": 0.4},
    )
    tracks, _ = track_features.prepare_tracks(
        runs.load_index(settings, tmp_path).tracks, tmp_path / "features", Frontend()
    )
    result = fit.fit(settings, tracks, tmp_path / "fit")
    losses = result.history["val_loss"]
    assert (
        len(losses) == 8 or losses.argmin() == len(losses) - 2
    )  # stopped one epoch after the best
    learn, choose = splits.inner_split(tracks, 0.4, settings.training.seed)
    assert not set(learn.table["group"]) & set(choose.table["group"])
    track_rows, predicted = fit.predict_segments(result.model, settings, choose)
    errors = [
        np.mean((predicted[n] - choose.table[n].to_numpy()[track_rows]) ** 2)
        for n in ("valence", "arousal")
    ]
    assert sum(errors) == pytest.approx(losses.min(), rel=1e-3)


@pytest.mark.parametrize("task", ["quadrant", "arousal2"])
def test_classes_from_end_to_end(task, manifest, tmp_path):
    settings = change(experiment(manifest, task=task), validation={"final_model": False})
    run = runs.run(settings, tmp_path / "run")
    table = pd.read_csv(run.folder / "fold1" / "predictions.csv")
    probabilities = table[[f"p_{name}" for name in TASKS[task].classes]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.idxmax(axis=1).str.removeprefix("p_") == table["class_prediction"]).all()
    name = {"quadrant": "quadrant", "arousal2": "arousal"}[task]
    right = sklearn.metrics.accuracy_score(table["class_target"], table["class_prediction"])
    assert run.metrics["mean"][name]["accuracy"] == pytest.approx(right)
    assert (run.folder / "plots" / "confusion.png").exists() and set(run.metrics["baselines"]) == {
        "mean",
        "logistic",
    }


# === Splits, baselines ===


def index_table(groups, valence=None):
    n = len(groups)
    valence = np.linspace(-1, 1, n) if valence is None else valence
    return pd.DataFrame(
        {
            "track_id": map(str, range(n)),
            "path": map(str, range(n)),
            "valence": valence,
            "arousal": valence,
            "group": groups,
        }
    )


def test_folds_are_seeded_whole_and_of_like_size():
    table = index_table([f"g{k // 3}" for k in range(60)])
    folds = splits.assign_folds(table, TASKS["both"], 5, seed=0)
    assert (
        set(folds) == {1, 2, 3, 4, 5}
        and (table.assign(f=folds).groupby("group")["f"].nunique() == 1).all()
    )
    assert np.ptp(np.bincount(folds)[1:]) <= 3
    np.testing.assert_array_equal(folds, splits.assign_folds(table, TASKS["both"], 5, seed=0))
    assert (folds != splits.assign_folds(table, TASKS["both"], 5, seed=1)).any()


def test_class_folds_have_every_class():
    table = index_table([f"g{k}" for k in range(40)], valence=np.tile([1.0, -1.0], 20))
    folds = splits.assign_folds(table, TASKS["valence2"], 5, seed=0)
    assert (table.assign(f=folds, c=table["valence"] > 0).groupby("f")["c"].mean() == 0.5).all()


@pytest.mark.parametrize("quadrants", ["112334", "111123", "123412", "111111"])
def test_classes_too_small_for_the_folds_still_give_folds(quadrants):
    """Fewer songs of every class than folds, where scikit-learn refuses to balance them, or leaves a fold empty."""
    signs = np.array(
        [{"1": (1, 1), "2": (-1, 1), "3": (-1, -1), "4": (1, -1)}[q] for q in quadrants], float
    )
    table = index_table([f"g{k}" for k in range(6)], valence=signs[:, 0]).assign(
        arousal=signs[:, 1]
    )
    folds = splits.assign_folds(table, TASKS["quadrant"], 5, seed=0)
    assert set(folds) == {1, 2, 3, 4, 5}


def test_a_class_in_one_group_alone_leaves_the_penalty_unchosen():
    """Without a group that has one, no inner fold has both classes to learn from."""
    x = np.random.default_rng(0).normal(size=(8, 256))
    table = index_table(list("aabbaabb"), valence=np.where(x[:, 0] < 9, [1.0, 1, -1, -1] * 2, 0))
    learn = np.arange(8) < 4
    scores = baselines.score_baselines(TASKS["valence2"], feature_tracks(table, x), learn, ~learn)
    assert 0 <= scores["logistic"]["valence"]["accuracy"] <= 1


def test_by_song_is_the_mean_of_its_segments():
    track_rows = np.array([0, 0, 1])
    assert prediction_files.mean_by_song(track_rows, {"valence": np.array([0.0, 1.0, 0.3])})[
        "valence"
    ].tolist() == [0.5, 0.3]
    classes = prediction_files.mean_by_song(
        track_rows, {"probabilities": np.array([[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])}
    )["probabilities"]
    np.testing.assert_allclose(classes, [[0.4, 0.6], [1.0, 0.0]])


def feature_tracks(table, x):
    return track_features.Tracks(table, [], np.full(len(table), 2), x[:, :128], x[:, 128:])


def test_baselines_on_known_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 256))
    table = index_table([f"g{k}" for k in range(300)], valence=np.tanh(0.3 * x[:, 3]))
    learn = np.arange(300) < 200
    scores = baselines.score_baselines(TASKS["valence"], feature_tracks(table, x), learn, ~learn)
    targets = table["valence"].to_numpy()
    mean_r2 = sklearn.metrics.r2_score(targets[~learn], np.full(100, targets[learn].mean()))
    assert scores["mean"]["valence"]["r2"] == pytest.approx(mean_r2, abs=1e-6)
    assert scores["ridge"]["valence"]["r2"] > 0.5
    classes = baselines.score_baselines(TASKS["valence2"], feature_tracks(table, x), learn, ~learn)
    assert (
        classes["logistic"]["valence"]["accuracy"]
        > 0.68
        > 0.6
        > classes["mean"]["valence"]["accuracy"]
    )


# === What is refused ===


def test_fewer_songs_than_folds(manifest, tmp_path):
    with pytest.raises(
        InputError,
        match="7 folds need at least 7 songs or artists that stay apart; here are 5. Use --folds 5",
    ):
        runs.run(change(experiment(manifest), validation={"folds": 7}), tmp_path / "run")


def test_numbers_from_quadrants(tmp_path):
    index = Index(
        index_table(["a", "b"], valence=np.array([1.0, -1.0])), "quadrant", (), "emopia (here)"
    )
    with pytest.raises(
        InputError, match="the task is both; use --task quadrant, arousal2 or valence2"
    ):
        runs.check_task(TASKS["both"], index)


def test_early_stopping_with_one_song_to_learn_from(manifest, tmp_path):
    table = pd.read_csv(manifest)
    table["path"] = [str(manifest.parent / name) for name in table["path"]]
    table[table["group"].isin(["song0", "song1"])].to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(
        InputError,
        match="early stopping needs at least 2 songs or artists to learn from; here is 1",
    ):
        runs.run(experiment(tmp_path / "two.csv", training={"early_stopping": 1}), tmp_path / "run")
    assert not (tmp_path / "run" / "fold1").exists()


def test_a_training_that_diverges_says_so_and_leaves_no_scores(manifest, tmp_path):
    wild = experiment(manifest, training={"learning_rate": 1e38, "schedule": "steps", "epochs": 9})
    for _ in range(2):  # the same again, and without training again
        with pytest.raises(
            InputError,
            match=r"fold 1 of 1 diverged: .*Give a lower --learning-rate \(it was 1e\+38\)",
        ):
            runs.run(wild, tmp_path / "run")
    assert not (tmp_path / "run" / "fold1" / "predictions.csv").exists()
    assert len(pd.read_csv(tmp_path / "run" / "fold1" / "history.csv")) < 9


@pytest.mark.parametrize("early_stopping", [0, 5])
def test_a_loss_that_is_no_number_is_a_divergence_whatever_the_weights(
    early_stopping, manifest, tmp_path, monkeypatch
):
    """Early stopping has weights of an epoch before it; they are no result of a training that ended so."""
    tracks = track_features.prepare_tracks(
        datasets.load(manifest, label_range=(-1, 1)).tracks, tmp_path / "features", Frontend()
    )[0]
    ended = fit._Progress.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        ended(self, epoch, {**logs, "loss": np.nan} if epoch == 1 else logs)

    monkeypatch.setattr(fit._Progress, "on_epoch_end", on_epoch_end)
    settings = experiment(manifest, training={"early_stopping": early_stopping, "epochs": 4})
    heard = Heard()
    for _ in range(2):
        with pytest.raises(fit.DivergedError, match="it diverged: "):
            fit.fit(settings, tracks, tmp_path / "fit", "it", heard)
    assert heard.lines[-2:] == ["it: diverged, stopped", "it: goes on after epoch 2 of 4"]


def test_a_second_process_is_refused_and_changes_nothing(two_folds, manifest, tmp_path):
    run, settings = two_folds
    others = {run.folder: settings, tmp_path / "new": experiment(manifest)}
    for folder, wanted in others.items():
        with claims.held(folder / folders.CLAIM, "the run"):
            before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
            with pytest.raises(
                InputError,
                match=f"the run in {folder} is held by process .*write to another folder",
            ):
                runs.run(wanted, folder)
            assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before


def test_a_process_that_was_overtaken_stops(manifest, tmp_path, monkeypatch):
    """As where its machine slept for longer than a lease, and another went on with the run."""
    folder, held = tmp_path / "run", claims.held
    monkeypatch.setattr(claims, "held", lambda path, what: held(path, what, lease_s=0.4))

    class Overtaking(Silent):
        def log(self, text):
            if "epoch 1" in text:
                (folder / f"{folders.CLAIM}.claim-0002").write_text("{}")
                time.sleep(1)

    with pytest.raises(InputError, match=f"the run in {folder} was taken over by another process"):
        runs.run(experiment(manifest), folder, reporter=Overtaking())
    assert not (folder / "metrics.json").exists()


@pytest.mark.parametrize("place", ["file/run", "x" * 300])
def test_a_folder_that_cannot_be(place, manifest, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match="cannot be written: .*give another folder for a run by --out"
    ):
        runs.run(experiment(manifest), tmp_path / place)


def test_names_that_no_report_can_hold(manifest, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    with pytest.raises(InputError, match="1 names are not UTF-8"):
        runs.run(experiment(manifest), odd)
    with pytest.raises(InputError, match="1 names are not UTF-8"):
        runs.run(experiment(odd), tmp_path / "run")
    assert not odd.exists()


def test_work_that_begins_elsewhere_meanwhile_is_the_same_work(tmp_path, monkeypatch):
    """Another process writes the record after this one has looked; one that was killed left half a record."""
    (tmp_path / ".run.0123456789ab.part.json").touch()
    (tmp_path / ".now.0123").touch()
    folders.begin(tmp_path, "run.json", "{}", "a run", "go on")
    (tmp_path / "run.json").unlink()
    listed = Path.iterdir

    def then_begun(folder):
        names = [*listed(folder), folder / "index.csv"]
        (folder / "run.json").write_text("{}")
        return iter(names)

    monkeypatch.setattr(Path, "iterdir", then_begun)
    folders.begin(tmp_path, "run.json", "{}", "a run", "go on")


def test_any_name_is_the_same_data_again(tmp_path):
    table = index_table(["a\rb", "c\n"], valence=np.array([0.0, 1.0]))
    folders.keep_index(tmp_path, table, "the run")
    folders.keep_index(tmp_path, table, "the run")


def test_a_folder_with_another_run_names_the_difference(two_folds, manifest):
    run, settings = two_folds
    with pytest.raises(InputError, match=r"training.epochs: 2 there, 5 now") as caught:
        runs.run(change(settings, training={"epochs": 5}), run.folder)
    assert "--out" in str(caught.value)


def test_a_folder_that_holds_something_else(manifest, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").touch()
    with pytest.raises(InputError, match="is not empty and holds no run"):
        runs.run(experiment(manifest), tmp_path / "letters")
    with pytest.raises(InputError, match="is a file"):
        runs.run(experiment(manifest), tmp_path / "letters" / "dear.txt")
    assert [file.name for file in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_data_that_changed_under_a_run(two_folds, manifest, tmp_path):
    run, settings = two_folds
    before = (run.folder / "index.csv").read_text()
    (run.folder / "index.csv").write_text(before.replace("song4", "song5"))
    try:
        with pytest.raises(InputError, match="The data changed since the run"):
            runs.run(settings, run.folder)
    finally:
        (run.folder / "index.csv").write_text(before)
