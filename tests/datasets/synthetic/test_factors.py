"""The factors and their labels."""

import numpy as np
import pandas as pd
import pytest

from adff_tf.datasets import synthetic

from .pieces import changed


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """The factors of 4000 clips, each scaled to [-1, 1]."""
    rows = [synthetic.draw(np.random.default_rng([0, number])) for number in range(4000)]
    return pd.DataFrame(
        [{name: row.scaled(name) for name in vars(row)} | {"labels": row} for row in rows]
    )


def test_labels_by_hand():
    factors = synthetic.Factors(
        tempo_bpm=85.0,  # a quarter up 60 to 160: -0.5
        density_hz=7.0,  # 1
        loudness_db=-26.0,  # 0
        brightness_db_per_octave=1.5,  # 0.5
        articulation=0.4,  # a quarter up 0.2 to 1: -0.5
        mode="minor",  # -1
        consonance=0.6,
        register_semitones=4.5,  # 0.5
    )
    assert factors.arousal == pytest.approx(
        1.25 * (0.04 * -0.5 + 0.2 * 1 + 0.36 * 0 + 0.22 * 0.5 - 0.28 * -0.5)
    )
    assert factors.valence == pytest.approx(0.15 * -1 + 0.5 * 0.6 + 0.35 * 0.5)


def test_extremes_reach_the_ends_of_the_scale():
    ends = {name: high for name, (_, high) in synthetic.RANGES.items()} | {"articulation": 0.2}
    assert changed(**ends).arousal == 1.0
    assert changed(**ends).valence == pytest.approx(1.0)


def test_factors_are_independent_and_fill_their_ranges(drawn):
    names = [name for name in drawn.columns if name != "labels"]
    correlation = drawn[names].corr().to_numpy() - np.eye(len(names))
    assert np.abs(correlation).max() < 0.06  # 4000 rows: four std of chance
    assert set(drawn["mode"]) == {-1.0, 1.0}
    for name in set(names) - {"mode"}:
        assert np.histogram(drawn[name], 10, (-1, 1))[0].min() > 300


def test_labels_fill_the_plane(drawn):
    valence, arousal = np.array([(row.valence, row.arousal) for row in drawn["labels"]]).T
    for label in (valence, arousal):
        assert 0.33 < label.std() < 0.45 and label.min() < -0.85 and label.max() > 0.85
    assert abs(np.corrcoef(valence, arousal)[0, 1]) < 0.06
    assert np.mean(np.abs(arousal) == 1) < 0.03  # clipped
