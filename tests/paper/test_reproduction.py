"""The paper's numbers, the grids, runs that are kept and shared, the tables made of them, and what is refused."""

import dataclasses
import functools
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

from adff_tf import presets, reproduce
from adff_tf.config import Data
from adff_tf.paper import cells, estimate, grid, published, tables
from adff_tf.support import claims, folders
from adff_tf.training import fit as fits
from adff_tf.training import run as runs

from .. import commands, tiny

TINY = ["--scale", "tiny", "--clips", "10", "--clip-s", "6"]


@pytest.fixture
def ask(capsys):
    return functools.partial(commands.ask, reproduce.main, capsys=capsys)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Figure 3 at seg_num 16, both targets, two folds each."""
    folder = tmp_path_factory.mktemp("reproduction") / "out"
    reproduce.main(["figure3", *TINY, "--seg-nums", "16", "--out", str(folder)])
    return folder


@pytest.fixture
def untrained(monkeypatch):
    """Fits that end at once; the folders of those that were asked for."""
    asked = []

    def fit(experiment, tracks, folder, label="", reporter=None):
        asked.append(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"epoch": [1], "loss": [1.0], "seconds": [36.0]}).to_csv(
            folder / "history.csv", index=False
        )
        model = fits.new_model(experiment, 1)
        model.get_layer("standardise").set_weights(list(tracks.standardisation()))
        return fits.Fit(model, pd.DataFrame())

    monkeypatch.setattr(fits, "fit", fit)
    return asked


def songs(folder, count=8, seed=0, quadrants=False):
    """A data set of short noises: a CSV file, or folders Q1 to Q4."""
    rng, rows = np.random.default_rng(seed), []
    for k in range(count):
        path = folder / f"Q{k % 4 + 1}" / f"{seed}-{k}.wav" if quadrants else folder / f"{k}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.uniform(-1, 1, 44100), 44100)
        rows.append((path.name, *rng.uniform(-1, 1, 2)))
    if quadrants:
        return folder
    pd.DataFrame(rows, columns=["path", "valence", "arousal"]).to_csv(
        folder / "labels.csv", index=False
    )
    return folder / "labels.csv"


# === What is published ===


def test_the_numbers_make_the_percentages_that_the_paper_prints():
    """Its text gives relative gains of R², which are computed from the tables there and here."""
    one, three = published.TABLE1, published.TABLE3

    def gain(ours, theirs):
        return round(100 * (ours.mean / theirs.mean - 1), 2)

    valence, arousal = ("valence", "r2"), ("arousal", "r2")
    assert gain(one["ADFF"][valence], one["EmoMucs"][valence]) == 10.43
    assert gain(one["ADFF"][arousal], one["EmoMucs"][arousal]) == 4.82
    assert gain(one["ADFF"][valence], one["w/o SE"][valence]) == 5.61
    assert gain(one["ADFF"][valence], one["w/o TFLM"][valence]) == 10.11
    assert gain(three[5.0]["full", *valence], three[5.0]["simple", *valence]) == 30.21
    assert gain(three[10.0]["full", *valence], three[10.0]["simple", *valence]) == 35.91


def test_tables_share_what_they_have_in_common():
    made = {name: table(presets.paper()) for name, table in grid.TABLES.items()}
    assert {name: len(table.cells) for name, table in made.items()} == {
        "table1": 9, "table2": 9, "figure3": 18, "table3": 24, "table4": 24,
    }  # fmt: skip
    # 1 and 3 have arousal and valence at 20 s in 6 in common with 2; 1 also valence in 1: 9 + 18 - 3 + 24 - 2 + 24
    assert len(grid.unique(cell for table in made.values() for cell in table.cells)) == 70
    # the same in Table 1 and Table 3, where the paper prints the same number
    both = [
        made["table1"].entries["ADFF", "arousal R²"],
        made["table3"].entries["20 s", "simple: arousal R²"],
    ]
    assert both[0].cell == both[1].cell and both[0].published.mean == both[1].published.mean


def test_a_cell_is_the_base_with_what_its_table_says():
    base = presets.fast()
    found = grid.table1(base).entries["w/o SE", "valence RMSE"].cell.experiment
    assert (found.task, found.segments.seg_num, found.segments.sampling, found.network.se) == (
        "valence",
        1,
        "simple",
        False,
    )
    assert found.network.width == base.network.width and found.training == base.training
    found = grid.table4(base).entries["30 s", "four classes: quadrant accuracy"].cell.experiment
    assert (found.task, found.segments.seg_len, found.segments.sampling) == ("quadrant", 30, "full")


# === Runs ===


def test_our_numbers_are_those_of_the_predictions(done):
    table = pd.read_csv(done / "figure3.csv").set_index(["row", "column"])
    for target in ("arousal", "valence"):
        folds = [
            pd.read_csv(done / f"cells/{target}-simple-20s-seg_num16/fold{k}/predictions.csv")
            for k in (1, 2)
        ]
        scores = [
            sklearn.metrics.r2_score(fold[f"{target}_target"], fold[f"{target}_prediction"])
            for fold in folds
        ]
        row = table.loc[(f"{target} R²", 16)]
        assert row["ours"] == pytest.approx(np.mean(scores), abs=1e-6)
        assert row["ours_std"] == pytest.approx(np.std(scores, ddof=1), abs=1e-6)
        assert (
            f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}"
            in (done / "figure3.md").read_text()
        )


def test_a_run_is_never_done_twice_and_tables_share_it(done, ask, monkeypatch):
    monkeypatch.setattr(fits, "fit", lambda *args: pytest.fail("trained again"))
    status, out, err = ask(["table2", *TINY, "--seg-nums", "16", "--out", done])
    assert (status, err) == (0, "") and "1 of 1 runs are finished" in out
    histories = done.glob("cells/arousal-simple-20s-seg_num16/fold*/history.csv")
    hours = sum(pd.read_csv(file)["seconds"].sum() for file in histories) / 3600
    assert pd.read_csv(done / "table2.csv").loc[0, "ours"] == pytest.approx(hours)
    assert "no result" in out and "| difference |" not in out  # tiny


def test_what_a_finished_run_keeps(done):
    kept = {
        str(file.relative_to(done / "cells/arousal-simple-20s-seg_num16"))
        for file in done.glob("cells/arousal*16/**/*.keras")
    }
    assert kept == {"model.keras"}
    assert (
        keras.models.load_model(
            done / "cells/arousal-simple-20s-seg_num16/model.keras", compile=False
        ).input_shape[2]
        == 32
    )


def test_a_table_can_be_read_while_it_fills(done, ask, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fits, "fit", stop)
    status, _, err = ask(["figure3", *TINY, "--seg-nums", "14", "16", "--out", done])
    assert status == 130 and "goes on from here" in err
    text = (done / "figure3.md").read_text()
    assert "2 of 4 runs are finished" in text and "| … |" in text
    assert not any(file.read_text() != "free" for file in done.glob("cells/*.claim-*"))


def test_other_settings_are_refused(done, ask):
    status, _, err = ask(["figure3", *TINY, "--seg-nums", "16", "--out", done, "--epochs", "3"])
    assert (
        status == 2
        and "holds a reproduction with other settings:\n  training.epochs: 1 there, 3 now" in err
    )


def test_memory_that_does_not_suffice_costs_one_run(tmp_path, ask, untrained, monkeypatch):
    whole = runs.run_held

    def run(experiment, folder, *args):
        if experiment.segments.seg_num == 14:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        return whole(experiment, folder, *args)

    arguments = ["table2", *TINY, "--seg-nums", "14", "16", "--out", tmp_path / "out"]
    monkeypatch.setattr(runs, "run_held", run)
    status, _, err = ask(arguments)
    assert (
        status == 2
        and "1 of 2 runs could not be run" in err
        and "out of memory: OOM when allocating" in err
    )
    assert (
        "| failed |" in (text := (tmp_path / "out/table2.md").read_text())
        and "## Could not be run" in text
    )
    monkeypatch.setattr(runs, "run_held", whole)
    status, out, _ = ask(arguments)
    assert status == 0 and "2 of 2 runs are finished" in out and "failed" not in out
    assert len(untrained) == 4
    shown = next(line for line in out.splitlines() if "| ours |" in line)
    assert shown == "|  | ours | 0.02 | 0.02 |"  # two folds of 36 s each
    assert (
        "of seg_num 1 |" not in out and not (tmp_path / "out/table2.png").exists()
    )  # there is none to compare with


def test_the_songs_may_not_change(tmp_path, ask, untrained):
    data = songs(tmp_path / "set")
    arguments = [
        "table2",
        "--data",
        data,
        "--label-range",
        "-1",
        "1",
        "--scale",
        "tiny",
        "--seg-nums",
        "16",
        "--out",
        tmp_path / "o",
    ]
    assert ask(arguments)[0] == 0
    soundfile.write(tmp_path / "set/0.wav", np.zeros(44100), 44100)
    status, _, err = ask(arguments)
    assert status == 2 and "The data changed since the reproduction" in err


def test_processes_share_the_runs_and_follow_one_that_is_killed(tmp_path):
    command = [
        sys.executable,
        "-m",
        "adff_tf.reproduce",
        "table2",
        *TINY,
        "--hold-out",
        "--seg-nums",
        "12",
        "14",
        "16",
    ]
    command += ["--out", str(tmp_path / "out")]
    one, two = (_started(command, tmp_path / f"{k}.txt") for k in (1, 2))

    def begun(k):
        text = (tmp_path / f"{k}.txt").read_text()
        return [line.split(":")[0] for line in text.splitlines() if line.endswith(": begun")]

    until = time.monotonic() + 120
    while not (begun(1) and begun(2)) and time.monotonic() < until:
        time.sleep(0.05)
    held_when_killed = begun(1)[-1]
    one.kill()
    assert two.wait(timeout=180) == 0, (tmp_path / "2.txt").read_text()
    one.wait()
    finished = {
        folder.name
        for folder in (tmp_path / "out/cells").iterdir()
        if (folder / "report.md").exists()
    }
    assert len(finished) == 3
    assert set(begun(1)) & set(begun(2)) <= {
        held_when_killed
    }  # at no other time did both work on one
    assert set(begun(1)) | set(begun(2)) == finished
    assert "3 of 3 runs are finished" in (tmp_path / "out/table2.md").read_text()


def _started(command, log):
    with open(log, "w") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def test_a_cell_has_one_holder(tmp_path, untrained):
    """What a machine that died left in the cell's own folder does not keep the cell from whoever took it over."""
    data = Data(data=songs(tmp_path / "set"), label_range=(-1, 1))
    cell = grid.Cell("one", tiny.experiment().model_copy(update={"data": data}))
    left = cells.place(tmp_path, cell) / f"{folders.CLAIM}.claim-0001"
    left.parent.mkdir(parents=True)
    left.write_text(
        json.dumps(
            dataclasses.asdict(dataclasses.replace(claims.Holder.this(), machine="elsewhere"))
        )
    )
    assert cells.run([cell], tmp_path, tmp_path / "features") == {} and cells.is_finished(
        tmp_path, cell
    )


def test_a_cell_that_was_overtaken_is_waited_for(tmp_path, monkeypatch):
    cell, waits = grid.Cell("one", tiny.experiment()), []

    def overtaken(*args):
        raise claims.Taken("it was taken over")

    def finished_elsewhere(seconds):
        waits.append(seconds)
        cells.place(tmp_path, cell).mkdir()
        (cells.place(tmp_path, cell) / "report.md").touch()

    monkeypatch.setattr(cells, "_run", overtaken)
    monkeypatch.setattr(cells.time, "sleep", finished_elsewhere)
    assert cells.run([cell], tmp_path, tmp_path / "features") == {} and waits == [cells.WAIT_S]


def test_who_was_overtaken_stops(tmp_path):
    class Lost:
        lost = False

    held = folders.WhileHeld(cells.SILENT, claim := Lost(), "it")
    held.log("begun")
    with held.bar("steps", 3) as advance:
        advance()
        claim.lost = True
        with pytest.raises(claims.Taken, match="it was taken over"):
            advance()
    with pytest.raises(claims.Taken, match="it was taken over"):
        held.log("finished")


def test_transfer_tests_each_model_on_the_other_set(tmp_path, ask, untrained):
    one, other = songs(tmp_path / "one", seed=1), songs(tmp_path / "other", seed=2)
    known = tmp_path / "one/0.wav"  # a song that both have
    (tmp_path / "other/0.wav").write_bytes(known.read_bytes())
    out = tmp_path / "out"
    status, shown, err = ask(
        [
            "transfer",
            "--data",
            one,
            "--label-range",
            "-1",
            "1",
            "--other",
            other,
            "--other-label-range",
            "-1",
            "1",
            "--scale",
            "tiny",
        ]
        + ["--seg-len", "3", "--out", out]
    )
    assert (status, err) == (0, "") and "4 of 4 runs are finished" in shown
    found = pd.read_csv(out / "transfer.csv").set_index(["row", "column"])["ours"]
    predictions = pd.read_csv(out / "cells/from-A-to-B/predictions.csv")
    assert len(predictions) == 7  # less the one that the model knows
    expected = sklearn.metrics.r2_score(
        predictions["valence_target"], predictions["valence_prediction"]
    )
    assert found["trained on A", "on B: valence R²"] == pytest.approx(expected, abs=1e-6)
    at_home = json.loads((out / "cells/on-B/metrics.json").read_text())["mean"]["arousal"]["rmse"]
    assert found["trained on B", "on B: arousal RMSE"] == pytest.approx(at_home)
    assert "| trained on A | ours |" in shown and "paper |" not in shown


def test_quadrants_have_the_columns_of_classes(tmp_path, ask, untrained):
    data = songs(tmp_path / "set", 16, quadrants=True)
    arguments = [
        "--data",
        data,
        "--scale",
        "tiny",
        "--hold-out",
        "--seg-lens",
        "5",
        "--out",
        tmp_path / "out",
    ]
    status, shown, err = ask(["table4", *arguments])
    assert (status, err) == (0, "")
    head = "| seg_len | | two classes: arousal accuracy | two classes: valence accuracy | four classes: quadrant accuracy |"
    assert head in shown and "| 5 s | paper | 82.40 % | 81.00 % | 71.48 % |" in shown
    right = pd.read_csv(tmp_path / "out/cells/quadrant-full-5s-seg_num6/fold1/predictions.csv")
    accuracy = 100 * (right["class_target"] == right["class_prediction"]).mean()
    assert f"{accuracy:.2f} % |\n" in shown.split("|  | ours |")[1]
    status, _, err = ask(["table1", *arguments[:-2], "--out", tmp_path / "else"])
    assert status == 2 and "has quadrants, and no numbers: table4 has columns of classes" in err


# === Tables ===


def finished(folder, cell, mean, std=None, segment=None):
    """A finished run's folder with these scores."""
    place = cells.place(folder, cell)
    place.mkdir(parents=True)
    names = {"mean": mean, "std": std or dict.fromkeys(mean), "segment_mean": segment or mean}
    target = next(iter(cell.experiment.task.split()))
    metrics = {name: {target: values} for name, values in names.items()}
    baselines = {"mean": {target: {}}, "ridge": {target: {"r2": 0.61, "rmse": 0.23}}}
    (place / "metrics.json").write_text(
        json.dumps(metrics | {"task": cell.experiment.task, "baselines": baselines})
    )
    (place / "environment.json").write_text(
        json.dumps(
            {
                "adff_tf": "1",
                "python": "3",
                "packages": {"keras": "3"},
                "cores": 2,
                "gpus": [],
                "system": "Linux",
            }
        )
    )
    (place / "report.md").touch()


def test_the_layout_is_the_papers(tmp_path):
    base = presets.paper()
    table = grid.table3(base)
    simple = table.entries["20 s", "simple: arousal R²"].cell
    full = table.entries["20 s", "full: valence R²"].cell
    finished(tmp_path, simple, {"r2": 0.65, "rmse": 0.22}, {"r2": 0.021, "rmse": 0.01})
    finished(
        tmp_path,
        full,
        {"r2": 0.4, "rmse": 0.25},
        {"r2": 0.1, "rmse": 0.02},
        {"r2": 0.3, "rmse": 0.27},
    )
    text = tables.write(table, tmp_path, base).read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == (
        "| seg_len | | simple: arousal RMSE | simple: arousal R² | simple: valence RMSE | simple: valence R² "
        "| full: arousal RMSE | full: arousal R² | full: valence RMSE | full: valence R² |"
    )
    of_20 = lines[2:][[line.startswith("| 20 s") for line in lines[2:]].index(True) :][:5]
    assert of_20 == [
        "| 20 s | paper | 0.2213 | 0.6394 | 0.2413 | 0.4405 | 0.2160 | 0.6545 | 0.2378 | 0.4785 |",
        "|  | ours | 0.2200 ± 0.0100 | 0.6500 ± 0.0210 | … | … | … | … | 0.2500 ± 0.0200 | 0.4000 ± 0.1000 |",
        "|  | ours, by segment | – | – | – | – | – | – | 0.2700 | 0.3000 |",
        "|  | linear baseline | 0.2300 | 0.6100 | – | – | – | – | 0.2300 | 0.6100 |",
        "|  | difference | -0.0013 | +0.0106 | – | – | – | – | +0.0122 | -0.0785 |",
    ]
    assert "2 of 24 runs are finished" in text and "The paper's schedule and sizes" in text
    assert text.count("adff-tf 1, Python 3, keras 3; 2 cores, no GPU, Linux") == 1


def test_other_models_stand_as_published_and_departures_are_told(tmp_path):
    base = presets.fast()
    text = tables.write(grid.table1(base), tmp_path, base).read_text()
    assert (
        "| MLEM | paper | 0.2500 ± 0.03 | 0.6000 ± 0.10 | 0.3100 ± 0.04 | 0.4000 ± 0.14 |\n| ADFF | paper |"
        in text
    )
    assert (
        "- training.epochs: 200 in the paper, 24 here" in text
        and "- network.width: 1.0 in the paper, 0.25 here" in text
    )
    assert "floor_db" not in text and "at least -70 dB" in text  # of which the paper says nothing


def test_a_figure_that_is_not_printed_is_not_estimated(done):
    table = pd.read_csv(done / "figure3.csv")
    assert table["paper"].isna().all()
    figure = tables.FIGURES["figure3"](
        grid.figure3(presets.paper()), measured(grid.figure3, lambda k: k / 100)
    )
    left, _ = figure.axes
    valence = left.containers[0].lines[0]
    assert (
        list(valence.get_xdata()) == list(published.SEG_NUMS) and valence.get_ydata()[0] == 18 / 100
    )  # after arousal's 18
    assert (done / "figure3.png").exists()


def test_time_is_shown_relative_to_one_part():
    (axis,) = tables.FIGURES["table2"](
        grid.table2(presets.paper()), measured(grid.table2, lambda k: 8.0 / (k + 1))
    ).axes
    paper, ours = axis.lines
    assert paper.get_ydata()[3] == pytest.approx(0.51 / 4.99) and ours.get_ydata()[
        3
    ] == pytest.approx(1 / 4)
    shown = tables.lines(
        grid.table2(presets.paper()), measured(grid.table2, lambda k: 8.0 / (k + 1)), True
    )
    assert shown[-2].startswith("|  | paper, of seg_num 1 | 1.000 | 0.305 | 0.152 | 0.102 |")
    assert shown[-1].startswith("|  | ours, of seg_num 1 | 1.000 | 0.500 | 0.333 | 0.250 |")


def measured(table, value):
    return {key: tables.Ours(mean=value(k)) for k, key in enumerate(table(presets.paper()).entries)}


# === How long it takes ===


def test_the_estimate_is_steps_times_seconds(done, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        estimate, "measure", lambda experiment: asked.append(experiment) or estimate.Step(10.0, 2.0)
    )
    base = reproduce.parse(["figure3", *TINY])[1]
    base = base.model_copy(
        update={"training": base.training.model_copy(update={"epochs": 7, "batch_size": 2})}
    )
    prepared = cells.prepare([base], tmp_path / "out", done / "features")
    table = grid.figure3(prepared[0].base).only(
        lambda cell: cell.experiment.segments.seg_num in (1, 16)
    )
    found = estimate.estimate(table.cells, tmp_path / "out", prepared).set_index("cell")
    assert len(asked) == 2  # arousal's network costs what valence's does
    row = found.loc["arousal-simple-20s-seg_num1"]
    assert (row["fits"], row["steps"]) == (
        2,
        2 * 7 * 2,
    )  # ten clips in two folds: five segments are two batches of two
    assert row["hours"] == pytest.approx((2 * 10 + 28 * 2) / 3600, abs=1e-4)


def test_a_dry_run_trains_nothing(done, ask, monkeypatch):
    monkeypatch.setattr(fits, "fit", lambda *args: pytest.fail("trained"))
    status, out, err = ask(["figure3", *TINY, "--seg-nums", "16", "--out", done, "--dry-run"])
    assert (
        (status, err) == (0, "")
        and out.count("finished") == 2
        and "figure3: 2 runs, 0.00 hours to go" in out
    )


# === What is refused ===


@pytest.mark.parametrize(
    "line, message",
    [
        ("table1", "no data set was given: add --data FOLDER"),
        ("table1 --scale tiny --seg-len 5", "--seg-len cannot be given: the tables set it"),
        ("table1 --scale tiny --no-se --task both", "--no-se, --task cannot be given"),
        ("transfer --data {here}", "transfer takes two data sets"),
        ("table2 --data {here} --other {here}", "transfer takes two data sets"),
        (
            "table2 --scale tiny --seg-nums 3 --clips 10 --clip-s 2",
            "nothing is left of table2: it has seg_len 20; seg_num 1, 2, 4, 6",
        ),
        ("table2 --scale tiny --folds 20 --clips 10 --clip-s 2", "20 folds need at least 20 songs"),
        ("table2 --data {here}/none", "There is no file or folder|There is no folder or file"),
        ("table2 --scale tiny --out {occupied}", "is not empty and holds no reproduction"),
    ],
)
def test_mistakes_get_one_message(line, message, tmp_path, ask, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied/file").touch()
    places = {"here": tmp_path, "occupied": tmp_path / "occupied"}
    status, _, err = ask(line.format(**places).split())
    assert status == 2 and any(part in err for part in message.split("|")), err
    assert "Traceback" not in err and (tmp_path / "occupied/file").exists()


def test_unknown_tables_are_refused(ask):
    assert ask(["table5"])[0] == 2
    assert ask([])[0] == 2


def test_data_is_named_from_the_root():
    data = reproduce.parse(["table1", "--data", "here"])[1].data
    assert data == Data(data=data.data) and data.data.is_absolute()
