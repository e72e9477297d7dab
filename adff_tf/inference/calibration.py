"""Intervals and unfamiliarity of predictions, by split conformal prediction.

A run's held-out songs show how far its predictions are off. The interval of a new song is its value
± q · s. q is a quantile of the held-out songs' scores |label - value| / s: of n songs, the ceil((n
+ 1) · level)-th smallest score, and infinite where there are too few. If new songs are like the
held-out ones (exchangeable), the interval holds the label for `level` of the songs (Lei et al.,
"Distribution-free predictive inference for regression", JASA 2018, Sections 2.2 and 5.2).

s is 1, or 1 + std / (the held-out songs' median std) where a song's std over its windows tells of
its error, so that a song whose windows disagree has a wider interval: of the two, the one with the
narrower intervals over the held-out songs at LEVEL.

Where a label is a sign, a song's score counts the distance to the nearest value of that sign, so
that the interval holds a value of the right sign for `level` of the songs. For classes a score is 1
- the probability of the true class, and the prediction set holds every class within q (Sadinle et
al., JASA 2019). Songs of several folds are scored by their fold's model and pooled (cross-conformal
prediction, Vovk 2015).

A song is unfamiliar where its distance from the training songs, in the fused features E
(`model.layers.Familiarity`), is greater than that of FAMILIAR of the held-out songs.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..tasks import PROBABILITIES, Task

LEVEL = 0.9
FAMILIAR = 0.95
FILE = "calibration.json"  # in a run folder
_MARGIN = 1e-9  # so that 10 · 0.9 is 9 and not a little more


@dataclass(frozen=True)
class Calibration:
    """The scores and distances of a model's held-out songs, which set its intervals and bound.

    Attributes:
        scores: of the held-out songs, ascending, by target or for `probabilities`; units of [-1, 1]
            or of probability.
        spread: by target, the held-out songs' median std over windows; 0 for constant width.
        distances: of the held-out songs, ascending, in units of the training songs' median.
    """

    scores: dict[str, tuple[float, ...]]
    spread: dict[str, float] = field(default_factory=dict)
    distances: tuple[float, ...] = ()

    @classmethod
    def parse(cls, content: Any, source: str) -> "Calibration":
        """Return the calibration that `as_dict` wrote. Raises InputError for other content."""
        try:
            scores = {name: _ascending(values) for name, values in content["scores"].items()}
            spread = {name: float(value) for name, value in content["spread"].items()}
            return cls(scores, spread, _ascending(content["distances"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{source} holds no calibration ({error!r}): copy it again") from None

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `calibration.json`, ready for JSON."""
        return asdict(self)

    def quantile(self, name: str, level: float) -> float:
        """Return q of a target or of `probabilities`, infinite with too few held-out songs."""
        return _quantile(self.scores[name], level)

    def interval(
        self, name: str, value: float, std: float | None, level: float
    ) -> tuple[float, float]:
        """Return the ends of a song's interval, in units of [-1, 1]; infinite with too few songs.

        Args:
            name: the target.
            value: the song's.
            std: over its windows; None for one window.
            level: share of the songs whose interval holds their label.
        """
        half = self.quantile(name, level) * float(width(std, self.spread[name]))
        return value - half, value + half

    def typical_half_width(self, name: str, level: float) -> float:
        """Return the half-width of the interval of a song whose std is the median."""
        return self.quantile(name, level) * float(width(None, self.spread[name]))

    def prediction_set(self, probabilities: Mapping[str, float], level: float) -> tuple[str, ...]:
        """Return the classes of a song's set, the most probable first; at least one."""
        q = self.quantile(PROBABILITIES, level)
        ranked = sorted(probabilities, key=probabilities.__getitem__, reverse=True)
        return tuple(name for k, name in enumerate(ranked) if not k or 1 - probabilities[name] <= q)

    def too_few(self, level: float) -> str | None:
        """Return why intervals of a level are infinite; None where they are finite."""
        songs = min(map(len, self.scores.values()))
        if _rank(songs, level) <= songs:
            return None
        needed = next(n for n in range(songs, 10**9) if _rank(n, level) <= n)
        return f"{songs} held-out songs are too few for {level:.4g}: {needed} are needed"

    def percentile(self, distance: float) -> float | None:
        """Return the per cent of held-out songs that are nearer; None where none was measured."""
        if not self.distances:
            return None
        return 100 * float(np.searchsorted(self.distances, distance)) / len(self.distances)

    def is_unfamiliar(self, distance: float) -> bool | None:
        """Whether a song is farther than FAMILIAR of the held-out songs; None with too few."""
        bound = _quantile(self.distances, FAMILIAR)
        return distance > bound if math.isfinite(bound) else None


def calibrate(
    task: Task,
    predictions: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    std: Mapping[str, np.ndarray],
    is_sign: np.ndarray,
    distances: np.ndarray,
) -> Calibration:
    """Return the calibration by held-out songs.

    Args:
        task: the model's.
        predictions: by output, `(songs,)` or `(songs, classes)`.
        labels: by output, `(songs,)`; the index of the class for `probabilities`.
        std: of each target over a song's windows, `(songs,)`; NaN for one window.
        is_sign: which songs' labels are signs, `(songs,)`.
        distances: of the songs, `(songs,)`; none for a model without them.
    """
    kept = tuple(np.sort(np.round(distances, 4)).tolist())
    if not task.is_regression:
        probabilities = np.asarray(predictions[PROBABILITIES], "float64")
        truth = np.asarray(labels[PROBABILITIES])
        scores = 1 - probabilities[np.arange(len(truth)), truth]
        return Calibration({PROBABILITIES: _rounded_up(scores)}, {}, kept)
    scores, spread = {}, {}
    for name in task.targets:
        values, truth = (np.asarray(by[name], "float64") for by in (predictions, labels))
        off = np.where(is_sign, np.maximum(-np.sign(truth) * values, 0), np.abs(truth - values))
        spread[name] = _narrower_spread(off, std[name])
        scores[name] = _rounded_up(off / width(std[name], spread[name]))
    return Calibration(scores, spread, kept)


def read_calibration(run: Path) -> Calibration | None:
    """Return the calibration in a run folder; None where it has none. Raises InputError."""
    file = run / FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error}): copy it from the run again") from None
    return Calibration.parse(content, str(file))


def width(std: Any, spread: float) -> np.ndarray:
    """Return s for stds over windows; None and NaN, of one window, count as the median."""
    std = np.asarray(std, "float64")
    if not spread:
        return np.ones_like(std)
    return 1 + np.where(np.isfinite(std), std, spread) / spread


def check_level(level: float) -> None:
    """Raise InputError unless a level is a share between 0 and 1."""
    if not 0 < level < 1:  # NaN too
        raise InputError(f"a level of {level:g} was given; give one between 0 and 1, such as 0.9")


def _narrower_spread(off: np.ndarray, std: np.ndarray) -> float:
    """Return the median std, or 0 where intervals of constant width are no wider on average."""
    known = std[np.isfinite(std)]
    median = round(float(np.median(known)), 4) if len(known) else 0.0

    def mean_half_width(spread: float) -> float:
        s = width(std, spread)
        return _quantile(_rounded_up(off / s), LEVEL) * float(s.mean())

    return min((0.0, median), key=mean_half_width)


def _rank(songs: int, level: float) -> int:
    return math.ceil((songs + 1) * level - _MARGIN)


def _quantile(ascending: tuple[float, ...], level: float) -> float:
    rank = _rank(len(ascending), level)
    return ascending[max(rank, 1) - 1] if rank <= len(ascending) else math.inf


def _ascending(values: Any) -> tuple[float, ...]:
    kept = tuple(float(value) for value in values)
    if not all(math.isfinite(value) for value in kept) or list(kept) != sorted(kept):
        raise ValueError("scores are finite and ascend")
    return kept


def _rounded_up(scores: np.ndarray) -> tuple[float, ...]:
    return tuple(np.sort(np.ceil(scores * 1e4) / 1e4).tolist())
