"""A `.tflite` without its front end, against the whole file by LiteRT."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from adff_tf.inference.backends import litert
from adff_tf.inference.backends.litert_front_end import strike
from adff_tf.inference.description import Description
from adff_tf.model import shipped

from ..artifacts import WINDOW, music


@pytest.fixture(scope="module")
def described(made) -> Description:
    return Description.parse(made["both"].description, "the test's")


def by_file(file, waveforms: np.ndarray) -> list[dict]:
    """Return the outputs for each window by LiteRT alone."""
    run = Interpreter(model_path=str(file)).get_signature_runner()
    return [run(waveform=waveform[None]) for waveform in waveforms]


@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_outputs_are_those_of_the_whole_file(made, task):
    waveforms = np.stack([music(1.0, seed) for seed in range(4)] + [np.zeros(WINDOW, "float32")])
    _, backend = litert.load(made[task].tflite)
    found = backend.predict(waveforms)
    for k, outputs in enumerate(by_file(made[task].tflite, waveforms)):
        for name, values in outputs.items():
            np.testing.assert_allclose(found[name][k], values[0], atol=1e-4)


def test_only_the_network_is_left(made, described):
    """LiteRT's own reader sees the new input, and no operation of the front end."""
    network = strike(made["both"].flatbuffer, described)
    interpreter = Interpreter(model_content=network.content)
    (taken,) = interpreter.get_input_details()
    assert taken["index"] == network.log_mel and taken["shape"].tolist() == [1, 100, 128]
    left = [op["op_name"] for op in interpreter._get_ops_details()]
    assert "CONV_2D" in left and not {"RFFT2D", "MIRROR_PAD", "IMAG"} & set(left)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(made["both"].flatbuffer, 0))
    outputs = {map_.name.decode(): map_.tensorIndex for map_ in model.signatureDefs[0].outputs}
    assert network.outputs == outputs
    assert len(network.content) == len(made["both"].flatbuffer)


def test_the_shipped_model_runs_from_its_log_mel():
    content = shipped.QUICK.read_bytes()
    network = strike(content, litert._read_description(content, shipped.QUICK))
    assert network.frames == 1000 and network.frontend.sample_rate_hz == 16000


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {}},
        {"settings": {"frontend": {"mels": 128}}},
        {"window": WINDOW + 441},
        {"has_distance": False},
    ],
    ids=str,
)
def test_a_file_that_is_not_as_described_stays_whole(made, described, changes):
    assert strike(made["both"].flatbuffer, dataclasses.replace(described, **changes)) is None


def test_other_mels_than_the_graphs_are_not_struck(made, described):
    frontend = described.settings["frontend"] | {"mels": 96}
    settings = described.settings | {"frontend": frontend}
    assert (
        strike(made["both"].flatbuffer, dataclasses.replace(described, settings=settings)) is None
    )
