"""Recordings in folders."""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aac", ".opus")  # searched for in folders


def find_recordings(folder: str | Path, unread: list[str]) -> Iterator[str]:
    """Yield the recordings in a folder and its subfolders, chosen by suffix, ordered by name.

    Hidden files are skipped, such as the `._song.mp3` that macOS writes on foreign disks. Links to
    folders are followed, and each folder is searched once. Folders that cannot be read are
    appended to `unread` with the reason.
    """
    searched = set()

    def not_read(error: OSError) -> None:
        unread.append(f"{error.filename} cannot be read: {error.strerror}; its files are left out")

    for place, folders, names in os.walk(folder, onerror=not_read, followlinks=True):
        stat = os.stat(place)
        is_new = (stat.st_dev, stat.st_ino) not in searched
        searched.add((stat.st_dev, stat.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if is_new else []
        for name in sorted(names) if is_new else ():
            if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("."):
                yield os.path.join(place, name)
