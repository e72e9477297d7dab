"""The file of a trained model, `model.keras`: where it lies, whether it belongs to the settings beside it, and the network in it.

A run folder holds `config.json`, every setting of the run, and `model.keras`, its network; `fold1/model.keras` and the like are the
folds' networks. A network of log-mels alone would not tell at which rate it was trained, so its layer `standardise` carries the
front end. It is read from the file, a zip archive, without Keras, and costs a few milliseconds.
"""

import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config import Experiment
from ..errors import InputError, format_list
from ..support.files import expand_user
from ..tasks import TASKS

if TYPE_CHECKING:
    import keras

AGAIN = "Copy it from the run again, or train again"


def find_model(path: str | Path) -> tuple[Path, Experiment]:
    """The model file of a run folder or of a `model.keras` in one, and its run's settings.

    Raises InputError for anything else, for a run that is not finished, for a damaged file, and for a model and settings that do
    not belong together: another front end, window or task.
    """
    file, config = _find_files(expand_user(path).absolute())
    experiment = _experiment(config)
    _check_same(file, _stored(file), experiment)
    return file, experiment


def run_folder_of(file: Path) -> Path:
    """The run folder of a `model.keras` that `located` found: its own, or a fold's the one above."""
    return file.parent if (file.parent / "config.json").is_file() else file.parent.parent


def load_network(file: Path) -> "keras.Model":
    """The Keras network in a `model.keras` that `located` found, from log-mel to answers, float32. Raises InputError for a damaged
    file and for one that this version of Keras does not load."""
    import keras

    from . import network as _  # registers the layers

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error"
            )  # Keras only warns of layers that a file has no weights for
            return keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises whatever the damage leads to
        reason = _reason(error)
        saved_by, _ = _members(file)
        if saved_by == keras.__version__:
            raise InputError(f"{file} is damaged or no model: {reason}\n{AGAIN}") from error
        raise InputError(
            f"{file} was saved by Keras {saved_by}, and this is {keras.__version__}, which does not load it: {reason}\n"
            f'Use that one, pip install "keras=={saved_by}", or train again. If it is the same elsewhere, the file is damaged'
        ) from error


def _reason(error: Exception) -> str:
    """One line of an error. Keras prints a layer's settings first, and what was wrong with them behind."""
    told = str(error).strip()
    return next(
        iter(told.rpartition("Exception encountered: ")[2].splitlines()), type(error).__name__
    )


# === What is in the file ===


@dataclass(frozen=True)
class _Stored:
    """What a model file says of itself. frontend: None where it does not tell. frames: of a window. task: its name."""

    frontend: dict[str, Any] | None
    frames: int
    task: str


def _members(file: Path) -> tuple[str, Any]:
    """The version of Keras that saved a model file, and its network's settings. Raises InputError for one that is damaged."""
    try:
        with open(file, "rb") as opened:
            if not zipfile.is_zipfile(opened):
                raise InputError(f"{file} is damaged or no model: it is no zip archive. {AGAIN}")
            with zipfile.ZipFile(opened) as archive:
                saved_by = json.loads(archive.read("metadata.json"))["keras_version"]
                return saved_by, json.loads(archive.read("config.json"))["config"]
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None
    except InputError:
        raise
    except Exception as error:  # zipfile and zlib raise whatever the damage leads to
        raise InputError(f"{file} is damaged or no model: {error}\n{AGAIN}") from error


def _stored(file: Path) -> _Stored:
    """Raises InputError for a file that is damaged or holds another network."""
    saved_by, network = _members(file)
    try:
        layers = {layer["config"]["name"]: layer["config"] for layer in network["layers"]}
        _, frames, _ = layers["log_mel"]["batch_shape"]
        frontend = layers["standardise"].get("frontend")
        return _Stored(
            frontend and dict(frontend), frames, _task(set(network["output_layers"]), set(layers))
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            f"{file} holds another network than ADFF (it was saved by Keras {saved_by}). {AGAIN}"
        ) from None


def _check_same(file: Path, stored: _Stored, experiment: Experiment) -> None:
    """Raise InputError unless a model's file and its run's settings are of one training."""
    if stored.frontend is None:
        raise InputError(
            f"{file} does not say which front end it was trained with: an earlier adff-tf saved it. Train again"
        )
    holds = {"task": stored.task, "frames of a window": stored.frames, **stored.frontend}
    said = {
        "task": experiment.task,
        "frames of a window": experiment.frames,
        **experiment.frontend.model_dump(),
    }
    if holds != said:
        names = [name for name in {**said, **holds} if holds.get(name) != said.get(name)]
        told = "\n".join(
            f"  {name}: {holds.get(name)} in the model, {said.get(name)} in config.json"
            for name in names
        )
        raise InputError(
            f"{file} and the config.json of its run do not belong together:\n{told}\nCopy both from the run again"
        )


def _task(outputs: set[str], layers: set[str]) -> str:
    """Which task a network is of; all class tasks have the output `probabilities`, each made from logits of its own name."""
    for name, task in TASKS.items():
        if outputs == set(task.outputs) and (task.is_regression or f"{name}_logits" in layers):
            return name
    return "another"


# === Where it lies ===


def _find_files(path: Path) -> tuple[Path, Path]:
    """The model file and its config.json. Raises InputError."""
    asked = "give a run folder, as adff_tf.train writes it, or a model.keras in one"
    try:
        if (
            path.is_dir()
            and not (path / "config.json").is_file()
            and (path / "model.keras").is_file()
        ):
            path = path / "model.keras"  # a fold
        if path.is_dir():
            if not (path / "config.json").is_file():
                held = format_list(sorted(file.name for file in path.iterdir())) or "  (nothing)"
                raise InputError(
                    f"{path} is no run folder: config.json is missing. It holds:\n{held}\n{asked.capitalize()}"
                )
            if not (path / "model.keras").is_file():
                finished = sorted(path.glob("fold*/model.keras"))
                ask = f", or ask a finished fold: {finished[0]}" if finished else ""
                raise InputError(
                    f"{path} holds a run that is not finished: model.keras is missing. Give the same training command again, which "
                    f"goes on from there{ask}"
                )
            return path / "model.keras", path / "config.json"
        if not path.exists():
            raise InputError(f"there is no model {path}; {asked}")
        if path.suffix != ".keras":
            raise InputError(f"{path} is no model; {asked}")
        for folder in (path.parent, path.parent.parent):
            if (folder / "config.json").is_file():
                return path, folder / "config.json"
    except OSError as error:  # no permission, a name that is too long
        raise InputError(
            f"{error.filename or path} cannot be read: {error.strerror}; {asked}"
        ) from None
    raise InputError(
        f"{path} has no config.json beside it or in the folder above, which says how to use it; {asked}"
    )


def _experiment(config: Path) -> Experiment:
    try:
        return Experiment.from_json(config.read_text(), str(config))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{config} cannot be read: {error}; copy it from the run again") from None
    except InputError as error:
        environment = config.with_name("environment.json")
        try:
            made_with = json.loads(environment.read_text())["adff_tf"]
        except (OSError, ValueError, KeyError, TypeError):
            made_with = None
        if made_with in (None, __version__):
            raise InputError(f"{error}\nCopy it from the run again") from None
        raise InputError(
            f"{error}\nThe run was made with adff-tf {made_with}, and this is {__version__}: use that one"
        ) from None
