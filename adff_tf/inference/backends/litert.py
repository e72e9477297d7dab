"""An export's `.tflite` by LiteRT, without TensorFlow.

The file is a FlatBuffer with a zip archive behind it, which holds `adff.json`: the description
(`inference.description`), and `size` and `sha256` of the FlatBuffer. A damaged model can give wrong
values or end the process, so LiteRT loads only bytes that match the hash. The hash guards against
accidents, not against forgery.

LiteRT runs the network, and NumPy the front end (`litert_front_end`), which takes half the time of
the file's own.
"""

import contextlib
import hashlib
import io
import json
import os
import queue
import stat
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...model.numpy_log_mel import track_log_mel
from ...support.console import silence_stderr
from ...support.files import sha256_of
from ..description import FILE, Description
from . import Outputs, litert_front_end

AGAIN = "Copy it from the export again, or export again"
FORMS = "give one of an export's .tflite files, such as adff_int8.tflite"

RUN_FILE = "model.tflite"  # in a run folder

Run = Callable[..., Outputs]  # from waveform=(1, window) float32 to outputs


def load(
    path: Path, threads: int = 2, callers: int | None = None
) -> tuple[Description, "LiteRTBackend"]:
    """Return the description and the backend of a `.tflite` that takes a waveform.

    Each interpreter has one thread: two windows at once take less time than two threads a window.

    Args:
        path: the file, which is read whole: a later change of it does no harm.
        threads: how many windows of a batch are predicted at once, 1 to 64.
        callers: instead, how many threads call the backend, and each predicts its batch alone.

    Raises:
        InputError: no such file, a damaged one, or one that takes log-mels.
    """
    if not isinstance(threads, int) or not 1 <= threads <= 64:
        raise InputError(f"threads={threads!r} was given; give a whole number, 1 to 64")
    content = _read(path)
    description = _read_description(content, path)
    network = litert_front_end.strike(content, description)

    def load_run() -> Run:
        if network is None:
            return _signature(content, description, path)
        return _from_log_mel(network, path)

    with silence_stderr():  # LiteRT prints its delegate's name
        runs = [load_run() for _ in range(callers or threads)]
    return description, LiteRTBackend(runs, description.outputs, 1 if callers else threads)


def beside(model_file: Path) -> Path | None:
    """Return the `model.tflite` that was made from a `model.keras` beside it; None for none."""
    file = model_file.with_name(RUN_FILE)
    try:
        with zipfile.ZipFile(file) as archive:
            made_from = json.loads(archive.read(FILE)).get("made_from")
    except FileNotFoundError:
        return None
    except Exception:  # as in _read_description
        raise InputError(
            f"{file} is damaged; remove it: {model_file.name} holds the model too"
        ) from None
    return file if made_from == sha256_of(model_file) else None


class LiteRTBackend:
    """Interpreters that predict one window each, at once from as many threads."""

    def __init__(self, runs: list[Run], outputs: tuple[str, ...], at_once: int = 1):
        """at_once: windows of a batch that are predicted at once."""
        self._outputs = outputs
        self._pool = ThreadPoolExecutor(at_once, "litert") if at_once > 1 else None
        self._idle: queue.SimpleQueue[Run] = queue.SimpleQueue()
        for run in runs:
            self._idle.put(run)

    def predict(self, waveforms: np.ndarray) -> Outputs:
        """See `Backend`."""
        in_order = self._pool.map if self._pool and len(waveforms) > 1 else map
        rows = list(in_order(self._predict_one, waveforms))
        return {name: np.concatenate([row[name] for row in rows]) for name in self._outputs}

    def _predict_one(self, waveform: np.ndarray) -> Outputs:
        run = self._idle.get()
        try:
            return run(waveform=waveform[None])
        finally:
            self._idle.put(run)


def _read(path: Path) -> bytes:
    """Return a model file's content. Raises InputError."""
    try:
        if "\0" in str(path) or not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{path} is a folder or a device, not a file; {FORMS}")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {FORMS}") from None
    if content[4:8] != b"TFL3":
        begins = f"it begins {content[:8]!r}" if content else "it is empty"
        raise InputError(f"{path} is no .tflite file ({begins}); {FORMS}")
    return content


def _read_description(content: bytes, path: Path) -> Description:
    """Return the description in a model file whose hash is right. Raises InputError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(FILE) as member:
            stated: Any = json.loads(member.read(2**20))
    except Exception:  # zipfile and zlib raise many kinds of error for damaged bytes
        raise InputError(
            f"{path} has no readable {FILE} at its end: it was cut off or damaged, or is no "
            f"export of adff-tf. {AGAIN}"
        ) from None
    description = Description.parse(stated, str(path))
    size, digest = stated.get("size"), stated.get("sha256")
    if not isinstance(size, int) or not isinstance(digest, str):
        raise InputError(f"{path}: its {FILE} lacks size or sha256. {AGAIN}")
    if hashlib.sha256(memoryview(content)[:size]).hexdigest() != digest:
        raise InputError(
            f"{path} is damaged: its content differs from the export (SHA-256). {AGAIN}"
        )
    return description


@contextlib.contextmanager
def _explain_errors(path: Path) -> Iterator[None]:
    """Turn LiteRT's absence, or its refusal of a model, into InputError."""
    try:
        yield
    except ImportError as error:
        raise InputError(f'{error}; pip install "ai-edge-litert>=2.1"') from None
    except (RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"{path} does not load: {reason}. Try a newer LiteRT: pip install -U ai-edge-litert"
        ) from None


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _from_log_mel(network: litert_front_end.Network, path: Path) -> Run:
    """Return the function of a model whose front end is NumPy's. Raises InputError."""
    with _explain_errors(path):
        interpreter = _interpreter(network.content)

    def run(waveform: np.ndarray) -> Outputs:
        log_mel = track_log_mel(waveform[0], network.frontend)[None, : network.frames]
        interpreter.set_tensor(network.log_mel, log_mel)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in network.outputs.items()}

    return run


def _signature(content: bytes, description: Description, path: Path) -> Run:
    """Return LiteRT's function of a whole model. Raises InputError."""
    with _explain_errors(path):
        run = _interpreter(content).get_signature_runner("serving_default")
    details = run.get_input_details().items()
    inputs = {name: tuple(detail["shape"].tolist()) for name, detail in details}
    outputs = set(run.get_output_details())
    if "log_mel" in inputs:
        raise InputError(
            f"{path} takes log-mels, for programs with a front end of their own; "
            "give the export's adff_int8.tflite, adff_float16.tflite or adff_float32.tflite"
        )
    if inputs != {"waveform": (1, description.window)} or outputs != set(description.outputs):
        raise InputError(
            f"{path} takes {inputs} and returns {outputs}, and its {FILE} says otherwise. "
            "Export it again"
        )
    return run
