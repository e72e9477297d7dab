"""Stand-ins for TensorFlow Serving: a SavedModel behind its gRPC and its REST interface, on a free port of this machine.

They are not the real server. They are written from its interface: the messages of tensorflow-serving-api, the JSON of its REST
documentation, and the status codes and texts that it gives for a wrong name, version, label, signature, input or shape. They do not
batch, warm up, or load versions. What they cannot tell is told by the tests of `test_serving.py` that ask a real one.
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
}
HTTP |= {"UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504}


class Refused(Exception):
    """A request that is not answered: gRPC's name of a status, and a text."""

    def __init__(self, status: str, text: str):
        super().__init__(text)
        self.status, self.text = status, text


class Served:
    """What both stand-ins answer from.

    failures: statuses given to the next requests in place of answers. told: replaces the JSON of `about`. outputs: replaces
    outputs by name, None leaves one out. delay_s: before each answer. requests: (signature, rows) of each that was answered.
    """

    def __init__(
        self,
        saved_model: Path,
        name: str = "adff",
        version: int = 1,
        labels: dict[str, int] | None = None,
    ):
        self.module = tf.saved_model.load(str(saved_model))
        self.folder, self.name, self.version, self.labels = (
            saved_model,
            name,
            version,
            {"stable": 1} if labels is None else labels,
        )
        self.reset()

    def reset(self) -> None:
        self.failures: list[str] = []
        self.told: str | None = None
        self.outputs: dict[str, np.ndarray | None] = {}
        self.delay_s = 0.0
        self.requests: list[tuple[str, int]] = []

    def check(self, name: str, version: int | None, label: str | None) -> None:
        """Raise Refused unless this model, version or label is served."""
        if label is not None and label not in self.labels:
            raise Refused("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
        wanted = self.labels[label] if label is not None else version
        if name != self.name or wanted not in (None, self.version):
            asked = f"Latest({name})" if wanted is None else f"Specific({name}, {wanted})"
            raise Refused("NOT_FOUND", f"Servable not found for request: {asked}")

    def specs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """A signature's inputs."""
        if signature not in self.module.signatures:
            raise Refused("FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.')
        return self.module.signatures[signature].structured_input_signature[1]

    def answer(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a signature. Raises Refused."""
        if self.failures:
            raise Refused(
                self.failures.pop(0),
                "The batch scheduling queue to which this task was submitted is full",
            )
        requests = self.requests  # the list of now: a test may be over after the delay
        time.sleep(self.delay_s)
        specs = self.specs(signature)
        if set(inputs) != set(specs):
            raise Refused(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {sorted(inputs)} != {sorted(specs)}",
            )
        for name, spec in specs.items():
            if not spec.shape.is_compatible_with(inputs[name].shape):
                raise Refused(
                    "INVALID_ARGUMENT",
                    f"Shape {inputs[name].shape} of {name} is not compatible with {spec.shape}",
                )
        try:
            function = self.module.signatures[signature]
            outputs = {
                name: value.numpy()
                for name, value in function(
                    **{k: tf.constant(v) for k, v in inputs.items()}
                ).items()
            }
        except tf.errors.InvalidArgumentError as error:
            raise Refused("INVALID_ARGUMENT", error.message) from None
        requests.append((signature, max(len(np.atleast_1d(value)) for value in inputs.values())))
        if signature == "about" and self.told is not None:
            return {"about": np.array([self.told.encode()], object)}
        outputs |= {name: value for name, value in self.outputs.items() if name in outputs}
        return {name: value for name, value in outputs.items() if value is not None}


# === gRPC ===


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, served: Served):
        self.served = served

    def Predict(self, request, context):
        try:
            self._check(request.model_spec)
            signature = request.model_spec.signature_name or "serving_default"
            outputs = self.served.answer(
                signature,
                {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()},
            )
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.status], refused.text)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.version.value = (
            self.served.name,
            self.served.version,
        )
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(_as_fields(value))
        return response

    def GetModelMetadata(self, request, context):
        try:
            self._check(request.model_spec)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.status], refused.text)
        model = saved_model_pb2.SavedModel.FromString(
            (self.served.folder / "saved_model.pb").read_bytes()
        )
        signatures = get_model_metadata_pb2.SignatureDefMap(
            signature_def=model.meta_graphs[0].signature_def
        )
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _check(self, spec) -> None:
        version = spec.version.value if spec.HasField("version") else None
        self.served.check(
            spec.name, version, spec.version_label if spec.HasField("version_label") else None
        )


def _as_fields(value: np.ndarray):
    """A tensor message as TensorFlow Serving answers by default: values in fields, not raw."""
    tensor = tf.make_tensor_proto(value)
    if tensor.tensor_content:
        tensor.ClearField("tensor_content")
        tensor.float_val.extend(value.ravel().tolist())
    return tensor


@contextlib.contextmanager
def grpc_server(served: Served) -> Iterator[str]:
    """Serve over gRPC; gives `host:port`."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(2), options=unlimited)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(served), server)
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
    served: Served

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not (match := PREDICT.fullmatch(self.path)):
            return self._send(404, {"error": "Malformed request: POST " + self.path})
        name, version, label = match.groups()
        try:
            self.served.check(name, int(version) if version else None, label)
            self._send(200, self._predicted(json.loads(content)))
        except Refused as refused:
            self._send(HTTP[refused.status], {"error": refused.text})

    def do_GET(self):
        match = STATUS.fullmatch(self.path)
        if not match or match[1] != self.served.name:
            return self._send(
                404, {"error": f"Could not find any versions of model {match and match[1]}"}
            )
        state = {
            "version": str(self.served.version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        self._send(200, {"model_version_status": [state]})

    def _predicted(self, body: dict) -> dict:
        """The answer to a request in columns ("inputs") or in rows ("instances"); a single input or output has no name."""
        signature = body.get("signature_name", "serving_default")
        specs = self.served.specs(signature)
        if "inputs" in body:
            columns = (
                body["inputs"]
                if isinstance(body["inputs"], dict)
                else dict.fromkeys(specs, body["inputs"])
            )
        else:
            rows = [
                row if isinstance(row, dict) else dict.fromkeys(specs, row)
                for row in body["instances"]
            ]
            columns = {name: [row[name] for row in rows] for name in rows[0]}
        inputs = {
            name: np.array(values, specs[name].dtype.as_numpy_dtype)
            for name, values in columns.items()
            if name in specs
        }
        outputs = {
            name: _as_json(value) for name, value in self.served.answer(signature, inputs).items()
        }
        if "inputs" in body:
            return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
        by_row = [
            dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)
        ]
        return {"predictions": by_row if len(outputs) > 1 else next(iter(outputs.values()))}

    def _send(self, code: int, answer: dict) -> None:
        content = json.dumps(answer, indent=4).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # a client that did not wait
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def _as_json(value: np.ndarray) -> list:
    """Nested lists; numbers with the digits that give a float32 back, as TensorFlow Serving writes them."""
    if value.dtype == object:
        return [item.decode() for item in value]
    return (
        [float(f"{item:.9g}") for item in value]
        if value.ndim == 1
        else [_as_json(row) for row in value]
    )


@contextlib.contextmanager
def rest_server(served: Served) -> Iterator[str]:
    """Serve over REST; gives `http://host:port`."""
    with http_server(type("Handler", (_Handler,), {"served": served})) as host:
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
