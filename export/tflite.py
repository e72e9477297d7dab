"""A trained network as TFLite files: one window in, outputs by name, builtin operations only.

Each file is a FlatBuffer with a zip archive behind it, the convention of TFLite's own metadata: an
interpreter reads the FlatBuffer, `zipfile` reads `adff.json` (`inference.description`). `size` and
`sha256` in the description are the FlatBuffer's, so that a reader can refuse a damaged file.

    waveform float32 (1, samples)          adff_float32, adff_float16, adff_int8, adff_int8_full
    log_mel float32 (1, frames, mels), dB  adff_log_mel_float32, for devices with a front end

float16 and int8 concern the network's weights. int8 quantises activations by the range of each
window (dynamic range). int8_full also quantises the activations of convolutions, pools, norms and
fully connected layers, by ranges measured on music.

The front end computes in float32 in all files, because fewer bits do not hold its 100 dB.
TensorFlow's own converter rounds the window too: a pure tone's prediction then moved by 0.4 in
float16, and a small network's by 0.08 in int8, where these files lose 0.002. The int8 files store
its mel filterbank in float16. The DFT is float32, as TFLite has no other; `model.log_mel` states
the cost.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName
from ai_edge_quantizer.quantizer import Quantizer

from adff_tf.config import Experiment
from adff_tf.inference.backends import Outputs
from adff_tf.inference.description import append
from adff_tf.model.convert import convert, window_function
from adff_tf.support.console import silence_stderr

# Quantised operations, by a pattern of the output's name. The LSTMs' loops (`loop3/…`) cannot be
# calibrated. XNNPACK cannot be set up with the fully connected layers of squeeze-and-excitation.
WEIGHTS = {"CONV_2D": ".*adff.*", "FULLY_CONNECTED": ".*adff.*"}
FILTERBANK = "^MatMul.*"  # the front end's one product
ACTIVATIONS = {
    "CONV_2D": "^adff.*",
    "MAX_POOL_2D": "^adff.*",
    "MUL": "^adff.*norm.*",
    "ADD": "^adff.*norm.*",
    "FULLY_CONNECTED": "^adff.*(lstm|/fc|concepts).*",
}

Ranges = dict[str, dict[str, np.ndarray]]  # tensor's name: {"min", "max"}, of the tensor's rank


def files(
    network: keras.Model,
    experiment: Experiment,
    description: dict,
    calibration: Iterable[np.ndarray],
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file, in the order of the module's list.

    Args:
        network: float32 and without cuDNN (`servable.without_cudnn`).
        experiment: its settings.
        description: of `inference.description.describe`.
        calibration: windows of music `(samples,)`, like the training set's, for int8_full.
    """
    frames = experiment.frames

    def from_log_mel(log_mel):
        return network(log_mel, training=False)

    model = _with_unique_names(convert(*window_function(network, experiment)))
    yield "adff_float32.tflite", append(model, description)
    for name, recipe, ranges in (
        ("adff_float16", _float16, None),
        ("adff_int8", _int8, None),
        ("adff_int8_full", _int8_full, _measure_ranges(model, calibration)),
    ):
        yield f"{name}.tflite", append(_quantise(model, recipe, ranges), description)
    log_mel = tf.TensorSpec((1, frames, description["mels"]), tf.float32, "log_mel")
    model = convert(from_log_mel, log_mel)
    yield (
        "adff_log_mel_float32.tflite",
        append(model, description | {"input": "log_mel"}),
    )


def one_file(
    kind: Literal["float16", "int8"],
    folder: Path,
    network: keras.Model,
    experiment: Experiment,
    description: dict,
) -> bytes:
    """Return the content of adff_float16.tflite or adff_int8.tflite alone.

    Args:
        kind: float16 or int8.
        folder: of an export, whose file is taken where it is there already.
        network, experiment, description: as for `files`.
    """
    file = folder / f"adff_{kind}.tflite"
    if file.is_file():
        return file.read_bytes()
    model = _with_unique_names(convert(*window_function(network, experiment)))
    recipe = {"float16": _float16, "int8": _int8}[kind]
    return append(_quantise(model, recipe), description)


def load_function(file: Path) -> Callable[[np.ndarray], Outputs]:
    """Return a file's function from its one input to outputs by name."""
    with silence_stderr():  # LiteRT prints its delegate's name
        run = Interpreter(model_path=str(file), num_threads=2).get_signature_runner()
    (name,) = run.get_input_details()
    return lambda value: run(**{name: value})


# === Quantisation ===


def _with_unique_names(model: bytes) -> bytes:
    """Rename the tensors of loops: each loop has an `arg0`, the quantiser needs unique names."""
    unpacked = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for k, graph in enumerate(unpacked.subgraphs[1:], start=1):
        for tensor in graph.tensors:
            tensor.name = b"loop%d/" % k + tensor.name
    builder = flatbuffers.Builder(len(model))
    builder.Finish(unpacked.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _measure_ranges(model: bytes, calibration: Iterable[np.ndarray]) -> Ranges:
    """Return the least and the greatest value of each tensor over windows of music."""
    with silence_stderr():  # a warning that keeping every tensor takes memory
        interpreter = Interpreter(
            model_content=model, num_threads=2, experimental_preserve_all_tensors=True
        )
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    tensors = [tensor for tensor in details if tensor["name"].startswith("adff")]
    pairs: dict[str, list] = {}
    for window in calibration:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window[None])
        interpreter.invoke()
        for tensor in tensors:
            try:
                value = interpreter.get_tensor(tensor["index"])
            except ValueError:  # never filled; the quantiser raises if it needs this tensor
                continue
            if value.dtype == np.float32:
                shape = (1,) * value.ndim
                pair = value.min().reshape(shape), value.max().reshape(shape)
                pairs.setdefault(tensor["name"], []).append(pair)
    return {
        name: {"min": min(low for low, _ in seen), "max": max(high for _, high in seen)}
        for name, seen in pairs.items()
    }


def _float16(quantizer: Quantizer, weights: dict[str, str] = WEIGHTS) -> None:
    for operation, pattern in weights.items():
        quantizer.add_weight_only_config(
            pattern,
            TFLOperationName(operation),
            num_bits=16,
            algorithm_key=AlgorithmName.FLOAT_CASTING,
        )


def _int8(quantizer: Quantizer) -> None:
    # saves half a megabyte; float16 rounds a weight of the filterbank by 0.002 dB at most
    _float16(quantizer, {"FULLY_CONNECTED": FILTERBANK})
    for operation, pattern in WEIGHTS.items():
        quantizer.add_dynamic_config(pattern, TFLOperationName(operation), num_bits=8)


def _int8_full(quantizer: Quantizer) -> None:
    _int8(quantizer)
    for operation, pattern in ACTIVATIONS.items():
        quantizer.add_static_config(
            pattern, TFLOperationName(operation), activation_num_bits=8, weight_num_bits=8
        )


def _quantise(
    model: bytes, recipe: Callable[[Quantizer], None], ranges: Ranges | None = None
) -> bytes:
    """Return the model quantised by a recipe. ranges: of activations, for int8_full."""
    quantizer = Quantizer(bytearray(model))
    recipe(quantizer)
    with contextlib.redirect_stderr(io.StringIO()):  # one of its progress bars cannot be turned off
        return bytes(
            quantizer.quantize(
                ranges, enable_progress_bar=False, enable_progress_report=False
            ).quantized_model
        )
