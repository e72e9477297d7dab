"""The SavedModel against the run's own model, by TensorFlow's loaders."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ..inference.test_model import RATE, WINDOW, music
from .conftest import some_windows


@pytest.fixture(scope="module")
def signatures(saved_model_export):
    return tf.saved_model.load(str(saved_model_export.version)).signatures


def test_the_folder_and_parity(saved_model_export):
    folder, report = saved_model_export.folder, saved_model_export.export.report
    names = {"saved_model", "serving", "model.keras", "config.json", "adff.json", "parity.json"}
    assert {path.name for path in folder.iterdir()} == names
    warmup = saved_model_export.version / "assets.extra/tf_serving_warmup_requests"
    assert warmup.stat().st_size > 0
    assert report["passed"] and len(report["windows"]["names"]) >= 32
    within = {parity.artifact for parity in saved_model_export.export.artifacts if parity.is_within}
    assert within == {"saved_model", "saved_model/log_mel"}


def test_signatures_predict_as_the_model_for_any_batch(saved_model_export, signatures):
    for batch in (1, 3):
        waveforms = some_windows(batch)
        expected = saved_model_export.model.predict_windows(waveforms)
        outputs = signatures["serving_default"](waveform=tf.constant(waveforms))
        assert set(outputs) == set(expected)
        for name, values in expected.items():
            assert outputs[name].shape == values.shape
            np.testing.assert_allclose(outputs[name], values, atol=1e-5)


@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.3, 3.75])
def test_a_whole_recording_is_cut_as_prediction_cuts_it(saved_model_export, signatures, seconds):
    waveform, hop_s = music(seconds, 4), 0.5
    expected = saved_model_export.model.predict(waveform, RATE, hop_s)
    hop = tf.constant(round(hop_s * RATE))
    outputs = signatures["recording"](waveform=tf.constant(waveform), hop=hop)
    np.testing.assert_allclose(outputs["start"], expected.start, atol=1e-4)
    for name, values in expected.windows.items():
        np.testing.assert_allclose(outputs[name], values, atol=1e-5)


@pytest.mark.parametrize(
    "hop, samples", [(0, WINDOW), (-5, WINDOW), (WINDOW + 1, WINDOW), (100, 0)]
)
def test_a_recording_is_refused(signatures, hop, samples):
    message = "hop is in samples|the waveform is empty"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures["recording"](waveform=tf.zeros(samples), hop=tf.constant(hop))


@pytest.mark.parametrize("samples", [WINDOW - 1, WINDOW + 1, 2 * WINDOW, WINDOW // 2])
def test_a_waveform_of_another_length_is_refused(signatures, samples):
    """Neither a session nor a traced function checks its input's declared shape by itself."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="EnsureShape"):
        signatures["serving_default"](waveform=tf.zeros((1, samples)))


def test_a_log_mel_of_another_length_is_refused(saved_model_export, signatures):
    description = json.loads((saved_model_export.folder / "adff.json").read_text())
    shape = (1, description["frames"] + 1, description["mels"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="EnsureShape"):
        signatures["log_mel"](log_mel=tf.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_window_with_nan_leaves_the_others_unchanged(signatures, bad):
    waveforms = some_windows(2)
    alone = signatures["serving_default"](waveform=tf.constant(waveforms[:1]))
    waveforms[1, 7] = bad
    for name, value in signatures["serving_default"](waveform=tf.constant(waveforms)).items():
        assert np.isnan(value[1]).all()
        np.testing.assert_allclose(value[0], alone[name][0], atol=1e-6)


def test_description(saved_model_export, signatures):
    (text,) = signatures["description"](query=tf.constant([""]))["description"].numpy()
    found = json.loads(text)
    assert found == json.loads((saved_model_export.folder / "adff.json").read_text())
    sizes = tuple(found[key] for key in ("sample_rate_hz", "window", "frames", "mels"))
    assert sizes == (RATE, WINDOW, 100, 128)
    assert found["task"] == saved_model_export.model.task.name and found["scale"] == [-1, 1]


def test_core_operations_only(saved_model_export):
    """No custom operation and none of cuDNN: `tf.raw_ops` holds TensorFlow's own."""
    content = (saved_model_export.version / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    ops = {node.op for node in graph.node} | {
        node.op for function in graph.library.function for node in function.node_def
    }
    functions = {function.signature.name for function in graph.library.function}
    assert len(ops) > 30 and "Conv2D" in ops
    custom = {op for op in ops - functions if not hasattr(tf.raw_ops, op)}
    assert not custom and not [op for op in ops if "cudnn" in op.lower()]


def test_the_session_loader_of_tensorflow_serving(saved_model_export, tmp_path):
    """TensorFlow's C API, in a process that never imports TensorFlow."""
    version, waveforms = saved_model_export.version, some_windows(2)
    content = (version / "saved_model.pb").read_bytes()
    meta = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
    signature = meta.signature_def["serving_default"]
    names = {name: tensor.name for name, tensor in signature.outputs.items()}
    np.savez(tmp_path / "in.npz", **{signature.inputs["waveform"].name: waveforms})
    library = Path(importlib.util.find_spec("tensorflow").origin).parent
    script = Path(__file__).parents[1] / "c_session.py"
    files = tmp_path / "in.npz", tmp_path / "out.npz"
    command = [sys.executable, script, library, version, *files, *names.values()]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outputs = np.load(tmp_path / "out.npz")
    for name, values in saved_model_export.model.predict_windows(waveforms).items():
        np.testing.assert_allclose(outputs[names[name]], values, atol=1e-5)


def test_saved_model_cli(saved_model_export, tmp_path):
    np.save(tmp_path / "waveform.npy", some_windows(1))
    command = [
        sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run",
        "--dir", saved_model_export.version, "--tag_set", "serve",
        "--signature_def", "serving_default",
        "--inputs", f"waveform={tmp_path / 'waveform.npy'}", "--outdir", tmp_path,
    ]  # fmt: skip
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, values in saved_model_export.model.predict_windows(some_windows(1)).items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), values, atol=1e-5)
