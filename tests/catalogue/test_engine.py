"""The engine by itself: values that are no numbers, and errors of the model."""

import os

import numpy as np
import pytest

from adff_tf.catalogue.engine import Engine
from adff_tf.catalogue.settings import EngineSettings
from adff_tf.catalogue.table import Status
from adff_tf.inference.description import Description
from adff_tf.inference.model import EmotionModel
from adff_tf.tasks import TASKS

from ..artifacts import RATE


class Backend:
    """Predicts one value for all windows, or raises it."""

    def __init__(self, valence):
        self._valence = valence

    def predict(self, waveforms):
        if isinstance(self._valence, Exception):
            raise self._valence
        count = len(waveforms)
        return {"valence": np.full(count, self._valence), "arousal": np.zeros(count)}


def predict(valence, paths, batch: int = 4) -> list[dict]:
    model = EmotionModel(Description(TASKS["both"], RATE, RATE), Backend(valence))
    settings = EngineSettings(decoders=2, threads=2, batch=batch)
    with Engine(model, RATE // 2, settings) as engine:
        return list(engine.predict(os.fsencode(path) for path in paths))


@pytest.mark.parametrize("valence", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_an_error(songs, valence):
    (row,) = predict(valence, [songs / "03.flac"])
    assert row["status"] == Status.ERROR and "valence as NaN or infinity" in row["error"]


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_each_path_has_one_row(songs, batch):
    paths = [*sorted(songs.iterdir()), songs / "missing.flac"]
    rows = predict(0.5, paths, batch)
    assert sorted(row["path"] for row in rows) == sorted(map(str, paths))
    good = [row for row in rows if row["status"] == Status.OK]
    assert len(good) == len(paths) - 1 and {row["valence"] for row in good} == {0.5}


def test_an_error_of_the_model_ends_the_run(songs):
    """No file is to blame."""
    with pytest.raises(MemoryError):
        predict(MemoryError("no memory"), sorted(songs.iterdir()))
