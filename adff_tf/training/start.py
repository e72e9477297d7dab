"""A trained model to start from: its settings, its provenance, and the transfer of its weights.

Weights are transferred by layer name where their shapes agree. The front end and the sizes of the
network are the start's. The head is transferred only where the start's head was trained for the
same task; `pretraining.json` in the start's folder marks a head without training.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Experiment, Training
from ..errors import InputError, format_list
from ..inference.description import FILE
from ..model import shipped
from ..model.model_file import PRETRAINING, find_model, load_network, run_folder_of
from ..networks import EmoMucs
from ..settings import Settings
from ..support.commandline import parse_known
from ..support.files import atomic_write, expand_user, sha256_of

if TYPE_CHECKING:  # a command line loads this module before it prints its --help
    import keras
    import pandas as pd

HEARD = "heard.csv"
FINETUNE_RATE = 0.1  # of the learning rate, for source models that are fused
HEAD_SETTINGS = ("fc", "dropout", "norm_momentum")  # of the network; a fine-tuning may choose them


@dataclass(frozen=True)
class Start:
    """A model to start from.

    Attributes:
        file: the `model.keras`.
        experiment: the settings of its training.
        sha256: of the file.
        terms: licence and citation of its data.
    """

    file: Path
    experiment: Experiment
    sha256: str
    terms: str

    @property
    def has_head(self) -> bool:
        """Whether the start's prediction head was trained."""
        return not (run_folder_of(self.file) / PRETRAINING).exists()

    def heard(self) -> set[str]:
        """Return the content keys, in the feature store, of all recordings of its training."""
        return set(heard_tracks(self.file, self.experiment)["features"])


def find_start(path: str | Path) -> Start:
    """Return the start at a path. Raises InputError as `model_file.find_model`."""
    file, experiment = find_model(path, with_head=False)
    return Start(file, experiment, sha256_of(file), read_terms(run_folder_of(file)))


def heard_tracks(file: Path, experiment: Experiment) -> "pd.DataFrame":
    """Return `path` and `features` of the tracks that a model was trained on.

    They are rows of the run's `index.csv`, and the tracks of its start in `heard.csv`, which have
    an empty path. A fold's model was trained on the other folds. The run's own model was trained on
    all tracks; without a final model it is fold 1's.

    Args:
        file: a `model.keras`.
        experiment: the settings of its run.

    Raises:
        InputError: where both files are missing, or damaged.
    """
    import pandas as pd

    from .splits import is_training

    run = run_folder_of(file)
    index, heard = run / "index.csv", run / HEARD
    if not (index.is_file() or heard.is_file()):
        raise InputError(
            f"{index} is missing, which lists the tracks that {file} was trained on; copy it from "
            "the run"
        )
    tables = [pd.DataFrame({"path": [], "features": []}, dtype="str")]
    try:
        if index.is_file():
            table = pd.read_csv(index, dtype={"track_id": str})
            of_fold = None if run == file.parent else re.fullmatch(r"fold(\d+)", file.parent.name)
            if of_fold or not experiment.validation.final_model:
                table = table[is_training(table["fold"], int(of_fold[1]) if of_fold else 1)]
            tables.append(table[["path", "features"]])
        if heard.is_file():
            tables.append(pd.read_csv(heard)[["features"]].assign(path=""))
    except (ValueError, KeyError) as error:
        raise InputError(f"{run} is damaged ({error}); copy it from the run again") from None
    return pd.concat(tables, ignore_index=True)


def read_terms(run: Path) -> str:
    """Return licence and citation of a model's data and, where it has one, of its start's.

    Args:
        run: the folder of a run, a pre-training or an export.

    Raises:
        InputError: for a damaged file.
    """
    from .. import datasets

    for file, read in (
        (run / PRETRAINING, lambda content: content["terms"]),
        # the shipped model's states its own
        (
            run / "metrics.json",
            lambda content: content.get("terms") or datasets.terms(content["source"]),
        ),
        (run / FILE, lambda content: content["terms"]),
    ):
        if file.is_file():
            terms = _read_json(file, read)
            break
    else:
        terms = "not known: the run has no metrics.json"
    config = run / "config.json"
    if file == run / FILE or not config.is_file():  # an export's terms have the start's already
        return terms
    of_start = _read_json(config, lambda content: content.get("start", {}).get("start_terms"))
    return f"{terms.removesuffix('.')}. Its start: {of_start}" if of_start else terms


def _read_json(file: Path, read: Callable[[Any], Any]) -> Any:
    """Return what `read` takes from a JSON file. Raises InputError for a damaged file."""
    try:
        return read(json.loads(file.read_text()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file} is damaged ({type(error).__name__}: {error}); copy it from the run again"
        ) from None


def take_over(experiment: Experiment, arguments: Sequence[str]) -> Experiment:
    """Return the experiment, adopted to the start that a command line names by --start-from."""
    given = parse_known(arguments, "--start-from").start_from
    return adopt(experiment, given) if given else experiment


def adopt(experiment: Experiment, path: str | Path) -> Experiment:
    """Return the experiment with the front end, network and segment of the start at a path."""
    start = find_start(path)
    path = shipped.NAME if str(path) == shipped.NAME else expand_user(path).absolute()
    segments = {name: getattr(start.experiment.segments, name) for name in ("seg_len", "seg_num")}
    provenance = {"start_from": path, "start_sha256": start.sha256, "start_terms": start.terms}
    return experiment.model_copy(
        update={
            "frontend": start.experiment.frontend,
            "network": start.experiment.network,
            "segments": experiment.segments.model_copy(update=segments),
            "start": experiment.start.model_copy(update=provenance),
        }
    )


def check_start(experiment: Experiment) -> Start | None:
    """Return the experiment's start; None without one.

    Raises:
        InputError: a missing start, another file than `start_sha256` states, or settings of the
            front end or network that contradict the start's.
    """
    given = experiment.start
    if given.start_from is None:
        if given.freeze or given.backbone_rate != 1:
            raise InputError(
                "`freeze` and `backbone_rate` apply to layers of a start, and none was given: set "
                "`start_from`, or leave them out"
            )
        return None
    start = find_start(given.start_from)
    if given.start_sha256 not in (None, start.sha256):
        raise InputError(
            f"{start.file} is another model than before: its SHA-256 is {start.sha256}, and "
            f"`start_sha256` is {given.start_sha256}. Give the former model, or begin another run "
            "without `start_sha256`"
        )
    differences = [
        *_differences(experiment.frontend, start.experiment.frontend),
        *_differences(experiment.network, start.experiment.network, HEAD_SETTINGS),
    ]
    if differences:
        raise InputError(
            f"these settings contradict the start {start.file}, whose weights need its own:\n"
            f"{format_list(differences)}\nLeave them out: they are taken over from the start"
        )
    return start


def transfer(network: "keras.Model", start: Start) -> tuple[list[str], list[str]]:
    """Copy the weights of a start into a network, layer by layer.

    Returns:
        The names of the layers with weights that were transferred, and of those that were not.
    """
    source = load_network(start.file)
    known, head = _shapes(source), _head(network)
    takes_head = start.has_head and head == _head(source)
    transferred, new = [], []
    for name, shapes in _shapes(network).items():
        if known.get(name) == shapes and (name not in head or takes_head):
            network.get_layer(name).set_weights(source.get_layer(name).get_weights())
            transferred.append(name)
        else:
            new.append(name)
    return transferred, new


def begin_with(
    model: "keras.Model", stem_models: "Mapping[str, keras.Model]", experiment: Experiment
) -> Training:
    """Give a fused EmoMucs its source models, frozen where wanted.

    Args:
        model: the network, not compiled.
        stem_models: by stem, each trained alone.
        experiment: of the fused network.

    Returns:
        The settings of its training.
    """
    from ..model.emomucs import load_stem_models

    settings, network = experiment.training, experiment.network
    assert isinstance(network, EmoMucs)
    copied = load_stem_models(model, stem_models, experiment.task)
    if network.stem_models == "finetune":
        rate = FINETUNE_RATE * settings.learning_rate
        return settings.model_copy(update={"learning_rate": rate})
    for name in copied:
        model.get_layer(name).trainable = False
    return settings


def refuse_heard(start: Start, table: "pd.DataFrame") -> None:
    """Raise InputError where the start was trained on any of the test songs in an index.

    Args:
        table: an index with the column `features`.
    """
    heard = table["features"].isin(start.heard())
    if heard.any():
        raise InputError(
            f"the start {start.file} was trained on {heard.sum()} of {len(table)} test songs:\n"
            f"{format_list(table['track_id'][heard])}\n"
            "Scores on them say nothing about new music. Give a start that has not heard them, or "
            "score them nevertheless by `allow_heard`"
        )


def keep_heard(start: Start, run: Path) -> None:
    """Write the content keys that a start was trained on to `heard.csv` in a run folder."""
    import pandas as pd

    with atomic_write(run / HEARD) as file:
        pd.DataFrame({"features": sorted(start.heard())}).to_csv(file, index=False)


def describe_transfer(start: Start, transferred: list[str], new: list[str]) -> str:
    """Return one line on the layers that were transferred and those that were not."""
    return (
        f"started from {start.file}: {len(transferred)} layers transferred, "
        f"{len(new)} new ({', '.join(new) or 'none'})"
    )


def _shapes(network: "keras.Model") -> dict[str, list]:
    """Return the shapes of the weights by layer, in the order of the layers."""
    return {
        layer.name: [tuple(weight.shape) for weight in layer.weights]
        for layer in network.layers
        if layer.weights
    }


def _head(network: "keras.Model") -> dict[str, list]:
    """Return the `_shapes` of the layers from the fused features E to the outputs."""
    beside = ("familiarity", "effects")  # of a trained network alone
    names = [layer.name for layer in network.layers if layer.name not in beside]
    behind = names[names.index("fusion") :]
    return {name: shapes for name, shapes in _shapes(network).items() if name in behind}


def _differences(given: Settings, start: Settings, free: tuple[str, ...] = ()) -> list[str]:
    return [
        f"`{name}` {getattr(given, name)}, in the start {getattr(start, name)}"
        for name in type(given).model_fields
        if name not in free and getattr(given, name) != getattr(start, name)
    ]
