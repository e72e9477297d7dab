"""The feature store: log-mels of whole recordings in a folder, computed once per content.

    KEY.f32          raw little-endian float32 `(frames, mels)`, dB, row by row, without a header;
                     frames = size in bytes / 4 / mels. KEY is a hash of the recording's content and
                     of the front-end settings.
    contents.json    size, modification time and content hash of each recording seen

Files are written under another name and renamed: a killed build leaves no partial file, and the
next build computes the rest.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .. import audio
from ..config import Frontend
from ..errors import InputError
from ..model.numpy_log_mel import track_log_mel
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, expand_user

WORKERS = max(2, os.cpu_count() or 2)
_VALUE = np.dtype("<f4")


class FeatureStore:
    """The log-mels of recordings in `folder`, made with `frontend`."""

    def __init__(self, folder: str | Path, frontend: Frontend):
        self.folder = expand_user(folder)
        self.frontend = frontend
        self._contents = self.folder / "contents.json"

    def build(
        self, paths: Sequence[str], reporter: Reporter = SILENT
    ) -> tuple[dict[str, Path], dict[str, str]]:
        """Compute the log-mels that are missing.

        Returns:
            The feature file of each path that decoded, and the reason of each that did not.

        Raises:
            InputError: the disk is full, or the folder cannot be used.
        """
        try:
            return self._build(paths, reporter)
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot hold the log-mels: {error.strerror}; give another folder "
                "for them by `features`"
            ) from None

    def _build(
        self, paths: Sequence[str], reporter: Reporter
    ) -> tuple[dict[str, Path], dict[str, str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        keys, bad = self._keys(paths, reporter)
        files = {path: self.folder / f"{key}.f32" for path, key in keys.items()}
        # by file, so that copies of a recording are computed once
        missing = {file: path for path, file in files.items() if not file.exists()}
        if missing:
            reasons = self._compute(missing, reporter)
            bad |= {path: reasons[file] for path, file in files.items() if file in reasons}
        return {path: file for path, file in files.items() if path not in bad}, bad

    def _keys(
        self, paths: Sequence[str], reporter: Reporter
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the key of each readable path, and the reason of each that cannot be read."""
        known = json.loads(self._contents.read_text()) if self._contents.exists() else {}
        keys, bad, contents = {}, {}, {}
        with (
            reporter.bar("reading recordings", len(paths)) as advance,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            found = pool.map(lambda path: _content(path, known.get(path)), paths)
            for path, content in zip(paths, found, strict=True):
                if isinstance(content, OSError):
                    bad[path] = content.strerror or str(content)
                else:
                    contents[path] = content
                    keys[path] = feature_key(content[-1], self.frontend)
                advance()
        if any(known.get(path) != content for path, content in contents.items()):
            with atomic_write(self._contents) as file:
                file.write_text(json.dumps(known | contents))
        return keys, bad

    def _compute(self, recordings: dict[Path, str], reporter: Reporter) -> dict[Path, str]:
        """Write each recording's log-mel to its file; return the reason of each that failed."""
        files, bad = list(recordings), {}
        dataset = audio.dataset(list(recordings.values()), self.frontend.sample_rate_hz)
        with (
            reporter.bar("computing log-mels", len(files)) as advance,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            writing: list[Future] = []
            for position, waveform, error in dataset.prefetch(2).as_numpy_iterator():
                if error:
                    bad[files[position]] = error.decode()
                else:
                    writing.append(pool.submit(self._write, files[position], waveform))
                while len(writing) > WORKERS:
                    writing.pop(0).result()
                advance()
            for write in writing:
                write.result()
        return bad

    def _write(self, file: Path, waveform: np.ndarray) -> None:
        log_mel = track_log_mel(waveform, self.frontend).astype(_VALUE, copy=False)
        with atomic_write(file) as temporary:
            temporary.write_bytes(log_mel.data)


def content_hash(path: str) -> str:
    """Return the hash of a file's content, hexadecimal. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, _blake2b).hexdigest()


def feature_key(content: str, frontend: Frontend) -> str:
    """Return the name, without suffix, of the log-mel of a content (`content_hash`)."""
    settings = frontend.model_dump_json(exclude=frontend.unstated)
    return _blake2b(f"{content} {settings}".encode()).hexdigest()


def read_log_mel(file: Path, mels: int) -> np.ndarray:
    """Return a file of the store, `(frames, mels)` float32 dB, as a read-only memory map.

    Raises InputError where the file is damaged.
    """
    size, row = file.stat().st_size, _VALUE.itemsize * mels
    if not size or size % row:
        raise InputError(f"{file} is damaged; remove it and begin again: it is computed anew")
    return np.memmap(file, _VALUE, mode="r", shape=(size // row, mels))


def _content(path: str, known: list | None) -> list | OSError:
    """Return [size, modification time in ns, hash] of a file's content, or the error in reading it.

    A file is hashed only where its size or modification time differ from those in `known`.
    """
    try:
        stat = os.stat(path)
        if known and known[:2] == [stat.st_size, stat.st_mtime_ns]:
            return known
        return [stat.st_size, stat.st_mtime_ns, content_hash(path)]
    except OSError as error:
        return error


def _blake2b(data: bytes = b""):
    return hashlib.blake2b(data, digest_size=16)
