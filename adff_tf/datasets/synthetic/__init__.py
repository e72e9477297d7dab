"""The built-in data set: music made in code, whose valence and arousal are known.

factors.py      factors and the labels computed from them
composer.py     factors to notes
instruments.py  notes to samples
dataset.py      the folder of clips; label range, group, licence
"""

from .dataset import LAYOUT, NAME, TERMS, clip, index, labels, make, matches, scaled_factors
from .factors import RANGES, Factors, draw

__all__ = [
    "LAYOUT",
    "NAME",
    "RANGES",
    "TERMS",
    "Factors",
    "clip",
    "draw",
    "index",
    "labels",
    "make",
    "matches",
    "scaled_factors",
]
