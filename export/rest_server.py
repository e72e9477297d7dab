"""TensorFlow Serving over REST.

REST has no raw form for float32 (base64 is for strings only). Each sample is nine decimal digits,
which give the float32 back exactly, and a window of 20 s is 11 MB of text. A request therefore
holds one window. gRPC is faster.

TensorFlow Serving's REST is plain http; `https://` is for a proxy in front of it.
"""

import functools
import json
import urllib.parse
from collections.abc import Sequence
from typing import Any

import numpy as np

from .server import ADDRESSES, REMEDY, Arrays, ServedModel, Server, ServerError, Status

STATUS = {  # by HTTP's code
    400: Status.INVALID_ARGUMENT,
    404: Status.NOT_FOUND,
    429: Status.RESOURCE_EXHAUSTED,
    503: Status.UNAVAILABLE,
    504: Status.DEADLINE_EXCEEDED,
}
BY_PROXIES = (429, 503, 504)  # a proxy's answer may have these codes and any content


class RestServer(Server):
    """A model served over REST, at `http://host:port`; a request holds one row of the inputs."""

    def __init__(self, host: str, model: ServedModel, deadline_s: float, retries: int):
        super().__init__(host, model, deadline_s, retries)
        quote = functools.partial(urllib.parse.quote, safe="")
        version = f"/versions/{model.version}" if model.version is not None else ""
        label = f"/labels/{quote(model.label)}" if model.label is not None else ""
        self._url = f"{host}/v1/models/{quote(model.name)}{version}{label}:predict"

    def call(self, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """See `Server`."""
        count = len(next(iter(inputs.values())))
        rows = [
            self._call_row(signature, {name: values[k] for name, values in inputs.items()}, outputs)
            for k in range(count)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in outputs}

    def _call_row(self, signature: str, row: Arrays, outputs: Sequence[str]) -> Arrays:
        columns = ", ".join(f"{json.dumps(name)}: [{as_json(row[name])}]" for name in row)
        body = f'{{"signature_name": {json.dumps(signature)}, "inputs": {{{columns}}}}}'.encode()

        def send() -> Arrays:
            answer = self._post(body, signature)
            if not isinstance(answer, dict):  # a single output comes without its name
                answer = dict.fromkeys(outputs[:1], answer)
            return {name: self._array(self.pick(answer, name, signature), name) for name in outputs}

        return self.retry(send)

    def _post(self, body: bytes, signature: str) -> Any:
        """Return the outputs in the answer to a request. Raises ServerError."""
        code, reason, content = self._exchange(body, signature)
        if code == 200:
            return self._parse(content, "outputs", "HTTP 200")
        if code in BY_PROXIES:
            raise self.error(STATUS[code], signature, reason)
        details = str(self._parse(content, "error", f"HTTP {code} {reason}"))
        if code not in STATUS:
            raise self.error(Status.UNKNOWN, signature, f"HTTP {code}: {details}")
        raise self.error(STATUS[code], signature, details)

    def _exchange(self, body: bytes, signature: str) -> tuple[int, str, bytes]:
        """Return code, reason and content of the answer to a request. Raises ServerError."""
        import http.client
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
            raise self._no_answer(error, signature) from None

    def _no_answer(self, error: Exception, signature: str) -> ServerError:
        """Return the error for an exchange that failed."""
        import http.client
        import ssl
        import urllib.error

        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return self.error(Status.DEADLINE_EXCEEDED, signature, "")
        if isinstance(reason, ssl.SSLError):
            return ServerError(
                f"{self.host} does not speak TLS: {reason}; TensorFlow Serving's REST is plain "
                "http://, and a proxy's certificate is checked against SSL_CERT_FILE"
            )
        is_cut_off = isinstance(reason, http.client.RemoteDisconnected)
        if isinstance(reason, http.client.HTTPException) and not is_cut_off:
            return self._foreign(type(reason).__name__)
        return self.error(Status.UNAVAILABLE, signature, str(reason) or type(reason).__name__)

    def _parse(self, content: bytes, key: str, answer: str) -> Any:
        """Return the value of a key of TensorFlow Serving's JSON. Raises ServerError."""
        try:
            return json.loads(content)[key]
        except (ValueError, KeyError, TypeError):
            raise self._foreign(answer) from None

    def _array(self, values: Any, name: str) -> np.ndarray:
        """Return an output `(1, …)` as an array of float32 or of text. Raises ServerError."""
        try:
            array = np.array(values)
            return array if array.dtype.kind == "U" else array.astype("float32")
        except (ValueError, TypeError):
            raise ServerError(
                f"{self.host} answered {name} with no array of numbers; {REMEDY}"
            ) from None

    def _foreign(self, answer: str) -> ServerError:
        return ServerError(
            f"{self.host} is there, but its answer ({answer}) is not TensorFlow Serving's; "
            f"{ADDRESSES}"
        )


def as_json(values: np.ndarray | str) -> str:
    """Return a text or samples `(n,)` as JSON; nine digits give each float32 back."""
    if isinstance(values, str):
        return json.dumps(values)
    return "[" + ",".join(["%.9g"] * len(values)) % tuple(values.tolist()) + "]"
