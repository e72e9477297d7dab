"""The engine on one machine: processes decode, and threads predict.

Windows of many files share batches. Each thread keeps one core busy, and while all threads wait for
windows the decoding processes have the cores. Memory does not grow with the number or the length of
files, except for a file's curve: the engine holds `threads` + 1 submitted batches, one batch being
filled, and the slots of the decoding processes.
"""

import collections
import contextlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from ..inference.backends import Location, Outputs, load_backend
from ..inference.model import EmotionModel, check_finite
from ..support.console import silence_stderr
from .decoder import FileInfo, Setup
from .decoder_pool import SLOTS, DecodedWindow, DecoderPool
from .settings import EngineSettings
from .table import Columns, Row


class Engine:
    """Maps paths to rows; a context that ends its processes and threads."""

    def __init__(self, model: EmotionModel, hop: int, settings: EngineSettings):
        """Start the processes and threads.

        Args:
            model: predicts.
            hop: samples from one window to the next.
            settings: of `EngineSettings.for_machine`.
        """
        assert settings.decoders and settings.threads and settings.batch
        self._model, self._hop, self._columns = model, hop, Columns.of(model.task)
        self._threads, self._batch = settings.threads, settings.batch
        self._level = settings.level
        setup = Setup(model.sample_rate_hz, model.window, hop, SLOTS)
        self._decoders = DecoderPool(setup, settings.decoders, settings.patience_s)
        self._executor = ThreadPoolExecutor(settings.threads, "predict")

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_) -> None:
        self._decoders.__exit__()
        self._executor.shutdown(cancel_futures=True)

    def predict(self, paths: Iterable[bytes]) -> Iterator[Row]:
        """Yield a row a path, as files are finished; the order differs from that of `paths`."""
        files: dict[bytes, _File] = {}
        batches = _Batches(self._model, self._executor, self._batch, self._threads + 1)
        for event in self._decoders.decode(paths):
            file = files.setdefault(event.path, _File(event.path))
            if isinstance(event, DecodedWindow):
                file.pending += 1
                touched = batches.add(file, event.start, event.samples)
            else:
                file.info = event.info
                touched = [file]
            yield from self._finish(touched, files)
        yield from self._finish(batches.flush(), files)
        assert not files, "a file without an end"

    def _finish(self, touched: Iterable["_File"], files: dict[bytes, "_File"]) -> Iterator[Row]:
        """Yield the rows of files that are decoded and have all outputs, and remove the files."""
        for file in touched:
            if file.info is not None and not file.pending and file.path in files:
                del files[file.path]
                yield self._row(file, file.info)

    def _row(self, file: "_File", info: FileInfo) -> Row:
        if info.error:
            return self._columns.error_row(file.path, info)
        path = os.fsdecode(file.path)
        emotion = self._model.emotion(path, info.samples, self._hop, file.starts, file.outputs)
        try:
            check_finite(emotion.windows)
        except InputError as error:
            return self._columns.error_row(file.path, replace(info, error=str(error)))
        return self._columns.row(file.path, info, emotion.at_level(self._level))


@dataclass
class _File:
    """A file in progress.

    Attributes:
        path: the file's.
        pending: windows without outputs.
        info: set once the file is decoded.
        starts: first sample of each window with outputs.
        outputs: of those windows, in the order of `starts`, some windows each.
    """

    path: bytes
    pending: int = 0
    info: FileInfo | None = None
    starts: list[int] = field(default_factory=list)
    outputs: list[Outputs] = field(default_factory=list)


class _Batches:
    """Gathers windows to batches, and predicts on the batches in threads, in order."""

    def __init__(self, model: EmotionModel, executor: ThreadPoolExecutor, size: int, ahead: int):
        """size: windows of a batch. ahead: batches submitted at once."""
        self._model, self._executor, self._size, self._ahead = model, executor, size, ahead
        self._submitted: collections.deque[tuple[list[tuple[_File, int]], Future[Outputs]]] = (
            collections.deque()
        )
        self._begin()

    def _begin(self) -> None:
        self._windows = np.empty((self._size, self._model.window), "float32")
        self._owners: list[tuple[_File, int]] = []  # file and start of each window

    def add(self, file: _File, start: int, samples: np.ndarray) -> list[_File]:
        """Add a window, and wait while too many batches are submitted.

        Returns the files that received outputs.
        """
        self._windows[len(self._owners)] = samples
        self._owners.append((file, start))
        if len(self._owners) < self._size:
            return []
        self._submit()
        return self._collect(self._ahead)

    def flush(self) -> list[_File]:
        """Predict on the rest, and wait. Return the files that received outputs."""
        if self._owners:
            self._submit()
        return self._collect(0)

    def _submit(self) -> None:
        windows = self._windows[: len(self._owners)]
        future = self._executor.submit(self._model.predict_windows, windows)
        self._submitted.append((self._owners, future))
        self._begin()

    def _collect(self, most: int) -> list[_File]:
        """Give outputs to their files until at most `most` batches are submitted."""
        touched: dict[int, _File] = {}
        while self._submitted and (len(self._submitted) > most or self._submitted[0][1].done()):
            owners, future = self._submitted.popleft()
            outputs = future.result()
            for file in {id(file): file for file, _ in owners}.values():
                rows = [k for k, (owner, _) in enumerate(owners) if owner is file]
                file.starts += [owners[k][1] for k in rows]
                file.outputs.append({name: values[rows] for name, values in outputs.items()})
                file.pending -= len(rows)
                touched[id(file)] = file
        return list(touched.values())


def has_gpu(location: Location) -> bool:
    """Return whether this machine has a GPU that the model uses."""
    if not location.needs_tensorflow:
        return False
    with silence_stderr():
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))


def load_model(location: Location, threads: int) -> EmotionModel:
    """Return the model, loaded for `threads` calling threads that keep one core busy each.

    Batches use the cores better than TensorFlow's own threads inside an operation do.
    Raises InputError.
    """
    if location.needs_tensorflow:
        with silence_stderr():
            import tensorflow as tf

            # TensorFlow keeps its threads where it has already run in this process
            with contextlib.suppress(RuntimeError):
                if threads > 1:
                    tf.config.threading.set_intra_op_parallelism_threads(1)
                    tf.config.threading.set_inter_op_parallelism_threads(threads)
            tf.config.list_logical_devices()
    return EmotionModel(*load_backend(location, callers=threads))
