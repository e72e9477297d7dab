"""A catalogue on a Ray cluster: the same rows, also when one of its machines dies half-way."""

import contextlib
from pathlib import Path

import pyarrow as pa
import pytest

from adff_tf.catalogue import ray_engine
from adff_tf.catalogue.run import predict_catalogue
from adff_tf.catalogue.settings import EngineSettings
from adff_tf.errors import InputError
from adff_tf.inference.backends import Kind, Location
from adff_tf.support.console import Silent

from .songs import assert_tables, predict_each, write_songs

pytestmark = pytest.mark.slow  # a cluster starts slowly
pytest.importorskip("ray.data", reason='Ray is not installed: pip install "adff-tf[ray]"')


def make_library(folder: Path, count: int) -> Path:
    return write_songs(folder, [0.7 + k % 5 for k in range(count)])


def test_rows_are_those_of_the_local_engine(model, tmp_path):
    library, out = make_library(tmp_path / "songs", 5), tmp_path / "out"
    (library / "x.wav").write_text("no sound")
    settings = EngineSettings("ray", cores_per_actor=1)
    done = predict_catalogue(model, [str(library)], out, settings=settings)
    assert_tables(out, predict_each(model, library))
    assert done.counts.ok == 5 and list(done.counts.errors.values()) == [1]
    resumed = predict_catalogue(model, [str(library)], out)
    assert resumed.new == 0, "either engine resumes the other's run"


def test_a_model_that_is_missing_on_a_machine_is_the_users_mistake(tmp_path):
    missing = Location(Kind.LITERT, tmp_path / "missing.tflite")
    paths = pa.array([b"/a.wav", b"/b.wav"], pa.large_binary())
    with pytest.raises(InputError, match="^on a machine of the cluster: .*missing.tflite"):
        list(ray_engine.predict(missing, 1, paths, EngineSettings("ray", cores_per_actor=1)))


def test_a_machine_that_dies_half_way(model, tmp_path, monkeypatch):
    """Two nodes on loopback; one dies with its files in progress."""
    from ray.cluster_utils import Cluster

    monkeypatch.setattr(ray_engine, "FILES", 2)
    library = make_library(tmp_path / "songs", 40)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)

    class Kills(Silent):
        done = 0

        def bar(self, label, total, **_):
            def advance(steps=1, note=""):
                before, self.done = self.done, self.done + steps
                if before < 10 <= self.done:
                    cluster.remove_node(second, allow_graceful=False)

            return contextlib.nullcontext(advance)

    settings = EngineSettings("ray", ray_address=cluster.address, cores_per_actor=1)
    try:
        done = predict_catalogue(
            model, [str(library)], tmp_path / "out", settings=settings, reporter=Kills()
        )
    finally:
        cluster.shutdown()
    assert done.new == 40
    assert_tables(tmp_path / "out", predict_each(model, library))
