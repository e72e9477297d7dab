"""The declared messages against tensorflow-serving-api's, and the served signatures."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from adff_tf.export.grpc_server import GrpcServer, message_classes, read_tensor
from adff_tf.export.server import ServedModel, ServerError

from ..inference.test_model import WINDOW

WAVEFORM = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")


def serialized(served: ServedModel, inputs: dict[str, np.ndarray]) -> bytes:
    server = GrpcServer("nowhere:1", served, 1.0, 0)
    return server._request("serving_default", inputs).SerializeToString()


def test_requests_are_tensorflow_servings():
    inputs = {"waveform": WAVEFORM, "query": np.array(["ä", ""], object)}
    content = serialized(ServedModel("adff", 3), inputs)
    request = predict_pb2.PredictRequest.FromString(content)
    assert (request.model_spec.name, request.model_spec.version.value) == ("adff", 3)
    assert request.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["waveform"]), WAVEFORM)
    assert tf.make_ndarray(request.inputs["query"]).tolist() == ["ä".encode(), b""]
    content = serialized(ServedModel("adff", None, "stable"), {})
    assert predict_pb2.PredictRequest.FromString(content).model_spec.version_label == "stable"


def test_responses_are_tensorflow_servings():
    response = predict_pb2.PredictResponse()
    response.outputs["raw"].CopyFrom(tf.make_tensor_proto(WAVEFORM))
    response.outputs["filled"].CopyFrom(tf.make_tensor_proto(0.5, shape=(3, 2)))
    response.outputs["text"].CopyFrom(tf.make_tensor_proto([b"a", b"b"]))
    response.outputs["none"].CopyFrom(tf.make_tensor_proto(np.zeros((0, 4), "float32")))
    filled = response.outputs["filled"]
    assert not filled.tensor_content and len(filled.float_val) == 1
    ours = message_classes()["Response"].FromString(response.SerializeToString())
    tensors = {entry.key: entry.value for entry in ours.outputs}
    for name, tensor in response.outputs.items():
        found, expected = read_tensor(tensors[name], name, "host"), tf.make_ndarray(tensor)
        assert found.shape == expected.shape and found.tolist() == expected.tolist()


def test_a_tensor_of_another_type_is_refused():
    double = tf.make_tensor_proto(np.zeros(3)).SerializeToString()
    with pytest.raises(ServerError, match="type 2"):
        read_tensor(message_classes()["Tensor"].FromString(double), "valence", "host")


def test_signatures_are_the_clients(grpc_host):
    """By GetModelMetadata, as a server describes them."""
    with grpc.insecure_channel(grpc_host) as channel:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "adff"
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.GetModelMetadata(request, timeout=10)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    default, description = (
        signatures.signature_def[name] for name in ("serving_default", "description")
    )
    assert [dim.size for dim in default.inputs["waveform"].tensor_shape.dim] == [-1, WINDOW]
    assert set(default.outputs) == {"valence", "arousal", "distance"}
    assert set(description.inputs) == {"query"} and set(description.outputs) == {"description"}
