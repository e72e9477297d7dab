"""The paper's layers against numbers worked by hand, and cut-and-stack against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adff_tf.model import layers

from .layer_contract import check_contract

LAYERS = [
    (layers.Standardise(), (2, 6, 4)),
    (layers.CutAndStack(3), (2, 10, 4)),
    (layers.PooledReLU(), (2, 5, 4, 3)),
    (layers.SqueezeExcite(2), (2, 5, 3, 4)),
]


@pytest.mark.parametrize(
    ("layer", "shape"), LAYERS, ids=[type(layer).__name__ for layer, _ in LAYERS]
)
def test_layer_contract(layer, shape, tmp_path):
    check_contract(layer, shape, tmp_path)


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


@settings(max_examples=50, deadline=None)
@given(
    batch=st.integers(1, 3),
    frames=st.integers(1, 60),
    mels=st.integers(1, 5),
    seg_num=st.integers(1, 8),
)
def test_unstacking_gives_the_input_back_in_time_order(batch, frames, mels, seg_num):
    assume(frames >= seg_num)
    part = frames // seg_num
    log_mel = np.arange(batch * frames * mels, dtype="float32").reshape(batch, frames, mels)
    stacked = np.asarray(layers.cut_and_stack(log_mel, seg_num))
    assert stacked.shape == (batch, part, mels, seg_num)
    in_time_order = np.concatenate([stacked[..., k] for k in range(seg_num)], axis=1)
    np.testing.assert_array_equal(in_time_order, log_mel[:, : part * seg_num])


def test_cut_and_stack_runs_on_the_gpu():
    if not tf.config.list_logical_devices("GPU"):
        pytest.skip("TensorFlow sees no GPU: where cut-and-stack is placed was not checked")
    with tf.device("/GPU:0"):
        assert "GPU" in layers.CutAndStack(2)(tf.zeros((1, 100, 128))).device


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
