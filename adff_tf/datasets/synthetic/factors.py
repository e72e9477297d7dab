"""The eight factors of a clip, and the valence and arousal computed from them.

`draw` draws each factor uniformly and independently of the others:

| factor | range | scaled to | weight |
|---|---|---|---|
| `tempo_bpm` | 60 to 160 | ±1 | arousal 0.04 |
| `density_hz`: onsets a second | 2 to 7 | ±1 | arousal 0.2 |
| `loudness_db`: RMS below full scale | -36 to -16 | ±1 | arousal 0.36 |
| `brightness_db_per_octave`: spectral tilt | -3 to 3 | ±1 | arousal 0.22 |
| `articulation`: sounding share of the time to the next note | 0.2 to 1 | ±1 | arousal -0.28 |
| `mode`: major or minor | | 1 or -1 | valence 0.15 |
| `consonance`: from semitone clashes and mistuned strings to triads | -1 to 1 | ±1 | valence 0.5 |
| `register_semitones`: of chords and melody | -9 to 9 | ±1 | valence 0.35 |

    arousal = clip(1.25 * (weighted sum of its five), -1, 1)
    valence = weighted sum of its three

The labels hold no noise.
"""

import dataclasses

import numpy as np

RANGES = {
    "tempo_bpm": (60.0, 160.0),
    "density_hz": (2.0, 7.0),
    "loudness_db": (-36.0, -16.0),
    "brightness_db_per_octave": (-3.0, 3.0),
    "articulation": (0.2, 1.0),
    "consonance": (-1.0, 1.0),
    "register_semitones": (-9.0, 9.0),
}
AROUSAL = {
    "tempo_bpm": 0.04,
    "density_hz": 0.2,
    "loudness_db": 0.36,
    "brightness_db_per_octave": 0.22,
    "articulation": -0.28,
}
VALENCE = {"mode": 0.15, "consonance": 0.5, "register_semitones": 0.35}
# Five independent factors seldom agree: without the gain the std of arousal would be only 0.31.
AROUSAL_GAIN = 1.25


@dataclasses.dataclass(frozen=True)
class Factors:
    """The factors of a clip; units and ranges in the module's table."""

    tempo_bpm: float
    density_hz: float
    loudness_db: float
    brightness_db_per_octave: float
    articulation: float
    mode: str
    consonance: float
    register_semitones: float

    def scaled(self, name: str) -> float:
        """Return the factor `name` on [-1, 1]; minor is -1, major 1."""
        value = getattr(self, name)
        if name == "mode":
            return {"minor": -1.0, "major": 1.0}[value]
        low, high = RANGES[name]
        return 2 * (value - low) / (high - low) - 1

    @property
    def arousal(self) -> float:
        """Arousal in [-1, 1]."""
        total = sum(weight * self.scaled(name) for name, weight in AROUSAL.items())
        return float(np.clip(AROUSAL_GAIN * total, -1, 1))

    @property
    def valence(self) -> float:
        """Valence in [-1, 1]."""
        return sum(weight * self.scaled(name) for name, weight in VALENCE.items())


def draw(rng: np.random.Generator) -> Factors:
    """Draw eight independent factors."""
    values = {name: float(rng.uniform(low, high)) for name, (low, high) in RANGES.items()}
    return Factors(mode="major" if rng.random() < 0.5 else "minor", **values)
