"""TensorFlow Serving over gRPC.

A request holds windows as raw float32: two windows of 20 s at 44.1 kHz are 7 MB. TensorFlow Serving
admits requests of up to 2 GiB. Nothing is encrypted.

The messages are declared here, because tensorflow-serving-api's classes import TensorFlow.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .server import REMEDY, Arrays, ServedModel, Server, ServerError, Status

# The needed fields of tensorflow/core/framework/tensor.proto and of
# tensorflow_serving/apis/{model,predict}.proto: field number, type (a message's name or protobuf's
# name of a type), and whether the field is repeated. A map is repeated keys and values. Only field
# numbers reach the wire, so that names of messages are free.
PROTOBUF: dict[str, dict[str, tuple]] = {
    "Dim": {"size": (1, "INT64")},
    "Shape": {"dim": (2, "Dim", True)},
    "Tensor": {
        "dtype": (1, "INT32"),
        "tensor_shape": (2, "Shape"),
        "tensor_content": (4, "BYTES"),
        "float_val": (5, "FLOAT", True),
        "string_val": (8, "BYTES", True),
    },
    "Entry": {"key": (1, "STRING"), "value": (2, "Tensor")},
    "Version": {"value": (1, "INT64")},
    "Model": {
        "name": (1, "STRING"),
        "version": (2, "Version"),
        "signature_name": (3, "STRING"),
        "version_label": (4, "STRING"),
    },
    "Request": {"model_spec": (1, "Model"), "inputs": (2, "Entry", True)},
    "Response": {"outputs": (1, "Entry", True), "model_spec": (2, "Model")},
}
FLOAT32, STRING = 1, 7  # TensorFlow's numbers of types


@functools.cache
def message_classes() -> Mapping[str, Any]:
    """Return the classes of `PROTOBUF` by name."""
    return declare(PROTOBUF)


def declare(declarations: dict[str, dict[str, tuple]]) -> Mapping[str, Any]:
    """Return classes of messages by name. declarations: as `PROTOBUF`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="adff_tf/predict.proto", package="adff_tf", syntax="proto3"
    )
    for message, fields in declarations.items():
        declared = file.message_type.add(name=message)
        for name, (number, kind, *repeated) in fields.items():
            field = declared.field.add(name=name, number=number)
            field.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in declarations:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".adff_tf.{kind}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"adff_tf.{name}"))
        for name in declarations
    }


class GrpcServer(Server):
    """A model served over gRPC, at `host:port`."""

    def __init__(self, host: str, model: ServedModel, deadline_s: float, retries: int):
        import grpc

        super().__init__(host, model, deadline_s, retries)
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        channel = grpc.insecure_channel(host, unlimited)
        self._predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_classes()["Response"].FromString,
        )

    def call(self, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """See `Server`."""
        import grpc

        request = self._request(signature, inputs)

        def send() -> Arrays:
            try:
                response = self._predict(request, timeout=self.deadline_s)
            except grpc.RpcError as error:
                code, details = error.code().name, error.details() or ""
                if code not in Status.__members__:
                    code, details = Status.UNKNOWN, f"{code}: {details}"
                raise self.error(Status(code), signature, details) from None
            tensors = {entry.key: entry.value for entry in response.outputs}
            return {
                name: read_tensor(self.pick(tensors, name, signature), name, self.host)
                for name in outputs
            }

        return self.retry(send)

    def _request(self, signature: str, inputs: Arrays):
        request = message_classes()["Request"]()
        request.model_spec.name, request.model_spec.signature_name = self.model.name, signature
        if self.model.version is not None:
            request.model_spec.version.value = self.model.version
        if self.model.label is not None:
            request.model_spec.version_label = self.model.label
        for name, values in inputs.items():
            _fill(request.inputs.add(key=name).value, values)
        return request


def _fill(tensor, values: np.ndarray) -> None:
    """Put an array of float32 or of text into a tensor message."""
    for size in values.shape:
        tensor.tensor_shape.dim.add(size=size)
    if values.dtype == np.float32:
        tensor.dtype, tensor.tensor_content = FLOAT32, values.astype("<f4").tobytes()
    else:
        tensor.dtype = STRING
        tensor.string_val.extend(str(value).encode() for value in values.flat)


def read_tensor(tensor, name: str, host: str) -> np.ndarray:
    """Return a tensor message as an array of float32 or of bytes.

    Values left out at the end equal the last value that is there.

    Args:
        tensor: the message.
        name, host: the output and the server, for errors.

    Raises:
        ServerError: another type, or too few values for the shape.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype == STRING:
        values = np.array(list(tensor.string_val), object)
    elif tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, "<f4")
    else:
        values = np.array(tensor.float_val, "float32")
    missing = math.prod(shape) - len(values)
    if tensor.dtype not in (FLOAT32, STRING) or missing < 0 or (missing and not len(values)):
        raise ServerError(
            f"{host} answered {name} with a tensor of type {tensor.dtype} and shape {shape}; "
            f"{REMEDY}"
        )
    return np.pad(values, (0, missing), "edge").reshape(shape) if missing else values.reshape(shape)
