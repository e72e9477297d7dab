"""A trained network with its front end as one TensorFlow function, `(batch, samples)` waveform in, answers by name out; and that
function on disk, as a SavedModel that answers without building and tracing the network again, which takes most of the time to a
first answer.

The SavedModel lies in the run folder's `servable/` beside the `model.keras` that it was made from, and names that file's content;
where the two do not belong together `model.keras` counts.
Loading it builds no network, so what does is imported where it is needed.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from ..config import Experiment
from ..errors import InputError
from ..support.files import disk_full_error, is_disk_full

if TYPE_CHECKING:
    import keras

FOLDER = "servable"
SOURCE = "made-from.txt"


def waveform_function(
    network: "keras.Model", experiment: Experiment
) -> tf.types.experimental.PolymorphicFunction:
    """The function from whole windows `(batch, samples)` float32 to the network's outputs by name.

    The log-mel is computed from the window's own samples, and the one frame more that centring gives is dropped.
    """
    from . import log_mel

    frontend, frames = experiment.frontend, experiment.frames

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, frames * frontend.hop_length), tf.float32, name="waveform")
        ],
        autograph=False,
    )
    def answer(waveform):
        return network(log_mel.log_mel(waveform, frontend)[:, :frames], training=False)

    return answer


def without_cudnn(network: "keras.Model") -> "keras.Model":
    """A twin with the same weights, whose trace holds nothing that a CPU has not, whatever the machine."""
    import keras

    from .lstm import Bidirectional

    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    for layer in twin.layers:
        if isinstance(layer, Bidirectional):
            layer.forward_layer.use_cudnn = layer.backward_layer.use_cudnn = False
    return twin


def save(network: "keras.Model", experiment: Experiment, model_file: Path) -> Path:
    """Write the servable of a trained network beside its `model.keras`, whole or not at all; returns its folder.

    One process at a time may: a run's folder is held by its own.
    """
    twin = without_cudnn(network)
    module = tf.Module()
    module.answer = waveform_function(twin, experiment)
    module.weights = [variable.value for variable in twin.variables]
    folder = model_file.with_name(FOLDER)
    partial = model_file.with_name(f".{FOLDER}.part")
    shutil.rmtree(partial, ignore_errors=True)  # what a kill left
    try:
        with explain_full_disk(folder):
            tf.saved_model.save(module, str(partial))
        (partial / SOURCE).write_text(_sha256(model_file))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


@contextlib.contextmanager
def explain_full_disk(folder: Path, goes_on: bool = True) -> Iterator[None]:
    """A write that found no room, TensorFlow's too, becomes `files.full_disk`, which says what to do."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        if not (
            is_disk_full(error) if isinstance(error, OSError) else "No space left" in str(error)
        ):
            raise
        raise disk_full_error(folder, goes_on) from None


def load(model_file: Path) -> Callable | None:
    """The function that `save` wrote beside `model_file`; None where there is none of this file's, or a GPU has cuDNN to offer.

    Raises InputError for one that is damaged.
    """
    folder = model_file.with_name(FOLDER)
    source = folder / SOURCE
    if (
        not source.is_file()
        or source.read_bytes() != _sha256(model_file).encode()
        or tf.config.list_physical_devices("GPU")
    ):
        return None
    try:
        module = tf.saved_model.load(str(folder))
        return lambda waveform: module.answer(
            waveform
        )  # which keeps the module, and so its variables, alive
    except Exception as error:  # TensorFlow raises whatever the damage leads to
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{folder} is damaged: {reason}\nRemove that folder: {model_file.name} holds the model too"
        ) from error


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(
            opened, "sha256"
        ).hexdigest()  # processors have instructions for it
