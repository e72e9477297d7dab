"""EmoMucs's source models, each trained on one stem alone, before they are fused.

A fit's folder holds a folder a stem, with its history and, once it is finished, its `model.keras`.
"""

from pathlib import Path

import keras

from ..config import Experiment
from ..errors import InputError
from ..features.tracks import Tracks
from ..networks import STEMS, EmoMucs
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write
from ..tasks import TASKS
from . import fit
from .metrics import score_task
from .predictions import mean_by_song


def fit_stem_models(
    experiment: Experiment, tracks: Tracks, folder: Path, label: str, reporter: Reporter = SILENT
) -> dict[str, keras.Model]:
    """Train a source model on each stem alone, or load those that are finished.

    Args:
        experiment: of the fused network.
        tracks: all tracks to train on, with the log-mels of their stems.
        folder: of the fit.
        label: the fit's name in messages.
        reporter: takes progress.

    Returns:
        The networks by stem; empty where the fused network is trained from scratch.

    Raises:
        InputError: as `fit.fit`.
    """
    if not has_stem_models(experiment):
        return {}
    alone, models = _alone(experiment), {}
    for k, stem in enumerate(STEMS):
        file = folder / stem / "model.keras"
        if not file.exists():
            name = f"{label}, {stem}"
            fitted = fit.fit(alone, _one_stem(tracks, k), folder / stem, name, reporter)
            with atomic_write(file) as temporary:
                fitted.model.save(temporary)
            fit.discard_state(folder / stem)
        models[stem] = keras.models.load_model(file, compile=False)
    return models


def score_stem_models(
    experiment: Experiment, models: dict[str, keras.Model], tracks: Tracks
) -> dict[str, dict]:
    """Return the scores by song of each stem's model on test tracks, see `metrics.score_task`."""
    task, scores = TASKS[experiment.task], {}
    for k, (stem, model) in enumerate(models.items()):
        rows, found = fit.predict_segments(model, _alone(experiment), _one_stem(tracks, k))
        kinds = tracks.table["labels"].to_numpy()
        labels = task.labels(tracks.table)
        scores[stem] = score_task(task, labels, mean_by_song(rows, found), kinds)
    return scores


def has_stem_models(experiment: Experiment) -> bool:
    """Whether the fused network begins with source models that are trained alone."""
    network = experiment.network
    return isinstance(network, EmoMucs) and network.stem_models != "full"


def _alone(experiment: Experiment) -> Experiment:
    """Return the experiment of a source model on one stem."""
    if not isinstance(experiment.network, EmoMucs):
        raise InputError(f"{experiment.network.model} has no source models")
    data = experiment.data.model_copy(update={"stems": None})
    network = experiment.network.model_copy(update={"fusion": "none", "stem_models": "full"})
    return experiment.model_copy(update={"network": network, "data": data})


def _one_stem(tracks: Tracks, k: int) -> Tracks:
    mels = tracks.mels // len(STEMS)
    return tracks.bands(k * mels, mels)
