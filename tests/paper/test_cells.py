"""Cells are run once, shared among processes, and resumed."""

import json
import subprocess
import sys
import time

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import soundfile
import tensorflow as tf

from adff_tf import __version__, reproduce
from adff_tf.config import Data
from adff_tf.paper import cells, grid, leases
from adff_tf.support.locks import LOCK
from adff_tf.training import fit as fits
from adff_tf.training import run as training_run

from .. import tiny
from .making import TINY, make_songs


@pytest.fixture(scope="module")
def figure3_folder(tmp_path_factory):
    """Figure 3 at seg_num 16: both targets, two folds each."""
    folder = tmp_path_factory.mktemp("reproduction") / "out"
    reproduce.main(["figure3", *TINY, "--seg-nums", "16", "--out", str(folder)])
    return folder


def test_our_numbers_are_those_of_the_predictions(figure3_folder):
    table = pd.read_csv(figure3_folder / "figure3.csv").set_index(["row", "column"])
    for target in ("arousal", "valence"):
        run = figure3_folder / f"cells/{target}-simple-20s-seg_num16"
        folds = [pd.read_csv(run / f"fold{k}/predictions.csv") for k in (1, 2)]
        scores = [
            sklearn.metrics.r2_score(fold[f"{target}_target"], fold[f"{target}_prediction"])
            for fold in folds
        ]
        mean, std = np.mean(scores), np.std(scores, ddof=1)
        row = table.loc[(f"{target} R²", 16)]
        assert row["ours"] == pytest.approx(mean, abs=1e-6)
        assert row["ours_std"] == pytest.approx(std, abs=1e-6)
        assert f"{mean:.4f} ± {std:.4f}" in (figure3_folder / "figure3.md").read_text()


def test_a_run_is_never_done_twice_and_tables_share_it(figure3_folder, ask, monkeypatch):
    monkeypatch.setattr(fits, "fit", lambda *args: pytest.fail("trained again"))
    status, out, err = ask(["table2", *TINY, "--seg-nums", "16", "--out", figure3_folder])
    assert (status, err) == (0, "") and "1 of 1 runs are finished" in out
    histories = figure3_folder.glob("cells/arousal-simple-20s-seg_num16/fold*/history.csv")
    hours = sum(pd.read_csv(file)["seconds"].sum() for file in histories) / 3600
    assert pd.read_csv(figure3_folder / "table2.csv").loc[0, "ours"] == pytest.approx(hours)
    assert "no result" in out and "| difference |" not in out  # tiny


def test_a_finished_run_keeps_one_model(figure3_folder):
    run = figure3_folder / "cells/arousal-simple-20s-seg_num16"
    assert [str(file.relative_to(run)) for file in run.rglob("*.keras")] == ["model.keras"]
    model = keras.models.load_model(run / "model.keras", compile=False)
    assert model.input_shape[2] == 32


def test_a_table_can_be_read_while_it_fills(figure3_folder, ask, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fits, "fit", stop)
    status, _, err = ask(["figure3", *TINY, "--seg-nums", "14", "16", "--out", figure3_folder])
    assert status == 130 and "goes on from here" in err
    text = (figure3_folder / "figure3.md").read_text()
    assert "2 of 4 runs are finished" in text and "| … |" in text
    files = list(figure3_folder.glob("cells/*.lease-*"))
    assert len(files) >= 3 and all(file.read_text() == "free" for file in files)


def test_memory_that_does_not_suffice_costs_one_run(tmp_path, ask, untrained, monkeypatch):
    run_held = training_run.run_held

    def run(experiment, folder, *args):
        if experiment.segments.seg_num == 14:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        return run_held(experiment, folder, *args)

    arguments = ["table2", *TINY, "--seg-nums", "14", "16", "--out", tmp_path / "out"]
    monkeypatch.setattr(training_run, "run_held", run)
    status, _, err = ask(arguments)
    assert status == 2 and "1 of 2 runs could not be run" in err
    assert "out of memory: OOM when allocating" in err
    text = (tmp_path / "out/table2.md").read_text()
    assert "| failed |" in text and "## Could not be run" in text
    monkeypatch.setattr(training_run, "run_held", run_held)
    status, out, _ = ask(arguments)
    assert status == 0 and "2 of 2 runs are finished" in out and "failed" not in out
    assert len(untrained) == 4
    ours = next(line for line in out.splitlines() if "| ours |" in line)
    assert ours == "|  | ours | 0.02 | 0.02 |"  # two folds of 36 s each
    # without seg_num 1 there is nothing to compare with
    assert "of seg_num 1 |" not in out and not (tmp_path / "out/table2.png").exists()


def test_a_test_whose_model_failed_fails_too(tmp_path, monkeypatch):
    trained = grid.Cell("on-A", tiny.experiment())
    tested = grid.Cell("from-A-to-B", trained.experiment, Data(), trained)

    def run(*args):
        raise MemoryError("no room")

    monkeypatch.setattr(training_run, "run_held", run)
    failures = cells.run_cells([trained, tested], tmp_path, tmp_path / "features")
    assert failures["on-A"].startswith("out of memory: no room")
    assert failures["from-A-to-B"] == "its model is missing: on-A failed"
    assert cells.cell_state(tmp_path, tested) is cells.State.FAILED


def test_processes_share_the_runs_and_take_over_from_a_killed_process(tmp_path):
    command = [sys.executable, "-m", "adff_tf.reproduce", "table2", *TINY, "--hold-out"]
    command += ["--seg-nums", "14", "16", "--out", str(tmp_path / "out")]
    one, two = (_start(command, tmp_path / f"{k}.txt") for k in (1, 2))

    def started(k):
        lines = (tmp_path / f"{k}.txt").read_text().splitlines()
        return [line.split(":")[0] for line in lines if line.endswith(": started")]

    until = time.monotonic() + 120
    while not (started(1) and started(2)) and time.monotonic() < until:
        time.sleep(0.05)
    held_when_killed = started(1)[-1]
    one.kill()
    assert two.wait(timeout=180) == 0, (tmp_path / "2.txt").read_text()
    one.wait()
    finished = {file.parent.name for file in (tmp_path / "out/cells").glob("*/report.md")}
    assert len(finished) == 2
    # at no other time did both work on one run
    assert set(started(1)) & set(started(2)) <= {held_when_killed}
    assert set(started(1)) | set(started(2)) == finished
    assert "2 of 2 runs are finished" in (tmp_path / "out/table2.md").read_text()


def _start(command, log):
    with open(log, "w") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def test_a_lock_file_that_a_dead_machine_left_does_not_block_a_cell(tmp_path, untrained):
    data = Data(data=make_songs(tmp_path / "set"), label_range=(-1, 1))
    cell = grid.Cell("one", tiny.experiment().model_copy(update={"data": data}))
    left = cells.cell_folder(tmp_path, cell) / LOCK
    left.parent.mkdir(parents=True)
    left.touch()
    assert cells.run_cells([cell], tmp_path, tmp_path / "features") == {}
    assert cells.is_finished(tmp_path, cell)


def test_a_cell_that_was_taken_over_is_waited_for(tmp_path, monkeypatch):
    cell, waits = grid.Cell("one", tiny.experiment()), []

    def lose_lease(*args):
        raise leases.LeaseLostError("one")

    def finish_elsewhere(seconds):
        waits.append(seconds)
        cells.cell_folder(tmp_path, cell).mkdir()
        (cells.cell_folder(tmp_path, cell) / "report.md").touch()

    monkeypatch.setattr(cells, "_run", lose_lease)
    monkeypatch.setattr(cells.time, "sleep", finish_elsewhere)
    assert cells.run_cells([cell], tmp_path, tmp_path / "features") == {}
    assert waits == [cells.POLL_S]


# === What a folder must be ===


def test_other_settings_are_refused(figure3_folder, ask):
    arguments = ["figure3", *TINY, "--seg-nums", "16", "--out", figure3_folder, "--epochs", "3"]
    status, _, err = ask(arguments)
    expected = "holds a reproduction with other settings:\n  training.epochs: 1 there, 3 now"
    assert status == 2 and expected in err


@pytest.mark.parametrize("version", ["0.0.9", None])
def test_a_folder_by_another_version_is_refused(version, tmp_path, ask, untrained):
    """Earlier records name no version and have settings that no longer exist."""
    arguments = ["table2", *TINY, "--seg-nums", "16", "--out", tmp_path / "out"]
    assert ask(arguments)[0] == 0
    file = tmp_path / "out/reproduction.json"
    record = json.loads(file.read_text())
    assert record["adff_tf"] == __version__
    experiment = record["experiment"]
    experiment["frontend"]["window_s"] = experiment["frontend"].pop("win_length_s")
    old = {"adff_tf": version, "experiment": experiment} if version else experiment
    file.write_text(json.dumps(old))
    status, _, err = ask(arguments)
    made_by = f"adff-tf {version}" if version else "an earlier adff-tf"
    assert (status, err) == (
        2,
        f"error: {tmp_path / 'out'} holds a reproduction by {made_by}, which adff-tf "
        f"{__version__} cannot resume; give another folder by --out, or resume with {made_by}\n",
    )


def test_a_damaged_record_is_refused(tmp_path, ask, untrained):
    arguments = ["table2", *TINY, "--seg-nums", "16", "--out", tmp_path / "out"]
    assert ask(arguments)[0] == 0
    (tmp_path / "out/reproduction.json").write_text('{"adff_tf": ')
    status, _, err = ask(arguments)
    assert status == 2 and "reproduction.json is damaged" in err


def test_the_songs_may_not_change(tmp_path, ask, untrained):
    arguments = ["table2", "--data", make_songs(tmp_path / "set"), "--label-range", "-1", "1"]
    arguments += ["--scale", "tiny", "--seg-nums", "16", "--out", tmp_path / "o"]
    assert ask(arguments)[0] == 0
    soundfile.write(tmp_path / "set/0.wav", np.zeros(44100), 44100)
    status, _, err = ask(arguments)
    assert status == 2 and "The data changed since the reproduction" in err
