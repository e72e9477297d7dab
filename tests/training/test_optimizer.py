"""The optimizer against worked numbers and Keras's, and the learning rate over time."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from adff_tf.config import Training
from adff_tf.tasks import TASKS
from adff_tf.training import optimizer as optimizers


def minimise(optimizer, gradients) -> list[np.ndarray]:
    """The path of a variable that starts at (1, -2) under given gradients."""
    variable = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer.build([variable])
    path = []
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        path.append(np.array(variable))
    return path


GRADIENTS = [[0.5, -0.1], [0.2, 0.3], [-0.4, 0.0]]


def test_adam_is_keras_adam_without_decay():
    ours = minimise(optimizers.Adam(0.01), GRADIENTS)
    np.testing.assert_allclose(ours, minimise(keras.optimizers.Adam(0.01), GRADIENTS), rtol=1e-6)


def test_weight_decay_is_added_to_the_gradient_by_hand():
    l2, rate, b1, b2 = 0.1, 0.01, 0.9, 0.999
    w, m, v, expected = np.array([1.0, -2.0]), 0.0, 0.0, []
    for t, gradient in enumerate(GRADIENTS, start=1):
        g = np.array(gradient) + l2 * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-7)
        expected.append(w)
    np.testing.assert_allclose(
        minimise(optimizers.Adam(rate, l2=l2), GRADIENTS), expected, rtol=1e-5
    )


def test_adam_takes_its_rate_from_a_schedule():
    settings = Training(learning_rate=0.1, decay_epochs=(1, 2), decay_factor=0.5)
    rates = optimizers.make_schedule(settings, steps_per_epoch=10)
    assert [float(rates(step)) for step in (0, 10, 11, 20, 21)] == pytest.approx(
        [0.1, 0.1, 0.05, 0.05, 0.025]
    )


def test_a_rate_that_never_falls_is_a_number():
    """As of the preset emomucs."""
    settings = Training(learning_rate=0.1, decay_epochs=())
    rate = optimizers.make_schedule(settings, steps_per_epoch=10)
    step = minimise(optimizers.Adam(rate), GRADIENTS)[0] - [1.0, -2.0]
    np.testing.assert_allclose(step, [-0.1, 0.1], rtol=1e-4)


@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_the_first_step_is_traced_once(task, monkeypatch):
    """A variable that is created during the trace would make TensorFlow trace it again."""
    traces: list[int] = []
    x = keras.Input((3,))
    spec = TASKS[task]
    sizes = dict.fromkeys(spec.outputs, 1 if spec.is_regression else len(spec.classes))
    heads = {name: keras.layers.Dense(size, name=name)(x) for name, size in sizes.items()}
    model = keras.Model(x, heads)
    optimizers.compile_model(model, spec, Training(), 10)
    model.optimizer.build(model.trainable_variables)
    train_step = model.train_step
    monkeypatch.setattr(model, "train_step", lambda data: traces.append(1) or train_step(data))
    labels = {name: np.ones((2, max(2, size)), "float32") for name, size in sizes.items()}
    model.train_on_batch(np.ones((2, 3), "float32"), labels)
    assert len(traces) == 1


def test_cosine_rises_for_a_tenth_and_falls_to_zero():
    rates = optimizers.make_schedule(
        Training(schedule="cosine", learning_rate=0.3, epochs=10), steps_per_epoch=10
    )
    assert (
        float(rates(0)) == 0
        and float(rates(10)) == pytest.approx(0.3)
        and float(rates(100)) == pytest.approx(0, abs=1e-7)
    )
    assert float(rates(55)) == pytest.approx(0.15, rel=1e-3)


def test_slow_layers_take_a_share_of_the_rate():
    keras.utils.set_random_seed(0)
    x = keras.Input((1,))
    y = keras.layers.Dense(1, name="fast")(keras.layers.Dense(1, name="slow")(x))
    model = keras.Model(x, y)
    before = model.get_weights()
    optimizer = optimizers.Adam(0.01, slow_layers=["slow"], slow_rate=0.1)
    optimizer.build(model.trainable_variables)
    optimizer.apply([tf.ones_like(v.value) for v in model.trainable_variables])
    steps = [float(np.abs(a - b).max()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert steps == pytest.approx([0.001, 0.001, 0.01, 0.01], rel=1e-3)


def test_loss_of_values_and_signs_by_hand():
    """The squared error of a number; of a sign its negative log-likelihood under the logistic."""
    y_true = np.array([[0.5, 0], [1, 1], [-1, 1]], "float32")
    y_pred = np.array([[0.1], [0.3], [0.3]], "float32")
    positive = 1 / (1 + np.exp(-4 * 0.3))
    expected = np.mean([0.4**2, -np.log(positive), -np.log(1 - positive)])
    assert float(optimizers.ValueOrSignLoss()(y_true, y_pred)) == pytest.approx(expected, rel=1e-5)


def test_smoothed_signs_are_least_wrong_at_their_odds():
    """With a smoothing of .2 a positive sign counts as a probability of .9."""
    loss, best = optimizers.ValueOrSignLoss(0.2), np.log(0.9 / 0.1) / 4
    values = [
        float(loss(np.array([[1, 1]], "float32"), np.array([[value]], "float32")))
        for value in (best - 0.05, best, best + 0.05)
    ]
    assert values[1] < min(values[0], values[2])
