"""One fit: an experiment's network trained on some tracks, resumable after a kill.

State is written after every epoch: the weights with the optimizer and the dropout seeds, and `history.csv`, from which all else
(the best epoch, whether to stop) is read back. Since batches depend on (seed, epoch) alone, a run that was killed and started again
ends with the same numbers as one that was not.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ..config import Experiment, Training
from ..errors import InputError
from ..features import batches as batching
from ..features import segments as segmenting
from ..features import tracks as track_features
from ..model.network import build_adff
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write
from ..tasks import TASKS
from .optimizer import compile_model, distribution
from .splits import inner_split

STATE = "state-*.npz"
BEST = "best.weights.h5"


class DivergedError(InputError):
    """A training that ended in numbers that are none."""


@dataclass(frozen=True)
class Fit:
    """A trained network, float32 and uncompiled, and how the training went: a row an epoch."""

    model: keras.Model
    history: pd.DataFrame


def new_model(experiment: Experiment, steps_per_epoch: int) -> keras.Model:
    """The experiment's network before its first step, compiled, on all devices. What Keras held before is forgotten."""
    settings = experiment.training
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    with distribution().scope():
        model = build_adff(experiment, settings.precision)
        compile_model(model, TASKS[experiment.task], settings, steps_per_epoch)
        model.optimizer.build(model.trainable_variables)
    return model


def fit(
    experiment: Experiment,
    tracks: track_features.Tracks,
    folder: Path,
    label: str = "training",
    reporter: Reporter = SILENT,
) -> Fit:
    """Train on tracks. Progress and state lie in `folder`; a fit that was killed goes on from its last epoch.

    With early stopping, some of the tracks (whole groups) choose the epoch and are not learned from. Raises Diverged.
    """
    settings, task = experiment.training, TASKS[experiment.task]
    folder.mkdir(parents=True, exist_ok=True)
    learn, choose = (
        (inner_split(tracks, settings.inner_fraction, settings.seed))
        if settings.early_stopping
        else (tracks, None)
    )
    segments = segmenting.segment_set(experiment, learn, training=True)
    steps = batching.steps_per_epoch(segments, settings.batch_size)

    model = new_model(experiment, steps)
    model.get_layer("standardise").set_weights(list(learn.standardisation()))
    progress = _Progress(folder, settings, steps, label, reporter)
    first = progress.restore(model)
    if first < settings.epochs and not progress.should_stop():
        held_out = None
        if choose is not None:
            held_out = batching.evaluation_batches(
                segmenting.segment_set(experiment, choose, False), task, settings.batch_size
            )
        board = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
        with progress.bars:
            model.fit(
                batching.training_batches(segments, task, settings.batch_size, first),
                initial_epoch=first, epochs=settings.epochs, steps_per_epoch=steps, validation_data=held_out,
                callbacks=[progress, board], shuffle=False, verbose=0,
            )  # fmt: skip
    if progress.has_diverged:
        raise DivergedError(_diverged(label, experiment))
    if settings.early_stopping:
        model.load_weights(folder / BEST)
    finished = build_adff(experiment, "float32")
    finished.set_weights(model.get_weights())
    if not all(np.isfinite(weights).all() for weights in finished.get_weights()):
        raise DivergedError(_diverged(label, experiment))
    return Fit(finished, progress.history)


def _diverged(what: str, experiment: Experiment) -> str:
    rate = experiment.training.learning_rate
    return (
        f"{what} diverged: what the network learned or predicts is no finite number. Give a lower --learning-rate (it was "
        f"{rate:g}) and another folder by --out"
    )


def _state(model: keras.Model) -> list[keras.Variable]:
    """All that a fit changes: weights, dropout's random state (which Keras's own files leave out) and the optimizer's variables."""
    random = [
        layer.seed_generator.state
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate
    ]
    return [*model.weights, *random, *model.optimizer.variables]


def save_state(model: keras.Model, path: Path) -> None:
    """Write a compiled and built model's state, whole or not at all."""
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, *(keras.ops.convert_to_numpy(variable) for variable in _state(model)))


def load_state(model: keras.Model, path: Path) -> None:
    """Read back what `save_state` wrote of the same network."""
    with np.load(path) as arrays:
        for variable, name in zip(_state(model), arrays.files, strict=True):
            variable.assign(arrays[name])


def discard_state(folder: Path) -> None:
    """Remove what only an unfinished fit needs."""
    for file in (*folder.glob(STATE), *folder.glob(BEST)):
        file.unlink(missing_ok=True)


def predict_segments(
    model: keras.Model, experiment: Experiment, tracks: track_features.Tracks
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Predictions for every segment: the row of the track that each belongs to, and values by network output.

    Targets are `(segments,)`, probabilities `(segments, classes)`. Raises Diverged where one is not finite.
    """
    task = TASKS[experiment.task]
    segments = segmenting.segment_set(experiment, tracks, training=False)
    batches = batching.evaluation_batches(segments, task, experiment.training.batch_size)
    outputs = model.predict(batches.map(lambda log_mel, _: log_mel), verbose=0)
    if not all(np.isfinite(values).all() for values in outputs.values()):
        raise DivergedError(_diverged("the training of the model", experiment))
    return segments.track_rows, {
        name: values[:, 0] if task.is_regression else values for name, values in outputs.items()
    }


class _Progress(keras.callbacks.Callback):
    """Keeps the history and the state of a fit, tells the reporter, and stops early."""

    def __init__(
        self, folder: Path, settings: Training, steps: int, label: str, reporter: Reporter
    ):
        super().__init__()
        self.folder, self.settings, self.steps, self.label, self.reporter = (
            folder,
            settings,
            steps,
            label,
            reporter,
        )
        self.history = pd.DataFrame()
        self.bars = contextlib.ExitStack()  # closes an open bar when the fit is interrupted

    def restore(self, trained: keras.Model) -> int:
        """Load the newest state into the model; the number of epochs that it has behind it."""
        states = sorted(self.folder.glob(STATE))
        if not states:
            return 0
        load_state(trained, states[-1])
        done = int(states[-1].name.split(".")[0].removeprefix("state-"))
        self.history = pd.read_csv(self.folder / "history.csv").iloc[:done]
        self.reporter.log(f"{self.label}: goes on after epoch {done} of {self.settings.epochs}")
        return done

    def should_stop(self) -> bool:
        if self.history.empty:
            return False
        if self.has_diverged:
            return True
        return (
            bool(self.settings.early_stopping)
            and len(self.history) - self.best >= self.settings.early_stopping
        )

    @property
    def has_diverged(self) -> bool:
        """Whether the loss is no number any more, from which no training comes back."""
        return not self.history.empty and not np.isfinite(self.history["loss"].iloc[-1])

    @property
    def best(self) -> int:
        """The epoch, from 1, of the lowest inner validation loss."""
        return int(self.history["val_loss"].fillna(np.inf).argmin()) + 1

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()
        bar = self.reporter.bar(
            f"{self.label}: epoch {epoch + 1} of {self.settings.epochs}", self.steps, passing=True
        )
        self.advance = self.bars.enter_context(bar)

    def on_train_batch_end(self, batch, logs=None):
        self.advance(note=f"loss {logs['loss']:.4f}")

    def on_epoch_end(self, epoch, logs=None):
        self.bars.close()
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {
            "epoch": epoch + 1,
            **logs,
            "learning_rate": rate,
            "seconds": time.perf_counter() - self.start,
        }
        self.history = pd.concat([self.history, pd.DataFrame([row])], ignore_index=True)
        with atomic_write(self.folder / "history.csv") as file:
            self.history.to_csv(file, index=False)
        if self.settings.early_stopping and self.best == len(self.history):
            with atomic_write(self.folder / BEST) as file:
                self.model.save_weights(file)
        save_state(self.model, self.folder / STATE.replace("*", f"{epoch + 1:05d}"))
        for old in sorted(self.folder.glob(STATE))[:-1]:
            old.unlink()
        scores = "  ".join(
            f"{name} {value:.4f}"
            for name, value in logs.items()
            if name in ("loss", "val_loss") or "accuracy" in name
        )
        self.reporter.log(
            f"{self.label}: epoch {epoch + 1} of {self.settings.epochs}  {scores}  {row['seconds']:.0f} s"
        )
        if self.should_stop():
            why = (
                "diverged"
                if self.has_diverged
                else f"no better for {self.settings.early_stopping} epochs"
            )
            self.reporter.log(f"{self.label}: {why}, stopped")
            self.model.stop_training = True
