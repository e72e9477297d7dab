"""adff-evaluate: scores, reports, and tracks that the model was trained on."""

import functools
import json
import os
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf import evaluate
from adff_tf.config import Data, Frontend
from adff_tf.inference.model import EmotionModel
from adff_tf.model.model_file import find_model, load_network
from adff_tf.model.numpy_log_mel import track_log_mel
from adff_tf.training import run as runs
from adff_tf.training.start import heard_tracks

from . import commands, tiny
from .artifacts import RATE, music, save_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of one hold-out on eight noises, and its data."""
    folder = tmp_path_factory.mktemp("trained")
    rows = []
    for k in range(8):
        soundfile.write(folder / f"{k}.wav", music(1.5, k) * (k + 1) / 8, RATE)
        rows.append((f"{k}.wav", k / 4 - 0.9, 0.9 - k / 4))
    pd.DataFrame(rows, columns=["path", "valence", "arousal"]).to_csv(
        folder / "labels.csv", index=False
    )
    settings = tiny.experiment(tflm=False).model_copy(
        update={"data": Data(data=folder / "labels.csv", label_range=(-1, 1))}
    )
    settings = settings.model_copy(
        update={
            "validation": settings.validation.model_copy(update={"folds": 4, "final_model": False})
        }
    )
    return runs.run(settings, folder / "run"), folder / "labels.csv"


score = functools.partial(commands.ask, evaluate.main)


def test_tracks_that_were_trained_on_are_refused(trained, tmp_path, capsys):
    run, labels = trained
    command = [run.folder, "--data", labels, "--label-range", "-1", "1", "--out", tmp_path / "out"]
    status, _, err = score(command, capsys)
    assert status == 2 and "was trained on 6 of these 8 tracks" in err
    assert not (tmp_path / "out").exists()  # refused before any log-mel is computed
    moved = tmp_path / "moved"
    moved.mkdir()
    table = pd.read_csv(labels)
    for name in table["path"]:  # the same recordings under other names
        (moved / f"x{name}").write_bytes((labels.parent / name).read_bytes())
    table.assign(path="x" + table["path"]).to_csv(moved / "labels.csv", index=False)
    status, _, err = score(
        [run.folder, "--data", moved / "labels.csv", *command[3:-1], tmp_path / "out2"], capsys
    )
    assert status == 2 and "was trained on 6 of these 8 tracks" in err


def test_an_evaluation_that_cannot_be_written_is_refused_before_its_work(trained, tmp_path, capsys):
    run, labels = trained
    (tmp_path / "file").touch()
    command = [
        run.folder,
        "--data",
        labels,
        "--label-range",
        "-1",
        "1",
        "--allow-trained",
        "--features",
        tmp_path / "features",
    ]
    status, printed, err = score([*command, "--out", tmp_path / "file" / "x"], capsys)
    assert (
        status == 2
        and "cannot be written: Not a directory; give another folder for the evaluation by --out"
        in err
    )
    assert not (tmp_path / "features").exists()


def test_the_fold_that_was_held_out_scores_as_in_the_run(trained, tmp_path, capsys):
    run, labels = trained
    out = tmp_path / "out"
    command = [
        run.folder,
        "--data",
        labels,
        "--label-range",
        "-1",
        "1",
        "--out",
        out,
        "--leave-out-trained",
    ]
    status, printed, _ = score(command, capsys)
    metrics = json.loads((out / "metrics.json").read_text())
    assert status == 0 and metrics["tracks"] == 2 and metrics["trained_on"] == 0
    assert metrics["mean"]["valence"]["rmse"] == pytest.approx(
        run.metrics["mean"]["valence"]["rmse"], rel=1e-5
    )
    assert {"report.md", "predictions.csv", "segments.csv", "config.json", "environment.json"} <= {
        p.name for p in out.iterdir()
    }
    assert "None of these tracks was trained on" in printed
    assert score(command, capsys)[0] == 2  # the folder is not empty


def test_a_folds_model_and_a_run_that_is_called_like_a_fold(trained, tmp_path, capsys, monkeypatch):
    run, labels = trained
    data = ["--data", labels, "--label-range", "-1", "1"]
    monkeypatch.chdir(run.folder / "fold1")
    status, _, err = score(["model.keras", *data, "--out", tmp_path / "a"], capsys)
    assert status == 2 and "was trained on 6 of these 8 tracks" in err
    shutil.copytree(
        run.folder, tmp_path / "fold-music", ignore=shutil.ignore_patterns("features", "fold1")
    )
    status, _, err = score([tmp_path / "fold-music", *data, "--out", tmp_path / "b"], capsys)
    assert status == 2 and "was trained on 6 of these 8 tracks" in err


def test_all_tracks_when_allowed_and_the_report_says_so(trained, tmp_path, capsys):
    run, labels = trained
    command = [
        run.folder,
        "--data",
        labels,
        "--label-range",
        "-1",
        "1",
        "--out",
        tmp_path / "out",
        "--allow-trained",
    ]
    assert score(command, capsys)[0] == 0
    assert "**6 of these tracks were trained on" in (tmp_path / "out" / "report.md").read_text()


def test_a_run_has_a_servable_that_predicts_as_its_network(trained):
    run, _ = trained
    model = EmotionModel.load(run.folder)
    waveform = music(1.2, 9)
    by_servable = model.predict(waveform, RATE)
    (run.folder / "servable").rename(run.folder / "elsewhere")
    try:
        by_keras = EmotionModel.load(run.folder).predict(waveform, RATE)
    finally:
        (run.folder / "elsewhere").rename(run.folder / "servable")
    np.testing.assert_allclose(
        by_servable.windows["valence"], by_keras.windows["valence"], atol=1e-6
    )
    assert by_servable.valence != by_servable.arousal


def test_a_window_of_the_stored_track_is_predicted_as_the_window_itself(trained):
    """The store's first three and last two frames have seen their neighbours.

    A trained model's prediction moves by less than 0.01.
    """
    run, _ = trained
    model, network = EmotionModel.load(run.folder), load_network(find_model(run.folder)[0])
    waveform = music(6.0, 30)
    whole = track_log_mel(waveform, Frontend())
    moved = []
    for start in range(50, 450, 50):
        own = model.predict(waveform[start * 441 : (start + 100) * 441], RATE)
        stored = network(whole[None, start : start + 100], training=False)
        moved += [
            abs(stored[name].numpy().item() - own.values[name]) for name in ("valence", "arousal")
        ]
    assert 0 < max(moved) < 0.01


def test_a_servable_of_another_model_is_not_used(trained, tmp_path):
    run, _ = trained
    copy = tmp_path / "run"
    shutil.copytree(run.folder, copy, ignore=shutil.ignore_patterns("features"))
    network = keras.models.load_model(copy / "model.keras")
    network.get_layer("valence").set_weights([np.zeros((8, 1)), np.full(1, 0.25)])
    network.save(copy / "model.keras")
    assert EmotionModel.load(copy).predict(music(1.0), RATE).valence == pytest.approx(0.25)


def test_annotations_over_time(trained, tmp_path, capsys, monkeypatch):
    """PMEmo's layout, two songs: the scores of the curve at the annotations' times, computed here.

    Stopped at the first song, the same command works again.
    """
    run, labels = trained
    root = tmp_path / "PMEmo"
    (root / "annotations").mkdir(parents=True)
    (root / "chorus").mkdir()
    static, dynamic = (
        ["musicId,Arousal(mean),Valence(mean)"],
        ["musicId,frameTime,Arousal(mean),Valence(mean)"],
    )
    metadata = ["musicId,fileName,title,artist,album,duration,chorus_start_time,chorus_end_time"]
    for song in (1, 2):
        soundfile.write(root / "chorus" / f"{song}.wav", music(18.0, 20 + song), RATE)
        static.append(f"{song},0.{3 + song},0.{4 + song}")
        metadata.append(f"{song},{song}.mp3,t,artist{song},a,18,00:00,00:18")
        dynamic += [
            f"{song},{t},{0.3 + 0.01 * t * song},{0.9 - 0.02 * t}"
            for t in (15.5, 16.0, 16.5, 17.0, 17.5)
        ]
    (root / "annotations" / "static_annotations.csv").write_text("\n".join(static))
    (root / "annotations" / "dynamic_annotations.csv").write_text("\n".join(dynamic))
    (root / "metadata.csv").write_text("\n".join(metadata))
    command = [run.folder, "--data", root, "--out", tmp_path / "out", "--dynamic"]

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("adff_tf.training.evaluation.score_curve", stopped)
        status, _, err = score(command, capsys)
    assert status == 130 and "stopped. Give the command again." in err
    assert os.listdir(tmp_path / "out") == ["features"]
    status, printed, err = score(command, capsys)
    assert status == 0, err
    songs = pd.read_csv(tmp_path / "out" / "dynamic.csv").set_index("track_id")
    model = EmotionModel.load(run.folder)
    for song in (1, 2):
        times = np.array([15.5, 16.0, 16.5, 17.0, 17.5])
        samples, _ = soundfile.read(root / "chorus" / f"{song}.wav", dtype="float32")
        ours = []
        for time in times:  # the window about each time, or the last one that there is
            start = round((min(time, 17.5) - 0.5) * RATE)
            ours.append(model.predict(samples[start : start + RATE], RATE).arousal)
        wanted = 2 * (0.3 + 0.01 * times * song) - 1
        assert songs.loc[song, "arousal_rmse"] == pytest.approx(
            np.sqrt(np.mean((ours - wanted) ** 2)), abs=1e-4
        )
        assert songs.loc[song, "arousal_correlation"] == pytest.approx(
            np.corrcoef(ours, wanted)[0, 1], abs=1e-3
        )
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["dynamic"]["songs"] == 2
    assert metrics["dynamic"]["mean"]["arousal"]["rmse"] == pytest.approx(
        songs["arousal_rmse"].mean()
    )
    assert "Over time" in printed and (tmp_path / "out" / "plots" / "dynamic.png").is_file()


def test_several_data_sets_are_scored_together_and_each_by_itself(trained, tmp_path, capsys):
    run, labels = trained
    other = tmp_path / "moods"
    for k in range(4):
        (other / f"Q{k + 1}").mkdir(parents=True)
        soundfile.write(other / f"Q{k + 1}" / f"{k}.wav", music(1.5, 40 + k), RATE)
    out = tmp_path / "out"
    data = ["--data", labels, "--data", other, "--label-range", "-1", "1"]
    status, printed, err = score([run.folder, *data, "--leave-out-trained", "--out", out], capsys)
    assert status == 0, err
    metrics = json.loads((out / "metrics.json").read_text())
    table = pd.read_csv(out / "predictions.csv")
    assert table["source"].tolist() == ["labels"] * 2 + ["quadrants"] * 4
    right = {
        name: (table[f"{name}_target"] >= 0) == (table[f"{name}_prediction"] >= 0)
        for name in ("valence", "arousal")
    }
    both = right["valence"] & right["arousal"]
    assert metrics["mean"]["quadrant"]["accuracy"] == pytest.approx(both.mean())
    assert list(metrics["sources"]) == ["labels", "quadrants"]
    for name, scores in metrics["sources"].items():
        own = table["source"] == name
        assert scores["quadrant"]["accuracy"] == pytest.approx(both[own].mean())
        assert scores["valence"]["sign"] == pytest.approx(right["valence"][own].mean())
    assert metrics["sources"]["labels"]["valence"]["rmse"] == pytest.approx(
        run.metrics["mean"]["valence"]["rmse"], rel=1e-5
    )
    assert metrics["sources"]["quadrants"]["valence"]["rmse"] is None
    assert "| ADFF, quadrants | – | – |" in printed
    status, _, err = score([run.folder, *data, "--dynamic", "--out", tmp_path / "b"], capsys)
    assert status == 2 and "one data set at a time, here are 2; leave --dynamic out" in err


def test_evaluation_refuses_what_cannot_be_scored(trained, tmp_path, capsys):
    run, labels = trained
    data = ["--data", labels, "--label-range", "-1", "1"]
    status, _, err = score([run.folder, *data, "--dynamic", "--out", tmp_path / "a"], capsys)
    assert status == 2 and "no annotations over time" in err
    status, _, err = score(
        [run.folder, "--data", tmp_path / "none", "--out", tmp_path / "b"], capsys
    )
    assert status == 2 and "There is no folder or file" in err
    status, _, err = score([run.folder, "--out", tmp_path / "b"], capsys)
    assert status == 2 and "--data is missing: give the folder of a data set" in err
    status, _, err = score([run.folder, *data, "--data", labels, "--out", tmp_path / "b"], capsys)
    assert status == 2 and "is given twice in --data" in err
    (tmp_path / "c").write_text("")
    status, _, err = score([run.folder, *data, "--out", tmp_path / "c"], capsys)
    assert status == 2 and "is a file" in err


def test_training_tracks_are_known_whatever_the_runs_folder_is_called(tmp_path):
    """A run may be named like a fold: its model was trained on all tracks."""
    run = save_run(tmp_path / "fold2")
    pd.DataFrame(
        {"track_id": list("abc"), "path": list("abc"), "features": list("abc"), "fold": [1, 2, 2]}
    ).to_csv(run / "index.csv", index=False)
    (run / "fold2").mkdir()
    shutil.copyfile(run / "model.keras", run / "fold2" / "model.keras")
    for place, trained_on in ((run, "abc"), (run / "fold2" / "model.keras", "a")):
        assert "".join(heard_tracks(*find_model(place))["features"]) == trained_on
