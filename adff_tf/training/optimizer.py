"""The loss, the optimizer and its learning rate, and the devices of a fit.

Section 3.2: Adam with weight decay 1e-5, learning rate 1e-5, decayed after given epochs. The loss
is the mean squared error, summed over the targets, or the cross-entropy of the classes. A label of
which only the sign is known trains the same output by the logistic loss of the sign. Where the
network has concepts, their mean squared error weighs as much as that of the targets.
"""

from collections.abc import Collection

import keras
import tensorflow as tf
from keras import ops
from keras.optimizers.schedules import (
    CosineDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
)

from ..config import Training
from ..tasks import CONCEPTS, Task

SIGN_SLOPE = 4.0  # log odds of a positive sign per unit of the output: ±1 is a probability of .98


@keras.saving.register_keras_serializable("adff_tf")
class Adam(keras.optimizers.Adam):
    """Adam with the L2 penalty's gradient added to the loss's: PyTorch's `Adam(weight_decay=…)`.

    Keras's own `weight_decay` is decoupled (AdamW): it is multiplied by the learning rate alone.
    The update is TensorFlow's fused operation: Keras's numbers with less graph to trace.

    Args:
        l2: factor of the L2 penalty's gradient.
        slow_layers: names of layers whose learning rate is multiplied by `slow_rate`.
        slow_rate: the factor.
    """

    def __init__(
        self,
        *args,
        l2: float = 0.0,
        slow_layers: Collection[str] = (),
        slow_rate: float = 1.0,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.l2, self.slow_layers, self.slow_rate = l2, sorted(slow_layers), slow_rate

    def apply(self, grads, trainable_variables=None):
        step = tf.cast(self.iterations + 1, tf.float32)
        scalars = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        self._scalars = {name: tf.constant(value, tf.float32) for name, value in scalars.items()}
        self._scalars |= {"beta1_power": self.beta_1**step, "beta2_power": self.beta_2**step}
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        """Update a float32 `tf.Variable` by its dense gradient."""
        k = self._get_variable_index(variable)
        moments = {"m": self._momentums[k].value.handle, "v": self._velocities[k].value.handle}
        gradient = gradient + self.l2 * variable if self.l2 else gradient
        if self._trainable_variables[k].path.split("/")[0] in self.slow_layers:
            learning_rate = self.slow_rate * learning_rate
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, grad=gradient, lr=learning_rate, **moments, **self._scalars
        )

    def get_config(self):
        return {
            **super().get_config(),
            "l2": self.l2,
            "slow_layers": self.slow_layers,
            "slow_rate": self.slow_rate,
        }


def choose_strategy() -> tf.distribute.Strategy:
    """Return MirroredStrategy for several GPUs, otherwise TensorFlow's default strategy."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def make_schedule(settings: Training, steps_per_epoch: int) -> LearningRateSchedule | float:
    """Return the learning rate over the steps of a fit; a number where it never falls."""
    if settings.schedule == "steps" and not settings.decay_epochs:
        return settings.learning_rate
    if settings.schedule == "steps":
        rates = [
            settings.learning_rate * settings.decay_factor**k
            for k in range(len(settings.decay_epochs) + 1)
        ]
        return PiecewiseConstantDecay([e * steps_per_epoch for e in settings.decay_epochs], rates)
    steps = settings.epochs * steps_per_epoch
    warmup = max(1, steps // 10)
    return CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )


class ValueOrSignLoss(keras.losses.Loss):
    """Squared error where the label is a number, logistic loss where only its sign is known.

    `y_true` is `(batch, 2)`: the label in [-1, 1], and 1 where it is only a sign, else 0. `y_pred`
    is `(batch, 1)`. The logistic loss takes `SIGN_SLOPE * y_pred` as the log odds of a positive
    sign. A label between the signs, as of mixup, is a share of (1 + label) / 2.

    Args:
        smoothing: share of a sign that is spread over both signs.
    """

    def __init__(self, smoothing: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        label, is_sign = y_true[:, 0], y_true[:, 1]
        value = y_pred[:, 0]
        positive = (1 + (1 - self.smoothing) * label) / 2
        log_odds = SIGN_SLOPE * value
        logistic = ops.softplus(log_odds) - positive * log_odds
        return (1 - is_sign) * ops.square(label - value) + is_sign * logistic

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}


def compile_model(
    model: keras.Model,
    task: Task,
    settings: Training,
    steps_per_epoch: int,
    slow_layers: Collection[str] = (),
    slow_rate: float = 1.0,
) -> None:
    """Compile a network with the task's loss and the settings' optimizer.

    Args:
        slow_layers, slow_rate: as of `Adam`.
    """
    smoothing, targets = settings.label_smoothing, task.outputs
    loss = (
        ValueOrSignLoss(smoothing)
        if task.is_regression
        else keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    )
    has_concepts = CONCEPTS in model.output_names
    losses = {CONCEPTS: keras.losses.MeanSquaredError()} if has_concepts else {}
    weights = dict.fromkeys(targets, 1.0) | {CONCEPTS: float(len(targets))}
    model.compile(
        optimizer=Adam(
            make_schedule(settings, steps_per_epoch),
            l2=settings.weight_decay,
            slow_layers=slow_layers,
            slow_rate=slow_rate,
            use_ema=settings.ema > 0,
            ema_momentum=settings.ema or 0.99,
        ),
        loss=dict.fromkeys(targets, loss) | losses,
        loss_weights=weights if has_concepts else None,
        metrics=None if task.is_regression else {name: ["accuracy"] for name in task.outputs},
        jit_compile=False,  # cuDNN's LSTM cannot be compiled by XLA
    )
    if not tf.distribute.has_strategy():  # with one, Keras does so itself
        _build_metrics(model, task)


def _build_metrics(model: keras.Model, task: Task) -> None:
    """Create the variables of the loss and the metrics of a compiled network.

    Keras creates them while it traces the first step, and TensorFlow traces a function again that
    has created variables.
    """
    sizes = {
        name: output.shape[-1]
        for name, output in zip(model.output_names, model.outputs, strict=True)
    }
    outputs = {name: ops.ones((1, size)) for name, size in sizes.items()}
    if task.is_regression:
        sizes |= dict.fromkeys(task.outputs, 2)
    labels = {name: ops.ones((1, size)) for name, size in sizes.items()}
    model.compute_loss(None, labels, outputs)
    model.compute_metrics(None, labels, outputs)
    model.reset_metrics()
