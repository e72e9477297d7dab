"""The command lines of prediction and evaluation: what is printed, what is written, what is refused, and how they exit."""

import contextlib
import csv
import functools
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf import evaluate, predict
from adff_tf.audio import AudioError
from adff_tf.config import Data
from adff_tf.inference.model import EmotionModel
from adff_tf.model import log_mel
from adff_tf.model.model_file import find_model, load_network
from adff_tf.support import console
from adff_tf.training import evaluation
from adff_tf.training import run as runs

from . import commands, tiny
from .audio.test_audio import encode
from .inference.test_model import RATE, music, save_run

SVG = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder with two songs, one in a folder of its own, and a text."""
    folder = tmp_path_factory.mktemp("songs")
    (folder / "album").mkdir()
    soundfile.write(folder / "b.wav", music(2.0, 1), RATE)
    soundfile.write(folder / "album" / "a$1.flac", music(0.7, 2), RATE)
    (folder / "notes.txt").write_text("no song")
    return folder


ask = functools.partial(commands.ask, predict.main)


def test_json_is_what_python_gives(run, songs, capsys):
    status, out, _ = ask([run, songs / "b.wav", "--format", "json", "--hop", "0.25"], capsys)
    wanted = EmotionModel.load(run).predict(songs / "b.wav", hop_s=0.25).as_dict()
    found = json.loads(out)
    assert status == 0 and found["path"] == wanted["path"] and len(found["curve"]) == 5
    assert found["valence"] == pytest.approx(wanted["valence"], abs=1e-6)


def test_csv_of_a_folder_in_another_scale(run, songs, capsys):
    status, out, err = ask([run, songs, "--format", "csv", "--scale", "1", "9"], capsys)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and [Path(row["path"]).name for row in rows] == ["a$1.flac", "b.wav"]
    assert [row["padded"] for row in rows] == ["True", "False"] and "songs (2)" in err
    whole = EmotionModel.load(run).predict(songs / "b.wav")
    assert float(rows[1]["valence"]) == pytest.approx(1 + (whole.valence + 1) * 4, abs=1e-4)
    assert float(rows[1]["arousal_std"]) == pytest.approx(4 * whole.std["arousal"], abs=1e-4)
    assert rows[1]["quadrant"] == whole.quadrant


def test_csv_of_the_curve(run, songs, capsys):
    _, out, _ = ask([run, songs / "b.wav", "--format", "csv", "--curve"], capsys)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["start"], row["end"]) for row in rows] == [("0", "1"), ("0.5", "1.5"), ("1", "2")]
    assert list(rows[0]) == ["path", "start", "end", "valence", "arousal"]


def test_the_table_says_that_a_song_was_padded(run, songs, capsys):
    _, out, _ = ask([run, songs], capsys)
    head, short, long = out.splitlines()
    assert (
        head.split()[:3] == ["seconds", "valence", "arousal"]
        and "padded with silence" in short
        and "padded" not in long
    )


def test_classes_as_csv(tmp_path, songs, capsys):
    run = save_run(tmp_path / "quadrant", "quadrant")
    _, out, _ = ask([run, songs / "b.wav", "--format", "csv"], capsys)
    (row,) = csv.DictReader(io.StringIO(out))
    shares = {name: float(row[f"p_{name}"]) for name in ("Q1", "Q2", "Q3", "Q4")}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-4) and row["label"] == max(
        shares, key=shares.get
    )


def test_a_pipe(run, songs):
    """A recording from standard input, and a reader that goes away after a line."""
    content = (songs / "b.wav").read_bytes()
    command = [sys.executable, "-m", "adff_tf.predict", str(run)]
    done = subprocess.run([*command, "-", "--format", "json"], input=content, capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    row = json.loads(done.stdout)
    assert row["path"] == "-" and row["valence"] == pytest.approx(
        EmotionModel.load(run).predict(content).valence, abs=1e-6
    )

    many = " ".join([str(songs / "b.wav"), *(f"{songs}/../{songs.name}/b.wav" for _ in range(2))])
    shell = f"{' '.join(command)} {many} --format json --hop 0.01 | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr and done.returncode in (0, 141)


def test_what_can_be_known_before_any_song_is_told_before(run, songs, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    for options, told in (
        (["--scale", "9", "1"], "give the lower end first"),
        (["--out", tmp_path / "x"], "add --plot"),
        (["--plot", "--out", file / "x"], "cannot be written: Not a directory"),
    ):
        status, out, err = ask([run, songs, *options], capsys)
        assert status == 2 and not out and err.count("error:") == 1 and told in err, err


def test_an_empty_argument_is_not_the_current_folder(run, songs, capsys, monkeypatch):
    monkeypatch.chdir(songs)
    status, out, err = ask([run, ""], capsys)
    assert status == 2 and not out and "argument 2 is empty" in err


def test_progress_within_a_song(run, songs, monkeypatch, capsys):
    """What a terminal shows beside the bar while one long song is answered."""
    notes = []

    @contextlib.contextmanager
    def bar(self, label, total, passing=False, minutely=False):
        yield lambda steps=1, note="": notes.append((steps, note))

    monkeypatch.setattr(console.Terminal, "bar", bar)
    soundfile.write(songs.parent / "[b] minute.wav", music(61.5, 3), RATE)
    ask([run, songs.parent / "[b] minute.wav", "--hop", "1"], capsys)
    assert notes[0] == (0, "[b] minute.wav, 0:08") and notes[-2:] == [
        (0, "[b] minute.wav, 1:01"),
        (1, ""),
    ]


def test_what_is_no_recording_does_not_stop_the_others(run, songs, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    status, out, err = ask(
        [run, tmp_path / "empty", "~nobody-of-that-name/x.mp3", "a" * 300, songs / "b.wav"], capsys
    )
    assert status == 2 and "b.wav" in out and "3 of 4 songs could not be used" in err
    assert (
        "holds no recordings" in err
        and "File name too long" in err
        and "Give the path in full" in err
    )


def test_a_folder_that_cannot_be_read_is_named(run, songs, capsys, monkeypatch):
    scandir = os.scandir

    def locked(path):
        if str(path).endswith("album"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    status, out, err = ask([run, songs], capsys)
    assert status == 2 and "b.wav" in out and "album cannot be read: Permission denied" in err


def test_plots_are_there_as_soon_as_their_song_is_answered(run, songs, tmp_path, monkeypatch):
    model, seen = EmotionModel.load(run), []
    heard = model.predict

    def stopped_at_the_second(song, **options):
        seen.append(song)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return heard(song, **options)

    monkeypatch.setattr(model, "predict", stopped_at_the_second)
    found, _ = predict.find_songs([songs])
    with pytest.raises(KeyboardInterrupt):
        predict.ask(model, found, predict.Output((songs,), plot=True, out=tmp_path / "plots"))
    assert {file.name for file in (tmp_path / "plots").iterdir()} == {
        "a_1-curve.png", "a_1-curve.svg", "a_1-path.png", "a_1-path.svg"
    }  # fmt: skip


def test_a_full_disk_behind_standard_output(run, songs):
    command = (
        f"{sys.executable} -m adff_tf.predict {run} {songs / 'b.wav'} --format json > /dev/full"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (
        done.returncode == 2
        and "standard output goes to is full" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_a_name_of_odd_bytes(run, songs, tmp_path):
    name = os.fsencode(tmp_path) + b"/so\xffng \xe2\x82\xac\n.wav"
    os.link(songs / "b.wav", name)
    command = [sys.executable, "-m", "adff_tf.predict", str(run), str(tmp_path)]
    done = subprocess.run([*command, "--format", "json"], capture_output=True)
    assert done.returncode == 0 and os.fsencode(json.loads(done.stdout)["path"]) == name, (
        done.stderr.decode()
    )
    done = subprocess.run(
        [*command, "--plot", "--out", str(tmp_path / "plots")], capture_output=True
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode()
    head, row = done.stdout.splitlines()
    assert row.endswith(name.replace(b"\n", b"\\n")), "a song takes one line"


def test_broken_songs_do_not_stop_the_others(run, songs, tmp_path, capsys):
    bad = {
        "empty.wav": b"",
        "text.mp3": b"these are words and no music at all",
        "noise.flac": np.random.default_rng(0).bytes(3000),
        "cut.wav": (songs / "b.wav").read_bytes()[:20],
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, "float32"), RATE, subtype="FLOAT")
    (tmp_path / "good.wav").write_bytes((songs / "b.wav").read_bytes())
    status, out, err = ask([run, tmp_path, tmp_path / "missing.wav", "--format", "json"], capsys)
    assert (
        status == 2 and len(out.splitlines()) == 1 and json.loads(out)["path"].endswith("good.wav")
    )
    assert "6 of 7 songs could not be used" in err and "Traceback" not in err
    for name in (*bad, "nan.wav", "missing.wav"):
        assert err.count(name) >= 2  # when it came, and in the list at the end


def test_three_hundred_damaged_files_give_a_value_or_a_message(run, tmp_path):
    """Bytes changed, cut out, doubled, or the end missing, in five formats; seeded."""
    rng, samples = np.random.default_rng(7), np.stack([music(1.2, 4), music(1.2, 5)], axis=1)
    contents = [encode(tmp_path / "a.m4a", "aac", samples, RATE).read_bytes()]
    for suffix, options in ((".wav", {}), (".flac", {}), (".ogg", {}), (".mp3", {})):
        soundfile.write(tmp_path / f"a{suffix}", samples, RATE, **options)
        contents.append((tmp_path / f"a{suffix}").read_bytes())
    model, answered, refused = EmotionModel.load(run), 0, 0
    for number in range(300):
        content = bytearray(contents[number % 5])
        for _ in range(rng.integers(1, 4)):
            at, length = rng.integers(len(content)), int(rng.integers(1, 400))
            match rng.integers(4):
                case 0:
                    content[at : at + length] = rng.bytes(len(content[at : at + length]))
                case 1:
                    del content[at : at + length]
                case 2:
                    content[at:at] = content[at : at + length]
                case 3:
                    del content[max(1, at) :]
        try:
            emotion = model.predict(bytes(content))
        except AudioError as error:
            assert str(error)
            refused += 1
        else:
            assert np.isfinite([emotion.valence, emotion.arousal]).all()
            answered += 1
    assert answered > 100 and refused > 10


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{run}"], "no song was given"),
        (["{run}", "{songs}/missing.wav"], "missing.wav"),
        (["{songs}", "{songs}/b.wav"], "no run folder"),
        (["{run}", "{songs}/b.wav", "--hop", "0"], "a hop of 0.0 s"),
        (["{run}", "{songs}/b.wav", "--scale", "9", "1"], "scale from 9 to 1"),
        (["{run}", "{empty}"], "holds no recordings"),
        (["{run}", "{songs}/b.wav", "--plot", "--out", "{songs}/notes.txt"], "is a file"),
    ],
)
def test_mistakes_are_one_message(run, songs, tmp_path, capsys, arguments, says):
    given = [argument.format(run=run, songs=songs, empty=tmp_path) for argument in arguments]
    status, out, err = ask(given, capsys)
    assert status == 2 and says in err and not out and "Traceback" not in err


def test_plots(run, songs, tmp_path, capsys):
    import xml.etree.ElementTree

    out = tmp_path / "plots"
    status, _, err = ask([run, songs, "--plot", "--out", out], capsys)
    names = {"a_1-curve", "a_1-path", "b-curve", "b-path", "songs"}
    assert status == 0 and {path.name for path in out.iterdir()} == {
        f"{n}{s}" for n in names for s in (".png", ".svg")
    }
    for path in out.glob("*.svg"):
        assert xml.etree.ElementTree.parse(path).getroot().tag == SVG and str(path) in err
    status, _, err = ask([run, songs, "--plot", "--out", out], capsys)
    assert status == 2 and "holds plots already" in err
    assert ask([run, songs / "b.wav", "--plot", "--out", out, "--overwrite"], capsys)[0] == 0


# === Evaluation ===


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
    assert not (tmp_path / "out").exists()  # told before any log-mel was computed
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


def test_all_tracks_when_told_and_the_report_says_so(trained, tmp_path, capsys):
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


def test_a_run_has_a_servable_that_answers_as_its_network(trained):
    run, _ = trained
    model = EmotionModel.load(run.folder)
    assert "network" not in vars(model)  # Keras's network was not needed
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


def test_a_window_of_the_stored_track_answers_as_the_window_itself(trained):
    """The store's first three and last two frames have seen their neighbours; a trained model moves by less than 0.01."""
    run, _ = trained
    model, network = EmotionModel.load(run.folder), load_network(find_model(run.folder)[0])
    waveform = music(6.0, 30)
    whole = log_mel.track_log_mel(waveform)
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
    """PMEmo's layout, two songs: the scores are those of the curve at the annotations' times, worked out here.

    Stopped at the first song, the same command is good once more.
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


def test_evaluation_refuses_what_cannot_be_scored(trained, tmp_path, capsys):
    run, labels = trained
    data = ["--data", labels, "--label-range", "-1", "1"]
    status, _, err = score([run.folder, *data, "--dynamic", "--out", tmp_path / "a"], capsys)
    assert status == 2 and "no annotations over time" in err
    status, _, err = score(
        [run.folder, "--data", tmp_path / "none", "--out", tmp_path / "b"], capsys
    )
    assert status == 2 and "There is no folder or file" in err
    (tmp_path / "c").write_text("")
    status, _, err = score([run.folder, *data, "--out", tmp_path / "c"], capsys)
    assert status == 2 and "is a file" in err


def test_what_a_model_was_trained_on_is_known_whatever_its_runs_folder_is_called(tmp_path):
    """A run named as a fold is: its model was trained on all tracks."""
    run = save_run(tmp_path / "fold2")
    pd.DataFrame(
        {"track_id": list("abc"), "path": list("abc"), "features": list("abc"), "fold": [1, 2, 2]}
    ).to_csv(run / "index.csv", index=False)
    (run / "fold2").mkdir()
    shutil.copyfile(run / "model.keras", run / "fold2" / "model.keras")
    for place, learned in ((run, "abc"), (run / "fold2" / "model.keras", "a")):
        assert "".join(evaluation.training_tracks(*find_model(place))["track_id"]) == learned


def test_folders_hold_what_is_music_to_a_listener(tmp_path):
    """Hidden files, such as macOS's, and folders are none; a linked folder is searched, though once, and itself in itself never."""
    for name in ("in/a.wav", "in/._a.wav", "in/.trash/b.wav", "in/c/d.mp3", "out/e.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "x").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "y").symlink_to(tmp_path / "out")
    songs, unusable = predict.find_songs([tmp_path / "in"])
    assert [str(song.relative_to(tmp_path / "in")) for song in songs] == [
        "a.wav",
        "c/d.mp3",
        "x/e.ogg",
    ] and not unusable


def test_names_are_printed_as_they_are(capsys):
    console.Terminal().log("Take :100: [bold]or[/bold] less")
    assert capsys.readouterr().out == "Take :100: [bold]or[/bold] less\n"
