"""One fit: train an experiment's network on tracks, and predict the segments of other tracks.

A fit's folder holds its checkpoint and `history.csv`, both written after every epoch. The
checkpoint `state-<epoch>.npz` holds the weights, the optimizer and the dropout seeds. The best
epoch and the decision to stop are read from the history. Batches depend on (seed, epoch) alone, so
that a fit resumed after a kill ends with the same numbers as one without interruption.
"""

import contextlib
import functools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ..config import Experiment, Training
from ..errors import InputError
from ..features.augmentation import augment
from ..features.batches import evaluation_batches, steps_per_epoch, training_batches
from ..features.segments import SegmentSet, segment_set
from ..features.tracks import Tracks
from ..model.network import STANDARDISE
from ..model.networks import build_network, is_standardised
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write
from ..tasks import TASKS, VECTORS
from .optimizer import choose_strategy, compile_model
from .splits import inner_split
from .start import begin_with, check_start, describe_transfer, transfer

CHECKPOINT = "state-*.npz"
BEST = "best.weights.h5"
EMPTY: Mapping[str, keras.Model] = {}


class DivergedError(InputError):
    """Training produced NaN or infinity."""


@dataclass(frozen=True)
class Fit:
    """A trained network, float32 and uncompiled, and its history, a row an epoch."""

    model: keras.Model
    history: pd.DataFrame


def new_model(
    experiment: Experiment,
    steps_per_epoch: int,
    reporter: Reporter = SILENT,
    stem_models: Mapping[str, keras.Model] = EMPTY,
) -> tuple[keras.Model, list[str]]:
    """Return the experiment's network on all devices, compiled, with the weights of its start.

    Keras's global state is cleared first, and its random seed is set.

    Args:
        experiment: the settings.
        steps_per_epoch: of the learning rate's schedule.
        reporter: takes a note on the start.
        stem_models: trained source models of EmoMucs by stem, which the network begins with.

    Returns:
        The network, and the names of the layers whose weights are the start's.
    """
    settings = experiment.training
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    start = check_start(experiment)
    transferred: list[str] = []
    with choose_strategy().scope():
        model = build_network(experiment, settings.precision)
        if start:
            transferred, new = transfer(model, start)
            reporter.log(describe_transfer(start, transferred, new))
        if stem_models:
            settings = begin_with(model, stem_models, experiment)
        rate = experiment.start.backbone_rate
        task = TASKS[experiment.task]
        compile_model(model, task, settings, steps_per_epoch, transferred, rate)
        model.optimizer.build(model.trainable_variables)
    return model, transferred


def fit(
    experiment: Experiment,
    tracks: Tracks,
    folder: Path,
    label: str = "training",
    reporter: Reporter = SILENT,
    beside: Tracks | None = None,
    stem_models: Mapping[str, keras.Model] = EMPTY,
) -> Fit:
    """Train the network on tracks, or resume after the last finished epoch.

    Args:
        tracks: all tracks to train on. With early stopping, part of them (whole groups) is the
            inner validation split, which chooses the epoch.
        folder: for the checkpoint and the history.
        label: the fit's name in messages.
        reporter: takes progress.
        beside: tracks that have nothing but concepts, to train on too.
        stem_models: as of `new_model`.

    Raises:
        InputError: for a start that is missing or does not fit the settings.
        DivergedError: for a loss or weight that is NaN or infinite.
    """
    settings = experiment.training
    folder.mkdir(parents=True, exist_ok=True)
    train, val = tracks, None
    if settings.early_stopping:
        train, val = inner_split(tracks, settings.inner_fraction, settings.seed)
    train = train.joined(beside) if beside else train
    segments = segment_set(experiment, train, training=True)
    steps = steps_per_epoch(segments, settings.batch_size)

    model, transferred = new_model(experiment, steps, reporter, stem_models)
    if STANDARDISE not in transferred and is_standardised(experiment):
        model.get_layer(STANDARDISE).set_weights(list(train.standardisation()))
    progress = _Progress(folder, settings, steps, label, reporter)
    _train(model, experiment, segments, val, transferred, progress)
    _check_finite([progress.history["loss"].to_numpy()], label, experiment)
    if settings.early_stopping:
        model.load_weights(folder / BEST)
    if settings.ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    model.trainable = True  # frozen layers change the order of weights
    finished = build_network(experiment, "float32")
    finished.set_weights(model.get_weights())
    _check_finite(finished.get_weights(), label, experiment)
    return Fit(finished, progress.history)


def _train(
    model: keras.Model,
    experiment: Experiment,
    segments: SegmentSet,
    val: Tracks | None,
    transferred: list[str],
    progress: "_Progress",
) -> None:
    """Train a compiled model from its checkpoint on: transferred layers frozen, then all layers."""
    epochs, freeze = experiment.training.epochs, experiment.start.freeze
    first = progress.restore(model)
    while first < epochs and not progress.stop_reason():
        last = freeze if first < freeze else epochs
        _set_trainable(model, transferred, last != freeze)
        _train_stage(model, experiment, segments, val, first, last, progress)
        first = progress.load_checkpoint(model)  # Keras's moving average replaces weights after fit


def _set_trainable(model: keras.Model, layers: list[str], trainable: bool) -> None:
    """Freeze or thaw layers of a compiled model; frozen batch norm is in evaluation mode."""
    for name in layers:
        model.get_layer(name).trainable = trainable
    model.make_train_function(force=True)  # a traced one would not know


def _train_stage(
    model: keras.Model,
    experiment: Experiment,
    segments: SegmentSet,
    val: Tracks | None,
    first: int,
    last: int,
    progress: "_Progress",
) -> None:
    """Train a compiled model from epoch `first` (from 0) up to epoch `last`."""
    settings, task = experiment.training, TASKS[experiment.task]
    val_batches = None
    if val is not None:
        val_segments = segment_set(experiment, val, training=False)
        val_batches = evaluation_batches(val_segments, task, settings.batch_size)
    change = functools.partial(
        augment,
        settings=experiment.augmentation,
        frontend=experiment.frontend,
        mean_db=keras.ops.convert_to_numpy(model.get_layer("standardise").mean),
    )
    mixup = experiment.augmentation.mixup
    board = keras.callbacks.TensorBoard(progress.folder / "tensorboard", write_graph=False)
    with progress.bars:
        model.fit(
            training_batches(segments, task, settings.batch_size, first, change, mixup),
            initial_epoch=first,
            epochs=last,
            steps_per_epoch=progress.steps,
            validation_data=val_batches,
            callbacks=[progress, board],
            shuffle=False,
            verbose=0,
        )


def predict_segments(
    model: keras.Model, experiment: Experiment, tracks: Tracks
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Predict every segment of tracks.

    Returns:
        The row of each segment's track, `(segments,)`, and predictions by network output:
        `(segments, n)` for `tasks.VECTORS`, `(segments,)` for others.

    Raises:
        DivergedError: for a prediction that is NaN or infinite.
    """
    task = TASKS[experiment.task]
    segments = segment_set(experiment, tracks, training=False)
    batches = evaluation_batches(segments, task, experiment.training.batch_size)
    outputs = model.predict(batches.map(lambda log_mel, *_: log_mel), verbose=0)
    _check_finite(outputs.values(), "the training of the model", experiment)
    return segments.track_rows, {
        name: values if name in VECTORS else values[:, 0] for name, values in outputs.items()
    }


def _check_finite(arrays: Iterable[np.ndarray], label: str, experiment: Experiment) -> None:
    if not all(np.isfinite(values).all() for values in arrays):
        raise DivergedError(
            f"{label} diverged: a loss, weight or prediction is NaN or infinite. Give a lower "
            f"`learning_rate` (it was {experiment.training.learning_rate:g}) and another folder"
        )


# === Checkpoints ===


def save_state(model: keras.Model, path: Path) -> None:
    """Write the checkpoint of a compiled and built model atomically."""
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, *(keras.ops.convert_to_numpy(variable) for variable in _variables(model)))


def load_state(model: keras.Model, path: Path) -> None:
    """Restore a checkpoint of the same network."""
    with np.load(path) as arrays:
        for variable, name in zip(_variables(model), arrays.files, strict=True):
            variable.assign(arrays[name])


def discard_state(folder: Path) -> None:
    """Remove the checkpoints from a finished fit's folder."""
    for file in (*folder.glob(CHECKPOINT), *folder.glob(BEST)):
        file.unlink(missing_ok=True)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return weights, dropout seeds (which Keras's own files leave out) and the optimizer's."""
    seeds = [
        layer.seed_generator.state
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate
    ]
    weights = sorted(model.weights, key=lambda weight: weight.path)  # frozen layers change Keras's
    return [*weights, *seeds, *model.optimizer.variables]


class _Progress(keras.callbacks.Callback):
    """Write the history and the checkpoint after every epoch, log it, and stop the fit early.

    `bars` closes an open progress bar where the fit is interrupted.
    """

    def __init__(
        self, folder: Path, settings: Training, steps: int, label: str, reporter: Reporter
    ):
        super().__init__()
        self.folder, self.settings, self.steps = folder, settings, steps
        self.label, self.reporter = label, reporter
        self.history = pd.DataFrame()
        self.bars = contextlib.ExitStack()

    def restore(self, model: keras.Model) -> int:
        """Load an interrupted fit into a model and return the number of finished epochs."""
        done = self.load_checkpoint(model)
        if done:
            self.history = pd.read_csv(self.folder / "history.csv").iloc[:done]
            self.reporter.log(f"{self.label}: goes on after epoch {done} of {self.settings.epochs}")
        return done

    def load_checkpoint(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a model and return its epoch; 0 without one."""
        checkpoints = sorted(self.folder.glob(CHECKPOINT))
        if not checkpoints:
            return 0
        load_state(model, checkpoints[-1])
        return int(checkpoints[-1].stem.removeprefix("state-"))

    def stop_reason(self) -> str:
        """Return why the fit should stop after the last epoch, or an empty string."""
        patience = self.settings.early_stopping
        if self.history.empty:
            return ""
        if not np.isfinite(self.history["loss"].iloc[-1]):
            return "diverged"
        if patience and len(self.history) - self.best >= patience:
            return f"no better for {patience} epochs"
        return ""

    @property
    def best(self) -> int:
        """The epoch, from 1, of the lowest inner validation loss."""
        return int(self.history["val_loss"].fillna(np.inf).argmin()) + 1

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()
        label = f"{self.label}: epoch {epoch + 1} of {self.settings.epochs}"
        self.advance = self.bars.enter_context(self.reporter.bar(label, self.steps, passing=True))

    def on_train_batch_end(self, batch, logs=None):
        self.advance(note=f"loss {logs['loss']:.4f}")

    def on_epoch_end(self, epoch, logs=None):
        self.bars.close()
        row = {
            "epoch": epoch + 1,
            **logs,
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "seconds": time.perf_counter() - self.start,
        }
        self.history = pd.concat([self.history, pd.DataFrame([row])], ignore_index=True)
        self._save(epoch + 1)
        self._log(epoch + 1, logs, row["seconds"])
        if reason := self.stop_reason():
            self.reporter.log(f"{self.label}: {reason}, stopped")
            self.model.stop_training = True

    def _save(self, done: int) -> None:
        """Write the history, the best weights where they are the last, and the checkpoint."""
        with atomic_write(self.folder / "history.csv") as file:
            self.history.to_csv(file, index=False)
        if self.settings.early_stopping and self.best == done:
            with atomic_write(self.folder / BEST) as file:
                self.model.save_weights(file)
        save_state(self.model, self.folder / CHECKPOINT.replace("*", f"{done:05d}"))
        for old in sorted(self.folder.glob(CHECKPOINT))[:-1]:
            old.unlink()

    def _log(self, done: int, logs: dict[str, float], seconds: float) -> None:
        values = "  ".join(
            f"{name} {value:.4f}"
            for name, value in logs.items()
            if name in ("loss", "val_loss") or "accuracy" in name
        )
        self.reporter.log(
            f"{self.label}: epoch {done} of {self.settings.epochs}  {values}  {seconds:.0f} s"
        )
