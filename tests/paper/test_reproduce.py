"""The program adff-reproduce: whole tables from a command line, and the mistakes it refuses."""

import json

import pandas as pd
import pytest
import sklearn.metrics

from adff_tf import reproduce
from adff_tf.config import Data

from .making import make_songs


def test_transfer_tests_each_model_on_the_other_set(tmp_path, ask, untrained):
    one = make_songs(tmp_path / "one", seed=1)
    other = make_songs(tmp_path / "other", seed=2)
    known = tmp_path / "one/0.wav"  # a song of both data sets
    (tmp_path / "other/0.wav").write_bytes(known.read_bytes())
    out = tmp_path / "out"
    arguments = ["transfer", "--data", one, "--label-range", "-1", "1"]
    arguments += ["--other", other, "--other-label-range", "-1", "1", "--scale", "tiny"]
    status, shown, err = ask([*arguments, "--seg-len", "3", "--out", out])
    assert (status, err) == (0, "") and "4 of 4 runs are finished" in shown
    found = pd.read_csv(out / "transfer.csv").set_index(["row", "column"])["ours"]
    predictions = pd.read_csv(out / "cells/from-A-to-B/predictions.csv")
    assert len(predictions) == 7  # without the song that the model was trained on
    expected = sklearn.metrics.r2_score(
        predictions["valence_target"], predictions["valence_prediction"]
    )
    assert found["trained on A", "on B: valence R²"] == pytest.approx(expected, abs=1e-6)
    metrics = json.loads((out / "cells/on-B/metrics.json").read_text())
    expected = metrics["mean"]["arousal"]["rmse"]
    assert found["trained on B", "on B: arousal RMSE"] == pytest.approx(expected)
    assert "| trained on A | ours |" in shown and "paper |" not in shown


def test_quadrants_have_the_columns_of_classes(tmp_path, ask, untrained):
    data = make_songs(tmp_path / "set", 16, quadrants=True)
    arguments = ["--data", data, "--scale", "tiny", "--hold-out", "--seg-lens", "5"]
    status, shown, err = ask(["table4", *arguments, "--out", tmp_path / "out"])
    assert (status, err) == (0, "")
    head = (
        "| seg_len | | two classes: arousal accuracy | two classes: valence accuracy "
        "| four classes: quadrant accuracy |"
    )
    assert head in shown and "| 5 s | paper | 82.40 % | 81.00 % | 71.48 % |" in shown
    right = pd.read_csv(tmp_path / "out/cells/quadrant-full-5s-seg_num6/fold1/predictions.csv")
    accuracy = 100 * (right["class_target"] == right["class_prediction"]).mean()
    assert f"{accuracy:.2f} % |\n" in shown.split("|  | ours |")[1]
    status, _, err = ask(["table1", *arguments[:-2], "--out", tmp_path / "else"])
    assert status == 2
    assert "has quadrants, and no numbers: table4 has columns of classes" in err


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
    assert data == Data(data=data.data) and data.data[0].is_absolute()
