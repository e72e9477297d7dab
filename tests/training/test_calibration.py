"""`calibration.json` of a run, against the files of its folds; `model.tflite` beside it."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from adff_tf.inference.backends import Kind, litert, locate
from adff_tf.inference.calibration import read_calibration
from adff_tf.inference.model import EmotionModel
from adff_tf.training.run import run

from .small import change, make_experiment


@pytest.fixture(scope="module", params=["both", "quadrant"])
def finished(request, manifest, tmp_path_factory):
    """A run of two folds, its folder."""
    settings = make_experiment(manifest, task=request.param)
    settings = change(settings, validation={"hold_out": False}, segments={"sampling": "full"})
    return run(settings, tmp_path_factory.mktemp("runs") / request.param).folder


def read(folder, name) -> pd.DataFrame:
    return pd.concat([pd.read_csv(folder / f"fold{k}" / name) for k in (1, 2)])


def test_its_scores_are_those_of_the_held_out_songs(finished):
    found, songs = read_calibration(finished), read(finished, "predictions.csv")
    assert found.distances == pytest.approx(np.sort(songs["distance"]), abs=1e-3)
    if "class_target" in songs:
        of_truth = [row[f"p_{row['class_target']}"] for _, row in songs.iterrows()]
        assert found.scores["probabilities"] == pytest.approx(
            np.sort(1 - np.array(of_truth)), abs=2e-4
        )
        return
    spreads = read(finished, "segments.csv").groupby("track_id")["valence_prediction"].std()
    off = (songs["valence_target"] - songs["valence_prediction"]).abs().to_numpy()
    std = spreads.reindex(songs["track_id"]).to_numpy()
    known = std[np.isfinite(std)] if np.isfinite(std).any() else np.zeros(1)
    assert found.spread["valence"] in (0.0, pytest.approx(np.median(known), abs=1e-4))
    s = 1 + np.nan_to_num(std / np.median(known), nan=1.0) if found.spread["valence"] else 1
    assert found.scores["valence"] == pytest.approx(np.sort(off / s), rel=0.01, abs=2e-3)


def test_the_run_answers_by_its_tflite_and_by_keras_alike(finished):
    by_litert, by_keras = EmotionModel.load(finished), EmotionModel.load(finished, backend="keras")
    assert locate(finished).kind == Kind.LITERT
    assert by_litert.description.calibration == by_keras.description.calibration
    waveform = np.random.default_rng(0).normal(0, 0.1, 3 * 44100).astype("float32")
    found, wanted = (model.predict(waveform, 44100) for model in (by_litert, by_keras))
    for name, values in wanted.windows.items():
        np.testing.assert_allclose(found.windows[name], values, atol=1e-4)
    assert found.distance == pytest.approx(wanted.distance, rel=1e-3)
    assert found.as_dict().keys() == wanted.as_dict().keys()


def test_a_tflite_of_another_model_is_not_used(finished):
    file = finished / "model.keras"
    assert litert.beside(file) == finished / "model.tflite"
    content = file.read_bytes()
    try:
        file.write_bytes((finished / "fold1" / "model.keras").read_bytes())
        assert litert.beside(file) is None and locate(finished).kind == Kind.RUN
    finally:
        file.write_bytes(content)


def test_the_answer_needs_no_tensorflow(finished):
    code = (
        "import sys; from adff_tf import EmotionModel; import numpy as np; "
        f"print(EmotionModel.load({str(finished)!r}).predict(np.zeros(44100), 44100).interval); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_description_says_what_it_was_made_from(finished):
    stated = litert._read_description((finished / "model.tflite").read_bytes(), finished)
    assert stated.has_distance and stated.calibration == read_calibration(finished)
    json.dumps(stated.calibration.as_dict(), allow_nan=False)
