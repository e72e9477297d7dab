"""Experiments and tables small enough for fast tests of training."""

import numpy as np
import pandas as pd

from adff_tf.config import Data
from adff_tf.features.tracks import Tracks
from adff_tf.support.console import SILENT

from .. import tiny


class Lines:
    """A reporter that remembers its lines."""

    def __init__(self):
        self.lines = []

    def log(self, text):
        self.lines.append(text)

    def bar(self, label, total, passing=False, minutely=False):
        return SILENT.bar(label, total)


def make_experiment(manifest, **changes):
    """A tiny experiment on a CSV file; without TFLM it traces in a third of the time."""
    base = tiny.experiment(**{"task": "both", "tflm": False, **changes})
    return base.model_copy(update={"data": Data(data=manifest, label_range=(-1, 1))})


def change(base, **sections):
    """The experiment with fields of its sections changed: `change(e, training={"epochs": 3})`."""
    return base.model_copy(
        update={
            name: getattr(base, name).model_copy(update=fields) for name, fields in sections.items()
        }
    )


def index_table(groups, valence=None):
    """An index with a row a group; arousal equals valence."""
    n = len(groups)
    valence = np.linspace(-1, 1, n) if valence is None else valence
    return pd.DataFrame(
        {
            "track_id": map(str, range(n)),
            "path": map(str, range(n)),
            "valence": valence,
            "arousal": valence,
            "group": groups,
            "source": "here",
            "labels": "continuous",
            "split": "",
            "weight": 1.0,
        }
    )


def feature_tracks(table, x):
    """Tracks with 256 features `(tracks, 256)`: mean and std of 128 mel bands."""
    return Tracks(table, [], np.full(len(table), 2), x[:, :128], x[:, 128:])
