"""Atomic writes: after a kill or a full disk a file is old or new, never half. Checks of paths."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ..errors import InputError, format_list


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    The temporary name is unique on all machines, and keeps the suffix, which some writers need.
    Raises InputError when the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, suffixes = path.name.split(".")[0], "".join(path.suffixes)
    temporary = path.with_name(f".{stem}.{uuid.uuid4().hex[:12]}.part{suffixes}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise disk_full_error(path) from None
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(file: Path) -> str:
    """Return the hash of a file's content."""
    with open(file, "rb") as opened:  # SHA-256 because processors have instructions for it
        return hashlib.file_digest(opened, "sha256").hexdigest()


def expand_user(path: str | Path) -> Path:
    """Return the path with ~ and ~user expanded. Raises InputError for an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path} cannot be used: {error} Give the path in full") from None


def check_empty(folder: Path, what: str, may_hold: Collection[str] = ()) -> None:
    """Raise InputError unless `folder` is missing, empty, or holds only names in `may_hold`.

    `what` names the planned content in errors, such as "the export".
    """
    advice = f"give another folder for {what} by `out`"
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a folder for {what} by `out`")
        names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise InputError(f"{folder} cannot be used: {error.strerror}; {advice}") from None
    if set(names) - set(may_hold):
        raise InputError(
            f"{folder} is not empty, and was left as it is:\n{format_list(names)}\n"
            f"{advice.capitalize()}"
        )


def check_utf8(paths: Iterable[Path]) -> None:
    """Raise InputError for paths that are not UTF-8, which CSV and JSON files cannot hold."""
    odd = [path for path in paths if os.fsencode(path) != str(path).encode(errors="replace")]
    if odd:
        raise InputError(
            f"{len(odd)} names are not UTF-8, and CSV and JSON files cannot hold them:\n"
            f"{format_list(odd)}\nRename them."
        )


def ensure_writable(folder: Path, what: str) -> None:
    """Create `folder` where it is missing. Raises InputError when it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; give another folder for {what} by `out`"
        ) from None


def is_disk_full(error: OSError) -> bool:
    """Return whether a write failed for lack of space. HDF5 states it in its message alone."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return is_full or f"errno = {errno.ENOSPC}" in str(error)


def disk_full_error(path: Path, is_resumable: bool = True) -> InputError:
    """Return the error for a write to `path` that found no space.

    is_resumable: whether the same command continues from there.
    """
    free = shutil.disk_usage(path.parent).free / 2**20
    rest = "again: it resumes, finished parts are kept." if is_resumable else "again."
    return InputError(
        f"The disk is full: {path} cannot be written ({free:.0f} MiB are free there). "
        f"Make room and give the same command {rest}"
    )
