"""LSTM and Bi-LSTM against numbers worked by hand and against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from adff_tf.model import lstm

from .layer_contract import check_contract

LAYERS = [
    (lstm.LSTM(3, return_sequences=True), (2, 5, 4)),
    (lstm.Bidirectional(lstm.LSTM(3, return_sequences=True)), (2, 5, 4)),
]
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("layer", "shape"), LAYERS, ids=[type(layer).__name__ for layer, _ in LAYERS]
)
def test_layer_contract(layer, shape, tmp_path):
    check_contract(layer, shape, tmp_path)


def test_lstm_step_by_hand():
    layer = lstm.LSTM(1)
    layer.build((None, 1, 1))
    layer.set_weights(
        [
            np.array([[0.1, 0.2, 0.3, 0.4]]),
            np.array([[0.5, 0.6, 0.7, 0.8]]),
            np.array([0.0, 1.0, 0.0, 0.0]),
        ]
    )

    def sigmoid(value):
        return 1 / (1 + np.exp(-value))

    h = c = 0.0
    for x in (1.0, -2.0):
        i, f, g, o = (
            np.array([0.1, 0.2, 0.3, 0.4]) * x + np.array([0.5, 0.6, 0.7, 0.8]) * h + [0, 1, 0, 0]
        )
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(layer(np.array([[[1.0], [-2.0]]], "float32")), [[h]], rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True},
        {"go_backwards": True},
        {"return_sequences": True, "go_backwards": True},
        {"use_bias": False},
        {"return_state": True},
    ],
    ids=str,
)
def test_lstm_equals_keras_both_ways(options):
    x = RNG.standard_normal((3, 7, 5)).astype("float32")
    keras_layer, ours = keras.layers.LSTM(4, **options), lstm.LSTM(4, **options)
    keras_layer(x), ours(x)
    assert [w.shape for w in ours.weights] == [w.shape for w in keras_layer.weights]
    for source, target in ((keras_layer, ours), (ours, keras_layer)):
        target.set_weights([RNG.standard_normal(w.shape) * 0.3 for w in target.weights])
        target.set_weights(source.get_weights())
        for a, b in zip(
            keras.tree.flatten(keras_layer(x)), keras.tree.flatten(ours(x)), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_lstm_gradients_equal_keras():
    x = tf.constant(RNG.standard_normal((3, 7, 5)), tf.float32)
    keras_layer, ours = keras.layers.LSTM(4), lstm.LSTM(4)
    keras_layer(x), ours(x)
    ours.set_weights(keras_layer.get_weights())
    gradients = []
    for layer in (keras_layer, ours):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        gradients.append(tape.gradient(loss, layer.trainable_weights))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_bidirectional_equals_keras_both_ways(return_sequences, masked):
    x = RNG.standard_normal((2, 6, 3)).astype("float32")
    mask = np.array([[True] * 4 + [False] * 2, [True] * 6]) if masked else None
    stock = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=return_sequences))
    ours = lstm.Bidirectional(lstm.LSTM(4, return_sequences=return_sequences))
    stock(x), ours(x)
    for source, target in ((stock, ours), (ours, stock)):
        target.set_weights([RNG.standard_normal(w.shape) * 0.5 for w in target.weights])
        target.set_weights(source.get_weights())
        np.testing.assert_allclose(ours(x, mask=mask), stock(x, mask=mask), atol=1e-6)


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_bidirectional_gradients_equal_keras(return_sequences, training):
    """Ours are written out, Keras's automatic: by input and all weights, in a traced function."""
    x = tf.constant(RNG.standard_normal((3, 7, 5)), tf.float32)
    options = {"return_sequences": return_sequences}
    stock, ours = (
        keras.layers.Bidirectional(keras.layers.LSTM(4, **options)),
        lstm.Bidirectional(lstm.LSTM(4, **options)),
    )
    stock(x), ours(x)
    stock.set_weights([RNG.standard_normal(w.shape) * 0.7 for w in stock.weights])
    ours.set_weights(stock.get_weights())

    @tf.function
    def gradients(layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=training) ** 3)
        return tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])

    for a, b in zip(gradients(stock), gradients(ours), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_gradients_in_bfloat16_are_nearer_to_float32_than_the_automatic_ones():
    x = tf.constant(RNG.standard_normal((8, 160, 5)), tf.float32)
    exact, half = (
        lstm.Bidirectional(lstm.LSTM(16, dtype=d), dtype=d) for d in ("float32", "mixed_bfloat16")
    )
    exact(x), half(x)
    half.set_weights(exact.get_weights())

    def recurrent_kernel_gradient(layer, training):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(x, training=training), tf.float32))
        return tape.gradient(loss, layer.forward_layer.cell.recurrent_kernel.value).numpy()

    truth = recurrent_kernel_gradient(exact, True)
    ours, automatic = (
        np.linalg.norm(recurrent_kernel_gradient(half, training) - truth)
        for training in (True, False)
    )
    assert ours < automatic
    assert ours < 0.05 * np.linalg.norm(truth)


def test_lstm_refuses_dropout_and_says_what_to_do():
    with pytest.raises(ValueError, match="put a Dropout layer before it"):
        lstm.LSTM(3, dropout=0.1)
