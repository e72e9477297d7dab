"""The command line of pre-training: settings, one line for a mistake, the way through."""

import subprocess
import sys

import pytest

from adff_tf import pretrain
from adff_tf.pretraining import run
from adff_tf.pretraining.settings import Plan

from .commands import ask
from .pretraining.small import TinyTeacher, make_music

TINY = [
    "--seg-len",
    "1",
    "--seg-num",
    "2",
    "--width",
    "0.05",
    "--no-tflm",
    "--fc",
    "8",
    "--epochs",
    "1",
    "--copies",
    "0",
]


@pytest.fixture
def tiny_teacher(monkeypatch):
    monkeypatch.setattr(run, "read_teacher", lambda given: TinyTeacher())


def fails(capsys, *arguments) -> str:
    status, _, message = ask(pretrain.main, arguments, capsys)
    assert status == 2 and "Traceback" not in message
    return message


def test_the_defaults_are_the_recipe():
    options, plan = pretrain.parse(["music", "--out", "x"])
    assert options.audio == ("music",) and plan == Plan()
    frontend = plan.frontend
    assert (frontend.sample_rate_hz, frontend.n_fft, frontend.floor_db) == (16000, 1024, -70)
    assert plan.augmentation.masks == 2 and plan.augmentation.bandwidth == 0.5
    _, plan = pretrain.parse(["a", "b", "--out", "x", "--penultimate-weight", "2"])
    assert plan.learning.target_weights["penultimate"] == 2


def test_help_needs_no_tensorflow():
    code = (
        "import sys; from adff_tf import pretrain\ntry: pretrain.main(['--help'])\n"
        "except SystemExit: print({'tensorflow', 'keras', 'librosa'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("set()\n") and "musicnn==0.1.0" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "x"], "no audio was given"),
        (["music"], "give one by --out"),
        (["music", "--out", "x", "--sample-rate-hz", "8000"], "give 16000 or more"),
        (["music", "--out", "x", "--mixup", "0.5"], "mixup is for labels"),
        (["music", "--out", "x", "--held-out", "1"], "less than 0.5"),
        (["music", "--out", "x", "--seg-len", "1"], "seg_num 12 cuts 100 frames"),
    ],
)
def test_settings_that_cannot_be_used(arguments, says, capsys):
    assert says in fails(capsys, *arguments)


def test_a_missing_teacher_is_one_line_and_nothing_is_written(tmp_path, capsys):
    music = make_music(tmp_path / "music")
    message = fails(capsys, music, "--out", tmp_path / "out", "--teacher", tmp_path / "no.whl")
    assert message.count("\n") == 1 and "pip install --no-deps musicnn==0.1.0" in message
    assert not (tmp_path / "out").exists()


def test_sources_and_folders_that_cannot_be_used(tiny_teacher, tmp_path, capsys):
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    message = fails(capsys, empty, "--out", out, *TINY)
    assert "holds no recording" in message and not out.exists()
    music = make_music(tmp_path / "music", count=1)
    assert "give two or more" in fails(capsys, music, "--out", out, *TINY)
    music = make_music(tmp_path / "music", count=2)
    message = fails(capsys, music, "--out", music, *TINY)
    assert "is not empty and holds no pre-training; give another folder by --out" in message


def test_the_way_through(tiny_teacher, tmp_path, capsys):
    music = make_music(tmp_path / "music", count=3, seconds=4.0)
    status, printed, _ = ask(pretrain.main, [music, "--out", tmp_path / "my out", *TINY], capsys)
    assert status == 0
    assert "3 recordings, 1 of them held out" in printed
    assert "epoch 1 of 1" in printed and "explained on held-out recordings: embedding" in printed
    assert f"--start-from '{tmp_path / 'my out'}'" in printed
