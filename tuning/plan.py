"""The plan of a search: a base experiment, the space around it, the algorithm, the budget.

A trial's values are one per free hyperparameter, by name, as KerasTuner proposes them; Hyperband
adds `EPOCHS`. `search.json` is `Plan.to_json`. It also holds the versions that wrote it: a search
made by other versions is not resumed.
"""

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adff_tf import __version__
from adff_tf.config import Experiment, check_segment
from adff_tf.errors import InputError

from .space import SECTIONS, Space

RECORD = "search.json"
ALGORITHMS = ("bayesian", "hyperband", "random", "grid")
EPOCHS = "tuner/epochs"  # set by Hyperband: the epochs of a trial


@dataclass(frozen=True)
class Budget:
    """The end of a search: so many trials or hours. The trial in progress is finished."""

    trials: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise InputError(
                f"a budget of {self.trials} trials leaves nothing to try; set trials to 1 or more"
            )
        if self.hours is not None and not self.hours > 0:
            raise InputError(
                f"a budget of {self.hours:g} hours leaves nothing to try; set hours above 0, "
                "for instance to 0.5"
            )


@dataclass(frozen=True)
class Plan:
    """A search: the base's settings, varied in `space` by one of `ALGORITHMS`."""

    base: Experiment
    space: Space
    algorithm: str = "bayesian"

    def build_experiment(self, values: Mapping[str, Any]) -> Experiment:
        """Return a trial's experiment. Raises InputError where the values do not fit together."""
        data = self.base.model_dump()
        data["training"]["epochs"] = values.get(EPOCHS, self.base.training.epochs)
        for name, value in self.space.complete(values).items():
            data[SECTIONS[name]][name] = value
        segments = data["segments"]
        check_segment(self.base.frontend.frames(segments["seg_len"]), segments["seg_num"])
        return Experiment.model_validate(data)

    def describe(self, values: Mapping[str, Any]) -> str:
        """Return the free values of a trial in one line."""
        tried = self.space.complete(values)
        shown = {name: tried[name] for name in self.space.free}
        if EPOCHS in values:
            shown["epochs"] = values[EPOCHS]
        return ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in shown.items()
        )

    def to_json(self) -> str:
        """Return the content of `search.json`."""
        content = {
            "versions": current_versions(),
            "algorithm": self.algorithm,
            "space": self.space.as_dict(),
            "base": json.loads(self.base.to_json()),
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Return the plan that `to_json` wrote."""
        content = json.loads(text)
        base = Experiment.model_validate(content["base"])
        return cls(base, Space.from_dict(content["space"]), content["algorithm"])


def current_versions() -> dict[str, str]:
    """Return the versions of adff_tf and KerasTuner, which decide a search's file format."""
    keras_tuner = importlib.metadata.version("keras-tuner")
    return {"adff_tf": __version__, "keras_tuner": ".".join(keras_tuner.split(".")[:2])}


def check_versions(folder: Path) -> None:
    """Raise InputError where other versions than the current ones began the search in `folder`."""
    record = folder / RECORD
    if not (folder / "index.csv").exists():  # not begun: the record may still be replaced
        return
    try:
        before = json.loads(record.read_text()).get("versions", {})
    except ValueError as error:
        raise InputError(f"{record} is damaged ({error}); give another folder") from None
    if before != (now := current_versions()):
        raise InputError(
            f"{folder} holds a search made by {_format_versions(before)}, which "
            f"{_format_versions(now)} cannot resume; give another folder, or resume it with the "
            "versions that made it"
        )


def _format_versions(versions: dict[str, str]) -> str:
    names = [f"{package} {version}" for package, version in versions.items()]
    return " and ".join(names) or "an unknown version"
