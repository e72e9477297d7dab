"""Reading a run for export: terms, training tracks, and damaged runs."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from adff_tf.errors import InputError
from adff_tf.export.artifacts import export
from adff_tf.export.trained_model import training_features
from adff_tf.model.model_file import find_model, load_network
from adff_tf.training.start import read_terms

from ..inference.test_model import save_run


def test_terms_of_a_source_and_of_an_export(tmp_path):
    (tmp_path / "metrics.json").write_text('{"source": "unheard 1.0"}')
    assert read_terms(tmp_path) == "not known: unheard 1.0 is no data set of this version"
    (tmp_path / "metrics.json").unlink()
    assert read_terms(tmp_path) == "not known: the run has no metrics.json"
    (tmp_path / "adff.json").write_text('{"terms": "ours"}')
    assert read_terms(tmp_path) == "ours"
    (tmp_path / "config.json").write_text('{"start": {"start_terms": "A teacher\'s."}}')
    assert read_terms(tmp_path) == "ours"  # an export's terms have the start's already
    (tmp_path / "metrics.json").write_text('{"source": "unheard 1.0"}')
    assert read_terms(tmp_path).endswith("of this version. Its start: A teacher's.")


def write_index(run) -> None:
    """Write an index.csv of four tracks in two folds."""
    table = {"track_id": list("abcd"), "path": "/gone/song.wav", "fold": [1, 2, 1, 2]}
    table["features"] = [f"{track * 4}.npy" for track in table["track_id"]]
    pd.DataFrame(table).to_csv(run / "index.csv", index=False)


def test_training_features_of_a_run_a_fold_and_an_export(tmp_path):
    """The run's model was trained on all tracks, a fold's on the other folds."""
    run = save_run(tmp_path / "run")
    assert training_features(*find_model(run)) is None
    write_index(run)
    (run / "fold2").mkdir()
    shutil.copy(run / "model.keras", run / "fold2")
    for model, expected in (
        (run, ["aaaa.npy", "bbbb.npy", "cccc.npy", "dddd.npy"]),
        (run / "fold2" / "model.keras", ["aaaa.npy", "cccc.npy"]),
    ):
        found = training_features(*find_model(model))
        assert list(found.columns) == ["features"] and list(found["features"]) == expected
    (run / "index.csv").unlink()
    (run / "trained_on.csv").write_text("features\nzzzz.npy\n")  # an export is exported again
    assert list(training_features(*find_model(run))["features"]) == ["zzzz.npy"]


def test_a_run_without_a_final_model_has_that_of_fold_1(tmp_path):
    run = save_run(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["validation"]["final_model"] = False
    (run / "config.json").write_text(json.dumps(config))
    write_index(run)
    assert list(training_features(*find_model(run))["features"]) == ["bbbb.npy", "dddd.npy"]


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("metrics.json", "", "metrics.json is damaged"),
        ("metrics.json", "{}", "metrics.json is damaged .KeyError: 'source'"),
        ("index.csv", "", "index.csv is damaged"),
        ("index.csv", "track_id\na\n", "index.csv is damaged"),
        ("index.csv", "track_id,path\na,/gone/a.wav\n", "index.csv is damaged"),
        (
            "index.csv",
            "track_id,path\na,{folder}/config.json\n",
            "compares artifacts on the run's recordings, and this is one of them",
        ),
    ],
)
def test_a_damaged_run(tmp_path, file, content, message):
    run = save_run(tmp_path / "run")
    (run / file).write_text(content.replace("{folder}", str(run)))
    with pytest.raises(InputError, match=message):
        export(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_settings_of_another_network(tmp_path):
    run = save_run(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    for group, setting, value in (
        ("segments", "seg_num", 1),
        ("network", "width", 0.125),
        ("network", "lstm_units", 9),
    ):
        changed = config | {group: config[group] | {setting: value}}
        (run / "config.json").write_text(json.dumps(changed))
        message = "the settings of network and segments there describe another network"
        with pytest.raises(InputError, match=message):
            export(run, tmp_path / "out")


def test_a_model_that_predicts_nan(tmp_path):
    run = save_run(tmp_path / "run")
    network = load_network(run / "model.keras")
    network.get_layer("valence").set_weights([np.full((8, 1), np.nan), np.zeros(1)])
    network.save(run / "model.keras")
    with pytest.raises(InputError, match="predicts valence as NaN"):
        export(run, tmp_path / "out")
