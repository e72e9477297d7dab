"""The program adff-client against stand-ins (`serving.py`): its output is adff-predict's.

The expected predictions are the run's own model's, which no SavedModel takes part in.
"""

import csv
import io
import json
import re
import socket
import subprocess
import sys

import numpy as np
import pytest

from adff_tf.export import client
from adff_tf.export.server import ServedModel, load_model
from adff_tf.inference.model import BATCH, EmotionModel

from ..inference.test_model import RATE, WINDOW, music, save_run
from ..serving import StandIn, grpc_server, rest_server
from .client_commands import ask, assert_close, predicted, refused
from .conftest import write_saved_model

# === Predictions ===


def test_json_is_adff_predicts(model, songs, host, stand_in, capsys):
    song = songs / "long.wav"
    status, out, err = ask([host, song, "--format", "json"], capsys)
    assert status == 0 and not err
    assert_close(json.loads(out), json.loads(predicted(model, song, capsys, format="json")))
    assert len(json.loads(out)["curve"]) == 11
    rows = [rows for signature, rows in stand_in.requests if signature == "serving_default"]
    assert rows == ([1] * 11 if host.startswith("http") else [BATCH, 3])


@pytest.mark.parametrize("curve", [False, True])
def test_csv_is_adff_predicts(curve, model, songs, host, capsys):
    options = ["--format", "csv", "--scale", "1", "9", *["--curve", "--hop", "1"] * curve]
    status, out, _ = ask([host, songs, *options], capsys)
    hop = 1.0 if curve else None
    expected = predicted(model, songs, capsys, format="csv", scale=(1, 9), curve=curve, hop=hop)
    rows, expected_rows = (list(csv.DictReader(io.StringIO(text))) for text in (out, expected))
    assert status == 0 and len(rows) == len(expected_rows) == (7 if curve else 2)
    for ours, theirs in zip(rows, expected_rows, strict=True):
        assert list(ours) == list(theirs) and ours["path"] == theirs["path"]
        # the scale is four times as wide
        assert float(ours["valence"]) == pytest.approx(float(theirs["valence"]), abs=4e-5)


def test_the_table_is_adff_predicts(model, songs, host, capsys):
    status, out, _ = ask([host, songs], capsys)
    expected = predicted(model, songs, capsys)
    number = re.compile(r"-?\d+\.\d+")
    assert status == 0 and number.sub("#", out) == number.sub("#", expected)
    assert out.count("padded with silence") == 1
    ours, theirs = ([float(n) for n in number.findall(text)] for text in (out, expected))
    np.testing.assert_allclose(ours, theirs, atol=1.1e-3)


def test_classes(tmp_path, songs, capsys):
    """A single output, which REST gives without its name."""
    run, song = save_run(tmp_path / "quadrant", "quadrant"), songs / "long.wav"
    stand_in = StandIn(write_saved_model(run, tmp_path / "saved_model"))
    expected = predicted(EmotionModel.load(run), song, capsys, format="json")
    for server in (grpc_server, rest_server):
        with server(stand_in) as host:
            status, out, _ = ask([host, song, "--format", "json"], capsys)
        assert status == 0
        assert_close(json.loads(out), json.loads(expected))
    assert set(json.loads(out)["probabilities"]) == {"Q1", "Q2", "Q3", "Q4"}


def test_several_songs_with_a_broken_one(songs, host, tmp_path, capsys):
    broken = tmp_path / "broken.mp3"
    broken.write_text("no music")
    given = [songs / "long.wav", broken, songs / "short.flac"]
    status, out, err = ask([host, *given, "--format", "csv"], capsys)
    assert status == 2 and len(out.splitlines()) == 3
    assert "1 of 3 songs could not be used" in err
    assert "broken.mp3" in err and "Traceback" not in err


def test_versions_and_labels(songs, host, capsys):
    song, outs = songs / "short.flac", set()
    for which in ([], ["--model-version", "1"], ["--version-label", "stable"]):
        status, out, _ = ask([host, song, *which], capsys)
        assert status == 0
        outs.add(out)
    assert len(outs) == 1
    for which, message in (
        (["--model-version", "2"], "Specific(adff, 2)"),
        (["--version-label", "canary"], "label: canary"),
        (["--model-version", "1", "--version-label", "stable"], "give one of them"),
    ):
        assert message in refused([host, song, *which], capsys)


def test_the_library(run, grpc_host):
    model = load_model(client.connect(grpc_host, ServedModel()))
    assert model.task.name == "both" and model.window == WINDOW
    assert model.predict(music(2.0), RATE).values.keys() == {"valence", "arousal"}


def test_it_loads_no_tensorflow(songs, addresses, stand_in):
    modules = "import sys; print({'tensorflow', 'keras', 'librosa'} & set(sys.modules))"
    for host in addresses[1].values():
        arguments = [host, str(songs / "long.wav")]
        code = f"from adff_tf.export import client; client.main({arguments!r}); {modules}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
        assert "valence" in done.stdout and done.stdout.splitlines()[-1] == "set()"


# === Failures ===


def test_overload_that_passes_and_that_stays(songs, host, stand_in, capsys):
    song = songs / "short.flac"
    stand_in.failures = ["RESOURCE_EXHAUSTED", "UNAVAILABLE"]
    status, out, err = ask([host, song, "--format", "json"], capsys)
    assert status == 0 and json.loads(out)["padded"] and not err and not stand_in.failures
    stand_in.failures = ["RESOURCE_EXHAUSTED"] * 5
    assert "has too much to do" in refused([host, song, "--retries", "3"], capsys)
    assert len(stand_in.failures) == 1  # four requests
    stand_in.failures = ["INTERNAL"] * 2
    err = refused([host, song], capsys)
    assert ("HTTP 500" if host.startswith("http") else "INTERNAL") in err
    assert "its log may say why" in err and len(stand_in.failures) == 1  # no retry


def test_a_server_that_dies_ends_the_program(songs, stand_in, grpc_host, capsys):
    """The printed lines are good, and no song follows the one that failed: all would fail."""
    answer, left = stand_in.answer, 1

    def answer_once(signature, inputs):
        nonlocal left
        if signature == "serving_default":
            left -= 1
            if left < 0:
                stand_in.failures.append("UNAVAILABLE")
        return answer(signature, inputs)

    stand_in.answer = answer_once
    given = [grpc_host, songs / "short.flac", songs / "long.wav"]
    try:
        status, out, err = ask([*given, "--format", "csv", "--retries", "1"], capsys)
    finally:
        del stand_in.answer
    assert status == 2 and len(out.splitlines()) == 2 and err.count("does not answer") == 1


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "http://127.0.0.1:{}"])
def test_a_dead_server(form, songs, stand_in, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = form.format(free.getsockname()[1])
    err = refused([host, songs / "short.flac", "--retries", "1"], capsys)
    assert f"{host} does not answer (UNAVAILABLE" in err
    assert "check that TensorFlow Serving runs there" in err


def test_a_name_that_is_not_served(songs, host, capsys):
    err = refused([host, songs / "short.flac", "--name", "vggish"], capsys)
    reason = "NOT_FOUND: Servable not found for request: Latest(vggish)"
    assert f"{host} serves no model vggish ({reason})" in err and "--name" in err


def test_a_deadline(songs, host, stand_in, capsys):
    stand_in.delay_s = 1.0
    err = refused([host, songs / "short.flac", "--deadline", "0.2", "--retries", "0"], capsys)
    assert "gave no answer in 0.2 s" in err and "--deadline" in err


# === Options ===


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
    assert client.connect(host, ServedModel()).host == address


@pytest.mark.parametrize(
    "host", [":8500", "box:port", "box:99999", "ftp://box", "box/v1", "a box", "http://", "[::1"]
)
def test_no_address(host, songs, capsys):
    assert "give host or host:port for gRPC" in refused([host, songs / "short.flac"], capsys)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--deadline", "0"], "--deadline 0"),
        (["--deadline", "nan"], "--deadline nan"),
        (["--retries", "-1"], "--retries -1"),
        (["--name="], "--name is empty"),
        (["--model-version", "-1"], "--model-version -1"),
        (["--hop", "5"], "a hop of 5.0 s"),
    ],
)
def test_options_out_of_range(option, message, songs, grpc_host, capsys):
    assert message in refused([grpc_host, songs / "short.flac", *option], capsys)
