"""The tasks: targets, network outputs and classes of each.

Conventions. Valence and arousal are in [-1, 1]; a value >= 0 is the positive class. Quadrants are
Russell's: Q1 (+V +A), Q2 (-V +A), Q3 (-V -A), Q4 (+V -A). A regression task has one network output
per target, named after the target. A classification task has the single output `probabilities`, in
the order of `classes`. A trained network has the output `distance` beside them, see
`model.layers.Familiarity`, and one with named concepts `effects`, see `model.layers.Effects`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

PROBABILITIES = "probabilities"
DISTANCE = "distance"
CONCEPTS = "concepts"  # in training alone, see `model.mlem`
EFFECTS = "effects"
BESIDE = (DISTANCE, EFFECTS)  # outputs of a trained network beside its task's
VECTORS = (PROBABILITIES, EFFECTS)  # outputs of several numbers a window


@dataclass(frozen=True)
class Task:
    """One task. `classes` is empty for regression."""

    name: str
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        return not self.classes

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs."""
        return self.targets if self.is_regression else (PROBABILITIES,)

    @property
    def linear_baseline(self) -> str:
        """Name of the linear baseline in reports and `metrics.json`."""
        return "ridge" if self.is_regression else "logistic"

    def labels(self, tracks: "pd.DataFrame") -> dict[str, np.ndarray]:
        """Return the labels of an index by network output.

        Args:
            tracks: an index with columns `valence` and `arousal`, see `datasets.index`.

        Returns:
            For regression `(tracks,)` float32 in [-1, 1] per target; for classification the class
            indices `(tracks,)` int64 under `probabilities`.
        """
        if self.is_regression:
            return {name: tracks[name].to_numpy("float32") for name in self.targets}
        valence, arousal = tracks["valence"].to_numpy(), tracks["arousal"].to_numpy()
        return {PROBABILITIES: self.class_index(valence, arousal)}

    def class_index(self, valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
        """Return the class index, int64, of each point of the valence-arousal plane."""
        positive = {"valence": np.asarray(valence) >= 0, "arousal": np.asarray(arousal) >= 0}
        if self.name == "quadrant":
            v, a = positive["valence"], positive["arousal"]
            return np.select([v & a, ~v & a, ~v & ~a], [0, 1, 2], 3)
        return positive[self.targets[0]].astype("int64")


TASKS = {
    task.name: task
    for task in (
        Task("both", ("valence", "arousal")),
        Task("valence", ("valence",)),
        Task("arousal", ("arousal",)),
        Task("valence2", ("valence",), ("negative", "positive")),
        Task("arousal2", ("arousal",), ("calm", "excited")),
        Task("quadrant", ("valence", "arousal"), ("Q1", "Q2", "Q3", "Q4")),
    )
}
