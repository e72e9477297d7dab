"""Parity, by differences worked out by hand."""

import json

import numpy as np
import pytest

from adff_tf.export import parity

WINDOWS = {"music 0": np.zeros(3, "float32"), "b": np.ones(3, "float32")}


def test_every_window_and_output_counts():
    windows = WINDOWS | {"music 1": np.ones(3, "float32")}
    reference = {"valence": np.array([0.0, 0.5, 1.0]), "arousal": np.array([0.0, 0.0, 0.25])}

    def predict(window):
        return {"valence": window.mean(), "arousal": np.zeros(1)}

    found = parity.compare("adff_int8.tflite", predict, windows, reference)
    assert (found.worst, found.worst_window, found.worst_of_music) == (0.5, "b", 0.25)
    assert found.mean == pytest.approx(0.75 / 6)
    assert not found.is_within and found.may_miss
    assert parity.prediction_std(reference) == {
        "valence": pytest.approx(np.std([0, 0.5, 1])),
        "arousal": pytest.approx(np.std([0, 0, 0.25])),
    }


@pytest.mark.parametrize("artifact", ["saved_model", "adff_int8.tflite"])
def test_nan_is_not_within(artifact):
    """Not even in an int8 file, which may miss its bounds otherwise."""
    reference = {"valence": np.zeros(2)}
    found = parity.compare(artifact, lambda _: {"valence": np.array([np.nan])}, WINDOWS, reference)
    assert not found.is_within and found.worst == np.inf and not found.may_miss
    assert json.dumps(found.as_dict(), allow_nan=False) and found.as_dict()["worst"] is None
