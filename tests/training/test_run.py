"""Whole runs in miniature: an honest split, resuming, the run folder, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import soundfile

from adff_tf.config import Data, Frontend
from adff_tf.errors import InputError
from adff_tf.features.tracks import prepare_tracks
from adff_tf.support.locks import LockedError, lock_folder
from adff_tf.tasks import TASKS
from adff_tf.training import fit
from adff_tf.training.predictions import mean_by_song
from adff_tf.training.run import run

from .small import Lines, change, make_experiment


@pytest.fixture(scope="module")
def two_folds(manifest, tmp_path_factory):
    """A finished two-fold run with a final model, and its experiment."""
    settings = change(make_experiment(manifest), validation={"hold_out": False})
    folder = tmp_path_factory.mktemp("runs") / "two"
    return run(settings, folder), settings


def test_run_folder_is_as_designed(two_folds):
    done, settings = two_folds
    names = {
        str(file.relative_to(done.folder)) for file in done.folder.rglob("*") if file.is_file()
    }
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
    done, _ = two_folds
    metrics = json.loads((done.folder / "metrics.json").read_text())
    scores = []
    for number, fold in enumerate(metrics["folds"], start=1):
        table = pd.read_csv(done.folder / f"fold{number}" / "predictions.csv")
        score = sklearn.metrics.r2_score(table["valence_target"], table["valence_prediction"])
        assert fold["valence"]["r2"] == pytest.approx(score)
        scores.append(score)
    assert metrics["mean"]["valence"]["r2"] == pytest.approx(np.mean(scores))
    assert metrics["std"]["valence"]["r2"] == pytest.approx(np.std(scores, ddof=1))


def test_no_song_stands_on_both_sides_and_every_track_is_scored_once(two_folds):
    done, _ = two_folds
    index = pd.read_csv(done.folder / "index.csv")
    assert (index.groupby("group")["fold"].nunique() == 1).all()
    scored = pd.concat(
        [pd.read_csv(done.folder / f"fold{n}" / "predictions.csv").assign(fold=n) for n in (1, 2)]
    )
    assert sorted(scored["track_id"]) == sorted(index["track_id"])
    assert (
        index.set_index("track_id")["fold"].to_dict()
        == scored.set_index("track_id")["fold"].to_dict()
    )


def test_the_saved_model_gives_the_predictions_on_disk(two_folds):
    done, settings = two_folds
    model = keras.saving.load_model(done.folder / "fold1" / "model.keras", safe_mode=True)
    index = pd.read_csv(done.folder / "index.csv", dtype={"track_id": str})
    test = index[index["fold"] == 1].drop(columns="fold").reset_index(drop=True)
    tracks, _ = prepare_tracks(test, done.folder / "features", Frontend())
    track_rows, predictions = fit.predict_segments(model, settings, tracks)
    stored = pd.read_csv(done.folder / "fold1" / "predictions.csv")
    np.testing.assert_allclose(
        mean_by_song(track_rows, predictions)["valence"],
        stored["valence_prediction"],
        atol=1e-6,
    )


def test_the_standardisation_is_the_training_folds_alone(two_folds):
    done, settings = two_folds
    model = keras.saving.load_model(done.folder / "fold1" / "model.keras")
    index = pd.read_csv(done.folder / "index.csv", dtype={"track_id": str})
    train = index[index["fold"] != 1].drop(columns="fold").reset_index(drop=True)
    tracks, _ = prepare_tracks(train, done.folder / "features", Frontend())
    frames = np.concatenate([np.asarray(tracks.log_mel(row)) for row in range(len(tracks))])
    mean, _ = model.get_layer("standardise").get_weights()
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-4)


def test_a_finished_run_is_not_trained_again(two_folds, monkeypatch):
    done, settings = two_folds
    monkeypatch.setattr(fit, "fit", lambda *args, **kwargs: pytest.fail("trained again"))
    assert run(settings, done.folder).metrics["folds"] == done.metrics["folds"]


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(manifest, tmp_path, monkeypatch):
    settings = make_experiment(manifest, training={"epochs": 3})
    whole = run(settings, tmp_path / "whole")
    save = fit.save_state

    def killed(model, path):
        save(model, path)
        if path.name == "state-00002.npz":
            raise KeyboardInterrupt

    monkeypatch.setattr(fit, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "killed")
    monkeypatch.setattr(fit, "save_state", save)
    heard = Lines()
    resumed = run(settings, tmp_path / "killed", reporter=heard)
    assert any("goes on after epoch 2 of 3" in line for line in heard.lines)
    for name in ("predictions.csv", "segments.csv"):
        assert (tmp_path / "killed" / "fold1" / name).read_bytes() == (
            tmp_path / "whole" / "fold1" / name
        ).read_bytes()
    assert resumed.metrics["folds"] == whole.metrics["folds"]
    history = pd.read_csv(tmp_path / "killed" / "fold1" / "history.csv")
    assert list(history["epoch"]) == [1, 2, 3]


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(manifest, tmp_path):
    settings = change(make_experiment(manifest), validation={"final_model": False})
    first, again = (run(settings, tmp_path / name).metrics["folds"] for name in ("a", "b"))
    assert first == again
    other = run(change(settings, training={"seed": 7}), tmp_path / "c").metrics["folds"]
    assert other != first


def test_the_whole_network_learns_in_mixed_precision(manifest, tmp_path):
    settings = make_experiment(
        manifest, task="arousal", tflm=True, training={"epochs": 3, "precision": "mixed_bfloat16"}
    )
    done = run(change(settings, validation={"final_model": False}), tmp_path / "run")
    loss = pd.read_csv(done.folder / "fold1" / "history.csv")["loss"]
    assert loss.iloc[-1] < loss.iloc[0]


@pytest.mark.parametrize("task", ["quadrant", "arousal2"])
def test_classes_from_end_to_end(task, manifest, tmp_path):
    settings = change(make_experiment(manifest, task=task), validation={"final_model": False})
    done = run(settings, tmp_path / "run")
    table = pd.read_csv(done.folder / "fold1" / "predictions.csv")
    probabilities = table[[f"p_{name}" for name in TASKS[task].classes]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.idxmax(axis=1).str.removeprefix("p_") == table["class_prediction"]).all()
    name = {"quadrant": "quadrant", "arousal2": "arousal"}[task]
    right = sklearn.metrics.accuracy_score(table["class_target"], table["class_prediction"])
    assert done.metrics["mean"][name]["accuracy"] == pytest.approx(right)
    assert (done.folder / "plots" / "confusion.png").exists() and set(
        done.metrics["baselines"]
    ) == {
        "mean",
        "logistic",
    }


# === What is refused ===


def test_fewer_songs_than_folds(manifest, tmp_path):
    with pytest.raises(
        InputError,
        match="7 folds need at least 7 songs or artists that stay apart; here are 5. Use `folds` 5",
    ):
        run(change(make_experiment(manifest), validation={"folds": 7}), tmp_path / "run")


def test_early_stopping_with_one_song_to_train_on(manifest, tmp_path):
    table = pd.read_csv(manifest)
    table["path"] = [str(manifest.parent / name) for name in table["path"]]
    table[table["group"].isin(["song0", "song1"])].to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(
        InputError,
        match="`early_stopping` needs at least 2 songs or artists to train on; here is 1",
    ):
        run(make_experiment(tmp_path / "two.csv", training={"early_stopping": 1}), tmp_path / "run")
    assert not (tmp_path / "run" / "fold1").exists()


def test_a_training_that_diverges_says_so_and_leaves_no_scores(manifest, tmp_path):
    wild = make_experiment(
        manifest, training={"learning_rate": 1e38, "schedule": "steps", "epochs": 9}
    )
    for _ in range(2):  # the same again, and without training again
        with pytest.raises(
            InputError,
            match=r"fold 1 of 1 diverged: .*Give a lower `learning_rate` \(it was 1e\+38\)",
        ):
            run(wild, tmp_path / "run")
    assert not (tmp_path / "run" / "fold1" / "predictions.csv").exists()
    assert len(pd.read_csv(tmp_path / "run" / "fold1" / "history.csv")) < 9


def test_a_second_process_is_refused_and_changes_nothing(two_folds, manifest, tmp_path):
    done, settings = two_folds
    for folder, wanted in {
        done.folder: settings,
        tmp_path / "new": make_experiment(manifest),
    }.items():
        folder.mkdir(exist_ok=True)
        with lock_folder(folder, "the run"):
            before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
            with pytest.raises(LockedError, match=f"another process works on the run in {folder}"):
                run(wanted, folder)
            assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before


@pytest.mark.parametrize("place", ["file/run", "x" * 300])
def test_a_folder_that_cannot_be(place, manifest, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match="cannot be written: .*give another folder for the run by `out`"
    ):
        run(make_experiment(manifest), tmp_path / place)


def test_names_that_no_report_can_hold(manifest, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    with pytest.raises(InputError, match="1 names are not UTF-8"):
        run(make_experiment(manifest), odd)
    with pytest.raises(InputError, match="is not UTF-8"):
        run(make_experiment(odd), tmp_path / "run")
    assert not odd.exists()


def test_a_folder_with_another_run_names_the_difference(two_folds, manifest):
    done, settings = two_folds
    with pytest.raises(InputError, match=r"training.epochs: 2 there, 5 now") as caught:
        run(change(settings, training={"epochs": 5}), done.folder)
    assert "`out`" in str(caught.value)


def test_a_folder_that_holds_something_else(manifest, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").touch()
    with pytest.raises(InputError, match="is not empty and holds no run"):
        run(make_experiment(manifest), tmp_path / "letters")
    with pytest.raises(InputError, match="is a file"):
        run(make_experiment(manifest), tmp_path / "letters" / "dear.txt")
    assert [file.name for file in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_data_that_changed_under_a_run(two_folds, manifest, tmp_path):
    done, settings = two_folds
    before = (done.folder / "index.csv").read_text()
    (done.folder / "index.csv").write_text(before.replace("song4", "song5"))
    try:
        with pytest.raises(InputError, match="The data changed since the run"):
            run(settings, done.folder)
    finally:
        (done.folder / "index.csv").write_text(before)


# === Several data sets, and a published split ===


@pytest.fixture(scope="module")
def quadrants(tmp_path_factory):
    """Six noises of a second in EMOPIA's layout, three songs of two clips, with its split."""
    folder, rng = tmp_path_factory.mktemp("emopia"), np.random.default_rng(2)
    (folder / "split").mkdir()
    rows, splits = ["ID,4Q"], {"train": [], "val": [], "test": []}
    for k in range(6):
        name = f"Q{k % 4 + 1}_song{k // 2}_{k}"
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.uniform(-1, 1, 44100), 44100)
        rows.append(f"{name},{k % 4 + 1}")
        splits[list(splits)[k // 2]].append(f"{k},{name}.mid")
    (folder / "label.csv").write_text("\n".join(rows))
    for split, clips in splits.items():
        (folder / "split" / f"{split}_clip.csv").write_text("\n".join([",clip_name", *clips]))
    return folder


def test_numbers_and_quadrants_in_one_run(manifest, quadrants, tmp_path):
    settings = make_experiment(manifest, training={"epochs": 1})
    data = settings.data.model_copy(update={"data": (manifest, quadrants), "weights": (1, 0.5)})
    settings = settings.model_copy(update={"data": data})
    settings = change(settings, validation={"final_model": False})
    done = run(settings, tmp_path / "run")
    assert run(settings, tmp_path / "run").metrics["folds"] == done.metrics["folds"]  # read again
    index = pd.read_csv(tmp_path / "run" / "index.csv").set_index("track_id")
    assert index.groupby("source")["weight"].first().to_dict() == {"emopia": 0.5, "labels": 1}
    table = pd.read_csv(tmp_path / "run" / "fold1" / "predictions.csv")
    assert table["source"].tolist() == index.loc[table["track_id"], "source"].tolist()
    own, other = (table[table["source"] == name] for name in ("labels", "emopia"))
    r2 = sklearn.metrics.r2_score(own["valence_target"], own["valence_prediction"])
    sign = ((other["arousal_target"] > 0) == (other["arousal_prediction"] >= 0)).mean()
    sources = done.metrics["sources"]
    assert list(sources) == ["labels", "emopia"]
    assert sources["labels"]["valence"]["r2"] == pytest.approx(r2)
    # of songs with numbers alone, also where both kinds are pooled
    assert done.metrics["mean"]["valence"]["r2"] == pytest.approx(r2)
    assert sources["emopia"]["arousal"]["sign"] == pytest.approx(sign)
    assert sources["emopia"]["arousal"]["r2"] is None
    report = (tmp_path / "run" / "report.md").read_text()
    assert "| ADFF, emopia | – | – |" in report and "; quadrants (" in report
    assert "CC BY-NC-SA 4.0" in (tmp_path / "run" / "model_card.md").read_text()


def test_a_published_split(quadrants, tmp_path):
    settings = make_experiment(quadrants, training={"early_stopping": 1, "epochs": 1})
    settings = settings.model_copy(update={"data": Data(data=quadrants)})
    settings = change(settings, validation={"split": "published", "final_model": False})
    done = run(settings, tmp_path / "run")
    assert len(done.metrics["folds"]) == 1 and "sources" not in done.metrics
    scored = pd.read_csv(tmp_path / "run" / "fold1" / "predictions.csv")
    assert scored["track_id"].tolist() == ["Q1_song2_4", "Q2_song2_5"]
    assert "val_loss" in pd.read_csv(tmp_path / "run" / "fold1" / "history.csv")
    assert done.metrics["mean"]["valence"]["r2"] is None
    assert done.metrics["baselines"]["ridge"]["valence"]["sign"] is not None
    report = (tmp_path / "run" / "report.md").read_text()
    assert "The published split: its test songs, scored once. One random segment" in report


def test_a_data_set_without_a_published_split(manifest, tmp_path):
    settings = change(make_experiment(manifest), validation={"split": "published"})
    with pytest.raises(InputError, match="labels: no published split is known here"):
        run(settings, tmp_path / "run")


def test_two_data_sets_of_the_same_recordings_make_no_folds(manifest, tmp_path):
    """Copies join the groups of both, and here all groups are one."""
    tables = []
    for name in "ab":
        (tmp_path / name).mkdir()
        for k in range(2):
            shutil.copyfile(manifest.parent / f"{k}.wav", tmp_path / name / f"{k}.wav")
        tables.append(tmp_path / name / f"{name}.csv")
        tables[-1].write_text("path,valence,arousal,group\n0.wav,0,0,x\n1.wav,0,0,x\n")
    settings = make_experiment(manifest)
    data = settings.data.model_copy(update={"data": tuple(tables)})
    with pytest.raises(InputError, match="2 folds need at least 2 songs .*; here are 1"):
        run(settings.model_copy(update={"data": data}), tmp_path / "run")
