"""The loss, the optimizer and its learning rate, and the devices of a fit.

Section 3.2: Adam with weight decay 1e-5, learning rate 1e-5, decayed after given epochs. The loss
is the mean squared error, summed over the targets, or the cross-entropy of the classes.
"""

import keras
import tensorflow as tf
from keras.optimizers.schedules import (
    CosineDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
)

from ..config import Training
from ..tasks import Task


@keras.saving.register_keras_serializable("adff_tf")
class Adam(keras.optimizers.Adam):
    """Adam with the L2 penalty's gradient added to the loss's: PyTorch's `Adam(weight_decay=…)`.

    Keras's own `weight_decay` is decoupled (AdamW): it is multiplied by the learning rate alone.
    The update is TensorFlow's fused operation: Keras's numbers with less graph to trace.
    """

    def __init__(self, *args, l2: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2

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
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, grad=gradient, lr=learning_rate, **moments, **self._scalars
        )

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}


def choose_strategy() -> tf.distribute.Strategy:
    """Return MirroredStrategy for several GPUs, otherwise TensorFlow's default strategy."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def make_schedule(settings: Training, steps_per_epoch: int) -> LearningRateSchedule:
    """Return the learning rate over the steps of a fit."""
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


def compile_model(model: keras.Model, task: Task, settings: Training, steps_per_epoch: int) -> None:
    """Compile a network with the task's loss and the settings' optimizer."""
    loss = "mean_squared_error" if task.is_regression else "sparse_categorical_crossentropy"
    model.compile(
        optimizer=Adam(make_schedule(settings, steps_per_epoch), l2=settings.weight_decay),
        loss=dict.fromkeys(task.outputs, loss),
        metrics=None if task.is_regression else {name: ["accuracy"] for name in task.outputs},
        jit_compile=False,  # cuDNN's LSTM cannot be compiled by XLA
    )
