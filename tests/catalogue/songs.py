"""A model, recordings, and the tables that a run on them has to hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf.catalogue.table import CURVES, SONGS
from adff_tf.inference.emotion import Emotion
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable
from adff_tf.model.model_file import find_model, load_network

from ..artifacts import RATE, music, save_run


def save_quick_run(folder: Path, task: str = "both") -> Path:
    """Return a run folder with a servable, which loads in a fraction of the time."""
    file, experiment = find_model(save_run(folder, task))
    servable.save(load_network(file), experiment, file)
    return folder


def write_songs(folder: Path, seconds: list[float]) -> Path:
    """Return a new folder of recordings of these lengths."""
    folder.mkdir()
    for k, length in enumerate(seconds):
        soundfile.write(folder / f"{k:02d}.flac", music(length, k), RATE)
    return folder


def predict_each(model: Path, folder: Path) -> dict[str, Emotion]:
    """Return the prediction for each song by itself, by path."""
    loaded = EmotionModel.load(model)
    return {str(song): loaded.predict(song) for song in sorted(folder.glob("*.flac"))}


def read_tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return songs by path, and curves in order of path and start; each row is there once."""
    songs, curves = (pd.read_parquet(folder / name) for name in (SONGS, CURVES))
    assert not songs["path"].duplicated().any()
    assert not curves.duplicated(["path", "start"]).any()
    in_order = curves.sort_values(["path", "start"], ignore_index=True)
    return songs.set_index("path").sort_index(), in_order


def assert_tables(folder: Path, wanted: dict[str, Emotion]) -> None:
    """Assert that the tables hold each file once, with the values it has by itself."""
    songs, curves = read_tables(folder)
    assert list(songs.index[songs["status"] == "ok"]) == sorted(wanted)
    for path, emotion in wanted.items():
        row, curve = songs.loc[path], curves[curves["path"] == path]
        assert row["seconds"] == emotion.seconds and row["padded"] == emotion.is_padded
        assert row["quadrant"] == emotion.quadrant and row["sample_rate_hz"] == RATE
        assert row["unfamiliar"] == emotion.is_unfamiliar
        assert row["windows"] == len(emotion.start) == len(curve)
        np.testing.assert_array_equal(curve["end"], emotion.end)
        for name in ("valence", "arousal"):
            std = emotion.std[name] or np.nan
            assert row[name] == pytest.approx(emotion.values[name], abs=1e-5)
            assert row[f"{name}_std"] == pytest.approx(std, abs=1e-5, nan_ok=True)
            ends = (row[f"{name}_low"], row[f"{name}_high"])
            assert ends == pytest.approx(emotion.interval[name], abs=1e-4)
            np.testing.assert_allclose(curve[name], emotion.windows[name], atol=1e-5)
