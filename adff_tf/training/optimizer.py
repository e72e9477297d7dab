"""TODO adff_tf.training.optimizer."""

import keras
import tensorflow as tf

from ..config import Training
from ..tasks import Task


@keras.saving.register_keras_serializable("adff_tf")
class Adam(keras.optimizers.Adam):
    """Adam with the L2 penalty's gradient added to the loss's, as in PyTorch's `Adam(weight_decay=…)`.

    Keras's own `weight_decay` is decoupled (AdamW): it is multiplied by the learning rate alone. The update is TensorFlow's fused
    one: the same numbers as Keras's, in one operation a variable, which is less graph to trace.
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
        """variable: a float32 `tf.Variable`; gradient: its dense gradient."""
        k = self._get_variable_index(variable)
        moments = {"m": self._momentums[k].value.handle, "v": self._velocities[k].value.handle}
        gradient = gradient + self.l2 * variable if self.l2 else gradient
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, grad=gradient, lr=learning_rate, **moments, **self._scalars
        )

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}


def distribution() -> tf.distribute.Strategy:
    """MirroredStrategy where several GPUs are; otherwise TensorFlow's default."""
    return (
        tf.distribute.MirroredStrategy()
        if len(tf.config.list_logical_devices("GPU")) > 1
        else tf.distribute.get_strategy()
    )


def schedule(
    settings: Training, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate over the steps of a fit."""
    if settings.schedule == "steps":
        rates = [
            settings.learning_rate * settings.decay_factor**k
            for k in range(len(settings.decay_epochs) + 1)
        ]
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            [e * steps_per_epoch for e in settings.decay_epochs], rates
        )
    steps = settings.epochs * steps_per_epoch
    warmup = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )


def compile_model(model: keras.Model, task: Task, settings: Training, steps_per_epoch: int) -> None:
    """Give the model its loss (MSE, the plain sum over targets, or cross-entropy), optimizer and learning rate."""
    loss = "mean_squared_error" if task.is_regression else "sparse_categorical_crossentropy"
    model.compile(
        optimizer=Adam(schedule(settings, steps_per_epoch), l2=settings.weight_decay),
        loss=dict.fromkeys(task.outputs, loss),
        metrics=None if task.is_regression else {name: ["accuracy"] for name in task.outputs},
        jit_compile=False,  # cuDNN's LSTM cannot be compiled by XLA
    )
