"""The contract that every layer of the package keeps."""

import keras
import numpy as np


def check_contract(layer: keras.layers.Layer, shape: tuple[int, ...], tmp_path) -> None:
    """Assert the contract of an unbuilt layer on input of a shape, the batch included.

    Config round trip, symbolic and eager shapes, `.keras` in safe mode with equal outputs, mixed
    precision.
    """
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
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
