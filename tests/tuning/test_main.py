"""The command line: fixed settings, the default search, one message for a mistake, Ctrl-C."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from adff_tf.tuning import __main__ as command
from adff_tf.tuning import trials
from adff_tf.tuning.results import read_trials
from adff_tf.tuning.space import Choice

ROOT = Path(__file__).parents[2]


def test_a_setting_given_by_its_own_option_is_fixed(manifest):
    arguments = ["--data", str(manifest), "--label-range", "-1", "1", "--seg-num", "4"]
    _, found = command.parse([*arguments, "--space", "seg_len=5,10"])
    assert found.space.fixed == {"seg_num": 4}
    assert found.space.parameters["seg_len"] == Choice((5.0, 10.0))
    assert found.base.training.early_stopping >= 3 and found.base.data.data[0].is_absolute()


def test_without_arguments_the_space_is_small_and_the_budget_set():
    options, found = command.parse([])
    assert found.base.data.data == ()
    assert set(found.space.free) == {"seg_num", "seg_len", "learning_rate"}
    assert command.make_budget(options, found).trials == command.DEMO_TRIALS


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--space tempo=3", "--space: tempo=3: tempo is no hyperparameter"),
        ("--space dropout=2", "allowed is a number at least 0 and below 1"),
        ("--space seg_num=16 seg_len=5", "the space is empty"),
        ("--trials 0", "a budget of 0 trials leaves nothing to try"),
        ("--hours 0", "a budget of 0 hours leaves nothing to try"),
        ("--folds 2", "a search needs three folds or more, given are 2"),
        (
            "--folds 12",
            "12 folds need at least 12 songs or artists that stay apart; here are 9. Use --folds 9",
        ),
        ("--split published", "labels: no published split is known here; use --split folds"),
        ("--out {occupied}", "is not empty and holds no search"),
        (
            "--worker 1 --wait 0.5 --address 127.0.0.1:9",
            "no chief answers at 127.0.0.1:9 after 0.5 s",
        ),
        ("--worker chief2", "cannot be a worker's name"),
        ("--chief --worker 1", "a process is one of them"),
        ("--chief --address here", "'here' is no address; give HOST:PORT"),
        ("--chief --address 203.0.113.1:7077", "the chief cannot listen at 203.0.113.1:7077"),
        ("--task tempo", "invalid choice"),
    ],
)
def test_bad_input_is_one_message(arguments, message, manifest, tmp_path, capsys):
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "letter.txt").touch()
    arguments = arguments.format(occupied=tmp_path / "occupied").split()
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "s")]
    with pytest.raises(SystemExit) as caught:
        command.main(["--data", str(manifest), "--label-range", "-1", "1", *out, *arguments])
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert message in " ".join((printed.out + printed.err).replace("│", " ").split())
    assert "Traceback" not in printed.err


def test_ctrl_c_leaves_a_report_and_says_how_to_go_on(
    manifest, features, tmp_path, monkeypatch, capsys, quick
):
    before, out = trials._fit_and_score, tmp_path / "s"

    def score(settings, *args):
        if len(quick) == 1:
            raise KeyboardInterrupt
        return before(settings, *args)

    arguments = ["--data", str(manifest), "--label-range", "-1", "1", "--task", "arousal"]
    arguments += ["--out", str(out), "--features", str(features), "--trials", "3"]
    arguments += ["--algorithm", "random"]
    with monkeypatch.context() as patch:
        patch.setattr(trials, "_fit_and_score", score)
        with pytest.raises(SystemExit) as caught:
            command.main(arguments)
    assert caught.value.code == 130
    assert "The same command goes on from here" in capsys.readouterr().err
    assert "1 completed, 1 unfinished" in (out / "report.md").read_text()
    command.main(arguments)
    printed = capsys.readouterr().out
    assert len(read_trials(out)) == 3 and f"--config {out / 'best.json'}" in printed
    assert "\n\n| trial | score | arousal_r2 |" in printed


def test_loads_no_tensorflow():
    code = """
    import adff_tf.tuning, adff_tf.tuning.__main__, adff_tf.tuning.space, sys
    adff_tf.tuning.__main__.parse([])
    print({"tensorflow", "keras", "keras_tuner"} & set(sys.modules))
    """
    command_line = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
