"""A trained network as TFLite files: one window in, answers by name out, builtin operations only, batch 1.

Each file is a FlatBuffer with a zip archive appended that holds `adff.json` (`about.py`), the convention of TFLite's own metadata:
interpreters read the one, `zipfile` the other. `size` and `sha256` in it are those of the FlatBuffer, so that a reader can tell a
damaged file before an interpreter has to.

    waveform float32 (1, samples): adff_float32, adff_float16, adff_int8, adff_int8_full
    log_mel float32 (1, frames, mels), dB: adff_log_mel_float32, for devices with a front end of their own

float16 and int8 are of the network's weights. int8 ranges activations as they come (dynamic range); int8_full has those of
convolutions, pools, norms and fully connected layers in int8 as well, by ranges taken from music. The front end computes in
float32 in all files, as fewer bits do not hold its 100 dB: TensorFlow's own converter rounds the window too, which moved the
answer to a pure tone by .4 in float16, and in int8 those of a small network by .08 where .002 is lost here. The int8 files keep
the mel filterbank's weights in float16. The DFT is float32's, TFLite having no other (`features.py` tells what that costs).
"""

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName
from ai_edge_quantizer.quantizer import Quantizer
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ..config import Experiment
from ..model import log_mel as front_end
from ..support.console import silence_stderr
from ..tasks import TASKS
from .about import FILE

# What is quantised: operation, and a pattern of its output's name. The loops of the LSTMs (`loop3/…`) cannot be calibrated.
WEIGHTS = {"CONV_2D": ".*adff.*", "FULLY_CONNECTED": ".*adff.*"}
FILTERBANK = "^MatMul.*"  # the front end's one product
ACTIVATIONS = {
    "CONV_2D": "^adff.*",
    "MAX_POOL_2D": "^adff.*",
    "MUL": "^adff.*norm.*",
    "ADD": "^adff.*norm.*",
    "FULLY_CONNECTED": "^adff.*(lstm|/fc).*",  # with those of squeeze-and-excitation XNNPACK cannot be set up
}


def files(
    network: keras.Model, experiment: Experiment, about: dict, calibration: Iterable[np.ndarray]
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a trained network, in the order of the module's list.

    network: float32 and without cuDNN (`servable.without_cudnn`). about: see `about.py`. calibration: windows `(samples,)` of music
    like that of the training set, for int8_full.
    """
    frontend, frames, window = experiment.frontend, experiment.frames, about["window"]

    def of_waveform(waveform):
        return network(front_end.log_mel(waveform, frontend, "float32")[:, :frames], training=False)

    plain = _with_unique_names(
        _converted(of_waveform, tf.TensorSpec((1, window), tf.float32, "waveform"), experiment)
    )
    yield "adff_float32.tflite", described(plain, about)
    yield "adff_float16.tflite", described(_quantised(plain, _halve), about)
    yield "adff_int8.tflite", described(_quantised(plain, _range_as_they_come), about)
    ranges = _ranges(plain, calibration)
    yield "adff_int8_full.tflite", described(_quantised(plain, _range_as_calibrated, ranges), about)
    of_log_mel = _converted(
        lambda log_mel: network(log_mel, training=False),
        tf.TensorSpec((1, frames, about["mels"]), tf.float32, "log_mel"), experiment,
    )  # fmt: skip
    yield "adff_log_mel_float32.tflite", described(of_log_mel, about | {"input": "log_mel"})


def described(model: bytes, about: dict) -> bytes:
    """A TFLite model with its description appended."""
    about = about | {"size": len(model), "sha256": hashlib.sha256(model).hexdigest()}
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(
            zipfile.ZipInfo(FILE), json.dumps(about, indent=2)
        )  # ZipInfo: dated 1980, the same bytes every time
    return file.getvalue()


def answering(file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """A file's own function from its one input, whole, to outputs by name."""
    with silence_stderr():  # of the delegate that it makes
        run = Interpreter(model_path=str(file), num_threads=2).get_signature_runner()
    (name,) = run.get_input_details()
    return lambda value: run(**{name: value})


def _converted(function: Callable, spec: tf.TensorSpec, experiment: Experiment) -> bytes:
    """A function of one tensor to the network's outputs by name as a TFLite model, float32.

    A fixed batch and constant weights are what keeps the LSTMs' loops within the builtin operations.
    """
    task = TASKS[experiment.task]
    traced = tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
    names = list(
        tf.nest.flatten({name: name for name in traced.structured_outputs})
    )  # in the order that the frozen one answers in
    with silence_stderr():  # from C++, of what it ignores
        frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    module = tf.Module()

    @tf.function(input_signature=[spec], autograph=False)
    def named(argument):
        outputs = dict(zip(names, frozen(argument), strict=True))
        return {
            name: value[:, 0] if task.is_regression else value for name, value in outputs.items()
        }

    module.named = named
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [named.get_concrete_function()], module
    )
    with silence_stderr():
        return converter.convert()


# === Fewer bits ===


def _with_unique_names(model: bytes) -> bytes:
    """The model with its loops' tensors renamed: every loop has an `arg0`, and the quantiser tells tensors by their names."""
    unpacked = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for k, graph in enumerate(unpacked.subgraphs[1:], start=1):
        for tensor in graph.tensors:
            tensor.name = b"loop%d/" % k + tensor.name
    builder = flatbuffers.Builder(len(model))
    builder.Finish(unpacked.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _ranges(model: bytes, calibration: Iterable[np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The least and the greatest value of each tensor over windows of music: `{name: {"min", "max"}}`, of the tensor's rank."""
    with silence_stderr():  # a warning that keeping every tensor takes memory
        interpreter = Interpreter(
            model_content=model, num_threads=2, experimental_preserve_all_tensors=True
        )
    interpreter.allocate_tensors()
    tensors = [
        tensor for tensor in interpreter.get_tensor_details() if tensor["name"].startswith("adff")
    ]
    seen: dict[str, list] = {}
    for window in calibration:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window[None])
        interpreter.invoke()
        for tensor in tensors:
            try:
                value = interpreter.get_tensor(tensor["index"])
            except ValueError:  # never filled; the quantiser says so if it is one that it needs
                continue
            if value.dtype == np.float32:
                shape = (1,) * value.ndim
                seen.setdefault(tensor["name"], []).append(
                    (value.min().reshape(shape), value.max().reshape(shape))
                )
    return {
        name: {"min": min(low for low, _ in pairs), "max": max(high for _, high in pairs)}
        for name, pairs in seen.items()
    }


def _halve(quantizer: Quantizer, weights: dict[str, str] = WEIGHTS) -> None:
    for operation, pattern in weights.items():
        quantizer.add_weight_only_config(
            pattern,
            TFLOperationName(operation),
            num_bits=16,
            algorithm_key=AlgorithmName.FLOAT_CASTING,
        )


def _range_as_they_come(quantizer: Quantizer) -> None:
    _halve(
        quantizer, {"FULLY_CONNECTED": FILTERBANK}
    )  # half a megabyte; float16 rounds a weight by 0.002 dB at most
    for operation, pattern in WEIGHTS.items():
        quantizer.add_dynamic_config(pattern, TFLOperationName(operation), num_bits=8)


def _range_as_calibrated(quantizer: Quantizer) -> None:
    _range_as_they_come(quantizer)
    for operation, pattern in ACTIVATIONS.items():
        quantizer.add_static_config(
            pattern, TFLOperationName(operation), activation_num_bits=8, weight_num_bits=8
        )


def _quantised(
    model: bytes, recipe: Callable[[Quantizer], None], ranges: dict | None = None
) -> bytes:
    """The model with what a recipe names in fewer bits; ranges: of activations, for recipes that calibrate."""
    quantizer = Quantizer(bytearray(model))
    recipe(quantizer)
    with contextlib.redirect_stderr(io.StringIO()):  # one of its progress bars cannot be turned off
        return bytes(
            quantizer.quantize(
                ranges, enable_progress_bar=False, enable_progress_report=False
            ).quantized_model
        )
