"""`python -m adff_tf.export.client`, also `adff-client`: songs asked of a TensorFlow Serving that serves an exported model.

The client asks the signature `about` what the model is, decodes and cuts songs here, sends whole windows to `serving_default`, and
prints what adff-predict prints. It loads no TensorFlow: importing it takes longer than asking about a song.

**gRPC** (`host:port`) sends up to `inference.BATCH` windows and `inference.BATCH_S` seconds a request as raw float32: two
windows of 20 s at 44.1 kHz are 7 MB. TensorFlow Serving admits requests up to 2 GiB. The few messages that are needed are
declared in `MESSAGES`, because the generated classes of tensorflow-serving-api import TensorFlow; a protocol buffer is decided
by its field numbers, which are TensorFlow's.

**REST** (`http://host:port`) sends one window a request: it has no raw form for float32 (base64 is for strings alone), so that each
sample is nine decimal digits, which give the float32 back exactly, and a window of 20 s is 11 MB of text. Use gRPC where you can.

Nothing is encrypted, neither by this gRPC client nor by TensorFlow Serving's REST: `https://` is for a proxy before the REST port.
"""

import dataclasses
import functools
import json
import math
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import numpy as np
import tyro

from .. import predict
from ..config import Experiment
from ..errors import InputError
from ..inference.model import EmotionModel
from ..support import console
from ..tasks import TASKS
from .about import FORMAT

GRPC_PORT, REST_PORT = 8500, 8501  # the official container's
BACKOFF_S = 0.5  # before the first repetition; each later one waits twice as long
PASSING = (
    "UNAVAILABLE",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
)  # what asking again may help against
FORMS = f"give host or host:port for gRPC (port {GRPC_PORT}), or http://host:port for REST (port {REST_PORT})"
REMEDY = "serve a model that adff_tf.export wrote"

Arrays = dict[str, np.ndarray]

DESCRIPTION = """Valence and arousal (or the emotion class) of songs, by a model that TensorFlow Serving serves.

adff-client localhost song.mp3: over gRPC, port 8500. adff-client http://localhost song.mp3: over REST, port 8501.

adff-client localhost ~/Music --format csv > moods.csv: a folder of songs, a row as each is done.

A song that cannot be used is named on standard error, the others go on, and the exit status is 2."""


@dataclasses.dataclass(frozen=True)
class Options:
    host: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="HOST")]]
    """host or host:port for gRPC, http://host:port or https://host for REST."""
    output: tyro.conf.OmitArgPrefixes[predict.Output]
    name: str = "adff"
    """Name that the model is served under."""
    model_version: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Ask this version of it; the newest that is served if not given."""
    version_label: Annotated[str | None, tyro.conf.arg(metavar="LABEL")] = None
    """Ask the version that bears this label, such as stable or canary."""
    deadline: Annotated[float, tyro.conf.arg(metavar="S")] = 30.0
    """Seconds that a request may take."""
    retries: int = 3
    """How often to ask again where the server is busy, away or past the deadline, after 0.5 s, 1 s, 2 s and so on."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, ask, print. Exits with 2 for a user's mistake or a server's, and where a song could not be used."""
    console.run(_main, arguments, predict.STOPPED)


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-client", DESCRIPTION, Options, arguments)
    songs, unusable = predict.find_songs(options.output.songs)
    model = Model(options.name, options.model_version, options.version_label)
    try:
        server = connect(options.host, model, options.deadline, options.retries)
        predict.ask(served(server), songs, options.output, unusable)
    except ServerError as error:
        raise InputError(str(error)) from None


# === What is asked, and of whom ===


class ServerError(Exception):
    """The server did not answer as it should. Not an InputError: it would be the same for every song, so none is asked after it.

    status: gRPC's name of what went wrong.
    """

    def __init__(self, text: str, status: str = "UNKNOWN"):
        super().__init__(text)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Model:
    """Which model of the server's is meant: its newest version, unless a version or a label is given. Raises InputError."""

    name: str = "adff"
    version: int | None = None
    label: str | None = None

    def __post_init__(self):
        if not self.name:
            raise InputError(
                "--name is empty; give the name that the model is served under, as in models.config: adff"
            )
        if self.version is not None and self.label is not None:
            raise InputError(
                f"--model-version {self.version} and --version-label {self.label} were given; give one of them"
            )
        if self.version is not None and self.version < 0:
            raise InputError(
                f"--model-version {self.version} was given; give the name of a folder in saved_model/, such as 1"
            )

    def __str__(self) -> str:
        version = f", version {self.version}" if self.version is not None else ""
        return f"model {self.name}{version}" + (
            f", label {self.label}" if self.label is not None else ""
        )


class Server(Protocol):
    """A model that is served somewhere."""

    host: str

    def answer(self, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """The named outputs of a signature. Raises ServerError."""


def connect(host: str, model: Model, deadline_s: float = 30.0, retries: int = 3) -> Server:
    """The server at `host`; nothing is sent yet. Raises InputError for what cannot be an address, a deadline or a count."""
    if not 0 < deadline_s < math.inf:
        raise InputError(f"--deadline {deadline_s:g} was given; give seconds above 0")
    if retries < 0:
        raise InputError(f"--retries {retries} was given; give 0 or more")
    scheme, rest = host.split("://", 1) if "://" in host else ("grpc", host)
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{host} is no address: {error}; {FORMS}") from None
    if (
        not name
        or scheme not in ("grpc", "http", "https")
        or any(c.isspace() or not c.isprintable() for c in host)
    ):
        raise InputError(f"{host or 'an empty HOST'} is no address; {FORMS}")
    name = f"[{name}]" if ":" in name else name
    if scheme == "grpc":
        if parts.path not in ("", "/"):
            raise InputError(f"{host} is no address of a gRPC server; {FORMS}")
        return GrpcServer(
            f"{name}:{GRPC_PORT if port is None else port}", model, deadline_s, retries
        )
    default = 443 if scheme == "https" else REST_PORT
    return RestServer(
        f"{scheme}://{name}:{default if port is None else port}{parts.path.rstrip('/')}",
        model,
        deadline_s,
        retries,
    )


def served(server: Server) -> EmotionModel:
    """The model that a server serves, to be asked like one from a run folder.

    Raises ServerError, then and whenever it is asked, for a server that does not answer, or not as a model that we exported.
    """
    experiment = _experiment(server)
    task = TASKS[experiment.task]
    shape = () if task.is_regression else (len(task.classes),)

    def answer(waveforms: np.ndarray) -> Arrays:
        outputs = server.answer("serving_default", {"waveform": waveforms}, task.outputs)
        wanted = (len(waveforms), *shape)
        for name, values in outputs.items():
            if values.shape != wanted or values.dtype != np.float32:
                raise ServerError(
                    f"{server.host} answered {len(waveforms)} windows with {name} of shape {values.shape} and type {values.dtype}, "
                    f"not {wanted} and float32: it is not the model that it says; {REMEDY}"
                )
            if not np.isfinite(values).all():
                raise ServerError(
                    f"{server.host} answered {name} with NaN or infinity for a window of finite samples: the model that it serves "
                    "is damaged. See parity.json of its export, or export it again"
                )
        return outputs

    return EmotionModel(experiment, answer)


def _experiment(server: Server) -> Experiment:
    """The settings of the served model, by its signature `about`. Raises ServerError."""
    answer = server.answer("about", {"query": np.array([""], object)}, ["about"])["about"]
    try:
        about = json.loads(answer.reshape(-1)[0])
        layout, maker = about["format"], f"adff-tf {about.get('adff_tf', '(unknown)')}"
        if layout != FORMAT:
            raise ServerError(
                f"{server.host} serves a model made by {maker}, which describes itself in format {layout!r}; this client knows "
                f"format {FORMAT}: use the adff-client of {maker}"
            )
        experiment = Experiment.from_json(
            json.dumps(about["experiment"]), f"the experiment of the model at {server.host}"
        )
        stated = (about["task"], about["sample_rate_hz"], about["window"])
    except InputError as error:
        raise ServerError(
            f"{error}\nThe model was made by {maker}: use the adff-client of that version"
        ) from None
    except (ValueError, LookupError, TypeError) as error:
        raise ServerError(
            f"{server.host} describes its model in a way that is none of ours ({error!r}); {REMEDY}"
        ) from None
    frontend = experiment.frontend
    meant = (experiment.task, frontend.sample_rate_hz, experiment.frames * frontend.hop_length)
    if stated != meant:
        raise ServerError(
            f"{server.host} says that its model has task, rate and window {stated}, and settings of {meant}; {REMEDY}"
        )
    return experiment


def retried(ask: Callable[[], Arrays], retries: int) -> Arrays:
    """What `ask` returns, asked again up to `retries` times where it raises a ServerError that may pass."""
    for attempt in range(retries):
        try:
            return ask()
        except ServerError as error:
            if error.status not in PASSING:
                raise
        time.sleep(BACKOFF_S * 2**attempt)
    return ask()


FAILURES = {  # by gRPC's status: what it means to whoever asked
    "NOT_FOUND": "{host} serves no {model}{said}; give what its models.config has, by --name and --model-version",
    "UNAVAILABLE": "{host} does not answer{said}; see that TensorFlow Serving runs there and has loaded the model; {forms}",
    "RESOURCE_EXHAUSTED": "{host} has too much to do{said}; ask again later, or repeat more often by --retries",
    "DEADLINE_EXCEEDED": "{host} gave no answer in {deadline:g} s{said}; give it longer by --deadline, or less to do",
    "INVALID_ARGUMENT": "{host} refuses what {signature} of {model} was sent{said}; give a label that is there, and {remedy}",
    "FAILED_PRECONDITION": "{host} cannot answer {signature} of {model}{said}; {remedy}",
}


def _failure(
    server: "GrpcServer | RestServer", signature: str, status: str, details: str
) -> ServerError:
    """What a status of gRPC, or REST's equal of it, means to whoever asked."""
    text = FAILURES.get(
        status, "{host} failed at {signature} of {model}{said}; its log may say why; {forms}"
    )
    said = f" ({status}: {' '.join(details.split())})" if details else f" ({status})"
    known = {
        "host": server.host,
        "model": server.model,
        "deadline": server.deadline_s,
        "forms": FORMS,
        "remedy": REMEDY,
    }
    return ServerError(text.format(signature=signature, said=said, **known), status)


# === gRPC ===

# Messages of tensorflow/core/framework/tensor.proto and tensorflow_serving/apis/{model,predict}.proto, as far as needed: a field's
# number, its type (a message's name, or protobuf's name of a type), and whether it is repeated. A map is repeated keys and values.
MESSAGES: dict[str, dict[str, tuple]] = {
    "Dim": {"size": (1, "INT64")},
    "Shape": {"dim": (2, "Dim", True)},
    "Tensor": {
        "dtype": (1, "INT32"),
        "tensor_shape": (2, "Shape"),
        "tensor_content": (4, "BYTES"),
        "float_val": (5, "FLOAT", True),
        "string_val": (8, "BYTES", True),
    },
    "Named": {"key": (1, "STRING"), "value": (2, "Tensor")},
    "Version": {"value": (1, "INT64")},
    "Model": {
        "name": (1, "STRING"),
        "version": (2, "Version"),
        "signature_name": (3, "STRING"),
        "version_label": (4, "STRING"),
    },
    "Request": {"model_spec": (1, "Model"), "inputs": (2, "Named", True)},
    "Response": {"outputs": (1, "Named", True), "model_spec": (2, "Model")},
}
FLOAT32, STRING = 1, 7  # tensorflow's numbers of types


@functools.cache
def messages() -> Mapping[str, Any]:
    """The classes of `MESSAGES` by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="adff_tf/predict.proto", package="adff_tf", syntax="proto3"
    )
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind, *repeated) in fields.items():
            field = described.field.add(name=name, number=number)
            field.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in MESSAGES:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".adff_tf.{kind}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"adff_tf.{name}"))
        for name in MESSAGES
    }


class GrpcServer:
    """A model served over gRPC, at `host:port`."""

    def __init__(self, host: str, model: Model, deadline_s: float, retries: int):
        import grpc

        self.host, self.model, self.deadline_s, self.retries = host, model, deadline_s, retries
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(host, unlimited)
        self._predict = self._channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=messages()["Response"].FromString,
        )

    def answer(self, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """See `Server`."""
        import grpc

        request = self._request(signature, inputs)

        def ask() -> Arrays:
            try:
                response = self._predict(request, timeout=self.deadline_s)
            except grpc.RpcError as error:
                raise _failure(self, signature, error.code().name, error.details() or "") from None
            found = {named.key: named.value for named in response.outputs}
            return {
                name: _array(_output(found, name, signature, self.host), name, self.host)
                for name in outputs
            }

        return retried(ask, self.retries)

    def _request(self, signature: str, inputs: Arrays):
        request = messages()["Request"]()
        request.model_spec.name, request.model_spec.signature_name = self.model.name, signature
        if self.model.version is not None:
            request.model_spec.version.value = self.model.version
        if self.model.label is not None:
            request.model_spec.version_label = self.model.label
        for name, values in inputs.items():
            named = request.inputs.add(key=name)
            _fill(named.value, values)
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


def _array(tensor, name: str, host: str) -> np.ndarray:
    """A tensor message as an array of float32 or of bytes. Values left out at its end equal the last one that is there."""
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
            f"{host} answered {name} with a tensor of type {tensor.dtype} and shape {shape}; {REMEDY}"
        )
    return np.pad(values, (0, missing), "edge").reshape(shape) if missing else values.reshape(shape)


# === REST ===

STATUS = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestServer:
    """A model served over REST, at `http://host:port`. Sends one row of the inputs a request."""

    def __init__(self, host: str, model: Model, deadline_s: float, retries: int):
        self.host, self.model, self.deadline_s, self.retries = host, model, deadline_s, retries
        quoted = functools.partial(urllib.parse.quote, safe="")
        version = f"/versions/{model.version}" if model.version is not None else ""
        label = f"/labels/{quoted(model.label)}" if model.label is not None else ""
        self._url = f"{host}/v1/models/{quoted(model.name)}{version}{label}:predict"

    def answer(self, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """See `Server`."""
        rows = len(next(iter(inputs.values())))
        answers = [
            self._row(signature, {name: values[k] for name, values in inputs.items()}, outputs)
            for k in range(rows)
        ]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in outputs}

    def _row(self, signature: str, row: Arrays, outputs: Sequence[str]) -> Arrays:
        columns = ", ".join(
            f"{json.dumps(name)}: [{_digits(values)}]" for name, values in row.items()
        )
        body = f'{{"signature_name": {json.dumps(signature)}, "inputs": {{{columns}}}}}'.encode()

        def ask() -> Arrays:
            found = self._post(body, signature)
            if not isinstance(found, dict):  # a single output comes without its name
                found = dict.fromkeys(outputs[:1], found)
            return {
                name: self._column(_output(found, name, signature, self.host), name)
                for name in outputs
            }

        return retried(ask, self.retries)

    def _post(self, body: bytes, signature: str):
        """The outputs in the answer to a request. Raises ServerError."""
        code, reason, content = self._exchange(body, signature)
        if code == 200:
            return self._part(content, "outputs", "HTTP 200")
        if code in (429, 503, 504):  # a proxy may say so too, in its own words
            raise _failure(self, signature, STATUS[code], reason)
        raise _failure(
            self,
            signature,
            STATUS.get(code, f"HTTP {code}"),
            str(self._part(content, "error", f"HTTP {code} {reason}")),
        )

    def _exchange(self, body: bytes, signature: str) -> tuple[int, str, bytes]:
        """Code, reason and content of the answer to a request. Raises ServerError where there is none."""
        import http.client
        import ssl
        import urllib.error
        import urllib.request

        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        try:
            try:
                with urllib.request.urlopen(request, timeout=self.deadline_s) as response:
                    return response.status, response.reason, response.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.reason, error.read()
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise _failure(self, signature, "DEADLINE_EXCEEDED", "") from None
            if isinstance(reason, ssl.SSLError):
                raise ServerError(
                    f"{self.host} cannot be spoken to over TLS: {reason}; TensorFlow Serving's REST is plain http://, and the "
                    "environment's SSL_CERT_FILE names the certificates that a proxy's is checked against"
                ) from None
            if isinstance(reason, http.client.HTTPException) and not isinstance(
                reason, http.client.RemoteDisconnected
            ):
                raise self._foreign(type(reason).__name__) from None
            raise _failure(
                self, signature, "UNAVAILABLE", str(reason) or type(reason).__name__
            ) from None

    def _part(self, content: bytes, key: str, said: str):
        """What TensorFlow Serving's JSON holds under a key. Raises ServerError where it is not TensorFlow Serving's."""
        try:
            return json.loads(content)[key]
        except (ValueError, KeyError, TypeError):
            raise self._foreign(said) from None

    def _column(self, values: Any, name: str) -> np.ndarray:
        """An output `(1, …)` as an array of float32 or of text."""
        try:
            array = np.array(values)
            return array if array.dtype.kind == "U" else array.astype("float32")
        except (ValueError, TypeError):
            raise ServerError(
                f"{self.host} answered {name} with what are no numbers; serve a model that adff_tf.export wrote"
            ) from None

    def _foreign(self, said: str) -> ServerError:
        return ServerError(
            f"{self.host} is there, but its answer ({said}) is not TensorFlow Serving's; {FORMS}"
        )


def _digits(values: np.ndarray | str) -> str:
    """JSON of one text, or of samples `(n,)` with the nine digits that give each float32 back."""
    if isinstance(values, str):
        return json.dumps(values)
    return "[" + ",".join(["%.9g"] * len(values)) % tuple(values.tolist()) + "]"


def _output(found: Mapping[str, Any], name: str, signature: str, host: str) -> Any:
    if name not in found:
        raise ServerError(
            f"{host} answered {signature} with {', '.join(sorted(found)) or 'nothing'} and without {name}; "
            "serve a model that adff_tf.export wrote"
        )
    return found[name]


if __name__ == "__main__":
    main()
