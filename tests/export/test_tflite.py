"""The TFLite files: operations, types, sizes, the hash of the description, and example.py."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from ai_edge_litert.interpreter import Interpreter

import adff_tf
from adff_tf import presets
from adff_tf.export.artifacts import export
from adff_tf.model.network import build_adff

from ..inference.test_model import RATE, music

WAVEFORM_FILES = [f"adff_{kind}.tflite" for kind in ("float16", "float32", "int8", "int8_full")]
LOG_MEL_FILE = "adff_log_mel_float32.tflite"

# runs a script and prints the CPU time since the process began, and heavy modules
RUN_SCRIPT = """
import runpy, sys, time
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(time.process_time(), {"tensorflow", "keras", "librosa", "pandas"} & set(sys.modules))
"""


def test_the_folder_and_parity(tflite_export):
    folder, report = tflite_export.folder, tflite_export.export.report
    names = {"example.py", "requirements.txt", "model.keras", "config.json", "adff.json"}
    names |= {"parity.json", *WAVEFORM_FILES, LOG_MEL_FILE}
    assert {path.name for path in folder.iterdir()} == names
    assert report["passed"] and len(report["windows"]["names"]) >= 32
    within = {parity.artifact for parity in tflite_export.export.artifacts if parity.is_within}
    assert within >= {"adff_float32.tflite", "adff_float16.tflite", LOG_MEL_FILE}


@pytest.mark.parametrize("name", [*WAVEFORM_FILES, LOG_MEL_FILE])
def test_inputs_outputs_and_operations(tflite_export, name):
    file = tflite_export.folder / name
    content = file.read_bytes()
    description = json.loads(zipfile.ZipFile(file).read("adff.json"))
    model = content[: description["size"]]
    assert model[4:8] == b"TFL3" and hashlib.sha256(model).hexdigest() == description["sha256"]
    interpreter = Interpreter(model_path=str(file))
    signature = interpreter.get_signature_list()["serving_default"]
    assert signature["inputs"] == ["log_mel" if "log_mel" in name else "waveform"]
    assert sorted(signature["outputs"]) == sorted([*tflite_export.model.task.outputs, "distance"])
    ops = {op["op_name"] for op in interpreter._get_ops_details()}
    assert len(ops) > 10 and not [op for op in ops if op.startswith("Flex") or "CUSTOM" in op]
    shapes = {tuple(tensor["shape"]) for tensor in interpreter.get_tensor_details()}
    # no index of every sample of every frame
    assert max(np.prod(shape) for shape in shapes) < 100 * 4096 * 2 + 1


def test_int8_files_are_int8(tflite_export):
    def pool_types(name):
        tensors = Interpreter(model_path=str(tflite_export.folder / name)).get_tensor_details()
        return {tensor["dtype"].__name__ for tensor in tensors if "MaxPool2d" in tensor["name"]}

    assert "int8" in pool_types("adff_int8_full.tflite")
    assert pool_types("adff_int8.tflite") == pool_types("adff_float32.tflite") == {"float32"}
    size = {name: (tflite_export.folder / name).stat().st_size for name in WAVEFORM_FILES}
    assert size["adff_int8.tflite"] < size["adff_float16.tflite"] < size["adff_float32.tflite"]


def test_the_example_predicts_without_tensorflow_in_two_seconds(tflite_export, tmp_path):
    soundfile.write(tmp_path / "song.wav", music(1.5, 3), RATE)
    model = tflite_export.folder / "adff_int8.tflite"
    arguments = [tflite_export.folder / "example.py", model, tmp_path / "song.wav"]
    command = [sys.executable, "-c", RUN_SCRIPT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(adff_tf.__path__[0]))
    assert done.returncode == 0, done.stderr
    song, window, cost = done.stdout.splitlines()
    seconds, modules = cost.split(maxsplit=1)
    assert modules == "set()" and float(seconds) < 2
    expected = adff_tf.EmotionModel.load(model).predict(tmp_path / "song.wav")
    assert song == str(expected.label or expected.values)
    assert window.startswith("{'start': 0.0, 'end': 1.0, ")


def test_the_requirements_name_this_version(tflite_export):
    text = (tflite_export.folder / "requirements.txt").read_text()
    assert text == f"adff-tf>={adff_tf.__version__}\n"
    assert len((tflite_export.folder / "example.py").read_text().splitlines()) <= 10


@pytest.mark.slow
def test_sizes_at_full_width(tmp_path):
    experiment = presets.paper()
    keras.utils.set_random_seed(0)
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(experiment.to_json())
    build_adff(experiment, "float32").save(run / "model.keras")
    done = export(run, tmp_path / "out", ["tflite"])
    size = {name: (done.folder / name).stat().st_size / 1e6 for name in WAVEFORM_FILES}
    assert size["adff_float32.tflite"] < 105 and size["adff_int8.tflite"] < 27 and done.passed
