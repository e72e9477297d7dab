"""Seconds of training steps, from a model that is fitted to the steps of a few small networks.

The seconds of a step are a sum of parts of its work (`work.Work`), each with a cost that is not
negative: least squares of the relative error. A small network is that of an experiment, of full
width, on a few seconds in one part (`FRAMES`), at two batch sizes; ADFF is also measured without
its Bi-LSTMs, which parts their cost from the convolutions'. Longer segments, larger batches and
other `seg_num` are estimated. CPUs only: on a GPU the cost of a step is no such sum.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import nnls

from ..config import Experiment, Segments
from ..features.batches import batch_spec
from ..networks import Network
from ..tasks import TASKS
from ..training.fit import new_model
from .work import Work, count

FRAMES = {"adff": 128, "mlem": 128, "emomucs": 256}  # of a measured segment; C2D needs 243
BATCHES = (3, 3, 3, 1, 1)  # sizes of the measured steps; the first is traced


@dataclass(frozen=True)
class StepTime:
    """Seconds of the first step, which includes tracing, and of a later step."""

    first_s: float
    later_s: float


@dataclass(frozen=True)
class Measured:
    """Seconds of steps of a network: of tracing, and of a later step by batch size."""

    work: Work
    tracing_s: float
    step_s: dict[int, float]


@dataclass(frozen=True)
class CostModel:
    """The seconds of each part of a step's work and of a layer's tracing, see `_parts`.

    Attributes:
        step: seconds of a unit of each part.
        tracing: seconds of a convolution and of a Bi-LSTM.
    """

    step: np.ndarray
    tracing: np.ndarray

    def estimate(self, experiment: Experiment) -> StepTime:
        """Return the seconds of a step of an experiment's network and batch size."""
        work = count(experiment)
        later_s = float(_parts(work, experiment.training.batch_size) @ self.step)
        return StepTime(float(_traced(work) @ self.tracing) + later_s, later_s)


def small_networks(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Return the experiments to measure: one for each network, whatever its input."""
    found: dict[str, Experiment] = {}
    for experiment in experiments:
        network, frontend = experiment.network, experiment.frontend
        networks = [network]
        if isinstance(network, Network):
            network = network.model_copy(update={"se": True})  # its cost does not show
            without = network.model_copy(update={"tflm": False})
            networks = [network, without] if network.tflm else [without]
        seconds = FRAMES[network.model] * frontend.hop_length / frontend.sample_rate_hz
        segments = Segments(seg_len=seconds, seg_num=1)
        for network in networks:
            small = experiment.model_copy(update={"segments": segments, "network": network})
            sizes = network.model_dump(exclude={"level"})
            key = [sizes, experiment.training.precision]
            found.setdefault(json.dumps(key), small)
    return list(found.values())


def measure(
    experiment: Experiment,
    batches: Sequence[int] = BATCHES,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Train an experiment's network on noise, a step for each batch size, and time the steps.

    Args:
        experiment: the settings.
        batches: sizes; the first step is traced, and one of the same size follows.
        clock: returns seconds; `time.process_time` is steadier beside other programs.
    """
    task, rng = TASKS[experiment.task], np.random.default_rng(0)
    spec = batch_spec(experiment.frames, experiment.bands, task)

    def noise():
        for size in batches:
            log_mel = rng.normal(-50, 20, (size, *spec[0].shape[1:])).astype("float32")
            targets = {name: np.zeros((size, s.shape[1]), "float32") for name, s in spec[1].items()}
            yield log_mel, targets, {name: np.ones(size, "float32") for name in spec[2]}

    model, _ = new_model(experiment, 1)
    stopwatch = _Stopwatch(clock)
    data = tf.data.Dataset.from_generator(noise, output_signature=spec)
    steps = len(batches)
    model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[stopwatch])
    times: dict[int, list[float]] = {}
    for size, seconds in zip(batches[1:], stopwatch.seconds[1:], strict=True):
        times.setdefault(size, []).append(seconds)
    step_s = {size: float(np.median(found)) for size, found in times.items()}
    return Measured(count(experiment), max(0.0, stopwatch.seconds[0] - step_s[batches[0]]), step_s)


def fit_costs(measured: Sequence[Measured]) -> CostModel:
    """Return the cost model of measured networks."""
    steps = [
        (_parts(one.work, size), seconds)
        for one in measured
        for size, seconds in one.step_s.items()
    ]
    traces = [(_traced(one.work), max(one.tracing_s, 1e-3)) for one in measured]
    return CostModel(_solve(steps), _solve(traces))


def _solve(equations: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    """Return the costs, not negative, with the least sum of squared relative errors."""
    rows = np.array([parts / seconds for parts, seconds in equations])
    scale = np.maximum(rows.max(axis=0), 1e-30)
    return nnls(rows / scale, np.ones(len(rows)))[0] / scale


def _parts(work: Work, batch: int) -> np.ndarray:
    """Return the parts of a step's work that have a cost each."""
    segment = [work.multiply_adds, work.patches, work.cells, work.lstm_multiply_adds]
    return np.array([*(batch * part for part in segment), work.loop_steps, work.parameters, 1.0])


def _traced(work: Work) -> np.ndarray:
    """Return the layers that take time to trace."""
    return np.array([work.convolutions, work.lstms], dtype=float)


class _Stopwatch(keras.callbacks.Callback):
    """The seconds of every step, from its start to its result."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock = clock
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch, logs=None):
        self.start = self.clock()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(self.clock() - self.start)
