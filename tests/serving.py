"""Stand-ins for TensorFlow Serving: a SavedModel behind gRPC and REST, on a free local port.

They follow the interface: the messages of tensorflow-serving-api, the documented JSON of REST, and
the status codes and texts for a wrong name, version, label, signature, input or shape. They do not
batch, warm up or load versions. `export/test_real_server.py` tests these on a real server.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
FULL_QUEUE = "The batch scheduling queue to which this task was submitted is full"


class Refused(Exception):
    """A refused request: gRPC's name of a status, and a text."""

    def __init__(self, status: str, text: str):
        super().__init__(text)
        self.status, self.text = status, text


class StandIn:
    """The model behind both protocols.

    Attributes:
        failures: statuses of the next requests, instead of answers.
        description: replaces the JSON of the signature `description`.
        outputs: replaces outputs by name; None leaves one out.
        delay_s: before each answer.
        requests: signature and rows of each answered request.
    """

    def __init__(
        self,
        saved_model: Path,
        name: str = "adff",
        version: int = 1,
        labels: dict[str, int] | None = None,
    ):
        self.module = tf.saved_model.load(str(saved_model))
        self.folder, self.name, self.version = saved_model, name, version
        self.labels = {"stable": 1} if labels is None else labels
        self.reset()

    def reset(self) -> None:
        self.failures: list[str] = []
        self.description: str | None = None
        self.outputs: dict[str, np.ndarray | None] = {}
        self.delay_s = 0.0
        self.requests: list[tuple[str, int]] = []

    def check(self, name: str, version: int | None, label: str | None) -> None:
        """Raise Refused unless this model, version or label is served."""
        if label is not None and label not in self.labels:
            raise Refused("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
        version = self.labels[label] if label is not None else version
        if name != self.name or version not in (None, self.version):
            request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused("NOT_FOUND", f"Servable not found for request: {request}")

    def specs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """Return a signature's inputs. Raises Refused."""
        if signature not in self.module.signatures:
            raise Refused("FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.')
        return self.module.signatures[signature].structured_input_signature[1]

    def answer(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a signature. Raises Refused."""
        if self.failures:
            raise Refused(self.failures.pop(0), FULL_QUEUE)
        requests = self.requests  # the present list: a test may be over after the delay
        time.sleep(self.delay_s)
        self._check_inputs(signature, inputs)
        try:
            function = self.module.signatures[signature]
            answers = function(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            raise Refused("INVALID_ARGUMENT", error.message) from None
        outputs = {name: value.numpy() for name, value in answers.items()}
        requests.append((signature, max(len(np.atleast_1d(value)) for value in inputs.values())))
        if signature == "description" and self.description is not None:
            return {"description": np.array([self.description.encode()], object)}
        outputs |= {name: value for name, value in self.outputs.items() if name in outputs}
        return {name: value for name, value in outputs.items() if value is not None}

    def _check_inputs(self, signature: str, inputs: dict[str, np.ndarray]) -> None:
        specs = self.specs(signature)
        if set(inputs) != set(specs):
            names = f"{sorted(inputs)} != {sorted(specs)}"
            raise Refused("INVALID_ARGUMENT", f"input size does not match signature: {names}")
        for name, spec in specs.items():
            if not spec.shape.is_compatible_with(inputs[name].shape):
                text = f"Shape {inputs[name].shape} of {name} is not compatible with {spec.shape}"
                raise Refused("INVALID_ARGUMENT", text)


# === gRPC ===


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, stand_in: StandIn):
        self.stand_in = stand_in

    def Predict(self, request, context):
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        signature = request.model_spec.signature_name or "serving_default"
        try:
            self._check(request.model_spec)
            outputs = self.stand_in.answer(signature, inputs)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.status], refused.text)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = self.stand_in.name
        response.model_spec.version.value = self.stand_in.version
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(_as_fields(value))
        return response

    def GetModelMetadata(self, request, context):
        try:
            self._check(request.model_spec)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.status], refused.text)
        content = (self.stand_in.folder / "saved_model.pb").read_bytes()
        meta = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=meta.signature_def)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _check(self, spec) -> None:
        version = spec.version.value if spec.HasField("version") else None
        label = spec.version_label if spec.HasField("version_label") else None
        self.stand_in.check(spec.name, version, label)


def _as_fields(value: np.ndarray):
    """Return a tensor message as TensorFlow Serving answers by default: in fields, not raw."""
    tensor = tf.make_tensor_proto(value)
    if tensor.tensor_content:
        tensor.ClearField("tensor_content")
        tensor.float_val.extend(value.ravel().tolist())
    return tensor


@contextlib.contextmanager
def grpc_server(stand_in: StandIn) -> Iterator[str]:
    """Serve over gRPC; yield `host:port`."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(2), options=unlimited)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(stand_in), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


# === REST ===

PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:predict")
STATUS = re.compile(r"/v1/models/([^/:]+)")


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not (match := PREDICT.fullmatch(self.path)):
            return self._send(404, {"error": "Malformed request: POST " + self.path})
        name, version, label = match.groups()
        try:
            self.stand_in.check(name, int(version) if version else None, label)
            self._send(200, self._predict(json.loads(content)))
        except Refused as refused:
            self._send(HTTP[refused.status], {"error": refused.text})

    def do_GET(self):
        match = STATUS.fullmatch(self.path)
        if not match or match[1] != self.stand_in.name:
            text = f"Could not find any versions of model {match and match[1]}"
            return self._send(404, {"error": text})
        status = {"error_code": "OK", "error_message": ""}
        version = {"version": str(self.stand_in.version), "state": "AVAILABLE", "status": status}
        self._send(200, {"model_version_status": [version]})

    def _predict(self, body: dict) -> dict:
        """Return the answer to a request in columns ("inputs") or in rows ("instances").

        A single input or output has no name.
        """
        signature = body.get("signature_name", "serving_default")
        specs = self.stand_in.specs(signature)

        def named(values):
            return values if isinstance(values, dict) else dict.fromkeys(specs, values)

        if "inputs" in body:
            columns = named(body["inputs"])
        else:
            rows = [named(row) for row in body["instances"]]
            columns = {name: [row[name] for row in rows] for name in rows[0]}
        inputs = {
            name: np.array(values, specs[name].dtype.as_numpy_dtype)
            for name, values in columns.items()
            if name in specs
        }
        answers = self.stand_in.answer(signature, inputs)
        outputs = {name: _as_json(value) for name, value in answers.items()}
        single = next(iter(outputs.values())) if len(outputs) == 1 else None
        if "inputs" in body:
            return {"outputs": outputs if single is None else single}
        by_row = zip(*outputs.values(), strict=True)
        rows = [dict(zip(outputs, row, strict=True)) for row in by_row]
        return {"predictions": rows if single is None else single}

    def _send(self, code: int, answer: dict) -> None:
        content = json.dumps(answer, indent=4).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        # a client may have hung up
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def _as_json(value: np.ndarray) -> list:
    """Return nested lists; nine digits give a float32 back, as TensorFlow Serving writes them."""
    if value.dtype == object:
        return [item.decode() for item in value]
    if value.ndim == 1:
        return [float(f"{item:.9g}") for item in value]
    return [_as_json(row) for row in value]


@contextlib.contextmanager
def rest_server(stand_in: StandIn) -> Iterator[str]:
    """Serve over REST; yield `http://host:port`."""
    with http_server(type("Handler", (_Handler,), {"stand_in": stand_in})) as host:
        yield host


@contextlib.contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
