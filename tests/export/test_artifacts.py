"""The export's folder: complete or absent, whatever stops the export."""

import errno
import functools
import json
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from adff_tf.errors import InputError
from adff_tf.export import tflite
from adff_tf.export.artifacts import export
from adff_tf.support.locks import LockedError

from ..inference.test_model import save_run
from .test_tflite import LOG_MEL_FILE, WAVEFORM_FILES
from .test_trained_model import write_index


def test_the_folder_of_both_formats(tmp_path):
    run = save_run(tmp_path / "run")
    write_index(run)
    (run / "model_card.md").write_text("card")
    done = export(run, tmp_path / "out")
    names = {"saved_model", "serving", "example.py", "requirements.txt", "model.keras"}
    names |= {"config.json", "adff.json", "parity.json", "trained_on.csv", "model_card.md"}
    assert {path.name for path in done.folder.iterdir()} == names | {*WAVEFORM_FILES, LOG_MEL_FILE}
    assert (done.folder / "model.keras").read_bytes() == (run / "model.keras").read_bytes()
    keys = (done.folder / "trained_on.csv").read_text().split()
    assert keys == ["features", "aaaa.npy", "bbbb.npy", "cccc.npy", "dddd.npy"]
    assert json.loads((done.folder / "parity.json").read_text()) == done.report
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out"}
    assert done.passed
    # each artifact predicted for itself
    assert len({parity.worst for parity in done.artifacts}) > 4


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is the current folder; give a folder in it or elsewhere"):
        export("anything", ".")


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_foreign_files_in_the_partial_folders_place_are_kept(tmp_path, kind):
    run = save_run(tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.txt").write_text("mine")
    place = tmp_path / ".out.part"
    if kind == "file":
        place.write_text("mine")
    elif kind == "link":
        place.symlink_to("mine")
    else:
        (tmp_path / "mine").rename(place)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"\.out\.part is (a file|not empty, and was left as)"):
        export(run, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_stopped_export_leaves_nothing(tmp_path, monkeypatch):
    run = save_run(tmp_path / "run")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tflite, "_measure_ranges", stop)
    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "out", ["tflite"])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_export_leaves_nothing_to_the_next(tmp_path, number):
    """It removes its files itself where the signal lets it; otherwise the next export does."""
    run = save_run(tmp_path / "run")
    arguments = [str(run), "--out", str(tmp_path / "out"), "--formats", "tflite"]
    default = functools.partial(signal.signal, number, signal.SIG_DFL)
    with subprocess.Popen(
        [sys.executable, "-m", "adff_tf.export", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=default if number != signal.SIGKILL else None,
    ) as process:
        process.stdout.readline()  # "comparing on …"
        process.stdout.readline()  # the first artifact
        with pytest.raises(LockedError, match="another process works on an export in "):
            export(run, tmp_path / "out")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    left = {path.name for path in tmp_path.iterdir()} - {"run"}
    if number == signal.SIGKILL:
        assert process.returncode == -number and left == {".out.part"}
        (tmp_path / ".out.part" / "out" / "folder").mkdir()
    else:
        assert process.returncode == 128 + number and not left
        assert err == b"error: stopped. Nothing was left behind.\n"
        return
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")  # another way to the same place
    export(run, tmp_path / "link", ["tflite"])
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out", "link"}
    assert (tmp_path / "link").is_symlink()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names > {"adff_int8.tflite", "parity.json"} and not names & {".lock", "folder"}


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "saved_model.pb; No space left on device"),
        OSError(errno.ENOSPC, "No space left on device"),  # of a write, which names no file
    ],
    ids=["tensorflow", "python"],
)
def test_a_full_disk(tmp_path, monkeypatch, error):
    run = save_run(tmp_path / "run")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(tf.saved_model, "save", fail)
    message = rf"The disk is full: {tmp_path / 'out'} cannot .* the same command again\.$"
    with pytest.raises(InputError, match=message):
        export(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
