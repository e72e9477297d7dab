"""The fit of `musicnn-linear`: MusiCNN's weights, and a last layer solved for on its embedding."""

import keras

from ..config import Experiment
from ..errors import InputError
from ..features.embedding import musicnn_embedding
from ..features.tracks import Tracks
from ..model import musicnn_files
from ..model.musicnn_linear import TEACHER
from ..model.network import output_layers
from ..model.networks import build_network
from ..networks import MusicnnLinear
from ..support.console import SILENT, Reporter
from ..tasks import TASKS
from .baselines import linear_layer


def is_linear(experiment: Experiment) -> bool:
    """Whether the experiment's model is solved for and not trained in epochs."""
    return isinstance(experiment.network, MusicnnLinear)


def check_installed(experiment: Experiment) -> None:
    """Raise InputError where the model needs MusiCNN's weights and the package is missing."""
    if is_linear(experiment) and not musicnn_files.is_installed():
        raise InputError(f"musicnn-linear needs MusiCNN's weights: {musicnn_files.INSTALL}")


def fit_last_layer(
    experiment: Experiment, tracks: Tracks, reporter: Reporter = SILENT
) -> keras.Model:
    """Return the model fitted on tracks, as the baseline `musicnn-linear` is.

    Raises InputError where MusiCNN's files are missing, damaged or of another version.
    """
    check_installed(experiment)
    task = TASKS[experiment.task]
    embedding = musicnn_embedding(tracks, reporter)
    assert embedding is not None
    network = build_network(experiment, "float32")
    teacher = musicnn_files.load_teacher(musicnn_files.read_checkpoint())
    for layer in network.get_layer(TEACHER).layers:
        if layer.weights:
            layer.set_weights(teacher.get_layer(layer.name).get_weights())
    groups, labels = tracks.table["group"].to_numpy(), task.labels(tracks.table).values()
    for name, y in zip(output_layers(experiment.task), labels, strict=True):
        layer = linear_layer(task, embedding, y, groups)
        network.get_layer(name).set_weights(list(layer))
    return network
