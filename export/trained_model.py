"""`TrainedModel`: what an export starts from.

The Keras network, the description of the artifacts, the windows that they are compared on, and the
Keras model's own predictions for these windows.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.inference.backends import Outputs
from adff_tf.inference.calibration import read_calibration
from adff_tf.inference.description import describe
from adff_tf.inference.model import EmotionModel, check_finite
from adff_tf.model import log_mel, servable
from adff_tf.model.model_file import load_network, run_folder_of
from adff_tf.model.networks import build_network, with_outputs
from adff_tf.tasks import DISTANCE
from adff_tf.training.start import heard_tracks, read_terms

from .comparison_windows import MUSIC, music_windows, stress_windows
from .parity import predict_reference

COMPARED = 24  # windows of music to compare on, besides the stress windows
CALIBRATED = 32  # windows of music to calibrate with
TRAINED_ON = "trained_on.csv"


@dataclass(frozen=True)
class TrainedModel:
    """A run's model, ready for export.

    Attributes:
        file: the `model.keras`.
        experiment: the run's settings.
        network: float32 and without cuDNN.
        description: of `inference.description.describe`.
        trained_on: a row a training track, its content key in `features`; None where unknown.
        music_source: describes the origin of the windows of music.
        windows: waveforms `(window,)` by name.
        reference: the Keras model's outputs, `(windows,)` a target or `(windows, classes)`.
    """

    file: Path
    experiment: Experiment
    network: keras.Model
    description: dict
    trained_on: pd.DataFrame | None
    music_source: str
    windows: dict[str, np.ndarray]
    reference: Outputs

    @classmethod
    def load(cls, file: Path, experiment: Experiment) -> "TrainedModel":
        """Return the model in `file`, of `model_file.find_model`.

        Raises:
            InputError: a damaged run, settings of another network, or a model that predicts NaN.
        """
        if experiment.takes_stems:
            raise InputError(
                f"{file} takes separated sources: there is no artifact of such a model"
            )
        network = servable.without_cudnn(load_network(file))
        _check_network(file, network, experiment)
        run = run_folder_of(file)
        has_distance, calibration = DISTANCE in network.output, read_calibration(run)
        description = describe(experiment, read_terms(run), has_distance, calibration)
        window, rate = description["window"], description["sample_rate_hz"]
        source, music = music_windows(run, COMPARED, window, rate, seed=0)
        windows = {f"{MUSIC} {k}": samples for k, samples in enumerate(music)}
        windows |= stress_windows(window, rate)
        model = EmotionModel.from_network(network, experiment)
        reference = predict_reference(model.predict_windows, windows)
        check_finite(reference)
        trained_on = training_features(file, experiment)
        return cls(file, experiment, network, description, trained_on, source, windows, reference)

    @property
    def run(self) -> Path:
        """The run folder."""
        return run_folder_of(self.file)

    def calibration_windows(self) -> list[np.ndarray]:
        """Return windows of music other than the compared ones."""
        window, rate = self.description["window"], self.description["sample_rate_hz"]
        return music_windows(self.run, CALIBRATED, window, rate, seed=1)[1]

    def log_mels(self) -> dict[str, np.ndarray]:
        """Return the windows as log-mels `(frames, mels)`, dB."""
        frontend, frames = self.experiment.frontend, self.experiment.frames
        return {
            name: log_mel.log_mel(window[None], frontend)[0, :frames].numpy()
            for name, window in self.windows.items()
        }


def _check_network(file: Path, network: keras.Model, experiment: Experiment) -> None:
    """Raise InputError where the settings describe another network than the file holds."""
    described = with_outputs(build_network(experiment, "float32"), set(network.output))
    if _shapes(described) != _shapes(network):
        raise InputError(
            f"{file} and the config.json of its run do not belong together: the settings of "
            "network and segments there describe another network. Copy both from the run again"
        )


def _shapes(network: keras.Model) -> dict[str, list]:
    return {layer.name: [w.shape for w in layer.weights] for layer in network.layers}


def training_features(file: Path, experiment: Experiment) -> pd.DataFrame | None:
    """Return the content keys of a model's training tracks, by the run's index or an export's.

    Raises InputError for a damaged file.
    """
    run = run_folder_of(file)
    index = run / "index.csv"
    known = index if index.is_file() else run / TRAINED_ON
    if not known.is_file():
        return None
    try:
        tracks = heard_tracks(file, experiment) if known == index else pd.read_csv(known)
        return tracks[["features"]]
    except (ValueError, KeyError) as error:
        raise InputError(f"{known} is damaged ({error}); copy it from the run again") from None
