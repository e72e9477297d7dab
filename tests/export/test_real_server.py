"""A real TensorFlow Serving: tensorflow_model_server on PATH, or ADFF_TF_SERVING=host:port.

It also tests what the stand-ins cannot: that it accepts the kit and the warm-up requests.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from adff_tf.export import warmup
from adff_tf.inference.description import describe

from .. import tiny
from ..inference.test_model import WINDOW, music
from .client_commands import ask, assert_close, predicted, refused
from .test_serving_kit import KIT

BINARY, ADDRESS = shutil.which("tensorflow_model_server"), os.environ.get("ADFF_TF_SERVING")


@pytest.mark.skipif(
    not ADDRESS,
    reason="ADFF_TF_SERVING=host:port names no TensorFlow Serving that serves an exported model",
)
def test_a_running_server(songs, capsys):
    song = songs / "long.wav"
    status, out, err = ask([ADDRESS, song, "--format", "json"], capsys)
    assert status == 0, err
    assert all(window["end"] > window["start"] for window in json.loads(out)["curve"])
    assert "serves no model" in refused([ADDRESS, song, "--name", "no-such-model"], capsys)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def real_hosts(version, tmp_path):
    """A real server with the kit's settings: its gRPC and its REST address."""
    copy = shutil.copytree(version, tmp_path / "saved_model" / "1")
    warmup.write(copy, describe(tiny.experiment(), ""))
    kit = shutil.copytree(KIT, tmp_path / "serving")
    models = kit / "models.config"
    models.write_text(models.read_text().replace("/models/adff", str(tmp_path / "saved_model")))
    grpc_port, rest_port = free_port(), free_port()
    flags = re.findall(r"- (--\S+)", (KIT / "compose.yaml").read_text())
    flags = [flag.replace("/config", str(kit)) for flag in flags]
    command = [BINARY, f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags]
    status = f"http://127.0.0.1:{rest_port}/v1/models/adff"
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while True:
            is_alive = process.poll() is None and time.monotonic() < until
            assert is_alive, (tmp_path / "log").read_text()[-3000:]
            with contextlib.suppress(OSError), urllib.request.urlopen(status) as answer:
                if b'"AVAILABLE"' in answer.read():
                    break
            time.sleep(0.2)
        yield f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{rest_port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(not BINARY, reason="tensorflow_model_server is not on PATH")
def test_the_kit_and_the_client(model, songs, real_hosts, capsys):
    song = songs / "long.wav"
    expected = predicted(model, song, capsys, format="json")
    for host in real_hosts:
        given = [host, song, "--format", "json", "--version-label", "stable"]
        status, out, err = ask(given, capsys)
        assert status == 0, err
        assert_close(json.loads(out), json.loads(expected))
        assert "serves no model other" in refused([host, song, "--name", "other"], capsys)
        err = refused([host, song, "--version-label", "canary"], capsys)
        assert "refuses the request to description" in err
    with urllib.request.urlopen(f"{real_hosts[1]}/monitoring/prometheus/metrics") as page:
        assert b"tensorflow" in page.read()


@pytest.mark.skipif(not BINARY, reason="tensorflow_model_server is not on PATH")
def test_a_batching_server_refuses_recording(real_hosts):
    """As batching.config claims."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "adff", "recording"
    request.inputs["waveform"].CopyFrom(tf.make_tensor_proto(music(1.0)))
    request.inputs["hop"].CopyFrom(tf.make_tensor_proto(WINDOW, tf.int32))
    with grpc.insecure_channel(real_hosts[0]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="at least one dimension"):
            stub.Predict(request, timeout=30)
