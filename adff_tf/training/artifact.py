"""`model.tflite` of a run: its float32 network and front end, without TensorFlow.

It names the SHA-256 of the `model.keras` that it was made from, and is ignored beside another.
"""

from pathlib import Path

from ..inference.backends import litert
from ..inference.calibration import read_calibration
from ..inference.description import append, describe
from ..model import servable
from ..model.convert import convert, window_function
from ..model.model_file import find_model, load_network
from ..support.files import atomic_write, sha256_of
from ..tasks import DISTANCE
from .start import read_terms


def write_tflite(run: Path) -> None:
    """Write `model.tflite` beside a run's `model.keras`, unless it is there.

    Raises InputError as `model_file.find_model`.
    """
    file, experiment = find_model(run)
    if litert.beside(file):
        return
    network = servable.without_cudnn(load_network(file))
    has_distance = DISTANCE in network.output
    description = describe(experiment, read_terms(run), has_distance, read_calibration(run))
    description["made_from"] = sha256_of(file)
    content = append(convert(*window_function(network, experiment)), description)
    with atomic_write(file.with_name(litert.RUN_FILE)) as temporary:
        temporary.write_bytes(content)
