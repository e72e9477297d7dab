"""Data sets of music with valence and arousal: one file each, one table (`index.Index`) for all.

Every module has:
- `NAME`: the value of `kind` that selects it.
- `LAYOUT`: the files that its folder holds.
- `TERMS`: licence and citation, for the model card.
- `matches(root)`: whether a folder has this layout.
- `labels(root)`: the scaled labels of every labelled track, with or without audio.
- `index(root)`: the `Index` of the tracks to train on.

`load` recognises the layout. A new data set is a new file and an entry in `_MODULES`; the contract
suite in tests/datasets/test_contract.py then requires an example of its folder.
"""

from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError, format_list
from ..support.files import check_utf8, expand_user
from . import csv_file, deam, emomusic, pmemo, quadrants, synthetic
from .index import Index

__all__ = ["KINDS", "Index", "load", "terms"]

_MODULES = {
    module.NAME: module for module in (pmemo, deam, emomusic, quadrants, synthetic, csv_file)
}
KINDS = tuple(_MODULES)


def load(
    root: str | Path, kind: str = "auto", label_range: tuple[float, float] | None = None
) -> Index:
    """Return the index of the data set at `root`.

    Args:
        root: its folder, or a CSV file (`path,valence,arousal[,group][,track_id]`).
        kind: one of `KINDS`, or "auto" to recognise the layout.
        label_range: (low, high), the scale of the labels. Kind "csv" needs it; the other kinds
            state their own and refuse it.

    Raises:
        InputError: `root` is missing, unreadable, or has the layout of no data set or of several;
            label_range is missing or needless; a name is not UTF-8; a check of the data set's own
            module fails.
    """
    root = expand_user(root)
    if kind not in ("auto", *KINDS):
        raise InputError(f"`kind` is {kind!r}. Choose one of: auto, {', '.join(KINDS)}.")
    check_utf8([root.absolute()])
    try:
        _check_readable(root)
        kind = _recognise(root) if kind == "auto" else kind
        _check_layout(root, kind)
        return _load_kind(root, kind, label_range)
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be read: {error.strerror}. "
            "Give a folder that this user may read."
        ) from None


def terms(source: str) -> str:
    """Return licence and citation of the data set that an index's `source` names."""
    module = _MODULES.get(source.split(" ")[0])
    return module.TERMS if module else f"not known: {source} is no data set of this version"


def _check_readable(root: Path) -> None:
    if not root.exists():
        raise InputError(
            f"There is no folder or file {root} (from {Path.cwd()}). "
            f"Give the folder of a data set, or a CSV file:\n{_format_layouts(KINDS)}"
        )
    if root.is_dir():
        next(root.iterdir(), None)  # OSError for a folder that this user may not list


def _recognise(root: Path) -> str:
    found = [kind for kind, module in _MODULES.items() if module.matches(root)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{root} is laid out as several data sets:\n{_format_layouts(found)}\nGive its `kind`."
        )
    raise InputError(
        f"{root} is no data set known here. It holds:\n{_format_contents(root)}\n"
        f"Known are:\n{_format_layouts(KINDS)}"
    )


def _check_layout(root: Path, kind: str) -> None:
    if not _MODULES[kind].matches(root):
        raise InputError(
            f"{root} is not laid out as {kind}. It holds:\n{_format_contents(root)}\n"
            f"Needed:\n{_format_layouts([kind])}"
        )


def _load_kind(root: Path, kind: str, label_range: tuple[float, float] | None) -> Index:
    if kind != csv_file.NAME:
        if label_range is not None:
            raise InputError(
                f"`label_range` is {label_range}, but the data set {kind!r} knows its own. "
                "Leave `label_range` out."
            )
        return _MODULES[kind].index(root)
    if label_range is None:
        raise InputError(
            f"`label_range` is missing: the CSV file {root} states no scale of its labels. "
            "Give the lowest and the highest value, as in 1 9."
        )
    return csv_file.index(root, label_range)


def _format_layouts(kinds: Iterable[str]) -> str:
    return format_list((f"{kind}: {_MODULES[kind].LAYOUT}" for kind in kinds), most=len(KINDS))


def _format_contents(root: Path) -> str:
    """Return the first names in a folder, one a line."""
    if root.is_file():
        return format_list(["(a file, not a folder)"])
    names = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
    return format_list(names or ["(nothing)"])
