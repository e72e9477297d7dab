"""A model that TensorFlow Serving serves: requests, errors, and the backend of an `EmotionModel`.

`grpc_server` and `rest_server` hold the two protocols. REST's codes are mapped to gRPC's statuses,
and an error of either protocol reads the same.
"""

import abc
import enum
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from adff_tf.errors import InputError
from adff_tf.inference.description import AGAIN, Description
from adff_tf.inference.model import EmotionModel
from adff_tf.tasks import EFFECTS, PROBABILITIES

GRPC_PORT, REST_PORT = 8500, 8501  # the official container's
BACKOFF_S = 0.5  # before the first retry; each later retry waits twice as long
ADDRESSES = (
    f"give host or host:port for gRPC (port {GRPC_PORT}), or http://host:port for REST "
    f"(port {REST_PORT})"
)
REMEDY = "serve a model that adff-export wrote"

Arrays = dict[str, np.ndarray]
Value = TypeVar("Value")


class Status(enum.StrEnum):
    """gRPC's statuses that have a message or a retry; UNKNOWN for all others."""

    NOT_FOUND = "NOT_FOUND"
    UNAVAILABLE = "UNAVAILABLE"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    UNKNOWN = "UNKNOWN"


RETRIED = (Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED, Status.DEADLINE_EXCEEDED)

MESSAGES = {
    Status.NOT_FOUND: "{host} serves no {model} ({reason}); give a name and a version in its "
    "models.config by --name and --model-version",
    Status.UNAVAILABLE: "{host} does not answer ({reason}); check that TensorFlow Serving runs "
    "there and has loaded the model; {addresses}",
    Status.RESOURCE_EXHAUSTED: "{host} has too much to do ({reason}); try again later, or more "
    "often by --retries",
    Status.DEADLINE_EXCEEDED: "{host} gave no answer in {deadline:g} s ({reason}); raise "
    "--deadline, or send less",
    Status.INVALID_ARGUMENT: "{host} refuses the request to {signature} of {model} ({reason}); "
    "give an existing label, and {remedy}",
    Status.FAILED_PRECONDITION: "{host} cannot run {signature} of {model} ({reason}); {remedy}",
    Status.UNKNOWN: "{host} failed at {signature} of {model} ({reason}); its log may say why; "
    "{addresses}",
}


class ServerError(Exception):
    """The server failed. No InputError, because every song would fail in the same way.

    Attributes:
        status: the kind of failure.
        details: the server's own text.
    """

    def __init__(self, text: str, status: Status = Status.UNKNOWN, details: str = ""):
        super().__init__(text)
        self.status, self.details = status, details


@dataclass(frozen=True)
class ServedModel:
    """A server's model: its newest version, unless a version or a label is given."""

    name: str = "adff"
    version: int | None = None
    label: str | None = None

    def __post_init__(self):
        if not self.name:
            raise InputError("--name is empty; give the name in models.config, such as adff")
        if self.version is not None and self.label is not None:
            raise InputError(
                f"--model-version {self.version} and --version-label {self.label} were given; "
                "give one of them"
            )
        if self.version is not None and self.version < 0:
            raise InputError(
                f"--model-version {self.version} was given; give the name of a folder in "
                "saved_model/, such as 1"
            )

    def __str__(self) -> str:
        version = f", version {self.version}" if self.version is not None else ""
        label = f", label {self.label}" if self.label is not None else ""
        return f"model {self.name}{version}{label}"


class Server(abc.ABC):
    """A served model at an address.

    Attributes:
        host: the address.
        model: the model there.
        deadline_s: seconds that a request may take.
        retries: how often a request is repeated after a failure that may pass.
    """

    def __init__(self, host: str, model: ServedModel, deadline_s: float, retries: int):
        self.host, self.model, self.deadline_s, self.retries = host, model, deadline_s, retries

    @abc.abstractmethod
    def call(self, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """Return the named outputs of a signature.

        Args:
            signature: its name.
            inputs: float32 or text by name, of one number of rows.
            outputs: names of the outputs to return.

        Raises:
            ServerError: no answer, or one without these outputs.
        """

    def retry(self, send: Callable[[], Arrays]) -> Arrays:
        """Return the result of `send`, repeated after errors that may pass."""
        for attempt in range(self.retries):
            try:
                return send()
            except ServerError as error:
                if error.status not in RETRIED:
                    raise
            time.sleep(BACKOFF_S * 2**attempt)
        return send()

    def error(self, status: Status, signature: str, details: str) -> ServerError:
        """Return the error for a status.

        Args:
            status: the kind of failure.
            signature: the signature of the request.
            details: the server's own text.
        """
        details = " ".join(details.split())
        parts = (status if status != Status.UNKNOWN else "", details)
        text = MESSAGES[status].format(
            host=self.host, model=self.model, signature=signature, deadline=self.deadline_s,
            reason=": ".join(part for part in parts if part), addresses=ADDRESSES, remedy=REMEDY,
        )  # fmt: skip
        return ServerError(text, status, details)

    def pick(self, outputs: Mapping[str, Value], name: str, signature: str) -> Value:
        """Return one output of an answer. Raises ServerError where it is missing."""
        if name not in outputs:
            names = ", ".join(sorted(outputs)) or "nothing"
            raise ServerError(
                f"{self.host} answered {signature} with {names} and without {name}; {REMEDY}"
            )
        return outputs[name]


def load_model(server: Server) -> EmotionModel:
    """Return the model that a server serves.

    Raises ServerError, now and at every prediction, when the server fails or serves another kind of
    model.
    """
    description = _read_description(server)
    return EmotionModel(description, ServerBackend(server, description))


class ServerBackend:
    """Predicts by a served model's signature `serving_default`."""

    def __init__(self, server: Server, description: Description):
        self._server, self._description = server, description

    def predict(self, waveforms: np.ndarray) -> Arrays:
        """See `inference.backends.Backend`. Raises ServerError."""
        task, host = self._description.task, self._server.host
        names, concepts = self._description.outputs, self._description.concepts
        sizes = {PROBABILITIES: (len(task.classes),), EFFECTS: (len(task.targets) * len(concepts),)}
        outputs = self._server.call("serving_default", {"waveform": waveforms}, names)
        for name, values in outputs.items():
            shape = (len(waveforms), *sizes.get(name, ()))
            if values.shape != shape or values.dtype != np.float32:
                raise ServerError(
                    f"{host} answered {len(waveforms)} windows with {name} of shape "
                    f"{values.shape} and type {values.dtype}, not {shape} and float32: the model "
                    f"differs from its description; {REMEDY}"
                )
            if not np.isfinite(values).all():
                raise ServerError(
                    f"{host} answered {name} with NaN or infinity for a window of finite samples: "
                    "the served model is damaged. See parity.json of its export, or export it again"
                )
        return outputs


def _read_description(server: Server) -> Description:
    """Return the served model's description. Raises ServerError."""
    query = {"query": np.array([""], object)}
    try:
        answer = server.call("description", query, ["description"])["description"]
        content: Any = json.loads(answer.reshape(-1)[0])
        return Description.parse(content, f"the model at {server.host}")
    except ServerError as error:
        if '"description" not found' not in error.details:  # both protocols' text
            raise
        raise ServerError(
            f"{server.host} serves an export made before adff-tf 0.2, {AGAIN} ({error.details})",
            error.status,
            error.details,
        ) from None
    except InputError as error:
        raise ServerError(str(error)) from None
    except (ValueError, LookupError, TypeError) as error:
        raise ServerError(
            f"{server.host} serves a model whose description is no JSON ({error}); {REMEDY}"
        ) from None
