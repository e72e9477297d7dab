"""The songs, features and searches that the tests of this room share."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf.features.tracks import Tracks
from adff_tf.tuning import report, trials
from adff_tf.tuning.plan import Budget
from adff_tf.tuning.search import search

from .plans import make_plan


@pytest.fixture(scope="session")
def manifest(tmp_path_factory):
    """Eighteen noises of a second, louder with arousal; two a song."""
    folder, rng = tmp_path_factory.mktemp("set"), np.random.default_rng(1)
    rows = []
    for k, arousal in enumerate(np.linspace(-0.9, 0.9, 18)):
        noise = 10 ** (arousal - 1) * rng.uniform(-1, 1, 48000)
        soundfile.write(folder / f"{k}.wav", noise, 44100)
        rows.append((f"{k}.wav", -arousal, arousal, f"song{k % 9}"))
    table = pd.DataFrame(rows, columns=["path", "valence", "arousal", "group"])
    table.to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


@pytest.fixture(scope="session")
def features(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def quick(monkeypatch):
    """Trials without training or plots: R² is 1 / seg_num, less for other learning rates.

    The value is a list that collects the settings of each trial.
    """
    seen = []

    def score(settings, songs, folder, label, reporter):
        seen.append(settings)
        r2 = 1 / settings.segments.seg_num - abs(np.log10(settings.training.learning_rate) + 3)
        return {"arousal": {"r2": float(r2), "rmse": 0.5}}

    monkeypatch.setattr(trials, "_fit_and_score", score)
    monkeypatch.setattr(report, "make_figures", lambda *args: {})
    return seen


@pytest.fixture(scope="session")
def searched(manifest, features, tmp_path_factory):
    """A real grid of seg_num 1, 2 and 4 (4 cannot work on a second), and the songs it used."""
    seen = {"fit": set(), "predict_segments": set()}

    def spy(name):
        before = getattr(trials, name)

        def spied(*args, **kwargs):
            tracks = next(a for a in args if isinstance(a, Tracks))
            seen[name] |= set(tracks.table["track_id"])
            return before(*args, **kwargs)

        return spied

    folder = tmp_path_factory.mktemp("searches") / "grid"
    with pytest.MonkeyPatch.context() as patch:
        for name in seen:
            patch.setattr(trials, name, spy(name))
        found = search(make_plan(manifest, "seg_num=1,2,4"), folder, Budget(), features)
    return found, seen
