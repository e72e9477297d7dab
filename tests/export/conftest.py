"""Exports of tiny runs, and stand-in servers of one of them; made once a process."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adff_tf.export import saved_model, server
from adff_tf.export.artifacts import Export, export
from adff_tf.inference.description import describe
from adff_tf.inference.model import EmotionModel
from adff_tf.model.model_file import find_model, load_network

from ..artifacts import CALIBRATION, RATE, music, save_run
from ..serving import StandIn, grpc_server, rest_server


@dataclass(frozen=True)
class Exported:
    """A run's own model, and its export."""

    run: Path
    model: EmotionModel
    export: Export

    @property
    def folder(self) -> Path:
        return self.export.folder

    @property
    def version(self) -> Path:
        """The SavedModel's folder."""
        return self.folder / "saved_model" / "1"


def some_windows(count: int = 3) -> np.ndarray:
    return np.stack([music(1.0, seed) for seed in range(count)])


def write_saved_model(run: Path, folder: Path) -> Path:
    """Write a run's SavedModel as version 1 in `folder`, without parity."""
    file, experiment = find_model(run)
    description = describe(experiment, "synthetic", True, CALIBRATION)
    saved_model.write(load_network(file), experiment, description, folder / "1")
    return folder / "1"


def _export(task: str, form: str, folder: Path) -> Exported:
    run = save_run(folder / "run", task)
    return Exported(run, EmotionModel.load(run), export(run, folder / "export", [form]))


@pytest.fixture(scope="session", params=["both", "quadrant"])
def saved_model_export(request, tmp_path_factory):
    return _export(request.param, "saved_model", tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session", params=["both", "quadrant"])
def tflite_export(request, tmp_path_factory):
    return _export(request.param, "tflite", tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="session")
def model(run):
    """The run's own model, as adff-predict uses it."""
    return EmotionModel.load(run)


@pytest.fixture(scope="session")
def version(run, tmp_path_factory):
    """The run's SavedModel."""
    return write_saved_model(run, tmp_path_factory.mktemp("export") / "saved_model")


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """A folder with a song of 11 windows and one shorter than a window."""
    folder = tmp_path_factory.mktemp("songs")
    soundfile.write(folder / "long.wav", music(6.0, 1), RATE)
    soundfile.write(folder / "short.flac", music(0.7, 2), RATE)
    return folder


@pytest.fixture(scope="session")
def addresses(version):
    """A stand-in, and its address by protocol."""
    stand_in = StandIn(version)
    with grpc_server(stand_in) as by_grpc, rest_server(stand_in) as by_rest:
        yield stand_in, {"grpc": by_grpc, "rest": by_rest}


@pytest.fixture
def stand_in(addresses, monkeypatch):
    addresses[0].reset()
    monkeypatch.setattr(server, "BACKOFF_S", 0.001)
    return addresses[0]


@pytest.fixture
def grpc_host(addresses, stand_in):
    return addresses[1]["grpc"]


@pytest.fixture
def rest_host(addresses, stand_in):
    return addresses[1]["rest"]


@pytest.fixture(params=["grpc", "rest"])
def host(request, addresses, stand_in):
    return addresses[1][request.param]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
