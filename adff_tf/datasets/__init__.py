"""Data sets of music with valence and arousal: one file each, one table (`index.Index`) for all.

Every module has:
- `NAME`: the value of `kind` that selects it.
- `LAYOUT`: the files that its folder holds.
- `TERMS`: licence and citation, for the model card.
- `matches(root)`: whether a folder has this layout.
- `labels(root)`: the scaled labels of every labelled track, with or without audio.
- `index(root)`: the `Index` of the tracks to train on.

`load` recognises the layout; `load_all` joins several data sets to one index. A new data set is a
new file and an entry in `_MODULES`; the contract suite in tests/datasets/test_contract.py then
requires an example of its folder.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import InputError, format_list
from ..support.files import check_utf8, expand_user
from . import csv_file, deam, emomusic, merge, panda4q, pmemo, quadrants, synthetic
from .index import Index, join

__all__ = ["KINDS", "Index", "kinds", "load", "load_all", "terms"]

_MODULES = {
    module.NAME: module
    for module in (pmemo, deam, emomusic, merge, panda4q, quadrants, synthetic, csv_file)
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
    with _explain_os_errors(root):
        return _load_kind(root, _find_kind(root, kind), label_range)


def load_all(
    roots: Sequence[str | Path],
    kind: str = "auto",
    label_range: tuple[float, float] | None = None,
    weights: Sequence[float] = (),
) -> Index:
    """Return one index of the data sets at `roots`.

    With several, ids and groups name their data set (see `index`).

    Args:
        roots: at least one, as for `load`.
        kind: of every data set, as for `load`.
        label_range: of the CSV files among them, as for `load`.
        weights: weight of each data set in the training loss; 1 each if empty.

    Raises:
        InputError: a data set is given twice, `label_range` belongs to none of them, or one cannot
            be loaded.
    """
    if len(roots) == 1:
        return join([load(roots[0], kind, label_range)], weights)
    folders = [expand_user(root) for root in roots]
    resolved = [folder.resolve() for folder in folders]
    if twice := [root for k, root in enumerate(resolved) if root in resolved[:k]]:
        raise InputError(f"{twice[0]} is given twice in `data`. Give each data set once.")
    indexes, kinds = [], []
    for root in folders:
        with _explain_os_errors(root):
            kinds.append(_find_kind(root, kind))
            own_range = label_range if kinds[-1] == csv_file.NAME else None
            indexes.append(_load_kind(root, kinds[-1], own_range))
    if label_range is not None and csv_file.NAME not in kinds:
        raise InputError(
            f"`label_range` is {label_range}, but the data sets {', '.join(kinds)} know their own. "
            "Leave `label_range` out."
        )
    return join(indexes, weights)


def kinds(source: str) -> list[str]:
    """Return the kinds of the data sets that an index's `source` names, each once."""
    return list(dict.fromkeys(re.findall(rf"(?:^|; )({'|'.join(_MODULES)}) \(", source)))


def terms(source: str) -> str:
    """Return licence and citation of the data sets that an index's `source` names."""
    if not (names := kinds(source)):
        return f"not known: {source} is no data set of this version"
    return " ".join(_MODULES[name].TERMS for name in names)


@contextlib.contextmanager
def _explain_os_errors(root: Path) -> Iterator[None]:
    """Turn the system's refusal to read a data set into InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be read: {error.strerror}. "
            "Give a folder that this user may read."
        ) from None


def _find_kind(root: Path, kind: str) -> str:
    """Return the kind of a data set, recognised if "auto" and checked otherwise."""
    if kind not in ("auto", *KINDS):
        raise InputError(f"`kind` is {kind!r}. Choose one of: auto, {', '.join(KINDS)}.")
    check_utf8([root.absolute()])
    _check_readable(root)
    if kind == "auto":
        return _recognise(root)
    _check_layout(root, kind)
    return kind


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
