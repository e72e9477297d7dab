"""The recordings of a pre-training: found in files and folders, named by content, held out."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..audio import SUFFIXES, find_recordings
from ..config import Frontend
from ..errors import InputError, format_list
from ..features.store import content_hash, feature_key
from ..support.console import SILENT, Reporter
from ..support.files import check_utf8, expand_user

WORKERS = 4


@dataclass(frozen=True)
class Recording:
    """A recording to learn from.

    Attributes:
        key: hash of its content and of the front-end settings, as in the feature store.
        path: of the audio file, absolute.
        is_held_out: whether it is not trained on.
    """

    key: str
    path: str
    is_held_out: bool


def find(
    sources: Sequence[str],
    hold_out: str | Path | None,
    fraction: float,
    seed: int,
    frontend: Frontend,
    reporter: Reporter = SILENT,
) -> list[Recording]:
    """Return the recordings of files and folders, each content once, ordered by key.

    A recording is held out if it lies in `hold_out`; without that folder, a fraction is chosen by
    the hash of key and seed, so that most of the choice stays when recordings are added.

    Args:
        sources: audio files, and folders to search to the bottom.
        hold_out: folder or file of the recordings to hold out, or None.
        fraction: share to hold out without `hold_out`, one at least.
        seed: of the choice.
        frontend: settings of the log-mels.
        reporter: takes progress, and folders that cannot be read.

    Raises:
        InputError: a source without a recording, a file that cannot be read, a name that is not
            UTF-8, or none left on one of both sides.
    """
    paths = [path for source in sources for path in _expand(source, reporter)]
    held = list(_expand(str(hold_out), reporter)) if hold_out is not None else []
    by_key: dict[str, str] = {}
    keys = _keys([*held, *paths], frontend, reporter)
    for path, key in keys.items():
        by_key.setdefault(key, path)
    if hold_out is not None:
        held_out = {keys[path] for path in held}
    else:
        count = min(max(1, round(fraction * len(by_key))), len(by_key))
        held_out = set(sorted(by_key, key=lambda key: _draw(seed, key))[:count])
    if len(by_key) < 2 or len(held_out) == len(by_key):
        raise InputError(
            f"{len(by_key)} different recordings were found, {len(held_out)} of them held out; "
            "give two or more, so that one can be held out and one trained on"
        )
    return [Recording(key, path, key in held_out) for key, path in sorted(by_key.items())]


def _expand(source: str, reporter: Reporter) -> Iterator[str]:
    """Yield the recordings of a source. Raises InputError where it has none."""
    path, unread = expand_user(source).absolute(), list[str]()
    found = list(find_recordings(path, unread)) if path.is_dir() else [str(path)]
    for line in unread:
        reporter.log(f"  note: {line}")
    if not found or not path.exists():
        raise InputError(
            f"{source} holds no recording: the path does not exist, or has no file of a known kind "
            f"({', '.join(SUFFIXES)}). Give audio files, or folders with such files"
        )
    yield from found


def _keys(paths: Sequence[str], frontend: Frontend, reporter: Reporter) -> dict[str, str]:
    """Return each path's key. Raises InputError."""
    check_utf8(map(Path, paths))
    keys, bad = {}, []
    with (
        reporter.bar("reading recordings", len(paths)) as advance,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        for path, content in zip(paths, pool.map(_content, paths), strict=True):
            if isinstance(content, OSError):
                bad.append(f"{path}: {content.strerror}")
            else:
                keys[path] = feature_key(content, frontend)
            advance()
    if bad:
        raise InputError(
            f"{len(bad)} recordings cannot be read:\n{format_list(bad)}\nCheck their permissions"
        )
    return keys


def _content(path: str) -> str | OSError:
    """Return the hash of a file's content, or the error in reading it."""
    try:
        return content_hash(path)
    except OSError as error:
        return error


def _draw(seed: int, key: str) -> str:
    """Return a random word of seed and key."""
    return hashlib.blake2b(f"{seed} {key}".encode(), digest_size=16).hexdigest()
