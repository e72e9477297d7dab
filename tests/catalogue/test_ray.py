"""The same catalogue on a Ray cluster: the same rows, also where one of its machines dies half-way."""

import contextlib
from pathlib import Path

import pytest
import soundfile

from adff_tf.catalogue import on_ray, run
from adff_tf.inference import emotion
from adff_tf.inference import model as inference_model
from adff_tf.support.console import Silent

from ..inference.test_model import RATE, music, save_run
from .test_catalogue import check, quick

pytestmark = pytest.mark.slow  # a cluster takes its time to start
pytest.importorskip("ray.data", reason='Ray is not installed: pip install "adff-tf[ray]"')


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return quick(save_run(tmp_path_factory.mktemp("runs") / "both"))


def library(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    for k in range(count):
        soundfile.write(folder / f"{k:02d}.flac", music(0.7 + k % 5, k), RATE)
    return sorted(str(file) for file in folder.iterdir())


def predicted(model: Path, files: list[str]) -> dict[str, emotion.Emotion]:
    asked = inference_model.EmotionModel.load(model)
    return {file: asked.predict(file) for file in files}


def test_rows_are_those_of_the_local_engine(model, tmp_path):
    files = library(tmp_path / "songs", 5)
    (tmp_path / "songs" / "x.wav").write_text("no sound")
    done = run.score(
        model, [str(tmp_path / "songs")], tmp_path / "out", ways=run.Ways("ray", actor_cores=1)
    )
    check(tmp_path / "out", predicted(model, files))
    assert done.counts.ok == 5 and list(done.counts.errors.values()) == [1]
    assert run.score(model, [str(tmp_path / "songs")], tmp_path / "out").new == 0, (
        "either engine goes on with the other's folder"
    )


def test_a_machine_that_dies_half_way(model, tmp_path, monkeypatch):
    """Two nodes on loopback, of which one is lost with what it was at."""
    from ray.cluster_utils import Cluster

    monkeypatch.setattr(on_ray, "FILES", 2)
    files = library(tmp_path / "songs", 40)
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

    try:
        ways = run.Ways("ray", ray_address=cluster.address, actor_cores=1)
        done = run.score(
            model, [str(tmp_path / "songs")], tmp_path / "out", ways=ways, reporter=Kills()
        )
    finally:
        cluster.shutdown()
    assert done.new == 40
    check(tmp_path / "out", predicted(model, files))
