"""The training command line: help, settings, errors, and a whole run in another folder."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from adff_tf import presets, train
from adff_tf.config import Data, Experiment
from adff_tf.errors import InputError
from adff_tf.support import commandline

from .artifacts import save_run

TINY = shlex.split(
    "--seg-len 1 --seg-num 2 --width 0.05 --lstm-units 3 --fc 8 --no-tflm --epochs 1 "
    "--batch-size 4 --precision float32 --folds 2 --hold-out --no-final-model"
)


def adff_train(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # the command keeps TensorFlow quiet by itself
    command = [sys.executable, "-m", "adff_tf.train", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=400
    )


def fails(capsys, *arguments) -> str:
    """The one message of a call that must fail, checked to be no traceback and to exit with 2."""
    with pytest.raises(SystemExit) as caught:
        train.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


# === Settings ===


def test_help_comes_in_under_two_seconds(tmp_path):
    adff_train("--help", cwd=tmp_path)  # the first call compiles
    start = time.perf_counter()
    done = adff_train("--help", cwd=tmp_path)
    assert time.perf_counter() - start < 2
    assert (
        done.returncode == 0
        and "--seg-num" in done.stdout
        and "--data" in done.stdout
        and not done.stderr
    )


def test_without_arguments_it_is_the_demo_and_with_data_the_fast_preset():
    assert train.parse([])[1] == presets.demo()
    experiment = train.parse(["--data", "here"])[1]
    assert experiment == presets.fast().model_copy(
        update={"data": experiment.data}
    ) and experiment.data.data == (Path("here"),)
    assert train.parse(["--preset", "paper"])[1] == presets.paper()


def test_a_start_selects_fine_tuning_and_gives_its_front_end_and_network(tmp_path, capsys):
    folder = save_run(tmp_path / "run")
    begun = Experiment.from_json((folder / "config.json").read_text())
    given = ["--data", "here", "--start-from", str(folder)]
    experiment = train.parse(given)[1]
    assert experiment.training == presets.finetune().training
    assert (experiment.network, experiment.frontend) == (begun.network, begun.frontend)
    assert experiment.start.start_from == folder and len(experiment.start.start_sha256) == 64
    message = fails(capsys, *given, "--width", "1")
    assert "--width 1.0, in the start 0.05" in message and "Leave them out" in message
    assert "--start-from" in fails(capsys, "--data", "here", "--freeze", "1")
    assert "there is no model" in fails(capsys, "--start-from", tmp_path / "none", "--data", "x")


def test_options_change_a_saved_config(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(presets.paper().to_json())
    options, experiment = train.parse(
        ["--config", str(file), "--seg-num", "4", "--task", "valence", "--out", "x"]
    )
    assert options.out == Path("x")
    expected = json.loads(presets.paper().to_json())
    expected["task"], expected["segments"]["seg_num"] = "valence", 4
    assert json.loads(experiment.to_json()) == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seg-num", "16", "--seg-len", "5"], "seg_num 16 cuts 500 frames into parts of 31"),
        (["--epochs", "0"], "greater than or equal to 1"),
        (["--seg-nun", "3"], "--seg-num"),
        (["--task", "mood"], "quadrant"),
        (["--config", "nowhere.json"], "nowhere.json cannot be read: No such file"),
        (["--config", "c.json", "--preset", "paper"], "give one of them"),
        (["--data", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--data", ".", "--kind", "pmemo"], "not laid out as pmemo"),
        (["--kind", "deam"], "set --data to a folder or a CSV file"),
        (["--data", "~nobody-here/x"], "~nobody-here/x cannot be used"),
        (["--config", "~nobody-here/x"], "~nobody-here/x cannot be used"),
        (["--out", "~nobody-here/x"], "~nobody-here/x cannot be used"),
        (
            ["--hop-length-s", "0.00001"],
            "hop_length_s 1e-05 is 0 samples at 44100 Hz; use hop_length_s 2.3e-05 or more",
        ),
        (
            ["--win-length-s", "0.000001"],
            "win_length_s 1e-06 is 0 samples at 44100 Hz; use win_length_s 4.5e-05 or more",
        ),
    ],
)
def test_mistakes_are_one_message(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = " ".join(fails(capsys, *arguments).replace("│", " ").split())
    assert says in message


def test_the_kind_and_range_of_a_saved_config_are_those_of_its_data_alone(tmp_path):
    saved = presets.paper().model_copy(
        update={"data": Data(data=tmp_path / "a.csv", kind="csv", label_range=(1, 9), clips=20)}
    )
    (tmp_path / "c.json").write_text(saved.to_json())
    given = ["--config", str(tmp_path / "c.json")]
    assert train.parse(given)[1] == saved
    assert train.parse([*given, "--data", "b"])[1].data == Data(data=Path("b"), clips=20)
    assert train.parse([*given, "--data", "b", "--label-range", "0", "1"])[1].data.label_range == (
        0,
        1,
    )


def test_several_data_sets():
    """The option is repeated; the command line's data sets take the place of a saved config's."""
    experiment = train.parse(["--data", "a", "--data", "b", "--weights", "1", "0.5"])[1]
    assert experiment.data.data == (Path("a"), Path("b")) and experiment.data.weights == (1, 0.5)
    assert Experiment.from_json(experiment.to_json()) == experiment
    assert commandline.run_name(experiment) == "a-and-b-both"


def test_the_data_sets_of_a_saved_config(tmp_path):
    saved = presets.fast().model_copy(update={"data": Data(data=("a", "b"), weights=(1, 2))})
    (tmp_path / "c.json").write_text(saved.to_json())
    given = ["--config", str(tmp_path / "c.json")]
    assert train.parse(given)[1] == saved
    assert train.parse([*given, "--data", "c"])[1].data == Data(data="c")


def test_the_home_folder_is_known_however_it_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    assert "home is no data set known here" in fails(capsys, "--data=~/home", "--out=~/run")
    assert not (tmp_path / "~").exists() and (tmp_path / "run").exists()


def test_the_next_command_can_be_pasted():
    experiment = presets.fast().model_copy(update={"data": Data(data=Path("songs.csv"))})
    command = train.next_steps(experiment, Path("my runs"), Path("log mels"))[-1]
    assert shlex.split(command)[3:] == [
        "--config", "my runs/config.json", "--no-hold-out", "--out", "my runs-folds",
        "--features", "log mels",
    ]  # fmt: skip
    validation = experiment.validation.model_copy(update={"split": "published"})
    experiment = experiment.model_copy(update={"validation": validation})
    assert len(train.next_steps(experiment, Path("my runs"))) == 2  # there are no other folds


def test_a_config_with_an_unknown_key(capsys, tmp_path):
    (tmp_path / "c.json").write_text('{"network": {"depth": 3}}')
    assert "network.depth: no such setting" in fails(capsys, "--config", tmp_path / "c.json")


# === A run ===


@pytest.fixture(scope="module")
def own_music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    rows = []
    for k in range(4):
        soundfile.write(folder / f"{k}.wav", [0.1 * (k + 1), -0.1 * (k + 1)] * 30000, 44100)
        rows.append((f"{k}.wav", 1 + 2 * k, 9 - 2 * k))
    pd.DataFrame(rows, columns=["path", "valence", "arousal"]).to_csv(
        folder / "songs.csv", index=False
    )
    return folder


def test_a_run_on_a_csv_writes_its_folder_alone_and_keeps_tensorflow_quiet(own_music, tmp_path):
    before = sorted(own_music.iterdir())
    done = adff_train("--data", own_music / "songs.csv", "--label-range", 1, 9, *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["songs-both"]
    assert sorted(own_music.iterdir()) == before
    assert (
        "run folder: runs/songs-both" in done.stdout
        and "report: runs/songs-both/report.md" in done.stdout
    )
    assert "next:" in done.stdout and "ridge" in done.stdout
    assert not done.stderr
    index = pd.read_csv(tmp_path / "runs" / "songs-both" / "index.csv")
    assert index["valence"].tolist() == [-1.0, -0.5, 0.0, 0.5]
    config = Experiment.from_json((tmp_path / "runs" / "songs-both" / "config.json").read_text())
    assert config.segments.seg_num == 2


def test_bad_files_are_found_before_training_and_can_be_skipped(own_music, tmp_path, capsys):
    table = pd.read_csv(own_music / "songs.csv")
    (own_music / "words.mp3").write_text("not music")
    more = pd.DataFrame({"path": ["gone.wav", "words.mp3"], "valence": 5, "arousal": 5})
    bad = own_music / "bad.csv"
    pd.concat([table, more]).to_csv(bad, index=False)
    arguments = ["--data", bad, "--label-range", "1", "9", "--out", tmp_path / "run", *TINY]
    message = fails(capsys, *arguments)
    assert "2 of 6 recordings" in message and "gone.wav" in message and "words.mp3" in message
    assert not (tmp_path / "run" / "fold1").exists()
    done = adff_train(*arguments, "--skip-bad-audio", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gone.wav" in (tmp_path / "run" / "report.md").read_text()
    assert len(json.loads((tmp_path / "run" / "metrics.json").read_text())["left_out"]) == 2


def test_labels_out_of_range_are_named(own_music, tmp_path, capsys):
    data = ["--data", own_music / "songs.csv", "--label-range", "0", "1"]
    message = fails(capsys, *data, "--out", tmp_path / "run", *TINY)
    assert "0" in message and "label" in message.lower()


def test_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)
