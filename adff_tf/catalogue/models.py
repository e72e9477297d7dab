"""What a catalogue can be scored with, each as an `EmotionModel`, and told by its content.

    a run folder, or a model.keras in one                   the Keras network, by its servable where there is one
    an export, its saved_model/ or saved_model/1            the SavedModel's signature `serving_default`
    an export's .tflite that takes a waveform               LiteRT, a runner a thread

An export's SavedModel and .tflite describe themselves (`adff_tf.export.about`). A SavedModel is a program: take one from people
that you would take a program from.
"""

import contextlib
import hashlib
import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import litert
from ..config import Experiment
from ..errors import InputError
from ..inference.model import EmotionModel
from ..model.model_file import find_model
from ..support.console import silence_stderr
from ..support.files import expand_user

SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class Named:
    """What the user named as the model. kind: `keras`, `saved_model` or `litert`. file: the model's, or the SavedModel's folder."""

    kind: str
    file: Path

    @classmethod
    def at(cls, path: str | Path) -> "Named":
        """Raises InputError for a path that is no model."""
        given = expand_user(path).absolute()
        if given.suffix.lower() == ".tflite":
            return cls("litert", given)
        for folder in (given, given / "1", given / "saved_model" / "1"):
            if (folder / SAVED_MODEL).is_file():
                return cls("saved_model", folder)
        return cls("keras", find_model(given)[0])

    def sha256(self) -> str:
        """Of the content that decides the answers."""
        digest = hashlib.sha256()
        files = (
            sorted(file for file in self.file.rglob("*") if file.is_file())
            if self.file.is_dir()
            else [self.file]
        )
        for file in files:
            with open(file, "rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()


def has_gpu(named: Named) -> bool:
    """Whether this machine has a GPU that the model would use."""
    if named.kind == "litert":
        return False
    with silence_stderr():
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))


def load(named: Named, threads: int) -> EmotionModel:
    """The model, to be asked by so many threads at once, each of which keeps one core at work. Raises InputError."""
    if named.kind == "litert":
        return _litert(named.file, threads)
    _prepare_tensorflow(threads)
    return EmotionModel.load(named.file) if named.kind == "keras" else _saved_model(named.file)


def _prepare_tensorflow(threads: int) -> None:
    """Have every thread that asks compute by itself: TensorFlow's own threads share an operation's work less well than batches
    do."""
    with silence_stderr():
        import tensorflow as tf

        if threads > 1:
            with contextlib.suppress(
                RuntimeError
            ):  # it is at work in this process already, and stays as it is
                tf.config.threading.set_intra_op_parallelism_threads(1)
                tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.list_logical_devices()


def _saved_model(folder: Path) -> EmotionModel:
    import tensorflow as tf

    try:
        module = tf.saved_model.load(str(folder))
        answer = module.signatures["serving_default"]
        about = json.loads(module.signatures["about"](query=tf.constant([""]))["about"].numpy()[0])
    except Exception as error:  # TensorFlow raises whatever the damage leads to
        raise InputError(
            f"{folder} is damaged or no export's SavedModel: {_first_line(error)}\nExport the run again"
        ) from error
    experiment = _experiment(about, folder)
    wanted = (None, EmotionModel(experiment, lambda waveforms: {}).window)
    takes = {name: tuple(spec.shape) for name, spec in answer.structured_input_signature[1].items()}
    if takes != {"waveform": wanted}:
        raise InputError(
            f"{folder} takes {takes}, and what it says of itself asks for {wanted}. Export the run again"
        )

    def asked(waveforms: np.ndarray) -> dict[str, np.ndarray]:
        assert module is not None  # which keeps its variables
        return {
            name: value.numpy() for name, value in answer(waveform=tf.constant(waveforms)).items()
        }

    return EmotionModel(experiment, asked)


def _litert(file: Path, threads: int) -> EmotionModel:
    """LiteRT answers one window after the other: each thread takes a runner of its own."""
    runners: queue.SimpleQueue[litert.EmotionRunner] = queue.SimpleQueue()
    try:
        with silence_stderr():  # of the delegate that it makes
            loaded = [litert.EmotionRunner.load(file, threads=1) for _ in range(threads)]
    except litert.InputError as error:
        raise InputError(str(error)) from None
    for runner in loaded:
        runners.put(runner)

    def answer(waveforms: np.ndarray) -> dict[str, np.ndarray]:
        with _taken(runners) as runner:
            answers = [runner.answer(waveform) for waveform in waveforms]
        return {name: np.stack([found[name] for found in answers]) for name in answers[0]}

    return EmotionModel(_experiment(loaded[0].about, file), answer)


@contextlib.contextmanager
def _taken(runners: "queue.SimpleQueue[litert.EmotionRunner]") -> Iterator[litert.EmotionRunner]:
    runner = runners.get()
    try:
        yield runner
    finally:
        runners.put(runner)


def _experiment(about: Any, path: Path) -> Experiment:
    """The settings in an artifact's description. Raises InputError."""
    if not isinstance(about, dict) or "experiment" not in about:
        raise InputError(f"{path} does not say what it is. Export the run again")
    return Experiment.from_json(json.dumps(about["experiment"]), f"what {path} says of itself")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
