"""A process that decodes, so that a decoder which hangs or crashes ends no more than this.

`decoding.Decoders` starts it with two inherited descriptors: a `multiprocessing` connection, and memory that both map, `slots`
windows of float32. First it is sent a `Setup`, then paths (bytes), one after the other, and numbers of slots that are free again.
It sends `READY`; for each path a `Filled` a window and one `Ended`; and `BEAT` now and then while it gets on. It ends when the link
does.
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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from .. import audio
from ..inference import windows

READY, BEAT = "ready", "beat"
BEAT_S = 1.0
CHUNK = 2**22  # bytes hashed between two beats
MEMORY = (
    4 * 2**30
)  # bytes that a damaged file may have a decoder ask for, before it is refused them


@dataclass(frozen=True)
class Setup:
    """How to decode. window, hop: samples at `rate_hz`. slots: windows that fit into the shared memory. decode: `module:function`
    of a function like `audio.blocks`."""

    rate_hz: int
    window: int
    hop: int
    slots: int
    decode: str = "adff_tf.audio:blocks"


@dataclass(frozen=True)
class Filled:
    """A window is in a slot. start: its first sample in the recording."""

    slot: int
    start: int


@dataclass(frozen=True)
class Ended:
    """A file is done. sha256: of its content, as hexadecimal digits, empty where it could not be read. rate_hz: the file's own, 0
    where no decoder told one. samples: its length at the model's rate. error: why it cannot be used, empty where all is well."""

    sha256: str = ""
    rate_hz: int = 0
    samples: int = 0
    error: str = ""


class Worker:
    """One end of the link: decodes a path at a time in the calling thread, while another listens."""

    def __init__(self, link: Connection, memory: int):
        """memory: the descriptor of the shared windows."""
        self._link, self._paths, self._free = (
            link,
            queue.SimpleQueue[bytes](),
            queue.SimpleQueue[int](),
        )
        self._setup: Setup = link.recv()
        module, _, function = self._setup.decode.partition(":")
        self._decode = getattr(importlib.import_module(module), function)
        self._slots = mapped(memory, self._setup)
        self._beaten = 0.0
        for slot in range(self._setup.slots):
            self._free.put(slot)

    def work(self) -> None:
        """Decode what comes, for ever: the process ends when the link does."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._link.send(READY)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 2)  # decoders in C tell standard error of each damaged frame
        while True:
            self._link.send(self._one(os.fsdecode(self._paths.get())))

    def _listen(self) -> None:
        """Sort what comes. A process whose master is gone has nothing to finish."""
        try:
            while True:
                message = self._link.recv()
                (self._paths if isinstance(message, bytes) else self._free).put(message)
        except (EOFError, OSError):
            os._exit(0)

    def _one(self, path: str) -> Ended:
        """Send a file's windows; how it ended."""
        meter = _Meter(self._beat)
        sha256 = ""
        try:
            sha256 = self._hash(path)
            blocks = self._decode(path, self._setup.rate_hz, on_block=meter.heard)
            for start, samples in windows.cut_windows(
                meter.counted(blocks), self._setup.window, self._setup.hop
            ):
                slot = self._free.get()
                self._slots[slot] = samples
                self._link.send(Filled(slot, start))
        except Exception as error:  # whatever a decoder raises is this file's, and the run goes on
            return Ended(sha256, meter.rate_hz, meter.samples, _reason(error))
        return Ended(sha256, meter.rate_hz, meter.samples)

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
        if time.monotonic() - self._beaten > BEAT_S:
            self._beaten = time.monotonic()
            self._link.send(BEAT)


class _Meter:
    """What is learned of a file while it is decoded."""

    def __init__(self, beat) -> None:
        self._beat, self.rate_hz, self.samples = beat, 0, 0

    def heard(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._beat()

    def counted(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for block in blocks:
            self.samples += len(block)
            self._beat()
            yield block


def mapped(memory: int, setup: Setup) -> np.ndarray:
    """The shared windows, `(slots, window)` float32, of their descriptor."""
    shape = setup.slots, setup.window
    return np.frombuffer(mmap.mmap(memory, 4 * setup.slots * setup.window), "float32").reshape(
        shape
    )


def _reason(error: Exception) -> str:
    """Return an error in one line, without the path, which has a column of its own."""
    if isinstance(error, MemoryError):
        return "asks for more memory than any recording needs: it is damaged"
    is_audio = isinstance(error, audio.AudioError)
    text = error.reason if is_audio else f"{type(error).__name__}: {error}"
    return os.fsencode(" ".join(text.split())).decode(errors="backslashreplace")


def main() -> None:
    """The process. Its memory has a bound: what a damaged header asks for is refused, and no other process has to make room for
    it."""
    link, memory = (int(argument) for argument in sys.argv[1:])
    worker = Worker(Connection(link), memory)
    with (
        open("/proc/self/statm") if os.path.exists("/proc/self/statm") else open(os.devnull) as told
    ):
        in_use = int((told.read().split() or ["0"])[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, hard))
    worker.work()
