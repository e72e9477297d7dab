"""The TensorFlow Serving client, warm-up and kit: against stand-ins (`serving.py`), and against a real server where there is one.

The client's answers are compared with those of the run's own model, which Keras answers and no SavedModel. A real server is asked
where tensorflow_model_server is on PATH, or where ADFF_TF_SERVING=host:port names one.
"""

import contextlib
import csv
import functools
import io
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from adff_tf import predict
from adff_tf.export import about, client, saved_model, warmup
from adff_tf.inference.model import BATCH, EmotionModel
from adff_tf.model.model_file import find_model, load_network

from .. import commands, tiny
from ..inference.test_model import RATE, WINDOW, music, save_run
from ..serving import Served, grpc_server, http_server, rest_server

KIT = Path(client.__file__).parent / "serving"


def export(run: Path, folder: Path) -> Path:
    """A run's model as a SavedModel, version 1 of those in `folder`."""
    file, experiment = find_model(run)
    description = about.about(experiment, "made in code")
    saved_model.write(load_network(file), experiment, description, folder / "1")
    return folder / "1"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def model(run):
    """The run's own model, as adff-predict asks it."""
    return EmotionModel.load(run)


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("export") / "saved_model")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder with a song of 11 windows and one shorter than a window."""
    folder = tmp_path_factory.mktemp("songs")
    soundfile.write(folder / "long.wav", music(6.0, 1), RATE)
    soundfile.write(folder / "short.flac", music(0.7, 2), RATE)
    return folder


@pytest.fixture(scope="module")
def standing(saved):
    """The stand-in's model, and its two addresses by protocol."""
    served = Served(saved)
    with grpc_server(served) as by_grpc, rest_server(served) as by_rest:
        yield served, {"grpc": by_grpc, "rest": by_rest}


@pytest.fixture
def served(standing, monkeypatch):
    standing[0].reset()
    monkeypatch.setattr(client, "BACKOFF_S", 0.001)
    return standing[0]


@pytest.fixture(params=["grpc", "rest"])
def host(request, standing, served):
    return standing[1][request.param]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


ask = functools.partial(commands.ask, client.main)


def predicted(model: EmotionModel, songs: Path, capsys, **options) -> str:
    """What adff-predict prints."""
    predict.ask(model, predict.find_songs([songs])[0], predict.Output((songs,), **options))
    return capsys.readouterr().out


def refused(arguments, capsys) -> str:
    """The one error of a command that can print nothing else."""
    status, out, err = ask(arguments, capsys)
    assert status == 2 and not out and err.startswith("error: ") and "Traceback" not in err, (
        status,
        out,
        err,
    )
    return err


def assert_close(found, wanted, path="") -> None:
    """Two JSON values: alike, and numbers within 1e-5."""
    assert type(found) is type(wanted), path
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), path
        for key in wanted:
            assert_close(found[key], wanted[key], f"{path}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), path
        for k, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert_close(a, b, f"{path}[{k}]")
    else:
        assert found == (
            pytest.approx(wanted, abs=1e-5) if isinstance(wanted, float) else wanted
        ), path


# === Answers ===


def test_json_is_adff_predicts(model, songs, host, served, capsys):
    status, out, err = ask([host, songs / "long.wav", "--format", "json"], capsys)
    assert status == 0 and not err
    assert_close(
        json.loads(out), json.loads(predicted(model, songs / "long.wav", capsys, format="json"))
    )
    assert len(json.loads(out)["curve"]) == 11
    rows = [rows for signature, rows in served.requests if signature == "serving_default"]
    assert rows == ([1] * 11 if host.startswith("http") else [BATCH, 3])


@pytest.mark.parametrize("curve", [False, True])
def test_csv_is_adff_predicts(curve, model, songs, host, capsys):
    status, out, _ = ask(
        [host, songs, "--format", "csv", "--scale", "1", "9", *["--curve", "--hop", "1"] * curve],
        capsys,
    )
    wanted = predicted(
        model, songs, capsys, format="csv", scale=(1, 9), curve=curve, hop=1.0 if curve else None
    )
    found, wanted = (list(csv.DictReader(io.StringIO(text))) for text in (out, wanted))
    assert status == 0 and len(found) == len(wanted) == (7 if curve else 2)
    for ours, theirs in zip(found, wanted, strict=True):
        assert list(ours) == list(theirs) and ours["path"] == theirs["path"]
        assert float(ours["valence"]) == pytest.approx(
            float(theirs["valence"]), abs=4e-5
        )  # the scale is four times as wide


def test_the_table_is_adff_predicts(model, songs, host, capsys):
    status, out, _ = ask([host, songs], capsys)
    wanted = predicted(model, songs, capsys)
    number = re.compile(r"-?\d+\.\d+")
    assert (
        status == 0
        and number.sub("#", out) == number.sub("#", wanted)
        and out.count("padded with silence") == 1
    )
    np.testing.assert_allclose(
        [float(n) for n in number.findall(out)],
        [float(n) for n in number.findall(wanted)],
        atol=1.1e-3,
    )


def test_classes(tmp_path, songs, capsys):
    """A single output, which REST gives without its name."""
    run = save_run(tmp_path / "quadrant", "quadrant")
    served = Served(export(run, tmp_path / "saved_model"))
    wanted = predicted(EmotionModel.load(run), songs / "long.wav", capsys, format="json")
    for server in (grpc_server, rest_server):
        with server(served) as host:
            status, out, _ = ask([host, songs / "long.wav", "--format", "json"], capsys)
        assert status == 0
        assert_close(json.loads(out), json.loads(wanted))
    assert set(json.loads(out)["probabilities"]) == {"Q1", "Q2", "Q3", "Q4"}


def test_several_songs_with_a_broken_one(songs, host, tmp_path, capsys):
    (tmp_path / "broken.mp3").write_text("no music")
    status, out, err = ask(
        [
            host,
            songs / "long.wav",
            tmp_path / "broken.mp3",
            songs / "short.flac",
            "--format",
            "csv",
        ],
        capsys,
    )
    assert status == 2 and len(out.splitlines()) == 3
    assert (
        "1 of 3 songs could not be used" in err and "broken.mp3" in err and "Traceback" not in err
    )


def test_versions_and_labels(songs, host, capsys):
    outs = set()
    for which in ([], ["--model-version", "1"], ["--version-label", "stable"]):
        status, out, _ = ask([host, songs / "short.flac", *which], capsys)
        assert status == 0
        outs.add(out)
    assert len(outs) == 1
    assert "Specific(adff, 2)" in refused(
        [host, songs / "short.flac", "--model-version", "2"], capsys
    )
    assert "label: canary" in refused(
        [host, songs / "short.flac", "--version-label", "canary"], capsys
    )
    assert "give one of them" in refused(
        [host, songs / "short.flac", "--model-version", "1", "--version-label", "stable"], capsys
    )


def test_the_python_way(run, songs, standing, served):
    model = client.served(client.connect(standing[1]["grpc"], client.Model()))
    assert model.task.name == "both" and model.window == WINDOW
    assert model.predict(music(2.0), RATE).values.keys() == {"valence", "arousal"}


# === What goes wrong ===


def test_overload_that_passes_and_that_stays(songs, host, served, capsys):
    served.failures = ["RESOURCE_EXHAUSTED", "UNAVAILABLE"]
    status, out, err = ask([host, songs / "short.flac", "--format", "json"], capsys)
    assert status == 0 and json.loads(out)["padded"] and not err and not served.failures
    served.failures = ["RESOURCE_EXHAUSTED"] * 5
    assert "has too much to do" in refused([host, songs / "short.flac", "--retries", "3"], capsys)
    assert len(served.failures) == 1  # asked four times
    served.failures = ["INTERNAL"] * 2
    assert "its log may say why" in refused([host, songs / "short.flac"], capsys)
    assert len(served.failures) == 1  # what does not pass is asked once


def test_the_waits_double(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(client.time, "sleep", waits.append)

    def ask():
        raise client.ServerError("busy", "UNAVAILABLE")

    with pytest.raises(client.ServerError, match="busy"):
        client.retried(ask, 3)
    assert waits == [0.5, 1.0, 2.0]


def test_a_server_that_dies_ends_it(songs, served, standing, capsys):
    """What was printed holds, and no song is asked after the one that failed: it would be the same for all."""
    answer, left = served.answer, 1

    def once(signature, inputs):
        nonlocal left
        if signature == "serving_default":
            left -= 1
            if left < 0:
                served.failures.append("UNAVAILABLE")
        return answer(signature, inputs)

    served.answer = once
    try:
        given = [
            standing[1]["grpc"],
            songs / "short.flac",
            songs / "long.wav",
            "--format",
            "csv",
            "--retries",
            "1",
        ]
        status, out, err = ask(given, capsys)
    finally:
        del served.answer
    assert status == 2 and len(out.splitlines()) == 2 and err.count("does not answer") == 1


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "http://127.0.0.1:{}"])
def test_a_dead_server(form, songs, served, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = form.format(free.getsockname()[1])
    err = refused([host, songs / "short.flac", "--retries", "1"], capsys)
    assert (
        f"{host} does not answer (UNAVAILABLE" in err
        and "see that TensorFlow Serving runs there" in err
    )


def test_a_name_that_is_not_served(songs, host, capsys):
    err = refused([host, songs / "short.flac", "--name", "vggish"], capsys)
    assert (
        f"{host} serves no model vggish (NOT_FOUND: Servable not found for request: Latest(vggish))"
        in err
        and "--name" in err
    )


def test_a_deadline(songs, host, served, capsys):
    served.delay_s = 1.0
    err = refused([host, songs / "short.flac", "--deadline", "0.2", "--retries", "0"], capsys)
    assert "gave no answer in 0.2 s" in err and "--deadline" in err


def described(**changes) -> str:
    return json.dumps(about.about(tiny.experiment(), "") | changes)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (
            described(format=2, adff_tf="9.0"),
            "format 2; this client knows format 1: use the adff-client of adff-tf 9.0",
        ),
        (
            json.dumps(about.about(tiny.experiment(seg_len=1.5), "")),
            "refuses what serving_default of model adff was sent",
        ),
        (
            described(window=WINDOW - 1),
            "window ('both', 44100, 44099), and settings of ('both', 44100, 44100)",
        ),
        (described(experiment={"network": {"heads": 4}}), "network.heads: no such setting"),
        (
            described(task="quadrant"),
            "window ('quadrant', 44100, 44100), and settings of ('both', 44100, 44100)",
        ),
        ("no JSON", "none of ours"),
        ("[]", "none of ours"),
        ("{}", "none of ours"),
    ],
)
def test_a_model_that_is_none_of_ours(told, says, songs, host, served, capsys):
    served.told = told
    assert says in refused([host, songs / "short.flac"], capsys)


@pytest.mark.parametrize(
    ("valence", "says"),
    [
        (np.array([np.nan], "float32"), "NaN or infinity"),
        (np.array([np.inf], "float32"), "NaN or infinity"),
        (np.zeros((1, 2), "float32"), "of shape (1, 2)"),
        (np.array([b"a"], object), "valence"),
        (None, "and without "),
    ],
)
def test_answers_that_cannot_be_used(valence, says, songs, host, served, capsys):
    served.outputs = {"valence": valence}
    assert says in refused([host, songs / "short.flac"], capsys)


def test_a_missing_signature(songs, served, host, monkeypatch, capsys):
    monkeypatch.setattr(served, "module", type("Module", (), {"signatures": {}}))
    err = refused([host, songs / "short.flac"], capsys)
    assert (
        'Serving signature key "about" not found' in err
        and "serve a model that adff_tf.export wrote" in err
    )


class _Page(BaseHTTPRequestHandler):
    """Some other server."""

    def do_POST(self):
        code = 200 if "page" in self.path else 502
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_):
        pass


def test_servers_of_another_kind(songs, served, standing, capsys):
    song, once = songs / "short.flac", ["--retries", "0"]
    with http_server(_Page) as page:
        assert "(HTTP 200) is not TensorFlow Serving's" in refused(
            [f"{page}/page", song, *once], capsys
        )
        assert "(HTTP 502 Bad Gateway) is not TensorFlow Serving's" in refused(
            [page, song, *once], capsys
        )
        assert "does not answer" in refused([page.removeprefix("http://"), song, *once], capsys)
        assert "TLS" in refused([page.replace("http:", "https:"), song, *once], capsys)
    with garbage() as port:
        assert "is not TensorFlow Serving's" in refused(
            [f"http://127.0.0.1:{port}", song, *once], capsys
        )
        assert "does not answer" in refused([f"127.0.0.1:{port}", song, *once], capsys)
    by_grpc = standing[1]["grpc"]
    assert by_grpc in refused([f"http://{by_grpc}", song, *once, "--deadline", "2"], capsys)


@contextlib.contextmanager
def garbage():
    """A server that says something to anyone and hangs up; gives its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            self.request.sendall(b"\x00\x01garbage\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "localhost:8500"),
        ("box:9000", "box:9000"),
        ("[::1]", "[::1]:8500"),
        ("[::1]:1", "[::1]:1"),
        ("http://box", "http://box:8501"),
        ("http://box:80/serving/", "http://box:80/serving"),
        ("https://box", "https://box:443"),
    ],
)
def test_addresses(host, address):
    assert client.connect(host, client.Model()).host == address


@pytest.mark.parametrize(
    "host", [":8500", "box:port", "box:99999", "ftp://box", "box/v1", "a box", "http://", "[::1"]
)
def test_what_is_no_address(host, songs, capsys):
    assert "give host or host:port for gRPC" in refused([host, songs / "short.flac"], capsys)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--deadline", "0"], "--deadline 0"),
        (["--deadline", "nan"], "--deadline nan"),
        (["--retries", "-1"], "--retries -1"),
        (["--name="], "--name is empty"),
        (["--model-version", "-1"], "--model-version -1"),
        (["--hop", "5"], "a hop of 5.0 s"),
    ],
)
def test_options_out_of_range(option, says, songs, standing, served, capsys):
    assert says in refused([standing[1]["grpc"], songs / "short.flac", *option], capsys)


# === Without TensorFlow ===


def test_it_loads_no_tensorflow(songs, standing, served):
    loaded = "import sys; print({'tensorflow', 'keras', 'librosa'} & set(sys.modules))"
    for host in standing[1].values():
        code = f"from adff_tf.export import client; client.main({[host, str(songs / 'long.wav')]!r}); {loaded}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
        assert "valence" in done.stdout and done.stdout.splitlines()[-1] == "set()"


def test_messages_are_tensorflow_servings():
    """What we write, the generated classes read, and the other way round."""
    server = client.GrpcServer("nowhere:1", client.Model("adff", 3), 1.0, 0)
    waveform = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    content = server._request(
        "serving_default", {"waveform": waveform, "query": np.array(["ä", ""], object)}
    ).SerializeToString()
    request = predict_pb2.PredictRequest.FromString(content)
    assert (request.model_spec.name, request.model_spec.version.value) == ("adff", 3)
    assert request.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["waveform"]), waveform)
    assert tf.make_ndarray(request.inputs["query"]).tolist() == ["ä".encode(), b""]
    labelled = client.GrpcServer(
        "nowhere:1", client.Model("adff", None, "stable"), 1.0, 0
    )._request("about", {})
    assert (
        predict_pb2.PredictRequest.FromString(labelled.SerializeToString()).model_spec.version_label
        == "stable"
    )

    response = predict_pb2.PredictResponse()
    response.outputs["raw"].CopyFrom(tf.make_tensor_proto(waveform))
    response.outputs["filled"].CopyFrom(tf.make_tensor_proto(0.5, shape=(3, 2)))
    response.outputs["text"].CopyFrom(tf.make_tensor_proto([b"a", b"b"]))
    response.outputs["none"].CopyFrom(tf.make_tensor_proto(np.zeros((0, 4), "float32")))
    assert (
        not response.outputs["filled"].tensor_content
        and len(response.outputs["filled"].float_val) == 1
    )
    ours = {
        named.key: named.value
        for named in client.messages()["Response"].FromString(response.SerializeToString()).outputs
    }
    for name, tensor in response.outputs.items():
        found, wanted = client._array(ours[name], name, "host"), tf.make_ndarray(tensor)
        assert found.shape == wanted.shape and found.tolist() == wanted.tolist()
    with pytest.raises(client.ServerError, match="type 2"):
        double = tf.make_tensor_proto(np.zeros(3)).SerializeToString()
        client._array(client.messages()["Tensor"].FromString(double), "valence", "host")


def test_digits_give_float32_back():
    edges = np.array(
        [0, -0.0, 1, -1, 1e-38, 1.17549435e-38, 1e-45, 3.4028235e38, 0.1, 1 / 3], "float32"
    )
    samples = np.concatenate(
        [edges, np.random.default_rng(0).normal(0, 0.1, 1000).astype("float32")]
    )
    np.testing.assert_array_equal(np.array(json.loads(client._digits(samples)), "float32"), samples)


def test_signatures_are_what_the_client_sends(standing):
    """By GetModelMetadata, as a server tells them."""
    with grpc.insecure_channel(standing[1]["grpc"]) as channel:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "adff"
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(
            request, timeout=10
        )
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    default, told = (signatures.signature_def[name] for name in ("serving_default", "about"))
    assert [dim.size for dim in default.inputs["waveform"].tensor_shape.dim] == [-1, WINDOW]
    assert (
        set(default.outputs) == {"valence", "arousal"}
        and set(told.inputs) == {"query"}
        and set(told.outputs) == {"about"}
    )


# === Warm-up ===


def logs(file: Path) -> list[prediction_log_pb2.PredictionLog]:
    return [
        prediction_log_pb2.PredictionLog.FromString(record)
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    ]


def test_warm_up_requests_can_be_answered(saved, tmp_path):
    copy = shutil.copytree(saved, tmp_path / "1")
    file = warmup.write(
        copy, about.about(tiny.experiment(), ""), [*warmup.RECORDS, ("recording", 2)]
    )
    assert (
        file == copy / "assets.extra" / "tf_serving_warmup_requests" and file.stat().st_size < 2000
    )
    signatures = tf.saved_model.load(str(copy)).signatures
    shapes = []
    for log in logs(file):
        request = log.predict_log.request
        inputs = {
            name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()
        }
        outputs = signatures[request.model_spec.signature_name](**inputs)
        assert all(np.isfinite(value).all() for value in outputs.values())
        shapes.append((request.model_spec.signature_name, *outputs["valence"].shape))
    assert shapes == [
        ("serving_default", 1),
        ("serving_default", BATCH),
        ("log_mel", 1),
        ("recording", 2),
    ]


def test_warm_up_by_default_is_what_a_batching_server_answers(tmp_path):
    """Inputs that share their first dimension; a request that is refused keeps the server from loading the model."""
    limit = int(
        re.search(r"max_batch_size \{ value: (\d+) \}", (KIT / "batching.config").read_text())[1]
    )
    for log in logs(warmup.write(tmp_path, about.about(tiny.experiment(), ""))):
        (tensor,) = log.predict_log.request.inputs.values()
        assert 1 <= tensor.tensor_shape.dim[0].size <= limit


def test_warm_up_requests_that_no_server_takes(tmp_path):
    description = about.about(tiny.experiment(), "")
    for records, says in (
        ([], "0 warm-up"),
        ([("log_mel", 1)] * 1001, "1001 warm-up"),
        ([("about", 1)], "signature about"),
    ):
        with pytest.raises(ValueError, match=says):
            warmup.write(tmp_path, description, records)
    assert len(logs(warmup.write(tmp_path, description, [("log_mel", 1)] * 1000))) == 1000


# === The kit ===


def declared(fields: dict[str, dict[str, tuple]], monkeypatch) -> dict:
    """Classes of messages that tensorflow-serving-api does not ship."""
    monkeypatch.setattr(client, "MESSAGES", fields)
    return client.messages.__wrapped__()


def test_models_config():
    config = text_format.Parse(
        (KIT / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "adff",
        "/models/adff",
        "tensorflow",
    )
    assert model.name == client.Model().name and dict(model.version_labels) == {"stable": 1}
    assert set(model.version_labels.values()) <= set(model.model_version_policy.specific.versions)


def test_batching_config(monkeypatch):
    """Against the fields of BatchingParameters in TensorFlow Serving's session_bundle_config.proto."""
    wrapped = {"value": (1, "INT64")}
    fields = {
        name: (number, "Int64")
        for number, name in enumerate(("max_batch_size", "batch_timeout_micros"), 1)
    }
    fields |= {"max_enqueued_batches": (3, "Int64"), "num_batch_threads": (4, "Int64")}
    fields |= {"allowed_batch_sizes": (6, "INT64", True), "pad_variable_length_inputs": (7, "BOOL")}
    parameters = declared({"Int64": wrapped, "Batching": fields}, monkeypatch)["Batching"]()
    text_format.Parse((KIT / "batching.config").read_text(), parameters)
    assert parameters.max_batch_size.value >= BATCH, "a request of the client's would be refused"
    assert (
        0 < parameters.batch_timeout_micros.value < 1e6 and parameters.num_batch_threads.value >= 1
    )
    assert parameters.max_enqueued_batches.value >= 1 and not parameters.pad_variable_length_inputs


def test_monitoring_config(monkeypatch):
    """Against TensorFlow Serving's monitoring_config.proto."""
    prometheus = {"enable": (1, "BOOL"), "path": (2, "STRING")}
    messages = declared(
        {"Prometheus": prometheus, "Monitoring": {"prometheus_config": (1, "Prometheus")}},
        monkeypatch,
    )
    config = text_format.Parse((KIT / "monitoring.config").read_text(), messages["Monitoring"]())
    assert config.prometheus_config.enable
    assert f"metrics_path: {config.prometheus_config.path}" in (KIT / "prometheus.yml").read_text()


def test_compose():
    text = (KIT / "compose.yaml").read_text()
    for file in re.findall(r"=/config/(\S+)", text):
        assert (KIT / file).is_file()
    tag = re.search(r"image: tensorflow/serving:\$\{TF_SERVING_TAG:-(\d+)\.(\d+)\.\d+\}", text)
    assert (int(tag[1]), int(tag[2])) >= (2, 17)
    assert (
        "- ../saved_model:/models/adff:ro" in text
        and f":{client.GRPC_PORT}:8500" in text
        and f":{client.REST_PORT}:8501" in text
    )
    assert (
        "--enable_batching=true" in text
        and "--allow_version_labels_for_unavailable_models=true" in text
    )
    with contextlib.suppress(ImportError):
        import yaml

        assert list(yaml.safe_load(text)["services"]) == ["serving"]
        assert yaml.safe_load((KIT / "prometheus.yml").read_text())["scrape_configs"][0][
            "static_configs"
        ]


def test_the_health_check_tells_a_model_that_is_served(standing, served):
    """Its shell command, on the stand-in's port."""
    lines = (KIT / "compose.yaml").read_text().split("- >-\n")[1].split("interval:")[0]
    command = " ".join(lines.split())
    port = standing[1]["rest"].rsplit(":", 1)[1]
    for name, is_healthy in (("adff", True), ("other", False)):
        script = command.replace("8501", port).replace("models/adff", f"models/{name}")
        assert (subprocess.run(["bash", "-c", script], timeout=20).returncode == 0) == is_healthy


# === A real server ===

BINARY, ADDRESS = shutil.which("tensorflow_model_server"), os.environ.get("ADFF_TF_SERVING")


@pytest.mark.skipif(
    not ADDRESS,
    reason="ADFF_TF_SERVING=host:port names no TensorFlow Serving that serves an exported model",
)
def test_a_real_server_that_runs(songs, capsys):
    status, out, err = ask([ADDRESS, songs / "long.wav", "--format", "json"], capsys)
    assert status == 0, err
    assert all(window["end"] > window["start"] for window in json.loads(out)["curve"])
    assert "serves no model" in refused(
        [ADDRESS, songs / "long.wav", "--name", "no-such-model"], capsys
    )


@pytest.fixture
def real(saved, tmp_path):
    """A real server with the kit's settings: its gRPC and its REST address."""
    warmup.write(
        shutil.copytree(saved, tmp_path / "saved_model" / "1"), about.about(tiny.experiment(), "")
    )
    shutil.copytree(KIT, tmp_path / "serving")
    models = tmp_path / "serving" / "models.config"
    models.write_text(models.read_text().replace("/models/adff", str(tmp_path / "saved_model")))
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    flags = re.findall(r"- (--\S+)", (KIT / "compose.yaml").read_text())
    flags = [flag.replace("/config", str(tmp_path / "serving")) for flag in flags]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [BINARY, f"--port={ports[0]}", f"--rest_api_port={ports[1]}", *flags],
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None and time.monotonic() < until, (
                tmp_path / "log"
            ).read_text()[-3000:]
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/v1/models/adff") as answer,
            ):
                if b'"AVAILABLE"' in answer.read():
                    break
            time.sleep(0.2)
        yield f"127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(not BINARY, reason="tensorflow_model_server is not on PATH")
def test_a_real_server_of_our_own(model, songs, real, capsys):
    """All that the stand-ins are asked, and what they cannot tell: that the kit and the warm-up requests are accepted."""
    wanted = predicted(model, songs / "long.wav", capsys, format="json")
    for host in real:
        status, out, err = ask(
            [host, songs / "long.wav", "--format", "json", "--version-label", "stable"], capsys
        )
        assert status == 0, err
        assert_close(json.loads(out), json.loads(wanted))
        assert "serves no model other" in refused(
            [host, songs / "long.wav", "--name", "other"], capsys
        )
        assert "refuses what about" in refused(
            [host, songs / "long.wav", "--version-label", "canary"], capsys
        )
    with urllib.request.urlopen(f"{real[1]}/monitoring/prometheus/metrics") as page:
        assert b"tensorflow" in page.read()
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "adff", "recording"
    request.inputs["waveform"].CopyFrom(tf.make_tensor_proto(music(1.0)))
    request.inputs["hop"].CopyFrom(tf.make_tensor_proto(WINDOW, tf.int32))
    with (
        grpc.insecure_channel(real[0]) as channel,
        pytest.raises(grpc.RpcError, match="at least one dimension"),
    ):
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(
            request, timeout=30
        )  # as batching.config claims
