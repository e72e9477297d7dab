"""`adff-client`, also `python -m adff_tf.export.client`: songs, by a model in TensorFlow Serving.

The client reads the model's description from the server, decodes and cuts songs itself, sends whole
windows to `serving_default`, and prints as adff-predict does. It loads no TensorFlow, whose import
takes longer than a song's prediction.
"""

import dataclasses
import math
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from adff_tf import predict
from adff_tf.errors import InputError
from adff_tf.support import console

from .grpc_server import GrpcServer
from .rest_server import RestServer
from .server import (
    ADDRESSES,
    GRPC_PORT,
    REST_PORT,
    ServedModel,
    Server,
    ServerError,
    load_model,
)

DESCRIPTION = """Predict valence and arousal (or the emotion class) of songs, by a model in
TensorFlow Serving.

adff-client localhost song.mp3: over gRPC, port 8500. adff-client http://localhost song.mp3: over
REST, port 8501.

adff-client localhost ~/Music --format csv > moods.csv: a folder of songs, one row a song.

A song that cannot be used is named on standard error, the other songs go on, and the exit status is
2."""


@dataclasses.dataclass(frozen=True)
class Options:
    host: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="HOST")]]
    """host or host:port for gRPC, http://host:port or https://host for REST."""
    songs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="SONG…")]]
    """Recordings, folders of them (searched with their subfolders), or - for standard input."""
    output: tyro.conf.OmitArgPrefixes[predict.Output]
    name: str = "adff"
    """Name that the model is served under."""
    model_version: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Version of the model; the newest by default."""
    version_label: Annotated[str | None, tyro.conf.arg(metavar="LABEL")] = None
    """Label of the version, such as stable or canary."""
    deadline: Annotated[float, tyro.conf.arg(metavar="S")] = 30.0
    """Seconds that a request may take."""
    retries: int = 3
    """Repetitions where the server is busy, away or past the deadline, after 0.5 s, 1 s, 2 s, …"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program. Exits with 2 for a user's or a server's mistake, or an unusable song."""
    console.run(_main, arguments, predict.STOPPED)


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-client", DESCRIPTION, Options, arguments)
    songs, unusable = predict.find_songs(options.songs)
    served = ServedModel(options.name, options.model_version, options.version_label)
    try:
        server = connect(options.host, served, options.deadline, options.retries)
        predict.predict_songs(load_model(server), songs, options.output, unusable)
    except ServerError as error:
        raise InputError(str(error)) from None


def connect(host: str, model: ServedModel, deadline_s: float = 30.0, retries: int = 3) -> Server:
    """Return the server at `host`, without a request to it.

    Args:
        host: `host` or `host:port` for gRPC, `http://host:port` or `https://host` for REST.
        model: the server's model.
        deadline_s: seconds that a request may take.
        retries: how often a request is repeated after a failure that may pass.

    Raises:
        InputError: no address, or a deadline or count out of range.
    """
    if not 0 < deadline_s < math.inf:
        raise InputError(f"--deadline {deadline_s:g} was given; give seconds above 0")
    if retries < 0:
        raise InputError(f"--retries {retries} was given; give 0 or more")
    scheme, rest = host.split("://", 1) if "://" in host else ("grpc", host)
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{host} is no address: {error}; {ADDRESSES}") from None
    has_odd_characters = any(c.isspace() or not c.isprintable() for c in host)
    if not name or scheme not in ("grpc", "http", "https") or has_odd_characters:
        raise InputError(f"{host or 'an empty HOST'} is no address; {ADDRESSES}")
    name = f"[{name}]" if ":" in name else name
    if port is None:
        port = {"grpc": GRPC_PORT, "http": REST_PORT, "https": 443}[scheme]
    if scheme != "grpc":
        address = f"{scheme}://{name}:{port}{parts.path.rstrip('/')}"
        return RestServer(address, model, deadline_s, retries)
    if parts.path not in ("", "/"):
        raise InputError(f"{host} is no address of a gRPC server; {ADDRESSES}")
    return GrpcServer(f"{name}:{port}", model, deadline_s, retries)


if __name__ == "__main__":
    main()
