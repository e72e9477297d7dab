"""Catalogues scored: rows against `EmotionModel.predict` file by file, runs that are stopped and killed, and the command line."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf import score
from adff_tf.catalogue import local, run, table
from adff_tf.errors import InputError
from adff_tf.export import saved_model
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable
from adff_tf.model.model_file import find_model, load_network
from adff_tf.support import claims
from adff_tf.support.console import Silent

from .. import commands
from ..inference.test_litert import flatbuffer, write
from ..inference.test_model import RATE, music, save_run
from .test_files import BROKEN, broken

SECONDS = (0.6, 1.0, 1.3, 2.2, 3.0, 7.5, 1.1, 4.0)
ask = functools.partial(commands.ask, score.main)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return quick(save_run(tmp_path_factory.mktemp("runs") / "both"))


def quick(run_folder: Path) -> Path:
    """The run with a servable, which loads in a fraction of the time."""
    file, experiment = find_model(run_folder)
    servable.save(load_network(file), experiment, file)
    return run_folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Recordings of many lengths, shorter than a window too."""
    folder = tmp_path_factory.mktemp("songs")
    for k, seconds in enumerate(SECONDS):
        soundfile.write(folder / f"{k}.flac", music(seconds, k), RATE)
    return folder


@pytest.fixture(scope="module")
def wanted(model, songs):
    """What each song is predicted to be by itself."""
    asked = EmotionModel.load(model)
    return {str(song): asked.predict(song) for song in sorted(songs.iterdir())}


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Songs by path, and curves in order of path and start."""
    read = (pd.read_parquet(folder / name) for name in (table.SONGS, table.CURVES))
    of_songs, curves = read
    assert (
        not of_songs["path"].duplicated().any() and not curves.duplicated(["path", "start"]).any()
    )
    return of_songs.set_index("path").sort_index(), curves.sort_values(
        ["path", "start"], ignore_index=True
    )


def check(folder: Path, wanted: dict, names=("valence", "arousal")) -> None:
    """Each file once, with the values that it has by itself."""
    of_songs, curves = tables(folder)
    assert list(of_songs.index[of_songs["status"] == "ok"]) == sorted(wanted)
    for path, emotion in wanted.items():
        row, curve = of_songs.loc[path], curves[curves["path"] == path]
        assert (
            row["seconds"] == emotion.seconds
            and row["quadrant"] == emotion.quadrant
            and row["padded"] == emotion.is_padded
        )
        assert row["windows"] == len(emotion.start) == len(curve) and row["sample_rate_hz"] == RATE
        np.testing.assert_array_equal(curve["end"], emotion.end)
        for name in names:
            assert row[name] == pytest.approx(emotion.values[name], abs=1e-5)
            assert row[f"{name}_std"] == pytest.approx(
                emotion.std[name] or np.nan, abs=1e-5, nan_ok=True
            )
            np.testing.assert_allclose(curve[name], emotion.windows[name], atol=1e-5)


# === Values ===


@pytest.mark.parametrize(
    "ways",
    [
        run.Ways(),
        run.Ways(decoders=1, threads=1, batch=1),
        run.Ways(decoders=3, threads=3, batch=64),
    ],
)
def test_rows_are_what_each_file_is_predicted_to_be(model, songs, wanted, tmp_path, ways):
    done = run.score(model, [str(songs)], tmp_path / "out", ways=ways)
    check(tmp_path / "out", wanted)
    assert done.counts == table.Counts(len(SECONDS), {}) and done.new == len(SECONDS)


def test_classes(songs, tmp_path):
    quadrant = quick(save_run(tmp_path / "run", "quadrant"))
    asked = EmotionModel.load(quadrant)
    run.score(quadrant, [str(songs)], tmp_path / "out", hop_s=0.3)
    of_songs, curves = tables(tmp_path / "out")
    for path, row in of_songs.iterrows():
        emotion = asked.predict(path, hop_s=0.3)
        assert row["label"] == row["quadrant"] == emotion.label and row["windows"] == len(
            emotion.start
        )
        np.testing.assert_allclose(
            [row[f"p_{name}"] for name in emotion.probabilities],
            [*emotion.probabilities.values()],
            atol=1e-5,
        )
        mine = curves.loc[curves["path"] == path, ["p_Q1", "p_Q2", "p_Q3", "p_Q4"]]
        np.testing.assert_allclose(mine, emotion.windows["probabilities"], atol=1e-5)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """An export as far as scoring knows one: a SavedModel and a .tflite."""
    folder = tmp_path_factory.mktemp("export")
    file, experiment = find_model(model)
    content, told = flatbuffer(model)
    write(folder / "adff_float32.tflite", content, told)
    saved_model.write(load_network(file), experiment, told, folder / "saved_model" / "1")
    return folder


@pytest.mark.parametrize(
    "artifact, bound",
    [("", 1e-5), ("saved_model", 1e-5), ("saved_model/1", 1e-5), ("adff_float32.tflite", 1e-3)],
)
def test_an_exports_artifacts(exported, wanted, tmp_path, artifact, bound):
    """A .tflite computes its front end in float32, and differs by more than batches do."""
    some = list(wanted)[:4]
    run.score(exported / artifact, some, tmp_path / "one", ways=run.Ways(batch=1, threads=1))
    run.score(exported / artifact, some, tmp_path / "many", ways=run.Ways(batch=16, threads=3))
    one, many = (tables(tmp_path / name)[0] for name in ("one", "many"))
    for path in some:
        assert one.loc[path, "valence"] == pytest.approx(wanted[path].valence, abs=bound)
        assert one.loc[path, "arousal"] == pytest.approx(many.loc[path, "arousal"], abs=1e-5)


def test_damaged_artifacts_and_other_models_are_refused(model, exported, songs, tmp_path, capsys):
    out = tmp_path / "out"
    assert ask([model, songs / "0.flac", "--out", out], capsys)[0] == 0
    status, _, err = ask([exported / "saved_model", songs / "0.flac", "--out", out], capsys)
    assert status == 2 and "model_sha256" in err and "Give another folder" in err
    damaged = tmp_path / "saved_model"
    shutil.copytree(exported / "saved_model", damaged)
    (damaged / "1" / "saved_model.pb").write_bytes(b"no model")
    status, _, err = ask([damaged, songs / "0.flac", "--out", tmp_path / "x"], capsys)
    assert status == 2 and "is damaged" in err


# === What libraries hold ===


def test_a_broken_file_is_a_row(model, songs, wanted, tmp_path, capsys):
    folder = broken(tmp_path)
    (tmp_path / "list.csv").write_text(
        "path\n" + "\n".join(f"broken/{name}" for name in ("a folder.wav", "vanished.wav"))
    )
    status, out, err = ask(
        [model, songs, folder, tmp_path / "list.csv", "--out", tmp_path / "out"], capsys
    )
    assert status == 0 and not err
    of_songs, _ = tables(tmp_path / "out")
    bad = of_songs[of_songs["status"] == "error"]
    assert {Path(path).name for path in bad.index} == set(BROKEN) - {"nul\0.wav"}
    for path, row in bad.iterrows():
        assert (
            BROKEN[Path(path).name] in row["error"]
            and np.isnan(row["valence"])
            and row["windows"] == 0
        )
    good = EmotionModel.load(model).predict(folder / "24 channels.wav")
    for name in ("24 channels.wav", "link.wav"):
        assert of_songs.loc[str(folder / name), "arousal"] == pytest.approx(good.arousal, abs=1e-5)
    for path, emotion in wanted.items():
        assert of_songs.loc[path, "valence"] == pytest.approx(emotion.valence, abs=1e-5)
    assert "the tables hold 12 scored and 11 errors" in out and "2 × is a folder or a device" in out
    assert f'pandas.read_parquet("{tmp_path / "out" / "songs"}")' in out


def test_errors_can_be_tried_again(model, songs, tmp_path, capsys):
    list_, late = tmp_path / "list.csv", tmp_path / "late.wav"
    list_.write_text(f"path\n{songs / '0.flac'}\n{late}\n")
    assert "1 scored and 1 errors" in ask([model, list_, "--out", tmp_path / "out"], capsys)[1]
    soundfile.write(late, music(1.0), RATE)
    assert (
        "0 files now; the tables hold 1 scored and 1 errors"
        in ask([model, list_, "--out", tmp_path / "out"], capsys)[1]
    )
    assert (
        "1 files now; the tables hold 2 scored and 0 errors"
        in ask([model, list_, "--out", tmp_path / "out", "--retry-errors"], capsys)[1]
    )


def test_a_model_that_answers_with_nothing_is_an_error(model, songs):
    asked = EmotionModel.load(model)
    mute = EmotionModel(
        asked.experiment,
        lambda waveforms: {
            "valence": np.full(len(waveforms), np.nan),
            "arousal": np.zeros(len(waveforms)),
        },
    )
    with local.Engine(mute, asked.window // 2, local.Effort(1, 1, 4)) as engine:
        (row,) = engine.scored([os.fsencode(songs / "3.flac")])
    assert row["status"] == "error" and "what is no number" in row["error"]


# === Stopped, killed, and two at once ===


class Stops(Silent):
    """Presses Ctrl-C when so many songs are done."""

    def __init__(self, after: int):
        self.after = after

    def bar(self, label, total, **_):
        import contextlib

        def advance(steps=1, note=""):
            self.after -= steps
            if self.after <= 0:
                raise KeyboardInterrupt
            assert "songs/s" in note and "windows/s" in note and "left" in note

        return contextlib.nullcontext(advance)


def test_ctrl_c_keeps_what_is_done_and_the_same_call_goes_on(model, songs, wanted, tmp_path):
    for after in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            run.score(model, [str(songs)], tmp_path / "out", reporter=Stops(after))
    assert len(tables(tmp_path / "out")[0]) == 5
    assert run.score(model, [str(songs)], tmp_path / "out").new == len(SECONDS) - 5
    check(tmp_path / "out", wanted)
    assert len(list((tmp_path / "out" / "songs").iterdir())) == 3


def killed(model: Path, catalogue: Path, out: Path, parts: int) -> None:
    """Score in a process of its own, a part every two files, and kill it when so many parts are there."""
    code = (
        "import sys; from adff_tf.catalogue import run; run.PART_FILES = 2;"
        "run.score(sys.argv[1], sys.argv[2:3], sys.argv[3], ways=run.Ways(decoders=1, threads=1, batch=2))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(model), str(catalogue), str(out)],
        stderr=subprocess.DEVNULL,
    )
    while len(list((out / "songs").glob("part-*.parquet"))) < parts and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_that_is_killed_goes_on(model, songs, wanted, tmp_path):
    out = tmp_path / "out"
    killed(model, songs, out, 1)
    held = len(tables(out)[0])
    assert held in (2, 4, 6, 8)
    run.score(model, [str(songs)], out)
    check(out, wanted)
    assert not list(out.rglob(".*"))


def test_two_runs_on_one_folder(model, songs, tmp_path, capsys):
    out = tmp_path / "out"
    with claims.held(out / run.CLAIM, "it"):
        status, _, err = ask([model, songs, "--out", out], capsys)
    assert status == 2 and f"process {os.getpid()} on" in err and "since" in err
    assert not (out / "songs").exists()
    assert ask([model, songs / "0.flac", "--out", out], capsys)[0] == 0


def test_who_lost_the_folder_writes_nothing_more(model, songs, tmp_path, monkeypatch):
    monkeypatch.setattr(claims.Claim, "check", lambda claim: True)
    with pytest.raises(InputError, match="another process took this folder over"):
        run.score(model, [str(songs / "0.flac")], tmp_path / "out")
    assert not list((tmp_path / "out" / "songs").iterdir())


# === Mistakes ===


def test_mistakes_are_one_message(model, songs, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    for arguments, told in (
        ([tmp_path / "nothing", songs, "--out", tmp_path / "o"], "there is no model"),
        ([songs, songs, "--out", tmp_path / "o"], "config.json is missing"),
        ([tmp_path / "no.tflite", songs, "--out", tmp_path / "o"], "no.tflite"),
        ([model, tmp_path / "nothing", "--out", tmp_path / "o"], "names no recording"),
        ([model, songs, "--out", tmp_path / "file"], "is a file"),
        ([model, songs, "--out", tmp_path / "file" / "x"], "Not a directory"),
        ([model, songs, "--out", tmp_path / "full"], "is not empty, and was left as it is"),
        ([model, songs, "--out", tmp_path / "o", "--hop", "0"], "a hop of 0.0 s"),
        ([model, songs, "--out", tmp_path / "o", "--hop", "nan"], "a hop of nan s"),
        ([model, songs, "--out", tmp_path / "o", "--batch", "0"], "batch 0 was given"),
        ([model, songs, "--out", tmp_path / "o", "--patience", "nan"], "patience nan was given"),
    ):
        status, _, err = ask(arguments, capsys)
        assert status == 2 and err.count("error:") == 1 and told in err, (arguments, err)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "x" and len(
        list((tmp_path / "full").iterdir())
    ) == 1


def test_a_folder_keeps_to_its_model_and_hop(model, songs, tmp_path, capsys):
    out = tmp_path / "out"
    assert ask([model, songs / "0.flac", "--out", out], capsys)[0] == 0
    status, _, err = ask([model, songs / "0.flac", "--out", out, "--hop", "0.25"], capsys)
    assert status == 2 and "hop_s: 0.5 there, 0.25 now" in err
    for damage in ("[1]", "{", "{}"):
        (out / run.RECORD).write_text(damage)
        status, _, err = ask([model, songs / "0.flac", "--out", out], capsys)
        assert status == 2 and err.count("error:") == 1, err


def test_ray_that_is_not_there_is_one_message(model, songs, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    status, _, err = ask([model, songs, "--out", tmp_path / "out", "--engine", "ray"], capsys)
    assert status == 2 and 'pip install "adff-tf[ray]"' in err and err.count("error:") == 1
