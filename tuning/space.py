"""The search space: which settings of an experiment are tried, and one function from their values to an experiment.

A space maps the name of a setting (`config`'s own) to the values it may take: a `Choice` of some or a `Range` of numbers. A choice
of one is a fixed setting. Settings that the space does not name are the base experiment's.

On the command line a setting is narrowed by text: `seg_num=6` fixes it, `seg_num=1,6,16` chooses, `learning_rate=1e-5:1e-3` bounds
it (of a choice, those values within stay), `seg_len=5:30:5` steps.
"""

import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from .. import __version__
from ..config import Experiment, check_segment, explain
from ..errors import InputError

if TYPE_CHECKING:
    import keras_tuner

SECTIONS = {
    "seg_num": "segments",
    "seg_len": "segments",
    "learning_rate": "training",
    "dropout": "network",
    "lstm_units": "network",
    "se_ratio": "network",
    "width": "network",
    "level_end": "network",
}
"""Every setting that can be searched over, and its section of `Experiment`."""

EPOCHS = "tuner/epochs"  # set by Hyperband: the epochs of a trial
FORMS = "NAME=VALUE, NAME=VALUE,VALUE,…, NAME=LOW:HIGH or NAME=LOW:HIGH:STEP"
MOST_STEPS = 1000


@dataclass(frozen=True)
class Choice:
    """Some values: numbers in ascending order, or words."""

    values: tuple


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, alike in their logarithm if `log`; tried to three significant digits."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Space:
    """The values that each of some settings may take, by name."""

    parameters: Mapping[str, Choice | Range]

    @property
    def fixed(self) -> dict[str, Any]:
        """Settings with one value left."""
        return {
            name: p.values[0]
            for name, p in self.parameters.items()
            if isinstance(p, Choice) and len(p.values) == 1
        }

    @property
    def free(self) -> dict[str, Choice | Range]:
        """Settings that are searched over."""
        return {name: p for name, p in self.parameters.items() if name not in self.fixed}

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is fixed, and `values` of what is free as they are tried; in the space's order."""
        is_rounded = {name: isinstance(allowed, Range) for name, allowed in self.parameters.items()}
        given = {**values, **self.fixed}
        return {
            name: float(f"{given[name]:.3g}") if is_rounded[name] else given[name]
            for name in self.parameters
        }

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a list of values, or the range's ends."""
        return {
            name: list(p.values)
            if isinstance(p, Choice)
            else {"low": p.low, "high": p.high, "log": p.log}
            for name, p in self.parameters.items()
        }

    def declare(self, base: Experiment) -> "keras_tuner.HyperParameters":
        """What is free, as KerasTuner's hyperparameters. Their defaults are the base's values where they are in the space."""
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        for name, allowed in self.free.items():
            now = value_of(base, name)
            if isinstance(allowed, Choice):
                hp.Choice(
                    name, list(allowed.values), default=now if now in allowed.values else None
                )
            else:
                sampling = "log" if allowed.log else "linear"
                default = now if allowed.low <= now <= allowed.high else None
                hp.Float(name, allowed.low, allowed.high, sampling=sampling, default=default)
        return hp


PAPER = Space(
    {
        "seg_num": Choice((1, 2, 4, 6, 8, 10, 12, 14, 16)),
        "seg_len": Choice((5.0, 10.0, 15.0, 20.0, 25.0, 30.0)),
        "learning_rate": Range(1e-5, 3e-3, log=True),
        "dropout": Range(0.0, 0.6),
        "lstm_units": Choice((16, 32, 64, 128)),
        "se_ratio": Choice((4, 8, 16, 32)),
        "width": Choice((0.25, 0.5, 1.0)),
        "level_end": Choice(("pool-relu-norm", "norm-relu")),
    }
)
"""The paper's values of `seg_num` and `seg_len` (its Tables 2 and 3), and what it leaves open."""

DEMO = Space(
    {
        "seg_num": Choice((1, 2, 4, 8, 16)),
        "seg_len": Choice((5.0, 10.0)),
        "learning_rate": Range(1e-3, 6e-3, log=True),
        "dropout": Choice((0.0,)),
        "lstm_units": Choice((32,)),
        "se_ratio": Choice((16,)),
        "width": Choice((0.125,)),
        "level_end": Choice(("pool-relu-norm",)),
    }
)
"""For the built-in set, whose clips last 10 s: tried in minutes. 5 s in 16 parts cannot work, to show what happens then."""


ALGORITHMS = ("bayesian", "hyperband", "random", "grid")


@dataclass(frozen=True)
class Plan:
    """What is searched: the settings of a base, in a space, by one of `ALGORITHMS`.

    As JSON it also names the versions whose files a search leaves: one of another version is not gone on with.
    """

    base: Experiment
    space: Space
    algorithm: str = "bayesian"

    def to_json(self) -> str:
        content = {
            "versions": {"adff_tf": __version__, "keras_tuner": ".".join(importlib.metadata.version("keras-tuner").split(".")[:2])},
            "algorithm": self.algorithm, "space": self.space.as_dict(), "base": json.loads(self.base.to_json()),
        }  # fmt: skip
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan that `to_json` wrote."""
        content = json.loads(text)
        parameters = {
            name: Range(**p) if isinstance(p, dict) else Choice(tuple(p))
            for name, p in content["space"].items()
        }
        return cls(
            Experiment.model_validate(content["base"]), Space(parameters), content["algorithm"]
        )


def experiment(base: Experiment, space: Space, values: Mapping[str, Any]) -> Experiment:
    """The base with what the space fixes and with `values` of what is free (and of `EPOCHS`, where an algorithm sets them).

    Raises InputError where they do not fit together.
    """
    data = base.model_dump()
    data["training"]["epochs"] = values.get(EPOCHS, base.training.epochs)
    for name, value in space.complete(values).items():
        data[SECTIONS[name]][name] = value
    check_segment(base.frontend.frames(data["segments"]["seg_len"]), data["segments"]["seg_num"])
    return Experiment.model_validate(data)


def value_of(settings: Experiment, name: str) -> Any:
    """The value that an experiment has of a setting."""
    return getattr(getattr(settings, SECTIONS[name]), name)


# === Narrowing ===


def narrowed(space: Space, texts: Iterable[str], base: Experiment) -> Space:
    """The space with the settings that the texts name fixed or narrowed. Raises InputError where nothing is left to search."""
    parameters, given = dict(space.parameters), set()
    for text in texts:
        name, equals, allowed = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise InputError(f"--space {text} says no values; give {FORMS}")
        if name not in SECTIONS:
            raise InputError(
                f"--space {text}: {name} is no hyperparameter; those that can be searched are {', '.join(SECTIONS)}"
            )
        if name in given:
            raise InputError(f"--space names {name} twice; give its values once")
        given.add(name)
        parameters[name] = _parameter(name, allowed.strip(), parameters[name])
    return checked(Space(parameters), base)


def checked(space: Space, base: Experiment) -> Space:
    """The space itself, if there is something to search in it; otherwise InputError."""
    if not space.free:
        raise InputError(
            "the space is empty: every hyperparameter is fixed, which leaves nothing to search. Give at least one of them several "
            "values, for instance --space seg_num=1,2,4,6"
        )
    longest, fewest_parts = (
        max(ends(space.parameters["seg_len"])),
        min(ends(space.parameters["seg_num"])),
    )
    try:
        check_segment(base.frontend.frames(longest), fewest_parts)
    except InputError as error:
        raise InputError(f"the space is empty, no configuration in it can work: {error}") from None
    return space


def ends(parameter: Choice | Range) -> tuple:
    """All values of a choice, or the lowest and the highest of a range."""
    return parameter.values if isinstance(parameter, Choice) else (parameter.low, parameter.high)


def _parameter(name: str, text: str, before: Choice | Range) -> Choice | Range:
    """What the text after `NAME=` allows."""
    if ":" not in text:
        values = [_value(name, part) for part in text.split(",") if part.strip()]
        return _choice(name, text, values)
    parts = [_number(name, part) for part in text.split(":")]
    if len(parts) > 3 or isinstance(before, Choice) and isinstance(before.values[0], str):
        raise InputError(
            f"--space {name}={text} is no range of this hyperparameter; give {_allowed(name)}, as {FORMS}"
        )
    low, high = parts[0], parts[1]
    if low > high:
        raise InputError(
            f"--space {name}={text} ends before it begins; give the lower value first: {name}={high:g}:{low:g}"
        )
    for end in (low, high):
        _value(name, f"{end:.10g}")
    if len(parts) == 3:
        return _choice(name, text, _steps(name, text, low, high, parts[2]))
    if isinstance(before, Range):
        return Range(low, high, before.log) if low < high else Choice((low,))
    return _choice(name, text, [value for value in before.values if low <= value <= high])


def _steps(name: str, text: str, low: float, high: float, step: float) -> list:
    if step <= 0 or (high - low) / step > MOST_STEPS:
        raise InputError(
            f"--space {name}={text}: a step is above 0 and leaves at most {MOST_STEPS} values; given {step:g}"
        )
    count = int((high - low) / step * (1 + 1e-9)) + 1
    return [_value(name, f"{low + k * step:.10g}") for k in range(count)]


def _choice(name: str, text: str, values: list) -> Choice:
    if not values:
        raise InputError(
            f"--space {name}={text} leaves no value of {name}, so the space is empty; give values, as {FORMS}"
        )
    unique = list(dict.fromkeys(values))
    return Choice(tuple(unique if isinstance(unique[0], str) else sorted(unique)))


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(
            f"--space {name}: {text!r} is no number; give {_allowed(name)}, as {FORMS}"
        )
    return value


def _value(name: str, text: str) -> Any:
    """A value of a setting, read and checked by the config's own rules."""
    section = Experiment.model_fields[SECTIONS[name]].annotation
    try:
        return getattr(section.model_validate({name: text.strip()}), name)  # type: ignore[union-attr]
    except pydantic.ValidationError as error:
        raise InputError(
            f"--space {name}={text.strip()} cannot be used; allowed is {_allowed(name)}:\n{explain(error)}"
        ) from None


def _allowed(name: str) -> str:
    """What the config allows of a setting, in words."""
    section = Experiment.model_fields[SECTIONS[name]].annotation
    schema = section.model_json_schema()["properties"][name]  # type: ignore[union-attr]
    if "enum" in schema:
        return " or ".join(schema["enum"])
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    bounds = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return " ".join(
        ["a whole number" if schema["type"] == "integer" else "a number", " and ".join(bounds)]
    )
