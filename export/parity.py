"""Parity: how far an artifact's predictions differ from the Keras model's.

Every artifact predicts on the same windows as the Keras model, one window at a time. A difference
is absolute, in units of [-1, 1] for targets and of probability for classes. Each window and output
counts. The output `distance` counts by itself, relative and on music alone: on a stress window it
may be any number.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adff_tf.inference.backends import Outputs
from adff_tf.tasks import DISTANCE

from .comparison_windows import MUSIC

WORST = {
    "saved_model": 1e-5,
    "hub": 1e-5,
    "hub/model": 5e-3,  # float16
    "web": 0.08,  # int8
    "adff_float32": 1e-4,
    "adff_float16": 5e-3,
    "adff_int8": 0.08,
    "adff_int8_full": 0.08,
}
DISTANCE_WORST = {
    "saved_model": 1e-3,
    "hub": 1e-3,
    "hub/model": 5e-2,
    "web": 0.25,
    "adff_float32": 1e-2,
    "adff_float16": 5e-2,
    "adff_int8": 0.25,
    "adff_int8_full": 0.25,
}
MEAN = {"web": 0.03, "adff_int8": 0.03, "adff_int8_full": 0.03}
INFORMATIVE_STD = 0.1  # a model whose predictions vary less says little by parity

Predict = Callable[[np.ndarray], Outputs]  # one window (1, …) to outputs by name


@dataclass(frozen=True)
class Parity:
    """How far one artifact differs from the Keras model.

    Attributes:
        artifact: its name.
        worst, mean: the greatest and the mean difference; infinite for NaN.
        worst_window: name of the window with the greatest difference.
        worst_of_music: the greatest difference on windows of music.
        bound_worst, bound_mean: upper bounds; no bound on the mean where None.
        seconds: median time a window.
        distance: the greatest relative difference of `distance` on windows of music; None for a
            model without it.
        bound_distance: its upper bound.
    """

    artifact: str
    worst: float
    mean: float
    worst_window: str
    worst_of_music: float
    bound_worst: float
    bound_mean: float | None
    seconds: float
    distance: float | None = None
    bound_distance: float = math.inf

    @property
    def may_miss(self) -> bool:
        """Whether the export passes, with a mark, when this artifact misses its bounds.

        True for int8, as long as its predictions are finite.
        """
        return self.bound_mean is not None and np.isfinite(self.worst)

    @property
    def is_within(self) -> bool:
        """Whether the differences are within the bounds."""
        is_mean_within = self.bound_mean is None or self.mean <= self.bound_mean
        is_distance_within = self.distance is None or self.distance <= self.bound_distance
        return self.worst <= self.bound_worst and is_mean_within and is_distance_within

    def as_dict(self) -> dict:
        """Return the artifact's entry in parity.json."""
        return {
            "worst": _json(self.worst), "mean": _json(self.mean),
            "worst_window": self.worst_window, "worst_of_music": _json(self.worst_of_music),
            "bound_worst": self.bound_worst, "bound_mean": self.bound_mean,
            "distance": None if self.distance is None else _json(self.distance),
            "passed": self.is_within, "milliseconds_a_window": round(1e3 * self.seconds, 2),
        }  # fmt: skip


def _json(value: float) -> float | None:
    """Return None for infinity, which JSON lacks."""
    return value if np.isfinite(value) else None


def compare(
    artifact: str, predict: Predict, windows: dict[str, np.ndarray], reference: Outputs
) -> Parity:
    """Return the parity of one artifact.

    Args:
        artifact: its name, which decides the bounds.
        predict: the artifact's function of one window.
        windows: by name, waveforms `(samples,)` or log-mels `(frames, mels)`.
        reference: of `predict_reference`, for the same windows.
    """
    kind = artifact.replace("log_mel_", "").removesuffix(".tflite")
    kind = kind if kind in WORST else kind.split("/")[0]  # a signature has its artifact's bounds
    differences, distances, seconds = [], [], []
    names = [name for name in reference if name != DISTANCE]
    for k, (window_name, window) in enumerate(windows.items()):
        started = time.perf_counter()
        outputs = predict(window[None])
        seconds.append(time.perf_counter() - started)
        row = [np.ravel(np.asarray(outputs[name]) - reference[name][k]) for name in names]
        differences.append(np.concatenate(row))
        if DISTANCE in reference and window_name.startswith(MUSIC):
            wanted = float(reference[DISTANCE][k])
            distances.append(abs(float(np.ravel(outputs[DISTANCE])[0]) - wanted) / wanted)
    table = np.abs(np.array(differences))
    table[~np.isfinite(table)] = np.inf
    by_window = dict(zip(windows, table.max(axis=1).tolist(), strict=True))
    worst = max(by_window, key=by_window.__getitem__)
    of_music = [value for name, value in by_window.items() if name.startswith(MUSIC)]
    return Parity(
        artifact, by_window[worst], float(table.mean()), worst, max(of_music, default=0.0),
        WORST[kind], MEAN.get(kind), float(np.median(seconds[1:])),
        max(distances, default=None), DISTANCE_WORST[kind],
    )  # fmt: skip


def predict_reference(predict: Predict, windows: dict[str, np.ndarray]) -> Outputs:
    """Return the Keras model's outputs, `(windows,)` a target or `(windows, classes)`."""
    rows = [predict(window[None]) for window in windows.values()]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def prediction_std(reference: Outputs) -> dict[str, float]:
    """Return the std of each output over windows; for classes, the greatest of any class."""
    return {
        name: float(values.std(axis=0).max())
        for name, values in reference.items()
        if name != DISTANCE
    }
