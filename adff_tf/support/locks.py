"""One process at a time in a folder.

A lock is a file in the folder that the operating system locks (`filelock`). The system releases
the lock when its process ends, also after `kill -9`. Machines that share a folder need a file
system with locks. Cells of a reproduction, which several machines share, use `paper.leases`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError

LOCK = ".lock"  # name of the file in a locked folder


class LockedError(InputError):
    """Another process works in the folder."""

    def __init__(self, folder: Path, work: str):
        super().__init__(
            f"another process works on {work} in {folder}. Wait for it, stop it, or give another "
            "folder by `out`"
        )
        self.folder, self.work = folder, work


@contextlib.contextmanager
def lock_folder(folder: Path, work: str) -> Iterator[None]:
    """Hold the lock of an existing folder during the block.

    Args:
        folder: holds the lock's file; the file stays there.
        work: names the work in errors, such as "the run".

    Raises:
        LockedError: another process holds the lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(folder, work) from None
    try:
        yield
    finally:
        lock.release()
