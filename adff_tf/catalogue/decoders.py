"""Paths to windows, by processes of their own (`worker.py`): a decoder that hangs or crashes costs its file and not the run.

A process that says nothing for `patience_s` although it has room to go on is ended, and so is its file; another takes its place.
What is held is bounded: each process has room for `SLOTS` windows and stands still until one is taken.
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

from . import worker
from .worker import Ended, Setup

SLOTS = 4  # windows that a process may be ahead
PATIENCE_S = 60.0
START_S = 120.0  # to import what decodes, on a machine with much to do


@dataclass(frozen=True)
class Window:
    """A window of a file. samples: `(window,)` float32, good until the next event is asked for. start: its first sample."""

    path: bytes
    start: int
    samples: np.ndarray


@dataclass(frozen=True)
class Done:
    """A file is at its end; all its windows came before."""

    path: bytes
    ended: Ended


class Decoders:
    """A pool of decoding processes, to be closed after use."""

    def __init__(self, setup: Setup, processes: int, patience_s: float = PATIENCE_S):
        self._setup, self._patience_s = setup, patience_s
        self._processes = [_Process(setup) for _ in range(processes)]

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, *_) -> None:
        for process in self._processes:
            process.end()

    def events(self, paths: Iterable[bytes]) -> Iterator[Window | Done]:
        """The windows of every file, in order within a file, those of several files mixed; and a `Done` a file."""
        waiting = iter(paths)
        for process in self._processes:
            process.take(next(waiting, None))
        while busy := [process for process in self._processes if process.path is not None]:
            connection.wait(
                [process.link for process in busy], timeout=min(1.0, self._patience_s / 4)
            )
            for process in busy:
                yield from self._told(process)
                if process.path is None:
                    process.take(next(waiting, None))

    def _told(self, process: "_Process") -> Iterator[Window | Done]:
        """What a process has said by now; a process that is dead or stuck is replaced."""
        path = process.path
        assert path is not None
        for _ in range(2 * self._setup.slots):  # and then the others have their turn
            if process.path is None or not process.link.poll():
                break
            try:
                message = process.link.recv()
            except (EOFError, OSError):
                yield Done(path, Ended(error=process.fate()))
                process.replace()
                return
            process.heard()
            if isinstance(message, worker.Filled):
                yield Window(path, message.start, process.slots[message.slot])
                process.free(message.slot)
            elif isinstance(message, Ended):
                process.path = None
                yield Done(path, message)
        if process.path is not None and process.silent_s > max(
            self._patience_s, 0 if process.is_ready else START_S
        ):
            process.check_started()
            process.replace()
            yield Done(
                path,
                Ended(error=f"its decoder got nowhere for {self._patience_s:g} s, and was ended"),
            )


class _Process:
    """A decoding process, the windows that it shares with this one, and what it is at."""

    def __init__(self, setup: Setup):
        self._setup = setup
        self._memory = _shared_memory(4 * setup.slots * setup.window)
        self.slots = worker.mapped(self._memory, setup)
        self.path: bytes | None = None
        self._start()

    def _start(self) -> None:
        self.link, theirs = connection.Pipe()
        descriptors = theirs.fileno(), self._memory
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"from {worker.__name__} import main; main()",
                *map(str, descriptors),
            ],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
            | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        theirs.close()
        self.is_ready = False
        self._last = time.monotonic()
        self.link.send(self._setup)

    def take(self, path: bytes | None) -> None:
        """Begin a file, if there is one."""
        self.path, self._last = path, time.monotonic()
        if path is not None:
            self._send(path)

    def free(self, slot: int) -> None:
        self._last = time.monotonic()  # it may have waited for this
        self._send(slot)

    def _send(self, message: bytes | int) -> None:
        """One that is dead is noticed where its answer is awaited."""
        try:
            self.link.send(message)
        except OSError:
            return

    def heard(self) -> None:
        self._last, self.is_ready = time.monotonic(), True

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self._last

    def fate(self) -> str:
        """How the process came to its end, as its file's error. Raises RuntimeError where it did not even start."""
        self.check_started()
        status = self._process.wait()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"its decoder crashed ({how})"

    def check_started(self) -> None:
        """No file is to blame for a process that never came up."""
        if not self.is_ready:
            raise RuntimeError("a decoding process did not start; what it said is above")

    def replace(self) -> None:
        """End the process, and start another."""
        self._kill()
        self.path = None
        self._start()

    def _kill(self) -> None:
        self.link.close()
        self._process.kill()
        with contextlib.suppress(
            subprocess.TimeoutExpired
        ):  # it is stuck in the kernel, in a dead network folder
            self._process.wait(5)

    def end(self) -> None:
        self._kill()
        os.close(self._memory)


def _shared_memory(size: int) -> int:
    """A descriptor of memory that vanishes with the last process that has it, however that ends."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("adff-windows")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, size)
    return memory
