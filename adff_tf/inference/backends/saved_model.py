"""An export's SavedModel, by its signature `serving_default`.

A SavedModel is a program: load one only from a source that you would run a program from.
"""

import json
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..description import Description
from . import Outputs


def load(folder: Path) -> tuple[Description, "SavedModelBackend"]:
    """Return the description and the backend of a SavedModel's folder.

    Raises:
        InputError: a damaged SavedModel, one that is no export of adff-tf, or an older export.
    """
    import tensorflow as tf

    try:
        module = tf.saved_model.load(str(folder))
        function = module.signatures["serving_default"]
        if "description" not in module.signatures:
            raise InputError(
                f"{folder} holds no description: it is no export of adff-tf, or of a version "
                "before 0.2. Export the run again"
            )
        query = tf.constant([""])
        stated = module.signatures["description"](query=query)["description"].numpy()[0]
        description = Description.parse(json.loads(stated), str(folder))
    except InputError:
        raise
    except Exception as error:  # TensorFlow raises many kinds of error for damaged files
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{folder} is damaged or no export's SavedModel: {reason}\nExport the run again"
        ) from error
    inputs = {
        name: tuple(spec.shape) for name, spec in function.structured_input_signature[1].items()
    }
    expected = {"waveform": (None, description.window)}
    if inputs != expected:
        raise InputError(
            f"{folder} takes {inputs}, and its description {expected}. Export the run again"
        )
    return description, SavedModelBackend(module, function)


class SavedModelBackend:
    """A SavedModel's function."""

    def __init__(self, module, function):
        self._module, self._function = module, function  # the module keeps its variables alive

    def predict(self, waveforms: np.ndarray) -> Outputs:
        """See `Backend`."""
        import tensorflow as tf

        outputs = self._function(waveform=tf.constant(waveforms))
        return {name: value.numpy() for name, value in outputs.items()}
