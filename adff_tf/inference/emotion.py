"""TODO adff_tf.inference.emotion."""

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..tasks import PROBABILITIES, TASKS, Task

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Emotion:
    """The answer for one recording.

    task: what was predicted. path: where the recording was, or a name for it. seconds: its length. window_s, hop_s: of the curve.
    start, end: of each window, `(windows,)` seconds; `end` never passes the recording's.
    windows: values by network output, `(windows,)` for a target and `(windows, classes)` for `probabilities`.
    scale: the ends of the targets' scale. peaks: the greatest |sample| of each 1/20 s, `(seconds * 20,)`.
    """

    task: Task
    path: str
    seconds: float
    window_s: float
    hop_s: float
    start: np.ndarray
    end: np.ndarray
    cut_windows: dict[str, np.ndarray]
    scale: tuple[float, float] = (-1.0, 1.0)
    peaks: np.ndarray = field(default_factory=lambda: np.zeros(0, "float32"), repr=False)

    def __getattr__(self, name: str) -> float:
        """`valence` and `arousal`, where the model predicts them as numbers."""
        if (
            name.startswith("_") or name in type(self).__dataclass_fields__
        ):  # asked for while a copy is made, which has nothing yet
            raise AttributeError(name)
        if name in ("valence", "arousal") and name in self.values:
            return self.values[name]
        raise AttributeError(
            f"no {name!r} here: the task is {self.task.name}, which gives {', '.join(self.task.outputs)}"
        )

    @functools.cached_property
    def values(self) -> dict[str, float]:
        """Each target's mean over the windows; empty for classes."""
        return {name: float(self.windows[name].mean()) for name in self._numbers}

    @property
    def std(self) -> dict[str, float | None]:
        """Each target's sample std over the windows, None where there is one window; empty for classes."""
        return {
            name: float(self.windows[name].std(ddof=1)) if len(self.start) > 1 else None
            for name in self._numbers
        }

    @property
    def probabilities(self) -> dict[str, float]:
        """Each class's probability, the mean over the windows; empty for numbers."""
        if self.task.is_regression:
            return {}
        return dict(
            zip(self.task.classes, self.windows[PROBABILITIES].mean(axis=0).tolist(), strict=True)
        )

    @property
    def label(self) -> str | None:
        """The likeliest class; None for numbers."""
        return (
            max(self.probabilities, key=self.probabilities.__getitem__)
            if self.probabilities
            else None
        )

    @property
    def quadrant(self) -> str | None:
        """Q1 (+V +A), Q2 (-V +A), Q3 (-V -A), Q4 (+V -A); None where the task does not tell it."""
        if self.task.name == "quadrant":
            return self.label
        if self.task.name != "both":
            return None
        valence, arousal = (
            np.array(self.values[name] - sum(self.scale) / 2) for name in ("valence", "arousal")
        )
        return TASKS["quadrant"].classes[int(TASKS["quadrant"].class_index(valence, arousal))]

    @property
    def is_padded(self) -> bool:
        """Whether the recording is shorter than a window."""
        return self.seconds < self.window_s

    @property
    def curve(self) -> list[dict[str, Any]]:
        """A dict a window: `start`, `end` in seconds, and `valence`, `arousal`, or `label` and `probabilities`."""
        rows = []
        for k, (start, end) in enumerate(zip(self.start, self.end, strict=True)):
            row: dict[str, Any] = {"start": round(float(start), 3), "end": round(float(end), 3)}
            row |= {name: float(self.windows[name][k]) for name in self._numbers}
            if not self.task.is_regression:
                by_class = dict(
                    zip(self.task.classes, self.windows[PROBABILITIES][k].tolist(), strict=True)
                )
                row |= {"label": max(by_class, key=by_class.__getitem__), "probabilities": by_class}
            rows.append(row)
        return rows

    def rescaled(self, low: float, high: float) -> "Emotion":
        """The same answer with the targets' scale going from `low` to `high`, such as 0 and 1 or 1 and 9. Raises InputError."""
        check_scale(low, high)
        if (low, high) == self.scale:
            return self
        old_low, old_high = self.scale
        factor = (high - low) / (old_high - old_low)
        cut_windows = {
            name: low + (self.windows[name] - old_low) * factor for name in self._numbers
        }
        return replace(self, windows=self.windows | cut_windows, scale=(low, high))

    def as_dict(self) -> dict[str, Any]:
        """What the command line prints as JSON."""
        row: dict[str, Any] = {"path": self.path, "seconds": round(self.seconds, 3)}
        if self.task.is_regression:
            row |= self.values
        row |= {"quadrant": self.quadrant} if self.quadrant else {}
        if self.task.is_regression:
            row |= {"std": self.std, "scale": list(self.scale)}
        else:
            row |= {"label": self.label, "probabilities": self.probabilities}
        return row | {
            "window_s": self.window_s,
            "hop_s": self.hop_s,
            "padded": self.is_padded,
            "curve": self.curve,
        }

    @property
    def _numbers(self) -> tuple[str, ...]:
        return self.task.targets if self.task.is_regression else ()


def check_scale(low: float, high: float) -> None:
    """Raise InputError unless two numbers are the ends of a scale."""
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"a scale from {low:g} to {high:g} was given; give the lower end first, as in 1 9"
        )
