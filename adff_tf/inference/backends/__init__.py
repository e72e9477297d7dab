"""Backends: they compute a model's outputs, behind one interface.

    keras_run.py    a run: its Keras network, or the run's servable
    saved_model.py  an export's SavedModel
    litert.py       an export's `.tflite`, without TensorFlow

`locate` identifies a model by its suffix `.tflite`, by the files in its folder or by `hf://`, and
`load_backend` loads it. The backend for TensorFlow Serving is `export.server.ServerBackend`.
"""

import enum
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ...errors import InputError
from ...model import shipped
from ...support.files import expand_user
from .. import hub
from ..description import FILE, Description

Outputs = dict[str, np.ndarray]
Choice = Literal["auto", "keras", "litert"]

SAVED_MODEL = "saved_model.pb"
_MARKS = (  # files of which a model's folder has one
    ("config.json",), ("model.keras",), (SAVED_MODEL,), ("1", SAVED_MODEL),
    ("saved_model", "1", SAVED_MODEL), (FILE,),
)  # fmt: skip


class Backend(Protocol):
    """Computes the outputs for whole windows, from any thread."""

    def predict(self, waveforms: np.ndarray) -> Outputs:
        """Return the outputs for `(batch, window)` float32, full scale ±1.

        Returns `(batch,)` or `(batch, 1)` a target, `(batch, classes)` for `probabilities`.
        """


class Kind(enum.StrEnum):
    """Kinds of model."""

    RUN = "run"
    SAVED_MODEL = "saved_model"
    LITERT = "litert"


@dataclass(frozen=True)
class Location:
    """A model's kind, and its file, or the SavedModel's folder."""

    kind: Kind
    path: Path

    @property
    def needs_tensorflow(self) -> bool:
        return self.kind != Kind.LITERT

    def sha256(self) -> str:
        """Return the hash of the content that decides the outputs."""
        digest = hashlib.sha256()
        is_folder = self.path.is_dir()
        files = sorted(self.path.rglob("*")) if is_folder else [self.path]
        for file in files:
            if file.is_file():
                with open(file, "rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()


def is_model(path: str | Path) -> bool:
    """Return whether a path is a model's, by its content or suffix, and not a recording's."""
    if str(path) == shipped.NAME or Path(path).suffix.lower() in (".tflite", ".keras"):
        return True
    if hub.hub_name(path) is not None:
        return True
    given = expand_user(path)
    if given.is_dir():
        return any(given.joinpath(*parts).is_file() for parts in _MARKS)
    try:
        with open(given, "rb") as opened:
            return opened.read(8)[4:] == b"TFL3"
    except OSError:
        return False


def locate(path: str | Path, backend: Choice = "auto") -> Location:
    """Return the model at `path`.

    Args:
        path: a run folder, a `model.keras` in one, an export, its `saved_model` or
            `saved_model/1`, a `.tflite`, a folder in the hub's layout, `hf://USER/NAME`, which is
            downloaded (`inference.hub`), or the word `pretrained`, the model that ships.
        backend: litert: a `.tflite`, of a run or the shipped model the one beside `model.keras`.
            keras: a run's network, an export's SavedModel. auto: litert where it is there.

    Raises:
        InputError: there is no model, or none for that backend.
    """
    found = _locate(path, backend)
    if backend != "auto" and found.needs_tensorflow != (backend == "keras"):
        other = "an export's .tflite files have" if backend == "litert" else "a run has"
        raise InputError(f"{found.path} has no backend {backend}: {other}, or leave it out")
    return found


def _locate(path: str | Path, backend: Choice) -> Location:
    if str(path) == shipped.NAME and backend != "keras":
        return Location(Kind.LITERT, shipped.QUICK)
    if (name := hub.hub_name(path)) is not None:
        return Location(Kind.LITERT, hub.download(name))
    given = shipped.resolve_model(path)
    if given.suffix.lower() == ".tflite":
        return Location(Kind.LITERT, given)
    for folder in (given, given / "1", given / "saved_model" / "1"):
        if (folder / SAVED_MODEL).is_file():
            return Location(Kind.SAVED_MODEL, folder)
    if tflite := hub.tflite_in(given):
        return Location(Kind.LITERT, tflite)
    from ...model.model_file import find_model
    from . import litert

    file, experiment = find_model(given)
    if experiment.takes_stems:
        raise InputError(
            f"{file} takes separated sources, and a song has none; its run scored its test songs"
        )
    beside = litert.beside(file) if backend != "keras" else None
    return Location(Kind.LITERT, beside) if beside else Location(Kind.RUN, file)


def load_backend(
    location: Location, threads: int | None = None, callers: int | None = None
) -> tuple[Description, Backend]:
    """Load a model.

    Args:
        location: of `locate`.
        threads: LiteRT's windows of a batch at once, with a thread each; 2 by default.
        callers: LiteRT's instead: threads that call it at once, and predict a batch alone each.

    Raises:
        InputError: a damaged model, or one of another version.
    """
    if location.kind == Kind.LITERT:
        from . import litert

        return litert.load(location.path, 2 if threads is None else threads, callers)
    if location.kind == Kind.SAVED_MODEL:
        from . import saved_model

        return saved_model.load(location.path)
    from . import keras_run

    return keras_run.load(location.path)
