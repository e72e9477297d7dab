"""Data sets of music with valence and arousal: one file each, one table (`index.Index`) for all.

Each file has `NAME`, `LAYOUT` (what its folder looks like), `TERMS` (licence and citation, for the model card), `matches(root)`,
`labels(root)` (every labelled track, audio or not) and `index(root)` (those to train on). `load` recognises the layout. A new data
set is a new file and a line in `_MODULES`; the contract suite in tests/test_datasets.py then wants a fixture for it.
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
    """The index of the data set at `root`.

    root: its folder, or a CSV file (`path,valence,arousal[,group][,track_id]`).
    kind: one of `KINDS`, or "auto" to recognise it.
    label_range: (low, high), the scale of the labels: needed for "csv", refused for the others, which know their own.
    Raises InputError for a folder that is missing, unreadable or laid out as none of them or as several, for a missing or
    needless label_range, for names that are not UTF-8, and for everything that the data set's own file checks.
    """
    root = expand_user(root)
    if kind not in ("auto", *KINDS):
        raise InputError(
            f"There is no kind of data set {kind!r}. Choose one of: auto, {', '.join(KINDS)}."
        )
    check_utf8([root.absolute()])
    try:
        _check_readable(root)
        kind = _recognised(root) if kind == "auto" else kind
        _check_layout(root, kind)
        return _index(root, kind, label_range)
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be read: {error.strerror}. Give a folder that this user may read."
        ) from None


def terms(source: str) -> str:
    """Licence and citation of the data set that an index's `source` names."""
    module = _MODULES.get(source.split(" ")[0])
    return module.TERMS if module else f"not known: {source} is no data set of this version"


def _check_readable(root: Path) -> None:
    if not root.exists():
        raise InputError(
            f"There is no folder or file {root} (from {Path.cwd()}). Give the folder of a data set, or a CSV file:\n"
            f"{_layouts(KINDS)}"
        )
    if root.is_dir():
        next(root.iterdir(), None)


def _recognised(root: Path) -> str:
    found = [kind for kind, module in _MODULES.items() if module.matches(root)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{root} is laid out as several data sets:\n{_layouts(found)}\nSay which by its kind."
        )
    raise InputError(
        f"{root} is no data set known here. It holds:\n{_contents(root)}\nKnown are:\n{_layouts(KINDS)}"
    )


def _check_layout(root: Path, kind: str) -> None:
    if not _MODULES[kind].matches(root):
        raise InputError(
            f"{root} is not laid out as {kind}. It holds:\n{_contents(root)}\nNeeded:\n{_layouts([kind])}"
        )


def _index(root: Path, kind: str, label_range: tuple[float, float] | None) -> Index:
    if kind != csv_file.NAME:
        if label_range is not None:
            raise InputError(
                f"The label range {label_range} was given, but the data set {kind!r} knows its own. Leave --label-range out."
            )
        return _MODULES[kind].index(root)
    if label_range is None:
        raise InputError(
            "A CSV file does not tell its range: say which scale the labels are on, e.g. --label-range 1 9."
        )
    return csv_file.index(root, label_range)


def _layouts(kinds: Iterable[str]) -> str:
    return format_list((f"{kind}: {_MODULES[kind].LAYOUT}" for kind in kinds), most=len(KINDS))


def _contents(root: Path) -> str:
    """The first names in a folder; of a file, that it is one."""
    if root.is_file():
        return format_list(["(a file, not a folder)"])
    return (
        format_list(sorted(path.name + "/" * path.is_dir() for path in root.iterdir()))
        or "  (nothing)"
    )
