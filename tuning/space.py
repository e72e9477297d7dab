"""The search space: the settings of an experiment that a search varies, and the values of each.

A space maps the name of a setting (as in `config`) to the values allowed: a `Choice` of some or a
`Range` of numbers. A choice of one value fixes the setting. The base experiment decides settings
outside the space.

Text narrows a space: `seg_num=6` fixes a setting, `seg_num=1,6,16` chooses,
`learning_rate=1e-5:1e-3` bounds (a choice keeps its values within the bounds), `seg_len=5:30:5`
steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from adff_tf.config import Experiment, check_segment
from adff_tf.errors import InputError
from adff_tf.settings import explain

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
"""Every setting that a search can vary, and its section of `Experiment`."""

FORMS = "NAME=VALUE, NAME=VALUE,VALUE,…, NAME=LOW:HIGH or NAME=LOW:HIGH:STEP"
MAX_STEPS = 1000


@dataclass(frozen=True)
class Choice:
    """Some values: numbers in ascending order, or words."""

    values: tuple


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, on a log scale if `log`; trials use three digits."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Space:
    """The values allowed of each setting, by name."""

    parameters: Mapping[str, Choice | Range]

    @property
    def fixed(self) -> dict[str, Any]:
        """The value of each setting that has only one."""
        return {
            name: p.values[0]
            for name, p in self.parameters.items()
            if isinstance(p, Choice) and len(p.values) == 1
        }

    @property
    def free(self) -> dict[str, Choice | Range]:
        """The settings that a search varies."""
        return {name: p for name, p in self.parameters.items() if name not in self.fixed}

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a trial's value of every setting: fixed, or from `values`; ranges are rounded."""
        given = {**values, **self.fixed}
        return {
            name: float(f"{given[name]:.3g}") if isinstance(allowed, Range) else given[name]
            for name, allowed in self.parameters.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the space for JSON: a list of values, or the fields of a range."""
        return {
            name: list(p.values) if isinstance(p, Choice) else asdict(p)
            for name, p in self.parameters.items()
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Space":
        """Return the space that `as_dict` described."""
        return cls(
            {
                name: Range(**p) if isinstance(p, dict) else Choice(tuple(p))
                for name, p in content.items()
            }
        )

    def declare(self, base: Experiment) -> "keras_tuner.HyperParameters":
        """Return the free settings for KerasTuner, with the base's values as defaults."""
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        for name, allowed in self.free.items():
            now = value_of(base, name)
            if isinstance(allowed, Choice):
                default = now if now in allowed.values else None
                hp.Choice(name, list(allowed.values), default=default)
            else:
                default = now if allowed.low <= now <= allowed.high else None
                sampling = "log" if allowed.log else "linear"
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
"""The paper's values of `seg_num` and `seg_len` (Tables 2 and 3), and settings it leaves open."""

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
"""For the built-in set of 10 s clips. 5 s in 16 parts cannot work, and shows a failed trial."""


def value_of(settings: Experiment, name: str) -> Any:
    """Return an experiment's value of a setting."""
    return getattr(getattr(settings, SECTIONS[name]), name)


# === Narrowing ===


def narrow(space: Space, texts: Iterable[str], base: Experiment) -> Space:
    """Return the space narrowed by `texts`. Raises InputError where nothing is left to search."""
    parameters, given = dict(space.parameters), set()
    for text in texts:
        name, equals, allowed = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise InputError(f"{text} has no values; give {FORMS}")
        if name not in SECTIONS:
            raise InputError(
                f"{text}: {name} is no hyperparameter; those that can be searched are "
                f"{', '.join(SECTIONS)}"
            )
        if name in given:
            raise InputError(f"{name} is given twice; give its values once")
        given.add(name)
        parameters[name] = _parse_parameter(name, allowed.strip(), parameters[name])
    narrowed = Space(parameters)
    check_space(narrowed, base)
    return narrowed


def check_space(space: Space, base: Experiment) -> None:
    """Raise InputError where nothing is left to search, or no configuration can work."""
    if not space.free:
        raise InputError(
            "the space is empty: every hyperparameter is fixed, which leaves nothing to search; "
            "give at least one of them several values, for instance seg_num=1,2,4,6"
        )
    longest = max(_ends(space.parameters["seg_len"]))
    fewest_parts = min(_ends(space.parameters["seg_num"]))
    try:
        check_segment(base.frontend.frames(longest), fewest_parts)
    except InputError as error:
        raise InputError(f"the space is empty, no configuration in it can work: {error}") from None


def _ends(parameter: Choice | Range) -> tuple:
    return parameter.values if isinstance(parameter, Choice) else (parameter.low, parameter.high)


def _parse_parameter(name: str, text: str, before: Choice | Range) -> Choice | Range:
    """Return the values that the text after `NAME=` allows."""
    if ":" not in text:
        values = [_parse_value(name, part) for part in text.split(",") if part.strip()]
        return _make_choice(name, text, values)
    parts = [_parse_number(name, part) for part in text.split(":")]
    if len(parts) > 3 or isinstance(before, Choice) and isinstance(before.values[0], str):
        raise InputError(
            f"{name}={text} is no range of this hyperparameter; give {_describe_allowed(name)}, "
            f"as {FORMS}"
        )
    low, high = parts[:2]
    if low > high:
        raise InputError(
            f"{name}={text} ends before it begins; give the lower value first: "
            f"{name}={high:g}:{low:g}"
        )
    for end in (low, high):
        _parse_value(name, f"{end:.10g}")
    if len(parts) == 3:
        return _make_choice(name, text, _expand_steps(name, text, low, high, parts[2]))
    if isinstance(before, Range):
        return Range(low, high, before.log) if low < high else Choice((low,))
    return _make_choice(name, text, [value for value in before.values if low <= value <= high])


def _expand_steps(name: str, text: str, low: float, high: float, step: float) -> list:
    if step <= 0 or (high - low) / step > MAX_STEPS:
        raise InputError(
            f"{name}={text}: a step is above 0 and leaves at most {MAX_STEPS} values; "
            f"given {step:g}"
        )
    count = int((high - low) / step * (1 + 1e-9)) + 1
    return [_parse_value(name, f"{low + k * step:.10g}") for k in range(count)]


def _make_choice(name: str, text: str, values: list) -> Choice:
    if not values:
        raise InputError(
            f"{name}={text} leaves no value of {name}, so the space is empty; give values, "
            f"as {FORMS}"
        )
    unique = list(dict.fromkeys(values))
    return Choice(tuple(unique if isinstance(unique[0], str) else sorted(unique)))


def _parse_number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(
            f"{name}: {text!r} is no number; give {_describe_allowed(name)}, as {FORMS}"
        )
    return value


def _parse_value(name: str, text: str) -> Any:
    """Return a setting's value, checked by the rules of `config`."""
    section = type(getattr(Experiment(), SECTIONS[name]))
    try:
        return getattr(section.model_validate({name: text.strip()}), name)
    except pydantic.ValidationError as error:
        raise InputError(
            f"{name}={text.strip()} cannot be used; allowed is {_describe_allowed(name)}:\n"
            f"{explain(error)}"
        ) from None


def _describe_allowed(name: str) -> str:
    """Return the values that `config` allows of a setting, in words."""
    section = type(getattr(Experiment(), SECTIONS[name]))
    schema = section.model_json_schema()["properties"][name]
    if "enum" in schema:
        return " or ".join(schema["enum"])
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    bounds = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    return " ".join([kind, " and ".join(bounds)])
