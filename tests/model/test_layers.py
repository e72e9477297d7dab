"""Custom layers against numbers worked by hand and against Keras's own."""

import keras
import numpy as np
import pytest

from adff_tf.model import layers, lstm

LAYERS = [
    (lambda: layers.Standardise(), (2, 6, 4)),
    (lambda: layers.CutAndStack(3), (2, 10, 4)),
    (lambda: layers.PooledReLU(), (2, 5, 4, 3)),
    (lambda: layers.SqueezeExcite(2), (2, 5, 3, 4)),
    (lambda: lstm.LSTM(3, return_sequences=True), (2, 5, 4)),
    (lambda: lstm.Bidirectional(lstm.LSTM(3, return_sequences=True)), (2, 5, 4)),
]
RNG = np.random.default_rng(0)


def ids(case):
    return type(case[0]()).__name__


@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=map(ids, LAYERS))
def test_layer_contract(make, shape, tmp_path):
    """Config round trip, symbolic and eager shapes, `.keras` in safe mode with equal outputs, mixed precision."""
    x = RNG.standard_normal(shape).astype("float32")
    layer = make()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = keras.Input(shape[1:])
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape[1:] == np.asarray(model(x)).shape[1:]
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), model(x))
    half = type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})
    output = half(x)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in half.weights)


def test_standardise_by_hand():
    layer = layers.Standardise()
    layer.build((None, 1, 2))
    layer.set_weights([np.array([-50.0, 10.0]), np.array([10.0, 2.0])])
    np.testing.assert_allclose(layer(np.array([[[-40.0, 4.0]]], "float32")), [[[1.0, -3.0]]])


def test_cut_and_stack_by_hand():
    log_mel = np.arange(7, dtype="float32").reshape(
        1, 7, 1
    )  # frames 0 to 6; with three parts the last is dropped
    stacked = np.asarray(layers.CutAndStack(3)(log_mel))
    np.testing.assert_array_equal(stacked[0, :, 0, :], [[0, 2, 4], [1, 3, 5]])


@pytest.mark.parametrize("training", [True, False])
def test_pooled_relu_by_hand(training):
    s = np.array([[-1, -2, 3, -4], [-5, -6, 7, 8], [9, 9, 9, 9]], "float32").reshape(
        1, 3, 4, 1
    )  # the third row has no pair
    np.testing.assert_array_equal(
        layers.PooledReLU()(s, training=training), np.reshape([0, 8], (1, 1, 2, 1))
    )


def test_squeeze_excite_by_hand():
    layer = layers.SqueezeExcite(2)
    layer.build((None, 2, 2, 2))
    reduce, expand = np.array([[1.0], [2.0]]), np.array([[1.0, -1.0]])
    layer.set_weights([reduce, np.array([-3.0]), expand, np.array([0.0, 0.5])])
    s = np.array(
        [[[[1.0, 0.0], [3.0, 2.0]], [[5.0, 4.0], [7.0, 6.0]]]], "float32"
    )  # means: z = (4, 3)
    hidden = max(0.0, 4 * 1 + 3 * 2 - 3)  # 7
    a = 1 / (1 + np.exp(-np.array([hidden, -hidden + 0.5])))
    np.testing.assert_allclose(layer(s), s * a, rtol=1e-6)


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
    tf = pytest.importorskip("tensorflow")
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
    """In training the gradient is written out; Keras's is automatic. By the input and all weights, traced as a fit traces it."""
    tf = pytest.importorskip("tensorflow")
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


def test_gradients_in_bfloat16_are_nearer_to_the_truth_than_the_loops_own():
    tf = pytest.importorskip("tensorflow")
    x = tf.constant(RNG.standard_normal((8, 160, 5)), tf.float32)
    exact, half = (
        lstm.Bidirectional(lstm.LSTM(16, dtype=d), dtype=d) for d in ("float32", "mixed_bfloat16")
    )
    exact(x), half(x)
    half.set_weights(exact.get_weights())

    def of_recurrent_kernel(layer, training):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(x, training=training), tf.float32))
        return tape.gradient(loss, layer.forward_layer.cell.recurrent_kernel.value).numpy()

    truth = of_recurrent_kernel(exact, True)
    ours, automatic = (
        np.linalg.norm(of_recurrent_kernel(half, training) - truth) for training in (True, False)
    )
    assert ours < automatic
    assert ours < 0.05 * np.linalg.norm(truth)


def test_lstm_refuses_dropout_and_says_what_to_do():
    with pytest.raises(ValueError, match="put a Dropout layer before it"):
        lstm.LSTM(3, dropout=0.1)
