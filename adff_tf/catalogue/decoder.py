"""A process that decodes recordings. A recording that hangs or crashes it costs that file alone.

`decoder_pool` starts the process with two inherited descriptors: a `multiprocessing` connection,
and memory that both processes map, `slots` windows of float32. The process receives a `Setup`, then
paths (bytes), one at a time, and indices of slots that are free again (int). It sends `READY`; for
each path a `FilledSlot` a window and one `FileInfo`; and `HEARTBEAT` every second of progress. It
exits when the connection closes.
"""

import hashlib
import importlib
import mmap
import os
import queue
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from .. import audio
from ..inference.windows import cut_windows

READY, HEARTBEAT = "ready", "heartbeat"
HEARTBEAT_S = 1.0
CHUNK = 2**22  # bytes hashed between two heartbeats
MEMORY = 4 * 2**30  # bytes that a damaged header may ask for


@dataclass(frozen=True)
class Setup:
    """How to decode.

    Attributes:
        rate_hz: the model's sample rate.
        window, hop: samples at `rate_hz`.
        slots: windows in the shared memory.
        decode: `module:function` of a function like `audio.blocks`.
    """

    rate_hz: int
    window: int
    hop: int
    slots: int
    decode: str = "adff_tf.audio:blocks"


@dataclass(frozen=True)
class FilledSlot:
    """A window is in a slot. start: its first sample in the recording."""

    slot: int
    start: int


@dataclass(frozen=True)
class FileInfo:
    """A file after decoding.

    Attributes:
        sha256: of its content, hexadecimal; empty where it cannot be read.
        rate_hz: its own sample rate; 0 where no decoder states it.
        samples: its length at the model's rate.
        error: why it cannot be used; empty for a good file.
    """

    sha256: str = ""
    rate_hz: int = 0
    samples: int = 0
    error: str = ""


class Decoder:
    """Decodes one path at a time in the calling thread; a second thread receives messages."""

    def __init__(self, link: Connection, memory: int):
        """memory: the descriptor of the shared windows."""
        self._link = link
        self._paths, self._free_slots = queue.SimpleQueue[bytes](), queue.SimpleQueue[int]()
        self._setup: Setup = link.recv()
        module, _, function = self._setup.decode.partition(":")
        self._blocks = getattr(importlib.import_module(module), function)
        self._slots = map_windows(memory, self._setup)
        self._heartbeat_at = 0.0
        for slot in range(self._setup.slots):
            self._free_slots.put(slot)

    def run(self) -> None:
        """Decode the paths received, until the connection closes."""
        threading.Thread(target=self._receive, daemon=True).start()
        self._link.send(READY)
        # decoders in C print a line for each damaged frame
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        while True:
            self._link.send(self._decode(os.fsdecode(self._paths.get())))

    def _receive(self) -> None:
        """Put paths and free slots into their queues; exit when the connection closes."""
        try:
            while True:
                message = self._link.recv()
                (self._paths if isinstance(message, bytes) else self._free_slots).put(message)
        except (EOFError, OSError):
            os._exit(0)

    def _decode(self, path: str) -> FileInfo:
        """Send a file's windows, and return its description."""
        meter = _Meter(self._beat)
        sha256 = error_text = ""
        try:
            sha256 = self._hash(path)
            blocks = self._blocks(path, self._setup.rate_hz, on_block=meter.on_block)
            counted = meter.count(blocks)
            for window in cut_windows(counted, self._setup.window, self._setup.hop):
                slot = self._free_slots.get()
                self._slots[slot] = window.samples
                self._link.send(FilledSlot(slot, window.start))
        except Exception as error:  # any failure is this file's alone, and becomes its row
            error_text = _reason(error)
        return FileInfo(sha256, meter.rate_hz, meter.samples, error_text)

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256()
        try:
            with audio.open_recording(path) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    self._beat()
        except OSError as error:
            reason = f"cannot be read ({error.strerror}); check the path and its permissions"
            raise audio.AudioError(path, reason) from error
        return digest.hexdigest()

    def _beat(self) -> None:
        """Send a heartbeat where the last one is old."""
        if time.monotonic() - self._heartbeat_at > HEARTBEAT_S:
            self._heartbeat_at = time.monotonic()
            self._link.send(HEARTBEAT)


class _Meter:
    """Measures a file while it is decoded, and calls `beat` at each step."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat, self.rate_hz, self.samples = beat, 0, 0

    def on_block(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._beat()

    def count(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for block in blocks:
            self.samples += len(block)
            self._beat()
            yield block


def map_windows(memory: int, setup: Setup) -> np.ndarray:
    """Return the shared windows behind a descriptor, `(slots, window)` float32."""
    mapped = mmap.mmap(memory, 4 * setup.slots * setup.window)
    return np.frombuffer(mapped, "float32").reshape(setup.slots, setup.window)


def _reason(error: Exception) -> str:
    """Return an error in one line, without the path, which has a column of its own."""
    if isinstance(error, MemoryError):
        return "needs more memory to decode than any recording: the file is damaged"
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, audio.AudioError):
        text = error.reason
    return os.fsencode(" ".join(text.split())).decode(errors="backslashreplace")


def _limit_memory() -> None:
    """Bound this process's memory, so that a damaged header cannot exhaust the machine's."""
    statm = Path("/proc/self/statm")
    in_use = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, hard))


def main() -> None:
    """Run the process; the arguments are its two descriptors."""
    link, memory = (int(argument) for argument in sys.argv[1:])
    decoder = Decoder(Connection(link), memory)
    _limit_memory()
    decoder.run()
