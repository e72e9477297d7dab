"""The engine on one machine: processes decode, threads ask the model, and windows of many files share batches.

Each thread that asks keeps one core at work, and while all wait for windows the decoding processes have the cores, so that none
idles. What is held does not grow with the number or the length of files, but for a file's curve: `ahead` batches, and what the
decoding processes are ahead.
"""

import collections
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from ..inference.model import EmotionModel
from . import table, worker
from .decoders import PATIENCE_S, SLOTS, Decoders, Window
from .table import Row

Answers = dict[str, np.ndarray]


@dataclass(frozen=True)
class Effort:
    """How much of a machine is used. decoders: processes. threads: that ask the model. batch: windows asked at once.
    patience_s: seconds after which a decoder that gets nowhere is ended. decode: see `worker.Setup`."""

    decoders: int
    threads: int
    batch: int
    patience_s: float = PATIENCE_S
    decode: str = worker.Setup.decode

    @classmethod
    def of(cls, cores: int, has_gpu: bool) -> "Effort":
        """What suits a machine, or a part of one: a GPU wants large batches, and two of them, of which one is on its way."""
        return cls(cores, 2, 32) if has_gpu else cls(cores, cores, 4)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Engine:
    """Paths to rows; to be closed after use, as a context."""

    def __init__(self, model: EmotionModel, hop: int, effort: Effort):
        """hop: samples."""
        self._model, self._hop, self._effort, self._columns = (
            model,
            hop,
            effort,
            table.Columns.of(model.task),
        )
        setup = worker.Setup(model.sample_rate_hz, model.window, hop, SLOTS, effort.decode)
        self._decoders = Decoders(setup, effort.decoders, effort.patience_s)
        self._threads = ThreadPoolExecutor(effort.threads, "answer")

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_) -> None:
        self._decoders.__exit__()
        self._threads.shutdown(cancel_futures=True)

    def scored(self, paths: Iterable[bytes]) -> Iterator[Row]:
        """A row a path, as each is done; the order is not that of the paths."""
        files: dict[bytes, _File] = {}
        batches = _Batches(self._model, self._threads, self._effort)
        for event in self._decoders.events(paths):
            file = files.setdefault(event.path, _File(event.path))
            if isinstance(event, Window):
                file.unanswered += 1
                touched = batches.add(file, event.start, event.samples)
            else:
                file.ended = event.ended
                touched = [file]
            yield from self._finished(touched, files)
        yield from self._finished(batches.finish(), files)
        assert not files, "a file without an end"

    def _finished(self, touched: Iterable["_File"], files: dict[bytes, "_File"]) -> Iterator[Row]:
        """The rows of those files that are at their end and wait for no answer."""
        for file in touched:
            if file.ended is not None and not file.unanswered and file.path in files:
                del files[file.path]
                yield self._row(file, file.ended)

    def _row(self, file: "_File", ended: worker.Ended) -> Row:
        if ended.error:
            return self._columns.error(file.path, ended)
        emotion = self._model.emotion(
            os.fsdecode(file.path), ended.samples, self._hop, file.starts, file.answers
        )
        if not table.is_finite(emotion):
            return self._columns.error(
                file.path, replace(ended, error="the model answers with what is no number")
            )
        return self._columns.ok(file.path, ended, emotion)


@dataclass
class _File:
    """A file on its way. starts: of the windows answered so far, in samples; answers: theirs, for some windows each."""

    path: bytes
    unanswered: int = 0
    ended: worker.Ended | None = None
    starts: list[int] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)


class _Batches:
    """Windows gathered to batches, and batches on their way through the model, answered in the order that they were asked."""

    def __init__(self, model: EmotionModel, threads: ThreadPoolExecutor, effort: Effort):
        self._model, self._threads, self._ahead = model, threads, effort.threads + 1
        self._size = effort.batch
        self._begin()
        self._asked: collections.deque[tuple[list[tuple[_File, int]], Future[Answers]]] = (
            collections.deque()
        )

    def _begin(self) -> None:
        self._windows = np.empty((self._size, self._model.window), "float32")
        self._of: list[tuple[_File, int]] = []

    def add(self, file: _File, start: int, samples: np.ndarray) -> list[_File]:
        """Gather a window; waits while enough batches are on their way. The files that were answered meanwhile."""
        self._windows[len(self._of)] = samples
        self._of.append((file, start))
        if len(self._of) < self._size:
            return []
        self._ask()
        return self._answered(self._ahead)

    def finish(self) -> list[_File]:
        """Ask what is left, and wait for all answers."""
        if self._of:
            self._ask()
        return self._answered(0)

    def _ask(self) -> None:
        self._asked.append(
            (self._of, self._threads.submit(self._model.answer, self._windows[: len(self._of)]))
        )
        self._begin()

    def _answered(self, most: int) -> list[_File]:
        """Give answers to their files until no more than `most` batches are on their way."""
        touched = dict[int, _File]()
        while self._asked and (len(self._asked) > most or self._asked[0][1].done()):
            of, future = self._asked.popleft()
            answers = future.result()
            for file in {id(file): file for file, _ in of}.values():
                mine = [k for k, (owner, _) in enumerate(of) if owner is file]
                file.starts += [of[k][1] for k in mine]
                file.answers.append({name: values[mine] for name, values in answers.items()})
                file.unanswered -= len(mine)
                touched[id(file)] = file
        return list(touched.values())
