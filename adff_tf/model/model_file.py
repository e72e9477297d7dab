"""The file of a trained model, `model.keras`: where it lies, whether it fits its settings, loading.

A run folder holds `config.json`, all settings of the run, and `model.keras`, its network;
`fold1/model.keras` and so on are the folds' networks. A network of log-mels does not imply a sample
rate, so its layer `standardise` carries the front-end settings. They are read from the file, a zip
archive, without Keras, in a few milliseconds.

A run of another adff-tf is refused in one line: the version that made it, this version, the next
step. `environment.json` in the run folder names the version.
"""

import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from .. import __version__
from ..config import Experiment, Frontend
from ..errors import InputError, format_list
from ..frontend import LATER
from ..settings import list_problems
from ..tasks import BESIDE, TASKS
from . import shipped

if TYPE_CHECKING:
    import keras

AGAIN = "Copy it from the run again, or train again"
PRETRAINING = "pretraining.json"  # marks a network whose head is not trained
ALLOWED = (
    "give a run folder, as adff_tf.train writes it, a model.keras in one, or the word "
    f"{shipped.NAME} for the model that ships with adff-tf"
)


def find_model(path: str | Path, with_head: bool = True) -> tuple[Path, Experiment]:
    """Return a model file and the settings of its run.

    Args:
        path: a run folder, a fold's folder, a `model.keras` in one, or the word `pretrained`
            (`shipped.resolve_model`).
        with_head: refuse a pre-training, whose prediction head is not trained.

    Raises:
        InputError: anything else, a run that is not finished, a damaged file, a run of another
            version, or a model and settings of different trainings (front end, window or task).
    """
    file = _find_file(shipped.resolve_model(path))
    if with_head and (run_folder_of(file) / PRETRAINING).is_file():
        raise InputError(
            f"{file} is pre-trained on music without labels, and cannot predict yet: train it by "
            f"adff-train --start-from {run_folder_of(file)} --data DATA"
        )
    experiment = _read_experiment(run_folder_of(file) / "config.json")
    _check_match(file, _read_settings(file), experiment)
    return file, experiment


def run_folder_of(file: Path) -> Path:
    """Return the run folder of a `model.keras`: its own folder, or for a fold the one above."""
    return file.parent if (file.parent / "config.json").is_file() else file.parent.parent


def load_network(file: Path) -> "keras.Model":
    """Return the float32 Keras network, log-mel to outputs, in a file of `find_model`.

    Raises InputError for a damaged file, and for a file that this version of Keras does not load.
    """
    import keras

    from . import network as _  # registers the layers

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns of layers without weights in the file
            return keras.models.load_model(file, compile=False)
    except Exception as error:  # any type: Keras does not validate a damaged file
        reason = _first_line(error)
        saved_by, _ = _read_archive(file)
        if saved_by == keras.__version__:
            raise InputError(f"{file} is damaged or no model: {reason}\n{AGAIN}") from error
        raise InputError(
            f"{file} was saved by Keras {saved_by}, and this is {keras.__version__}, which does "
            f'not load it: {reason}\nUse that version, pip install "keras=={saved_by}", or train '
            "again. If that version does not load it either, the file is damaged"
        ) from error


def _first_line(error: Exception) -> str:
    """Return one line of an error; Keras puts the cause after a dump of the layer's settings."""
    cause = str(error).strip().rpartition("Exception encountered: ")[2]
    return next(iter(cause.splitlines()), type(error).__name__)


# === Settings in the file ===


@dataclass(frozen=True)
class _Stored:
    """Settings in a model file. frames: of a window. frontend: empty where it is missing."""

    task: str
    frames: int
    frontend: dict[str, Any]


def _read_archive(file: Path) -> tuple[str, Any]:
    """Return the version of Keras that saved a file, and the network's Keras config."""
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
    except Exception as error:  # any type: zipfile and zlib do not validate a damaged file
        raise InputError(f"{file} is damaged or no model: {error}\n{AGAIN}") from error


def _read_settings(file: Path) -> _Stored:
    """Return the settings in a model file. Raises InputError for another network than ADFF."""
    saved_by, network = _read_archive(file)
    try:
        layers = {layer["config"]["name"]: layer["config"] for layer in network["layers"]}
        _, frames, _ = layers["log_mel"]["batch_shape"]
        task = _task(set(network["output_layers"]) - set(BESIDE), set(layers))
        return _Stored(task, frames, LATER | (layers["standardise"].get("frontend") or {}))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            f"{file} holds another network than ADFF (it was saved by Keras {saved_by}). {AGAIN}"
        ) from None


def _task(outputs: set[str], layers: set[str]) -> str:
    """Return the name of a network's task; class tasks differ in the name of their logits alone."""
    for name, task in TASKS.items():
        if outputs == set(task.outputs) and (task.is_regression or f"{name}_logits" in layers):
            return name
    return "another"


def _check_match(file: Path, stored: _Stored, experiment: Experiment) -> None:
    """Raise InputError unless a model file and its run's settings are of one training."""
    if set(stored.frontend) != set(Frontend.model_fields):
        raise _refusal(file, "it does not state the front-end settings of this version")
    model = {"task": stored.task, "frames of a window": stored.frames, **stored.frontend}
    config = {
        "task": experiment.task,
        "frames of a window": experiment.frames,
        **experiment.frontend.model_dump(),
    }
    differences = [
        f"  {name}: {model[name]} in the model, {value} in config.json"
        for name, value in config.items()
        if model[name] != value
    ]
    if differences:
        raise InputError(
            f"{file} and the config.json of its run do not belong together:\n"
            + "\n".join(differences)
            + "\nCopy both from the run again"
        )


# === Files of a run ===


def _find_file(path: Path) -> Path:
    """Return the model file that has a config.json in its run folder. Raises InputError."""
    try:
        file = _model_in(path) if path.is_dir() else path
        if not file.exists():
            raise InputError(f"there is no model {file}; {ALLOWED}")
        if file.suffix != ".keras":
            raise InputError(f"{file} is no model; {ALLOWED}")
        has_settings = (run_folder_of(file) / "config.json").is_file()
    except OSError as error:  # no permission, or a name that is too long
        raise InputError(
            f"{error.filename or path} cannot be read: {error.strerror}; {ALLOWED}"
        ) from None
    if not has_settings:
        raise InputError(
            f"{file} has no config.json beside it or in the folder above, so its settings are not "
            f"known; {ALLOWED}"
        )
    return file


def _model_in(folder: Path) -> Path:
    """Return the model file of a run's or a fold's folder. Raises InputError where it has none."""
    file = folder / "model.keras"
    if file.is_file():
        return file
    if (folder / "config.json").is_file():
        finished = sorted(folder.glob("fold*/model.keras"))
        use_fold = f", or use a finished fold: {finished[0]}" if finished else ""
        raise InputError(
            f"{folder} holds a run that is not finished: model.keras is missing. The same training "
            f"command resumes it{use_fold}"
        )
    held = format_list(sorted(entry.name for entry in folder.iterdir())) or "  (nothing)"
    raise InputError(
        f"{folder} is no run folder: config.json is missing. It holds:\n{held}\n"
        f"{ALLOWED.capitalize()}"
    )


def _read_experiment(config: Path) -> Experiment:
    try:
        return Experiment.model_validate_json(config.read_text())
    except pydantic.ValidationError as error:
        raise _refusal(config, "; ".join(list_problems(error))) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{config} cannot be read: {error}; copy it from the run again") from None


def _refusal(file: Path, problem: str) -> InputError:
    """Return the error for a file of a run that this version cannot use."""
    made_with = _version_of(run_folder_of(file))
    if made_with == __version__:
        return InputError(f"{file} cannot be used: {problem}. {AGAIN}")
    if made_with:
        return InputError(
            f"{file} was made with adff-tf {made_with}, and this is {__version__}, which cannot "
            f"use it: {problem}. Use that version, or train again"
        )
    return InputError(
        f"{file} cannot be used by this version, adff-tf {__version__}: {problem}. Another version "
        "made it, or it was changed: use the version that made it, or train again"
    )


def _version_of(folder: Path) -> str | None:
    """Return the adff-tf that made a run; None where environment.json is missing or damaged."""
    try:
        return json.loads((folder / "environment.json").read_text())["adff_tf"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
