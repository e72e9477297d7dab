"""Factors and rendered pieces for the tests of the synthetic set."""

import numpy as np

from adff_tf.datasets import synthetic
from adff_tf.datasets.synthetic import composer

RATE = 22050  # enough for librosa's measurements, in half the time
PLAIN = synthetic.Factors(
    tempo_bpm=120.0,
    density_hz=4.0,
    loudness_db=-24.0,
    brightness_db_per_octave=0.0,
    articulation=0.8,
    mode="major",
    consonance=1.0,
    register_semitones=0.0,
)


def changed(**factors) -> synthetic.Factors:
    return synthetic.Factors(**{**vars(PLAIN), **factors})


def render(factors: synthetic.Factors, seed: int, seconds: float = 6.0) -> np.ndarray:
    return composer.render(factors, seconds, RATE, np.random.default_rng(seed))
