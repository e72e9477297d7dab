"""Whether artifacts answer as the Keras model does: the same windows through each, differences against bounds, time a window.

A difference is absolute, in units of [-1, 1] for numbers and of probability for classes. Every window is compared on every output.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..inference.model import Answer
from .windows import MUSIC

WORST = {
    "saved_model": 1e-5,
    "adff_float32": 1e-4,
    "adff_float16": 5e-3,
    "adff_int8": 0.08,
    "adff_int8_full": 0.08,
}
MEAN = {"adff_int8": 0.03, "adff_int8_full": 0.03}
TELLING = 0.1  # a model whose own answers deviate by less tells little by agreeing


@dataclass(frozen=True)
class Parity:
    """How one artifact agrees with the Keras model. worst, mean: of the differences; at: the window of the worst. music: the worst
    of the windows of music."""

    artifact: str
    worst: float
    mean: float
    at: str
    music: float
    bound_worst: float
    bound_mean: float | None
    seconds: float

    @property
    def may_miss(self) -> bool:
        """Whether it is shipped, and marked, where it misses its bounds: int8, while it gives numbers."""
        return self.bound_mean is not None and np.isfinite(self.worst)

    @property
    def is_within(self) -> bool:
        """Whether it keeps its bounds; NaN does not."""
        return self.worst <= self.bound_worst and (
            self.bound_mean is None or self.mean <= self.bound_mean
        )

    def as_dict(self) -> dict:
        return {
            "worst": _json(self.worst), "mean": _json(self.mean), "worst_window": self.at, "worst_of_music": _json(self.music),
            "bound_worst": self.bound_worst, "bound_mean": self.bound_mean, "passed": self.is_within,
            "milliseconds_a_window": round(1e3 * self.seconds, 2),
        }  # fmt: skip


def _json(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None


def compare(
    artifact: str, answer: Callable, windows: dict[str, np.ndarray], wanted: dict[str, np.ndarray]
) -> Parity:
    """Ask an artifact about each window alone and compare with the Keras model's answers to all of them.

    answer: from `(1, samples)` (or whatever the windows are) to outputs by name. wanted: `reference`'s.
    """
    kind = artifact.replace("log_mel_", "").split("/")[0].removesuffix(".tflite")
    differences, seconds = [], []
    for k, window in enumerate(windows.values()):
        started = time.perf_counter()
        found = answer(window[None])
        seconds.append(time.perf_counter() - started)
        differences.append(
            np.concatenate([np.ravel(np.asarray(found[name]) - wanted[name][k]) for name in wanted])
        )
    table = np.abs(np.array(differences))
    table[~np.isfinite(table)] = np.inf
    by_window = dict(zip(windows, table.max(axis=1).tolist(), strict=True))
    worst = max(by_window, key=by_window.__getitem__)
    music = max((found for name, found in by_window.items() if name.startswith(MUSIC)), default=0.0)
    return Parity(
        artifact, by_window[worst], float(table.mean()), worst, music, WORST[kind], MEAN.get(kind), float(np.median(seconds[1:])),
    )  # fmt: skip


def reference(answer: Answer, windows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The Keras model's own answers, `(windows,)` a target or `(windows, classes)`."""
    one_by_one = [answer(window[None]) for window in windows.values()]
    return {
        name: np.concatenate([answers[name] for answers in one_by_one]) for name in one_by_one[0]
    }


def spread(wanted: dict[str, np.ndarray]) -> dict[str, float]:
    """How far the answers differ from window to window, by output: the std, of the class that varies most."""
    return {name: float(values.std(axis=0).max()) for name, values in wanted.items()}
