"""The built-in data set: music made in code, whose valence and arousal are known.

dataset.py      factors, labels and the folder of clips
composer.py     factors to notes
instruments.py  notes to samples
"""

from .dataset import LAYOUT, NAME, RANGES, TERMS, Factors, clip, draw, index, labels, make, matches

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
]
