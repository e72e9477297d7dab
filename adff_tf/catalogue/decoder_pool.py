"""Paths to windows, by a pool of decoding processes (`decoder.py`).

A process without progress for `patience_s`, although it has free slots, is killed and replaced, and
its file is an error. Memory is bounded: each process has `SLOTS` windows, and waits while all are
full.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection

import numpy as np

from . import decoder
from .decoder import FileInfo, FilledSlot, Setup

SLOTS = 4  # windows that a process may be ahead
START_S = 120.0  # seconds for the imports of a process, on a busy machine


@dataclass(frozen=True)
class DecodedWindow:
    """A window of a file.

    Attributes:
        path: the file's.
        start: its first sample in the recording.
        samples: `(window,)` float32, valid until the next event is taken.
    """

    path: bytes
    start: int
    samples: np.ndarray


@dataclass(frozen=True)
class DecodedFile:
    """The end of a file, after all its windows."""

    path: bytes
    info: FileInfo


class DecoderPool:
    """Decoding processes; a context that ends them."""

    def __init__(self, setup: Setup, processes: int, patience_s: float = 60.0):
        self._slots, self._patience_s = setup.slots, patience_s
        self._processes = [_Process(setup) for _ in range(processes)]

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(self, *_) -> None:
        for process in self._processes:
            process.close()

    def decode(self, paths: Iterable[bytes]) -> Iterator[DecodedWindow | DecodedFile]:
        """Yield each file's windows in order, several files mixed, and each file's end."""
        waiting = iter(paths)
        for process in self._processes:
            process.begin(next(waiting, None))
        while busy := [process for process in self._processes if process.path is not None]:
            links = [process.link for process in busy]
            connection.wait(links, timeout=min(1.0, self._patience_s / 4))
            for process in busy:
                yield from self._receive(process)
                if process.path is None:
                    process.begin(next(waiting, None))

    def _receive(self, process: "_Process") -> Iterator[DecodedWindow | DecodedFile]:
        """Yield the events that a process has sent; replace it where it is dead or stuck."""
        path = process.path
        assert path is not None
        for _ in range(2 * self._slots):  # then the other processes have their turn
            if process.path is None or not process.link.poll():
                break
            try:
                message = process.link.recv()
            except (EOFError, OSError):
                yield DecodedFile(path, FileInfo(error=process.crash_reason()))
                process.restart()
                return
            process.note_progress()
            if isinstance(message, FilledSlot):
                yield DecodedWindow(path, message.start, process.slots[message.slot])
                process.free(message.slot)
            elif isinstance(message, FileInfo):
                process.path = None
                yield DecodedFile(path, message)
        if process.path is not None and process.is_stuck(self._patience_s):
            process.check_started()
            process.restart()
            reason = f"its decoder made no progress for {self._patience_s:g} s, and was ended"
            yield DecodedFile(path, FileInfo(error=reason))


class _Process:
    """A decoding process, the windows shared with it, and the file it decodes."""

    def __init__(self, setup: Setup):
        self._setup = setup
        self._memory = _shared_memory(4 * setup.slots * setup.window)
        self.slots = decoder.map_windows(self._memory, setup)
        self._start()

    def _start(self) -> None:
        self.path: bytes | None = None
        self.link, theirs = connection.Pipe()
        descriptors = theirs.fileno(), self._memory
        code = f"from {decoder.__name__} import main; main()"
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            env=os.environ
            | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        theirs.close()
        self._is_ready, self._progress_at = False, time.monotonic()
        self.link.send(self._setup)

    def begin(self, path: bytes | None) -> None:
        """Begin a file, if there is one."""
        self.path, self._progress_at = path, time.monotonic()
        if path is not None:
            self._send(path)

    def free(self, slot: int) -> None:
        """Let the process fill a slot again. It may have waited for this, so its time restarts."""
        self._progress_at = time.monotonic()
        self._send(slot)

    def _send(self, message: bytes | int) -> None:
        with contextlib.suppress(OSError):  # a dead process is noticed when it is read from
            self.link.send(message)

    def note_progress(self) -> None:
        self._progress_at, self._is_ready = time.monotonic(), True

    def is_stuck(self, patience_s: float) -> bool:
        patience_s = max(patience_s, 0 if self._is_ready else START_S)
        return time.monotonic() - self._progress_at > patience_s

    def crash_reason(self) -> str:
        """Return how the process ended. Raises RuntimeError for one that never started."""
        self.check_started()
        status = self._process.wait()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"its decoder crashed ({how})"

    def check_started(self) -> None:
        """Raise RuntimeError for a process that never started: no file is to blame."""
        if not self._is_ready:
            raise RuntimeError("a decoding process did not start; its output is above")

    def restart(self) -> None:
        """Replace the process."""
        self._kill()
        self._start()

    def close(self) -> None:
        """End the process for good."""
        self._kill()
        os.close(self._memory)

    def _kill(self) -> None:
        self.link.close()
        self._process.kill()
        # a process that hangs in the kernel, in a dead network folder, is left behind
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)


def _shared_memory(size: int) -> int:
    """Return a descriptor of memory that the system frees with the last process that holds it."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("adff-windows")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, size)
    return memory
