"""A trained network with its front end as one TensorFlow function, in memory and as a SavedModel.

The function maps waveforms `(batch, samples)` float32 to the network's outputs by name. The
SavedModel loads without building and tracing the network, which take most of the time to a first
prediction. So `keras`, `log_mel` and `lstm` are imported only in the functions that use them.

A run folder holds the SavedModel as `servable/`, beside the `model.keras` from which it was made.
`servable/made-from.txt` holds the SHA-256 of that file. Where the two do not match, `model.keras`
is used.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from ..config import Experiment
from ..errors import InputError
from ..support.files import disk_full_error, is_disk_full, sha256_of

if TYPE_CHECKING:
    import keras

FOLDER = "servable"
SOURCE = "made-from.txt"


def waveform_function(
    network: "keras.Model", experiment: Experiment
) -> tf.types.experimental.PolymorphicFunction:
    """Return the function from whole windows `(batch, samples)` float32 to outputs by name.

    The log-mel is computed from the window's samples alone, and the frame too many that centring
    gives is dropped.
    """
    from .log_mel import log_mel

    frontend, frames = experiment.frontend, experiment.frames
    samples = frames * frontend.hop_length

    @tf.function(
        input_signature=[tf.TensorSpec((None, samples), tf.float32, name="waveform")],
        autograph=False,
    )
    def predict(waveform):
        return network(log_mel(waveform, frontend)[:, :frames], training=False)

    return predict


def without_cudnn(network: "keras.Model") -> "keras.Model":
    """Return a copy of the network whose trace runs on CPUs, whatever machine traces it."""
    import keras

    from .lstm import Bidirectional

    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    for layer in twin.layers:
        if isinstance(layer, Bidirectional):
            layer.forward_layer.use_cudnn = layer.backward_layer.use_cudnn = False
    return twin


def save(network: "keras.Model", experiment: Experiment, model_file: Path) -> Path:
    """Write the servable of a trained network beside its `model.keras`, whole or not at all.

    The caller keeps other processes out of the run folder.

    Returns:
        The servable's folder.
    """
    twin = without_cudnn(network)
    module = tf.Module()
    module.predict = waveform_function(twin, experiment)
    module.weights = [variable.value for variable in twin.variables]
    folder = model_file.with_name(FOLDER)
    partial = model_file.with_name(f".{FOLDER}.part")
    shutil.rmtree(partial, ignore_errors=True)  # left by a kill
    try:
        with explain_full_disk(folder):
            tf.saved_model.save(module, str(partial))
        (partial / SOURCE).write_text(sha256_of(model_file))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


@contextlib.contextmanager
def explain_full_disk(folder: Path, is_resumable: bool = True) -> Iterator[None]:
    """Raise `disk_full_error` where a write in the block, by TensorFlow too, fills the disk."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise disk_full_error(folder, is_resumable) from None
    except tf.errors.OpError as error:
        if "No space left" not in str(error):
            raise
        raise disk_full_error(folder, is_resumable) from None


def load(model_file: Path) -> Callable | None:
    """Return the function that `save` wrote beside `model_file`.

    Returns None where no servable matches the file, and on machines with a GPU, where cuDNN is
    faster. Raises InputError for a damaged servable.
    """
    folder = model_file.with_name(FOLDER)
    source = folder / SOURCE
    if (
        not source.is_file()
        or source.read_bytes() != sha256_of(model_file).encode()
        or tf.config.list_physical_devices("GPU")
    ):
        return None
    try:
        module = tf.saved_model.load(str(folder))
        # the closure keeps the module, and so its variables, alive
        return lambda waveform: module.predict(waveform)
    except Exception as error:  # any type: TensorFlow does not validate a damaged folder
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{folder} is damaged: {reason}\nRemove that folder: {model_file.name} holds the model "
            "too"
        ) from error
