"""A run's model: its servable where there is one, otherwise the Keras network itself."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...model.model_file import find_model, run_folder_of
from ..calibration import read_calibration
from ..description import Description
from . import Outputs

if TYPE_CHECKING:
    import keras

    from ...config import Experiment


def load(file: Path) -> tuple[Description, "KerasBackend"]:
    """Return the description and the backend of a run's `model.keras`. Raises InputError."""
    from ...model import servable
    from ...model.model_file import load_network

    file, experiment = find_model(file)
    description = Description.of(experiment, calibration=read_calibration(run_folder_of(file)))
    function = servable.load(file)
    if function is not None:
        return description, KerasBackend(function)
    return description, KerasBackend.from_network(load_network(file), experiment)


class KerasBackend:
    """A TensorFlow function from whole windows to outputs by name."""

    def __init__(self, function: Callable):
        self._function = function

    @classmethod
    def from_network(cls, network: "keras.Model", experiment: "Experiment") -> "KerasBackend":
        """Return the backend of a Keras network from log-mel to outputs."""
        from ...model import servable

        return cls(servable.waveform_function(network, experiment))

    def predict(self, waveforms: np.ndarray) -> Outputs:
        """See `Backend`."""
        return {name: value.numpy() for name, value in self._function(waveforms).items()}
