"""The program adff-export."""

import functools
import json
import shutil

from adff_tf.export import __main__ as command
from adff_tf.export import parity

from .. import commands, tiny
from ..inference.test_model import save_run
from .test_tflite import LOG_MEL_FILE, WAVEFORM_FILES

ask = functools.partial(commands.ask, command.main)


def test_it_prints_a_table_and_the_next_steps(tmp_path, capsys, monkeypatch):
    """Of the given format only; an int8 file beyond its bound is marked and fails nothing."""
    monkeypatch.setitem(parity.MEAN, "adff_int8", 1e-12)
    run, out_folder = save_run(tmp_path / "run"), tmp_path / "out"
    status, out, err = ask([run, "--out", out_folder, "--formats", "tflite"], capsys)
    assert status == 0 and not err, err
    table = [line.split() for line in out.splitlines() if line.startswith("adff_")]
    names = [row[0] for row in table if len(row) > 2]
    assert sorted(names) == sorted([*WAVEFORM_FILES, LOG_MEL_FILE])
    assert f"adff-predict {out_folder}/adff_int8.tflite SONG" in out and "docker" not in out
    assert "hardly differ" in out  # untrained
    assert "usable, but not as exact" in out
    assert not (out_folder / "saved_model").exists() and not (out_folder / "serving").exists()


def test_an_artifact_beyond_its_bound_fails_the_export(tmp_path, capsys, monkeypatch):
    run = save_run(tmp_path / "run")
    monkeypatch.setitem(parity.WORST, "adff_float32", 1e-12)
    status, out, _ = ask([run, "--out", tmp_path / "out", "--formats", "tflite"], capsys)
    report = json.loads((tmp_path / "out/parity.json").read_text())
    assert status == 1 and not report["passed"]
    assert not report["artifacts"]["adff_float32.tflite"]["passed"]
    assert "beyond its bound of 1e-12, at " in out
    assert "next" not in out


def test_models_and_folders_that_are_refused(tmp_path, capsys):
    run = save_run(tmp_path / "run")
    (tmp_path / "unfinished").mkdir()
    shutil.copy(run / "config.json", tmp_path / "unfinished")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("mine")
    other = save_run(tmp_path / "other")
    (other / "config.json").write_text(tiny.experiment("quadrant").to_json())
    newer = save_run(tmp_path / "newer")
    config = json.loads((newer / "config.json").read_text())
    (newer / "config.json").write_text(json.dumps(config | {"unheard_of": 1}))
    (newer / "environment.json").write_text(json.dumps({"adff_tf": "9.0"}))
    # as many frames of as many mels a window, so that the network accepts them
    faster = save_run(tmp_path / "faster")
    config["frontend"]["sample_rate_hz"] = 48000
    (faster / "config.json").write_text(json.dumps(config))
    damaged = save_run(tmp_path / "damaged")
    (damaged / "model.keras").write_bytes((run / "model.keras").read_bytes()[:5000])
    out = tmp_path / "x"
    rate = "sample_rate_hz: 44100 in the model, 48000 in config.json"
    for arguments, message in (
        ([tmp_path / "unfinished", "--out", out], "model.keras is missing"),
        ([tmp_path / "nowhere", "--out", out], "there is no model"),
        ([run, "--out", tmp_path / "full"], "is not empty, and was left as it is"),
        ([run, "--out", run / "config.json"], "is a file"),
        ([run, "--out", run / "config.json" / "x"], "cannot be written: Not a directory"),
        ([other, "--out", out], "do not belong together"),
        ([newer, "--out", out], "made with adff-tf 9.0"),
        ([faster, "--out", out], rate),
        ([damaged, "--out", out], "is damaged or no model"),
        ([run, "--out", out, "--formats"], "--formats"),
        ([run, "--out", out, "--formats", "onnx"], "onnx"),
    ):
        status, _, err = ask(arguments, capsys)
        assert status == 2 and message in err and "Traceback" not in err, (arguments, err)
    assert (tmp_path / "full" / "kept.txt").read_text() == "mine" and not out.exists()
