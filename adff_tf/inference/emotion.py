"""The prediction for one recording: values for the song, and a curve over windows.

The song's value is the mean over its windows, of class probabilities too; `std` is the sample
standard deviation over windows. Valence and arousal are linear outputs in units of [-1, 1], so a
value may lie a little outside.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..tasks import PROBABILITIES, TASKS, Task
from .calibration import LEVEL, Calibration, check_level


@dataclass(frozen=True)
class Emotion:
    """The prediction for one recording.

    `valence` and `arousal` are attributes too, where the model predicts them as numbers.

    Attributes:
        task: the targets or classes.
        path: the recording's path, or a name for it.
        seconds: its length.
        window_s, hop_s: of the curve.
        start, end: of each window, `(windows,)` seconds; `end` is within the recording.
        windows: values by output, `(windows,)` a target, `(windows, classes)` for
            `probabilities`.
        scale: lowest and highest value of the targets.
        peaks: the greatest |sample| of each 1/20 s, `(seconds * 20,)`.
        calibration: of the model's intervals, by its held-out songs; None where unknown.
        distance: from the training songs, the mean over windows, in units of their median; None
            where the model does not measure it.
        level: share of the songs whose interval or prediction set is right.
        effects: what each mid-level feature adds to each target, by target and feature, on the
            scale's units: together the target less its mean over the training songs. Empty for
            models without such features.
    """

    task: Task
    path: str
    seconds: float
    window_s: float
    hop_s: float
    start: np.ndarray
    end: np.ndarray
    windows: dict[str, np.ndarray]
    scale: tuple[float, float] = (-1.0, 1.0)
    peaks: np.ndarray = field(default_factory=lambda: np.zeros(0, "float32"), repr=False)
    calibration: Calibration | None = field(default=None, repr=False)
    distance: float | None = None
    level: float = LEVEL
    effects: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)

    def __getattr__(self, name: str) -> float:
        # copy and pickle look attributes up before the fields are set
        if name.startswith("_") or name in type(self).__dataclass_fields__:
            raise AttributeError(name)
        if name in ("valence", "arousal") and name in self.values:
            return self.values[name]
        outputs = ", ".join(self.task.outputs)
        raise AttributeError(f"no {name!r}: the task is {self.task.name}, with {outputs}")

    @functools.cached_property
    def values(self) -> dict[str, float]:
        """The mean of each target over the windows; empty for classes."""
        return {name: float(self.windows[name].mean()) for name in _targets(self.task)}

    @property
    def std(self) -> dict[str, float | None]:
        """The sample std of each target over the windows, None for one window."""
        is_one = len(self.start) < 2
        return {
            name: None if is_one else float(self.windows[name].std(ddof=1))
            for name in _targets(self.task)
        }

    @property
    def probabilities(self) -> dict[str, float]:
        """The probability of each class, its mean over the windows; empty for regression."""
        if self.task.is_regression:
            return {}
        return _by_class(self.task, self.windows[PROBABILITIES].mean(axis=0))

    @property
    def label(self) -> str | None:
        """The most probable class; None for regression."""
        probabilities = self.probabilities
        return max(probabilities, key=probabilities.__getitem__) if probabilities else None

    @property
    def quadrant(self) -> str | None:
        """Q1 (+V +A), Q2 (-V +A), Q3 (-V -A) or Q4 (+V -A); None for one target alone."""
        if self.task.name == "quadrant":
            return self.label
        if self.task.name != "both":
            return None
        middle, quadrants = sum(self.scale) / 2, TASKS["quadrant"]
        valence, arousal = (np.array(self.values[name] - middle) for name in self.task.targets)
        return quadrants.classes[int(quadrants.class_index(valence, arousal))]

    @property
    def interval(self) -> dict[str, tuple[float, float]]:
        """The ends of each target's interval; empty for classes and without a calibration.

        An end is infinite where the model had too few held-out songs (`interval_note`).
        """
        if self.calibration is None:
            return {}
        low, high = self.scale
        middle, half = (low + high) / 2, (high - low) / 2
        found = {}
        for name in _targets(self.task):
            value, std = (self.values[name] - middle) / half, self.std[name]
            relative = None if std is None else std / half
            ends = self.calibration.interval(name, value, relative, self.level)
            found[name] = (middle + half * ends[0], middle + half * ends[1])
        return found

    @property
    def prediction_set(self) -> tuple[str, ...]:
        """The classes of the prediction set, the most probable first; empty for regression."""
        if self.calibration is None or self.task.is_regression:
            return ()
        return self.calibration.prediction_set(self.probabilities, self.level)

    @property
    def interval_note(self) -> str | None:
        """Why the interval is infinite or the set has every class; None where it is not."""
        return self.calibration.too_few(self.level) if self.calibration else None

    @property
    def percentile(self) -> float | None:
        """The per cent of held-out songs nearer to the training songs; None where unknown."""
        if self.calibration is None or self.distance is None:
            return None
        return self.calibration.percentile(self.distance)

    @property
    def is_unfamiliar(self) -> bool | None:
        """Whether the recording is unlike all training songs; None where unknown."""
        if self.calibration is None or self.distance is None:
            return None
        return self.calibration.is_unfamiliar(self.distance)

    @property
    def is_padded(self) -> bool:
        """Whether the recording is shorter than a window."""
        return self.seconds < self.window_s

    @property
    def curve(self) -> list[dict[str, Any]]:
        """One `curve_row` a window."""
        return [
            curve_row(self.task, start, end, {name: v[k] for name, v in self.windows.items()})
            for k, (start, end) in enumerate(zip(self.start, self.end, strict=True))
        ]

    def rescaled(self, low: float, high: float) -> "Emotion":
        """Return the prediction with targets from `low` to `high`, such as 0 1 or 1 9.

        Raises InputError unless low < high.
        """
        check_scale(low, high)
        if (low, high) == self.scale:
            return self
        old_low, old_high = self.scale
        factor = (high - low) / (old_high - old_low)
        scaled = {
            name: low + (self.windows[name] - old_low) * factor for name in _targets(self.task)
        }
        effects = {
            name: {concept: factor * effect for concept, effect in row.items()}
            for name, row in self.effects.items()
        }
        return replace(self, windows=self.windows | scaled, scale=(low, high), effects=effects)

    def at_level(self, level: float) -> "Emotion":
        """Return the prediction with intervals of another level, such as 0.8.

        Raises InputError unless it is between 0 and 1.
        """
        check_level(level)
        return replace(self, level=level)

    def effects_by_feature(self) -> dict[str, dict[str, float]]:
        """Return the effects by feature and target, the feature with the greatest one first."""
        features = next(iter(self.effects.values()), {})
        turned = {
            feature: {name: row[feature] for name, row in self.effects.items()}
            for feature in features
        }
        return dict(sorted(turned.items(), key=lambda item: -max(map(abs, item[1].values()))))

    def as_dict(self) -> dict[str, Any]:
        """Return the prediction as `adff-predict --format json` prints it."""
        row: dict[str, Any] = {"path": self.path, "seconds": round(self.seconds, 3)}
        if self.task.is_regression:
            row |= self.values
        row |= {"quadrant": self.quadrant} if self.quadrant else {}
        if self.task.is_regression:
            row |= {"std": self.std, "scale": list(self.scale)}
        else:
            row |= {"label": self.label, "probabilities": self.probabilities}
        row |= self._certainty()
        row |= {"effects": self.effects} if self.effects else {}
        row |= {"window_s": self.window_s, "hop_s": self.hop_s, "padded": self.is_padded}
        return row | {"curve": self.curve}

    def _certainty(self) -> dict[str, Any]:
        """Return interval or set, and familiarity, as far as they are known, ready for JSON."""
        row: dict[str, Any] = {}
        if self.calibration is not None:
            if self.task.is_regression:
                ends = {
                    name: [end if math.isfinite(end) else None for end in pair]
                    for name, pair in self.interval.items()
                }
                row["interval"] = {"level": self.level, **ends}
            else:
                row["prediction_set"] = {"level": self.level, "classes": list(self.prediction_set)}
            row |= {"interval_note": self.interval_note} if self.interval_note else {}
        if self.percentile is not None:
            row |= {"unfamiliar": self.is_unfamiliar, "percentile": round(self.percentile, 1)}
        return row


def curve_row(
    task: Task, start: float, end: float, values: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return one window of a curve, ready for JSON.

    Args:
        task: the model's.
        start, end: seconds.
        values: by output, `()` a target, `(classes,)` for `probabilities`.

    Returns:
        `start`, `end`, and the targets, or `label` and `probabilities`.
    """
    row: dict[str, Any] = {"start": round(float(start), 3), "end": round(float(end), 3)}
    if task.is_regression:
        return row | {name: float(values[name]) for name in task.targets}
    probabilities = _by_class(task, values[PROBABILITIES])
    label = max(probabilities, key=probabilities.__getitem__)
    return row | {"label": label, "probabilities": probabilities}


def check_scale(low: float, high: float) -> None:
    """Raise InputError unless two numbers are the ends of a scale."""
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"a scale from {low:g} to {high:g} was given; give the lower end first, as in 1 9"
        )


def _targets(task: Task) -> tuple[str, ...]:
    return task.targets if task.is_regression else ()


def _by_class(task: Task, probabilities: np.ndarray) -> dict[str, float]:
    return dict(zip(task.classes, probabilities.tolist(), strict=True))
