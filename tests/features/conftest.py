"""Recordings, their log-mels and their segments, for the tests of this folder."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf.config import Frontend, Segments
from adff_tf.features.segments import SegmentSet
from adff_tf.features.tracks import prepare_tracks

RATE = 44100


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six recordings of different lengths and loudness, as an index table."""
    folder, rng, rows = tmp_path_factory.mktemp("songs"), np.random.default_rng(0), []
    for k, seconds in enumerate((0.5, 1.0, 1.7, 2.4, 3.0, 3.3)):
        path = folder / f"{k}.wav"
        soundfile.write(path, 0.1 * (k + 1) * rng.uniform(-1, 1, int(seconds * RATE)), RATE)
        rows.append((str(k), str(path), k / 5 - 0.5, 0.5 - k / 5, f"g{k // 2}"))
    table = pd.DataFrame(rows, columns=["track_id", "path", "valence", "arousal", "group"])
    return table.assign(source="here", labels="continuous", split="", weight=1.0)


@pytest.fixture(scope="module")
def tracks(songs, tmp_path_factory):
    return prepare_tracks(songs, tmp_path_factory.mktemp("features"), Frontend())[0]


@pytest.fixture(scope="module")
def segments(tracks):
    """A function: segment settings -> the segments of 1 s of the tracks."""

    def make(**options):
        settings = Segments(**{"seg_len": 1.0, "seg_num": 2, "sampling": "simple", **options})
        return SegmentSet(tracks, 100, settings, -100.0, seed=3)

    return make
