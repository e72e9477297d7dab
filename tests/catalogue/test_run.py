"""Runs: rows against `EmotionModel.predict` file by file, runs that are killed, the program."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adff_tf import score
from adff_tf.catalogue import run
from adff_tf.catalogue.run import predict_catalogue
from adff_tf.catalogue.settings import EngineSettings
from adff_tf.catalogue.table import Counts
from adff_tf.export import saved_model
from adff_tf.inference.model import EmotionModel
from adff_tf.model.model_file import find_model, load_network
from adff_tf.support.console import Silent
from adff_tf.support.locks import lock_folder

from .. import commands
from ..artifacts import RATE, flatbuffer, music, write
from .broken import REASONS, make_broken
from .conftest import SECONDS
from .songs import assert_tables, read_tables, save_quick_run

call = functools.partial(commands.ask, score.main)


# === Values ===


@pytest.mark.parametrize(
    "settings",
    [
        EngineSettings(),
        EngineSettings(decoders=1, threads=1, batch=1),
        EngineSettings(decoders=3, threads=3, batch=64),
    ],
)
def test_rows_are_those_of_each_file_by_itself(model, songs, wanted, tmp_path, settings):
    done = predict_catalogue(model, [str(songs)], tmp_path / "out", settings=settings)
    assert_tables(tmp_path / "out", wanted)
    assert done.counts == Counts(len(SECONDS), {}) and done.new == len(SECONDS)


def test_classes(songs, tmp_path):
    quadrant = save_quick_run(tmp_path / "run", "quadrant")
    loaded = EmotionModel.load(quadrant)
    predict_catalogue(quadrant, [str(songs)], tmp_path / "out", hop_s=0.3)
    rows, curves = read_tables(tmp_path / "out")
    for path, row in rows.iterrows():
        emotion = loaded.predict(path, hop_s=0.3)
        assert row["label"] == row["quadrant"] == emotion.label
        assert row["windows"] == len(emotion.start)
        np.testing.assert_allclose(
            [row[f"p_{name}"] for name in emotion.probabilities],
            [*emotion.probabilities.values()],
            atol=1e-5,
        )
        curve = curves.loc[curves["path"] == path, ["p_Q1", "p_Q2", "p_Q3", "p_Q4"]]
        np.testing.assert_allclose(curve, emotion.windows["probabilities"], atol=1e-5)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """An export with the files that a run loads: a SavedModel and a .tflite."""
    folder = tmp_path_factory.mktemp("export")
    content, description = flatbuffer(model)
    write(folder / "adff_float32.tflite", content, description)
    file, experiment = find_model(model)
    network = load_network(file)
    saved_model.write(network, experiment, description, folder / "saved_model" / "1")
    return folder


@pytest.mark.parametrize(
    "artifact, bound",
    [("", 1e-5), ("saved_model", 1e-5), ("saved_model/1", 1e-5), ("adff_float32.tflite", 1e-3)],
)
def test_an_exports_artifacts(exported, wanted, tmp_path, artifact, bound):
    """A .tflite computes the log-mel in float32, and differs by more than batches do."""
    some = list(wanted)[:4]
    for name, settings in {
        "one": EngineSettings(batch=1, threads=1),
        "many": EngineSettings(batch=16, threads=3),
    }.items():
        predict_catalogue(exported / artifact, some, tmp_path / name, settings=settings)
    one, many = (read_tables(tmp_path / name)[0] for name in ("one", "many"))
    for path in some:
        assert one.loc[path, "valence"] == pytest.approx(wanted[path].valence, abs=bound)
        assert one.loc[path, "arousal"] == pytest.approx(many.loc[path, "arousal"], abs=1e-5)


def test_damaged_artifacts_and_other_models_are_refused(model, exported, songs, tmp_path, capsys):
    out, song = tmp_path / "out", songs / "00.flac"
    assert call([model, song, "--out", out], capsys)[0] == 0
    status, _, err = call([exported / "saved_model", song, "--out", out], capsys)
    assert status == 2 and "model_sha256" in err and "Give another folder" in err
    damaged = tmp_path / "saved_model"
    shutil.copytree(exported / "saved_model", damaged)
    (damaged / "1" / "saved_model.pb").write_bytes(b"no model")
    status, _, err = call([damaged, song, "--out", tmp_path / "x"], capsys)
    assert status == 2 and "is damaged" in err


# === Broken recordings ===


def test_a_broken_file_is_a_row(model, songs, wanted, tmp_path, capsys):
    folder, out = make_broken(tmp_path), tmp_path / "out"
    (tmp_path / "list.csv").write_text("path\nbroken/a folder.wav\nbroken/vanished.wav\n")
    status, printed, err = call([model, songs, folder, tmp_path / "list.csv", "--out", out], capsys)
    assert status == 0 and not err
    rows, _ = read_tables(out)
    bad = rows[rows["status"] == "error"]
    assert {Path(path).name for path in bad.index} == set(REASONS) - {"nul\0.wav"}
    for path, row in bad.iterrows():
        assert REASONS[Path(path).name] in row["error"]
        assert np.isnan(row["valence"]) and row["windows"] == 0
    good = EmotionModel.load(model).predict(folder / "24 channels.wav")
    for name in ("24 channels.wav", "link.wav"):
        assert rows.loc[str(folder / name), "arousal"] == pytest.approx(good.arousal, abs=1e-5)
    for path, emotion in wanted.items():
        assert rows.loc[path, "valence"] == pytest.approx(emotion.valence, abs=1e-5)
    assert "the tables hold 12 predicted and 11 errors" in printed
    assert "2 × is a folder or a device" in printed
    assert f'pandas.read_parquet("{out / "songs"}")' in printed


def test_errors_can_be_tried_again(model, songs, tmp_path, capsys):
    list_, late = tmp_path / "list.csv", tmp_path / "late.wav"
    list_.write_text(f"path\n{songs / '00.flac'}\n{late}\n")
    command = [model, list_, "--out", tmp_path / "out"]
    assert "1 predicted and 1 errors" in call(command, capsys)[1]
    soundfile.write(late, music(1.0), RATE)
    unchanged = "0 files now; the tables hold 1 predicted and 1 errors"
    assert unchanged in call(command, capsys)[1]
    retried = "1 files now; the tables hold 2 predicted and 0 errors"
    assert retried in call([*command, "--retry-errors"], capsys)[1]


# === Stopped, killed, and two at once ===


class Stops(Silent):
    """Presses Ctrl-C when so many songs are done."""

    def __init__(self, after: int):
        self.after = after

    def bar(self, label, total, **_):
        def advance(steps=1, note=""):
            self.after -= steps
            if self.after <= 0:
                raise KeyboardInterrupt
            assert "songs/s" in note and "windows/s" in note and "left" in note

        return contextlib.nullcontext(advance)


def test_ctrl_c_keeps_finished_songs_and_the_same_call_resumes(model, songs, wanted, tmp_path):
    out = tmp_path / "out"
    for after in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            predict_catalogue(model, [str(songs)], out, reporter=Stops(after))
    assert len(read_tables(out)[0]) == 5
    assert predict_catalogue(model, [str(songs)], out).new == len(SECONDS) - 5
    assert_tables(out, wanted)
    assert len(list((out / "songs").iterdir())) == 3


SLOW_RUN = """
import sys
from adff_tf.catalogue import run, settings
run.PART_FILES = 2
one = settings.EngineSettings(decoders=1, threads=1, batch=2)
run.predict_catalogue(sys.argv[1], sys.argv[2:3], sys.argv[3], settings=one)
"""


@contextlib.contextmanager
def running(model: Path, catalogue: Path, out: Path):
    """Run in another process, with a part every two files, until its first part; kill it after."""
    command = [sys.executable, "-c", SLOW_RUN, str(model), str(catalogue), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not list((out / "songs").glob("part-*.parquet")) and process.poll() is None:
        time.sleep(0.002)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_after_kill_9_the_next_run_resumes(model, songs, wanted, tmp_path):
    out = tmp_path / "out"
    with running(model, songs, out):
        pass
    assert len(read_tables(out)[0]) in (2, 4, 6, 8)
    predict_catalogue(model, [str(songs)], out)
    assert_tables(out, wanted)
    assert [path.name for path in out.rglob(".*")] == [".lock"]


def test_a_second_run_in_the_folder_is_refused(model, songs, tmp_path, capsys):
    out = tmp_path / "out"
    with running(model, songs, out) as process:
        process.send_signal(signal.SIGSTOP)
        status, _, err = call([model, songs, "--out", out], capsys)
    assert status == 2 and err.count("error:") == 1
    assert "another process works on the catalogue run" in err


def test_a_refused_run_writes_nothing(model, songs, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    with lock_folder(out, "it"):
        assert call([model, songs, "--out", out], capsys)[0] == 2
    assert [path.name for path in out.iterdir()] == [".lock"]
    assert call([model, songs / "00.flac", "--out", out], capsys)[0] == 0


# === Mistakes ===


def test_mistakes_are_one_message(model, songs, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    out = tmp_path / "o"
    for arguments, message in (
        ([tmp_path / "nothing", songs, "--out", out], "there is no model"),
        ([songs, songs, "--out", out], "config.json is missing"),
        ([tmp_path / "no.tflite", songs, "--out", out], "no.tflite"),
        ([model, tmp_path / "nothing", "--out", out], "names no recording"),
        ([model, songs, "--out", tmp_path / "file"], "is a file"),
        ([model, songs, "--out", tmp_path / "file" / "x"], "Not a directory"),
        ([model, songs, "--out", tmp_path / "full"], "is not empty"),
        ([model, songs, "--out", out, "--hop", "0"], "a hop of 0.0 s"),
        ([model, songs, "--out", out, "--hop", "nan"], "a hop of nan s"),
        ([model, songs, "--out", out, "--batch", "0"], "batch 0 was given"),
        ([model, songs, "--out", out, "--patience", "nan"], "patience_s nan was given"),
    ):
        status, _, err = call(arguments, capsys)
        assert status == 2 and err.count("error:") == 1 and message in err, (arguments, err)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "x"
    assert len(list((tmp_path / "full").iterdir())) == 1


def test_a_folder_keeps_its_model_and_hop(model, songs, tmp_path, capsys):
    out, song = tmp_path / "out", songs / "00.flac"
    assert call([model, song, "--out", out], capsys)[0] == 0
    status, _, err = call([model, song, "--out", out, "--hop", "0.25"], capsys)
    assert status == 2 and "hop_s: 0.5 there, 0.25 now" in err
    for damage in ("[1]", "{", "{}"):
        (out / run.RECORD).write_text(damage)
        status, _, err = call([model, song, "--out", out], capsys)
        assert status == 2 and err.count("error:") == 1, err


def test_a_folder_of_an_earlier_version_is_refused_in_one_line(model, songs, tmp_path, capsys):
    out, song = tmp_path / "out", songs / "00.flac"
    assert call([model, song, "--out", out], capsys)[0] == 0
    record = out / run.RECORD
    record.write_text(json.dumps(json.loads(record.read_text()) | {"format": 1}))
    before = sorted(os.walk(out))
    status, _, err = call([model, song, "--out", out], capsys)
    assert status == 2 and err.count("\n") == 1, err
    assert "format 1" in err and "--out" in err and sorted(os.walk(out)) == before


def test_a_missing_ray_is_one_message(model, songs, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    status, _, err = call([model, songs, "--out", tmp_path / "out", "--engine", "ray"], capsys)
    assert status == 2 and 'pip install "adff-tf[ray]"' in err and err.count("error:") == 1
