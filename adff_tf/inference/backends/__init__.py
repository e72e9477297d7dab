"""Backends: they compute a model's outputs, behind one interface.

    keras_run.py    a run: its Keras network, or the run's servable
    saved_model.py  an export's SavedModel
    litert.py       an export's `.tflite`, without TensorFlow

`locate` identifies a model by its suffix `.tflite` or by the files in its folder, and
`load_backend` loads it. The backend for TensorFlow Serving is `export.server.ServerBackend`.
"""

import enum
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ...model import shipped
from ..description import Description

Outputs = dict[str, np.ndarray]

SAVED_MODEL = "saved_model.pb"


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


def locate(path: str | Path) -> Location:
    """Return the model at `path`.

    Args:
        path: a run folder, a `model.keras` in one, an export, its `saved_model` or
            `saved_model/1`, a `.tflite`, or the word `pretrained`: the shipped model's `.tflite`.

    Raises:
        InputError: there is no model.
    """
    given = shipped.QUICK if str(path) == shipped.NAME else shipped.resolve_model(path)
    if given.suffix.lower() == ".tflite":
        return Location(Kind.LITERT, given)
    for folder in (given, given / "1", given / "saved_model" / "1"):
        if (folder / SAVED_MODEL).is_file():
            return Location(Kind.SAVED_MODEL, folder)
    from ...model.model_file import find_model

    return Location(Kind.RUN, find_model(given)[0])


def load_backend(
    location: Location, threads: int | None = None, interpreters: int = 1
) -> tuple[Description, Backend]:
    """Load a model.

    Args:
        location: of `locate`.
        threads: LiteRT's threads a window; 2 by default.
        interpreters: LiteRT's windows at once, one a calling thread.

    Raises:
        InputError: a damaged model, or one of another version.
    """
    if location.kind == Kind.LITERT:
        from . import litert

        return litert.load(location.path, 2 if threads is None else threads, interpreters)
    if location.kind == Kind.SAVED_MODEL:
        from . import saved_model

        return saved_model.load(location.path)
    from . import keras_run

    return keras_run.load(location.path)
