"""Writing files so that a kill or a full disk leaves the old one or the new one, never half of one."""

import contextlib
import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ..errors import InputError, format_list


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the place of `path` when the block ends without an error.

    The temporary name is no other's, on whatever machine, and keeps the suffix, which some writers need. Raises InputError where
    the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".{path.name.split('.')[0]}.{uuid.uuid4().hex[:12]}.part{''.join(path.suffixes)}"
    )
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise disk_full_error(path) from None
    finally:
        temporary.unlink(missing_ok=True)


def expand_user(path: str | Path) -> Path:
    """The path with ~ and ~user written out. Raises InputError for a user that there is not."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path} cannot be used: {error} Give the path in full") from None


def check_empty(folder: Path, what: str, may_hold: Collection[str] = ()) -> None:
    """Raise InputError unless `what` can be written to `folder` without touching what is there, but for names that it may hold."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a folder for {what} by --out")
        held = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise InputError(
            f"{folder} cannot be used: {error.strerror}; give another folder for {what} by --out"
        ) from None
    if set(held) - set(may_hold):
        raise InputError(
            f"{folder} is not empty, and was left as it is:\n{format_list(held)}\nGive another folder for {what} by --out"
        )


def check_utf8(paths: Iterable[Path]) -> None:
    """Raise InputError for paths that are not UTF-8, which no CSV file can hold."""
    odd = [path for path in paths if os.fsencode(path) != str(path).encode(errors="replace")]
    if odd:
        raise InputError(
            f"{len(odd)} names are not UTF-8, as what is written about them has to be:\n{format_list(odd)}\nRename them."
        )


def ensure_writable(folder: Path, what: str) -> None:
    """Make the folder for `what` where it is missing. Raises InputError where that, or writing to it, cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; give another folder for {what} by --out"
        ) from None


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed for want of room. HDF5 gives the system's error number in its message alone."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or f"errno = {errno.ENOSPC}" in str(error)


def disk_full_error(path: Path, goes_on: bool = True) -> InputError:
    """The error for a write that found no room. goes_on: whether the same command goes on from there."""
    free = shutil.disk_usage(path.parent).free / 2**20
    return InputError(
        f"The disk is full: {path} cannot be written ({free:.0f} MiB are free there). Make room and give the same command "
        + ("again: what is done is kept, and it goes on from there." if goes_on else "again.")
    )
