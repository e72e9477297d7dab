"""The student: ADFF up to its fused features E, and one dense layer to the teacher's targets.

The loss is the mean over groups of targets of a group's mean squared error, weighted. The explained
variance of a group is 1 - SSE / SST over windows, pooled over the group's targets after
standardisation; SST is about each target's mean over these windows.
"""

import keras
import numpy as np
from keras import ops

from ..config import Experiment
from ..model.musicnn import DIMS, TARGETS
from ..model.networks import build_network
from ..training.optimizer import Adam, make_schedule
from .settings import Plan
from .windows import Windows


def build_student(plan: Plan) -> keras.Model:
    """Return the untrained student: log-mel `(batch, frames, mels)` to targets `(batch, 1756)`."""
    network = build_network(plan.experiment, plan.learning.precision)
    e = network.get_layer("fusion").output
    e = keras.layers.Dropout(plan.learning.target_dropout, name="fusion_dropout")(e)
    targets = keras.layers.Dense(DIMS, dtype="float32", name="projection")(e)
    return keras.Model(network.input, targets, name="student")


def compile_student(student: keras.Model, plan: Plan, steps_per_epoch: int) -> None:
    """Compile a student with its loss and optimizer, whose variables are built."""
    training = plan.experiment.training
    optimizer = Adam(make_schedule(training, steps_per_epoch), l2=training.weight_decay)
    student.compile(optimizer, make_loss(plan.learning.target_weights), jit_compile=False)
    optimizer.build(student.trainable_variables)


def make_loss(weights: dict[str, float]):
    """Return the loss `(batch,)` of standardised targets `(batch, 1756)`.

    Args:
        weights: of each group's mean squared error, by the names in TARGETS.
    """
    total = sum(weights.values())
    shares = [np.full(size, weights[name] / total / size) for name, size in TARGETS.items()]
    share = np.concatenate(shares).astype("float32")

    def loss(y_true, y_pred):
        return ops.sum(share * ops.square(y_true - y_pred), axis=-1)

    return loss


def explained_variance(student: keras.Model, windows: Windows) -> dict[str, float]:
    """Return the share of the variance that a student explains, by the names in TARGETS.

    Args:
        student: predicts all windows in order.
        windows: of the held-out recordings, two at least that differ.
    """
    error = count = total = squares = 0
    for x, y in windows.evaluation_batches().as_numpy_iterator():
        predicted = np.asarray(student.predict_on_batch(x), "float64")
        y = y.astype("float64")
        count += len(y)
        error = error + np.square(predicted - y).sum(axis=0)
        total, squares = total + y.sum(axis=0), squares + np.square(y).sum(axis=0)
    spread = squares - total**2 / count
    ends = np.cumsum(list(TARGETS.values()))[:-1]
    groups = zip(TARGETS, np.split(error, ends), np.split(spread, ends), strict=True)
    return {name: float(1 - sse.sum() / max(sst.sum(), 1e-9)) for name, sse, sst in groups}


def make_backbone(student: keras.Model, experiment: Experiment) -> keras.Model:
    """Return the experiment's network, float32, with the student's layers and an untrained head."""
    keras.utils.set_random_seed(experiment.training.seed)
    network = build_network(experiment, "float32")
    learned = {layer.name: layer for layer in student.layers}
    for layer in network.layers:
        if layer.name in learned and layer.weights:
            layer.set_weights(learned[layer.name].get_weights())
    return network
