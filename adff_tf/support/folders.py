"""Folders of resumable work: runs, searches, reproductions, catalogues.

A folder has a record, a JSON file of all settings that decide its numbers, and `index.csv`, its
tracks; a catalogue has no `index.csv`. The work has begun once `index.csv` exists; until then its
settings may still change.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from .files import atomic_write, check_utf8, disk_full_error, is_disk_full
from .locks import lock_folder

if TYPE_CHECKING:
    import pandas as pd

INDEX = "index.csv"
TEMPORARY = re.compile(r"\..*\.part\b|\.lock$")  # of `atomic_write` after a kill, and locks

Parse = Callable[[str], dict]  # a record's text to its settings


@contextlib.contextmanager
def locked(folder: Path, record: str, work: str) -> Iterator[None]:
    """Create `folder` where it is missing, and lock it during the block.

    Args:
        folder: the work's.
        record: name of the record's file.
        work: noun in errors, such as "run".

    Raises:
        LockedError: another process works there.
        InputError: the folder holds something else, or cannot be written.
    """
    with _explain_os_errors(folder, work):
        _check_ours(folder, record, work)
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with _explain_os_errors(folder, work):
            stack.enter_context(lock_folder(folder, f"the {work}"))
        yield


def begin(
    folder: Path, record: str, text: str, work: str, advice: str, parse: Parse = json.loads
) -> None:
    """Write the record, or check that the work begun in `folder` has the same settings.

    Args:
        folder, record, work: as for `locked`.
        text: the record's content.
        advice: how to resume the work that is there, for the error.
        parse: returns a record's settings.

    Raises:
        InputError: the folder holds something else, or work with other settings.
    """
    with _explain_os_errors(folder, work):
        _check_ours(folder, record, work)
        if (folder / INDEX).exists():
            check_same(folder, record, text, work, advice, parse)
            return
        with atomic_write(folder / record) as temporary:
            temporary.write_text(text)


def check_same(
    folder: Path, record: str, text: str, work: str, advice: str, parse: Parse = json.loads
) -> None:
    """Raise InputError unless the record in `folder` has the settings in `text`."""
    try:
        before = parse((folder / record).read_text())
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{folder / record} is damaged ({error}); give another folder by `out`"
        ) from None
    if before != (now := parse(text)):
        raise InputError(
            f"{folder} holds a {work} with other settings:\n{differences(before, now)}\n"
            f"Give another folder by `out`, or {advice}"
        )


def other_version(folder: Path, work: str, version: str | None) -> InputError:
    """Return the error for work of another version; None is an unknown one."""
    maker = f"adff-tf {version}" if version else "an earlier adff-tf"
    return InputError(
        f"{folder} holds a {work} by {maker}, which adff-tf {__version__} cannot resume; give "
        f"another folder by `out`, or resume with {maker}"
    )


@contextlib.contextmanager
def _explain_os_errors(folder: Path, work: str) -> Iterator[None]:
    """Turn the system's refusal to use the folder into InputError."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full_error(folder) from None
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; "
            f"give another folder for the {work} by `out`"
        ) from None


def _check_ours(folder: Path, record: str, work: str) -> None:
    """Raise InputError where the folder holds anything but this kind of work."""
    check_utf8([folder.absolute()])
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the {work} by `out`")
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    if (folder / record).exists():  # checked last: another process may be beginning the same work
        return
    if not all(TEMPORARY.match(name) for name in names):
        raise InputError(f"{folder} is not empty and holds no {work}; give another folder by `out`")


def differences(before: Any, now: Any, words: str = "{} there, {} now", name: str = "") -> str:
    """Return the settings that differ, one a line, with both values formatted by `words`."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        parts = (
            differences(before.get(key), now.get(key), words, f"{name}.{key}".lstrip("."))
            for key in keys
        )
        return "\n".join(part for part in parts if part)
    if before == now:
        return ""
    return f"  {name.removeprefix('base.')}: {words.format(before, now)}"


def keep_index(folder: Path, table: "pd.DataFrame", work: str) -> str:
    """Write index.csv, or check that it is unchanged. Return its content. Raises InputError."""
    file, content = folder / INDEX, table.to_csv(index=False)
    # compared as bytes: text mode would change a carriage return in a name
    if file.exists() and file.read_bytes() != content.encode():
        raise InputError(
            f"The data changed since the {work} in {folder} began: its index.csv differs from the "
            "data now, and numbers from different songs cannot be compared. "
            "Give another folder by `out`"
        )
    with atomic_write(file) as temporary:
        temporary.write_bytes(content.encode())
    return content
