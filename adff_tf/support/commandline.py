"""Command lines made of a program's own options and every setting of an experiment."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from .. import presets
from ..config import Experiment
from ..errors import InputError
from ..networks import NETWORKS
from ..settings import Settings, explain
from . import console
from .files import expand_user

Options = TypeVar("Options")
Start = TypeVar("Start", bound=Settings)


def parse(
    program: str, description: str, options: Options, start: Start, arguments: Sequence[str]
) -> tuple[Options, Start]:
    """Return a command line's options and settings. --help and an unknown option exit.

    Args:
        program, description: for --help.
        options: a dataclass instance with its defaults.
        start: the settings that the arguments change, such as an experiment.
        arguments: the command line's.

    Raises:
        InputError: a setting out of range, or settings that do not fit together.
    """
    import pydantic
    import tyro

    fields = {"main": options, "settings": start}
    flat: Any = tyro.conf.OmitArgPrefixes
    chosen: Any = tyro.conf.AvoidSubcommands  # the network's settings are those of the start's
    command = dataclasses.make_dataclass(
        "Command", [(name, chosen[flat[type(value)]]) for name, value in fields.items()]
    )
    try:
        parsed: Any = console.parse(
            program, description, command, arguments, default=command(**fields)
        )
    except pydantic.ValidationError as error:
        raise InputError(f"these settings cannot be used:\n{explain(error)}") from None
    return parsed.main, parsed.settings


def parse_known(arguments: Sequence[str], *names: str) -> argparse.Namespace:
    """Return the values of a few options, such as `--preset`, None for those not given."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in names:
        parser.add_argument(name)
    return parser.parse_known_args(arguments)[0]


def given_options(arguments: Sequence[str]) -> set[str]:
    """Return the names of the given options, with underscores."""
    options = [argument for argument in arguments if argument.startswith("--")]
    return {option.split("=")[0].removeprefix("--").replace("-", "_") for option in options}


def starting_point(arguments: Sequence[str]) -> Experiment:
    """Return the experiment of --config or --preset, which the other options change.

    The default is `finetune` with --start-from, `fast` with --data, and otherwise `demo`. --model
    gives the experiment another network. Raises InputError.
    """
    given = parse_known(arguments, "--preset", "--config", "--data", "--start-from")
    if given.config and given.preset:
        raise InputError("--config and --preset both name settings to start from; give one of them")
    if given.config:
        start = choose_network(read_config(Path(given.config)), arguments)
        if given.data is None:
            return start
        # layout, label range and weights belong to the saved data sets
        saved = {"data": (), "weights": (), "kind": "auto", "label_range": None}
        data = start.data.model_copy(update=saved)
        return start.model_copy(update={"data": data})
    default = "finetune" if given.start_from else ("fast" if given.data else "demo")
    name = given.preset if given.preset in presets.PRESETS else default
    return choose_network(presets.PRESETS[name](), arguments)


def choose_network(base: Experiment, arguments: Sequence[str]) -> Experiment:
    """Return an experiment with the network of --model, whose options the command line then has."""
    model = parse_known(arguments, "--model").model
    if model is None or model == base.network.model:
        return base
    if model not in NETWORKS:
        raise InputError(f"--model {model} was given; give {', '.join(NETWORKS)}")
    changed: dict[str, Any] = {"network": NETWORKS[model]()}
    if model == "musicnn-linear":  # its weights are for a front end of their own
        own = presets.PRESETS[model]()
        changed |= {"frontend": own.frontend, "segments": own.segments}
    return base.model_copy(update=changed)


def read_config(file: Path) -> Experiment:
    """Return the experiment in a config.json. Raises InputError."""
    advice = "give a config.json of a run"
    try:
        return Experiment.from_json(expand_user(file).read_text(), str(file))
    except OSError as error:
        raise InputError(f"--config {file} cannot be read: {error.strerror}; {advice}") from None
    except UnicodeDecodeError:
        raise InputError(f"--config {file} is not text; {advice}") from None


def with_absolute_path(experiment: Experiment) -> Experiment:
    """Return the experiment with its data's absolute paths, for files that move elsewhere."""
    paths = tuple(expand_user(path).resolve() for path in experiment.data.data)
    data = experiment.data.model_copy(update={"data": paths})
    return experiment.model_copy(update={"data": data})


def run_name(experiment: Experiment) -> str:
    """Return a folder's name made of the data and the task."""
    return f"{name_data(experiment.data.data) or 'synthetic'}-{experiment.task}"


def name_data(paths: Sequence[Path]) -> str:
    """Return the names of data sets for a folder's name: `PMEmo2019-and-DEAM`."""
    return "-and-".join(expand_user(path).resolve().stem for path in paths)
