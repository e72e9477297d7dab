"""Folders of work that goes on where it was stopped: whose work is in one, and whether its data are still the same.

A folder has a record, a JSON file of all settings that decide its numbers, and `index.csv`, the tracks that it is about. The work
has begun once `index.csv` is there; before that its settings may still be changed.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from . import claims
from .console import SILENT, Advance, Reporter
from .files import atomic_write, check_utf8, disk_full_error, is_disk_full

INDEX = "index.csv"
CLAIM = ".work"  # see claims
UNFINISHED = re.compile(
    r"\..*\.part\b|\.now\."
)  # what `files.replaced` and claims leave where they are killed


@contextlib.contextmanager
def held(folder: Path, record: str, what: str, reporter: Reporter = SILENT) -> Iterator[Reporter]:
    """Keep other processes out of the work in `folder` during the block, which is given the reporter to use: a `WhileHeld`.

    record, what: as for `begin`, which comes next. Raises `claims.Taken` where another process works there, and InputError where
    the folder is something else's.
    """
    name = f"the {_noun(what)} in {folder}"
    with contextlib.ExitStack() as stack:
        with _usable(folder, what):
            _check_ours(folder, record, what)
            claim = stack.enter_context(claims.held(folder / CLAIM, name))
        yield WhileHeld(reporter, claim, name)


class WhileHeld:
    """Passes lines and bars on while the work is held; once another took it over, stops it at the next step by `claims.Taken`."""

    def __init__(self, reporter: Reporter, claim: claims.Claim, what: str) -> None:
        self._listener, self._claim, self._what = reporter, claim, what

    def log(self, text: str) -> None:
        self._check()
        self._listener.log(text)

    @contextlib.contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        with self._listener.bar(label, total, passing, minutely) as advance:

            def checked(steps: int = 1, note: str = "") -> None:
                self._check()
                advance(steps, note)

            yield checked

    def _check(self) -> None:
        if self._claim.lost:
            raise claims.Taken(
                f"{self._what} was taken over by another process, as this one was not heard of for a while. It goes on there; "
                "here it is stopped"
            )


def begin(
    folder: Path,
    record: str,
    text: str,
    what: str,
    go_on: str,
    read: Callable[[str], dict] = json.loads,
) -> None:
    """Write the record, or check that the work begun in `folder` has the same settings.

    text: the record's content; `read` makes settings of it. what: the work in words, such as "a run". go_on: how to go on with
    the work that is there, for the error. Raises InputError where the folder is something else's.
    """
    with _usable(folder, what):
        _check_ours(folder, record, what)
        if (folder / INDEX).exists():
            check_same(folder, record, text, what, go_on, read)
            return
        with atomic_write(folder / record) as temporary:
            temporary.write_text(text)


@contextlib.contextmanager
def _usable(folder: Path, what: str) -> Iterator[None]:
    """Tell what the system says against a folder: it may not be written, its name is too long, its disk is read-only."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full_error(folder) from None
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; give another folder for {what} by --out"
        ) from None


def _check_ours(folder: Path, record: str, what: str) -> None:
    """Raise InputError where the folder holds something, and not this kind of work."""
    check_utf8([folder.absolute()])
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for {what} by --out")
    there = [path.name for path in folder.iterdir()] if folder.exists() else []
    if (
        folder / record
    ).exists():  # looked for last: another process may be beginning the same work
        return
    if not all(name.startswith(CLAIM) or UNFINISHED.match(name) for name in there):
        raise InputError(
            f"{folder} is not empty and holds no {_noun(what)}; give another folder by --out"
        )


def _noun(what: str) -> str:
    return what.split(maxsplit=1)[1]


def check_same(
    folder: Path,
    record: str,
    text: str,
    what: str,
    go_on: str,
    read: Callable[[str], dict] = json.loads,
) -> None:
    """Raise InputError unless the record in `folder` holds the settings of `text`."""
    try:
        before, now = read((folder / record).read_text()), read(text)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{folder / record} is damaged ({error}); give another folder by --out"
        ) from None
    if before != now:
        raise InputError(
            f"{folder} holds {what} with other settings:\n{differences(before, now)}\nGive another folder by --out, or {go_on}"
        )


def differences(before: Any, now: Any, words: str = "{} there, {} now", name: str = "") -> str:
    """The settings that differ, one a line, with both values in those words."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*before, *now])
        parts = (
            differences(before.get(key), now.get(key), words, f"{name}.{key}".lstrip("."))
            for key in names
        )
        return "\n".join(part for part in parts if part)
    return "" if before == now else f"  {name.removeprefix('base.')}: {words.format(before, now)}"


def keep_index(folder: Path, table: pd.DataFrame, what: str) -> str:
    """Write index.csv, or check that it is what the work began with; its content. Raises InputError."""
    file, content = folder / INDEX, table.to_csv(index=False)
    if (
        file.exists() and file.read_bytes() != content.encode()
    ):  # as text, a carriage return in a name would become another
        raise InputError(
            f"The data changed since {what} in {folder} began: its index.csv differs from what is there now, and numbers from "
            "different songs cannot be compared. Give another folder by --out"
        )
    with atomic_write(file) as temporary:
        temporary.write_bytes(content.encode())
    return content
