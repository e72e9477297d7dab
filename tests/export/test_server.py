"""Served models whose description or predictions cannot be used, and retries."""

import json

import numpy as np
import pytest

import adff_tf
from adff_tf.export import server
from adff_tf.export.grpc_server import GrpcServer
from adff_tf.export.server import ServedModel, ServerError, Status
from adff_tf.inference.description import describe

from .. import tiny
from ..inference.test_model import WINDOW
from .client_commands import ask, refused


def test_the_waits_double(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(server.time, "sleep", waits.append)

    def fail():
        raise ServerError("busy", Status.UNAVAILABLE)

    with pytest.raises(ServerError, match="busy"):
        GrpcServer("nowhere:1", ServedModel(), 1.0, retries=3).retry(fail)
    assert waits == [0.5, 1.0, 2.0]


def description(**changes) -> str:
    return json.dumps(describe(tiny.experiment(), "") | changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            description(format=2, adff_tf="9.0"),
            f"has a description of format 2, and adff-tf {adff_tf.__version__} reads 1",
        ),
        (
            json.dumps(describe(tiny.experiment(seg_len=1.5), "")),
            "refuses the request to serving_default of model adff",
        ),
        (description(window=WINDOW - 1), "refuses the request to serving_default of model adff"),
        (description(window="1 s"), "its description lacks window"),
        (description(task="quadrant"), "its description contradicts itself (task 'quadrant'"),
        ("no JSON", "serves a model whose description is no JSON"),
        ("[]", "has a description of format 'list'"),
        ("{}", "has a description of format None"),
    ],
)
def test_a_description_that_cannot_be_used(content, message, songs, host, stand_in, capsys):
    stand_in.description = content
    err = refused([host, songs / "short.flac"], capsys)
    assert message in err and host in err


def test_settings_of_a_newer_version_are_ignored(songs, host, stand_in, capsys):
    stand_in.description = description(experiment={"network": {"heads": 4}})
    status, _, err = ask([host, songs / "short.flac"], capsys)
    assert status == 0 and not err


def test_a_model_without_a_description(songs, stand_in, host, monkeypatch, capsys):
    monkeypatch.setattr(stand_in, "module", type("Module", (), {"signatures": {}}))
    err = refused([host, songs / "short.flac"], capsys)
    reason = 'Serving signature key "description" not found.'
    message = "serves an export made before adff-tf 0.2, export the run again"
    assert err == f"error: {host} {message} ({reason})\n"


@pytest.mark.parametrize(
    ("valence", "message"),
    [
        (np.array([np.nan], "float32"), "NaN or infinity"),
        (np.array([np.inf], "float32"), "NaN or infinity"),
        (np.zeros((1, 2), "float32"), "of shape (1, 2)"),
        (np.array([b"a"], object), "valence"),
        (None, "and without "),
    ],
)
def test_predictions_that_cannot_be_used(valence, message, songs, host, stand_in, capsys):
    stand_in.outputs = {"valence": valence}
    assert message in refused([host, songs / "short.flac"], capsys)
