"""Command lines that consist of a program's own options and of every setting of an experiment."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from .. import presets
from ..config import Experiment, explain
from ..errors import InputError
from . import console
from .files import expand_user

Options = TypeVar("Options")


def parse(
    program: str, description: str, options: Options, start: Experiment, arguments: Sequence[str]
) -> tuple[Options, Experiment]:
    """The options and the experiment that a command line names. Raises InputError; --help and unknown options exit.

    program, description: for --help. options: a dataclass with its defaults. start: the experiment that the arguments change.
    """
    import pydantic
    import tyro

    fields = {"main": options, "experiment": start}
    bare: Any = tyro.conf.OmitArgPrefixes
    command = dataclasses.make_dataclass(
        "Command", [(name, bare[type(value)]) for name, value in fields.items()]
    )
    try:
        found: Any = console.parse(
            program, description, command, arguments, default=command(**fields)
        )
    except pydantic.ValidationError as error:
        raise InputError(f"these settings cannot be used:\n{explain(error)}") from None
    return found.main, found.experiment


def parse_known(arguments: Sequence[str], *names: str) -> argparse.Namespace:
    """What some options say, `--preset` and so on, before the rest is looked at; None for those not given."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in names:
        parser.add_argument(name)
    return parser.parse_known_args(arguments)[0]


def given_options(arguments: Sequence[str]) -> set[str]:
    """The names of the options given, as Python spells them."""
    return {
        argument.split("=")[0].removeprefix("--").replace("-", "_")
        for argument in arguments
        if argument.startswith("--")
    }


def starting_point(arguments: Sequence[str]) -> Experiment:
    """The experiment that --config or --preset names, which the other options change; by default fast with --data, else demo."""
    given = parse_known(arguments, "--preset", "--config", "--data")
    if given.config and given.preset:
        raise InputError("--config and --preset both name settings to start from; give one of them")
    if given.config:
        start = read_config(Path(given.config))
        if given.data is None:
            return start
        other = start.data.model_copy(
            update={"kind": "auto", "label_range": None}
        )  # which told of the saved data set
        return start.model_copy(update={"data": other})
    name = given.preset if given.preset in presets.PRESETS else ("fast" if given.data else "demo")
    return presets.PRESETS[name]()


def read_config(file: Path) -> Experiment:
    """The experiment in a config.json that the user named. Raises InputError."""
    try:
        return Experiment.from_json(expand_user(file).read_text(), str(file))
    except OSError as error:
        raise InputError(
            f"--config {file} cannot be read: {error.strerror}; give a config.json of a run"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"--config {file} is not text; give a config.json of a run") from None


def with_absolute_path(experiment: Experiment) -> Experiment:
    """The experiment, its data named from the root, so that a file made of it can be used from anywhere."""
    if experiment.data.data is None:
        return experiment
    data = experiment.data.model_copy(update={"data": expand_user(experiment.data.data).resolve()})
    return experiment.model_copy(update={"data": data})


def run_name(experiment: Experiment) -> str:
    """A name for a folder: the data and the task."""
    data = experiment.data.data
    return f"{expand_user(data).resolve().stem if data else 'synthetic'}-{experiment.task}"
