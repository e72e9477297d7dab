"""TODO adff_tf.features.store."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .. import audio
from ..config import Frontend
from ..errors import InputError
from ..model import log_mel as front_end
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, expand_user

WORKERS = max(2, os.cpu_count() or 2)


class FeatureStore:
    """Log-mels of recordings in a folder, one `.npy` file each.

    `build` makes what is missing. Files are written under another name and renamed, so that a killed build leaves nothing half done
    and the next one goes on from there.
    """

    def __init__(self, folder: str | Path, frontend: Frontend):
        self.folder = expand_user(folder)
        self.frontend = frontend
        self._contents = self.folder / "contents.json"

    def build(
        self, paths: Sequence[str], reporter: Reporter = SILENT
    ) -> tuple[dict[str, Path], dict[str, str]]:
        """Compute the log-mels that are not here yet.

        Returns the feature file of each path that decoded, and the reason of each that did not. Raises InputError where the
        disk is full, or the folder cannot be used.
        """
        try:
            return self._build(paths, reporter)
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot hold the log-mels: {error.strerror}; give another folder for them by --features"
            ) from None

    def _build(
        self, paths: Sequence[str], reporter: Reporter
    ) -> tuple[dict[str, Path], dict[str, str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        keys, bad = self._keys(paths, reporter)
        files = {path: self.folder / f"{key}.npy" for path, key in keys.items()}
        missing = {
            file: path for path, file in files.items() if not file.exists()
        }  # copies of a recording are computed once
        if missing:
            reasons = self._compute(missing, reporter)
            bad |= {path: reasons[file] for path, file in files.items() if file in reasons}
        return {path: file for path, file in files.items() if path not in bad}, bad

    def _keys(
        self, paths: Sequence[str], reporter: Reporter
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The key of each readable path, and the reason of each that cannot be read.

        A path's content is hashed again only when its size or time of change has changed since the last time.
        """
        known = json.loads(self._contents.read_text()) if self._contents.exists() else {}
        front = self.frontend.model_dump_json()
        keys, bad, fresh = {}, {}, {}
        with (
            reporter.bar("reading recordings", len(paths)) as advance,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            for path, found in zip(
                paths, pool.map(lambda path: _content(path, known), paths), strict=True
            ):
                if isinstance(found, OSError):
                    bad[path] = found.strerror or str(found)
                else:
                    fresh[path] = found
                    keys[path] = hashlib.blake2b(
                        f"{found[-1]} {front}".encode(), digest_size=16
                    ).hexdigest()
                advance()
        if any(known.get(path) != content for path, content in fresh.items()):
            with atomic_write(self._contents) as file:
                file.write_text(json.dumps(known | fresh))
        return keys, bad

    def _compute(self, recordings: dict[Path, str], reporter: Reporter) -> dict[Path, str]:
        """Write each file, the log-mel of its recording; the reason of each whose recording does not decode."""
        files, bad = list(recordings), {}
        waveforms = audio.dataset(list(recordings.values()), self.frontend.sample_rate_hz).prefetch(
            2
        )
        with (
            reporter.bar("computing log-mels", len(files)) as advance,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            writing: list[Future] = []
            for position, waveform, error in waveforms.as_numpy_iterator():
                if error:
                    file = files[position]
                    bad[file] = error.decode()
                else:
                    writing.append(pool.submit(self._write, files[position], waveform))
                while len(writing) > WORKERS:
                    writing.pop(0).result()
                advance()
            for write in writing:
                write.result()
        return bad

    def _write(self, file: Path, waveform: np.ndarray) -> None:
        log_mel = front_end.track_log_mel(waveform, self.frontend)
        with atomic_write(file) as temporary, open(temporary, "wb") as out:
            np.save(out, log_mel)


_HEADER = re.compile(rb"'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\)")


def read_log_mel(file: Path) -> np.ndarray:
    """A file of the store, `(frames, mels)` float32, as a read-only memory map. Raises InputError where it is damaged.

    It is `np.load(file, mmap_mode="r")` for threads: that has Python compile the header, which now and then ends in a SystemError
    where another thread compiles, too (CPython issue 106905). The format: `numpy.lib.format`, version 1.0.
    """
    with open(file, "rb") as stored:
        start = stored.read(10)  # magic, version, length of the header
        length = int.from_bytes(start[8:], "little")
        shape = _HEADER.search(stored.read(length))
        size = os.fstat(stored.fileno()).st_size
    frames, mels = map(int, shape.groups()) if shape else (0, 0)
    if not frames * mels or size != len(start) + length + 4 * frames * mels:
        raise InputError(f"{file} is damaged; remove it and begin again: it is computed anew")
    return np.memmap(file, "float32", "r", len(start) + length, (frames, mels))


def _content(path: str, known: dict) -> list | OSError:
    """[size, time of change in ns, hash of the content] of a file, or why it cannot be read."""
    try:
        stat = os.stat(path)
        before = known.get(path)
        if before and before[:2] == [stat.st_size, stat.st_mtime_ns]:
            return before
        with open(path, "rb") as file:
            return [stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, _blake2b).hexdigest()]
    except OSError as error:
        return error


def _blake2b():
    return hashlib.blake2b(digest_size=16)
