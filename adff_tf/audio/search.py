"""Recordings in folders."""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aac", ".opus")  # what is looked for in folders


def recordings(folder: str | Path, unread: list[str]) -> Iterator[str]:
    """The recordings in a folder and those in it, by their suffix, in order of name. What cannot be searched is added to `unread`.

    What is hidden is passed over, such as the `._song.mp3` that macOS lays beside a song on a foreign disk. Links to folders are
    followed, and each folder is searched once.
    """
    searched = set()

    def not_read(error: OSError) -> None:
        unread.append(f"{error.filename} cannot be read: {error.strerror}; what is in it is left out")

    for place, folders, names in os.walk(folder, onerror=not_read, followlinks=True):
        stat = os.stat(place)
        is_new = (stat.st_dev, stat.st_ino) not in searched
        searched.add((stat.st_dev, stat.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if is_new else []
        for name in sorted(names) if is_new else ():
            if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("."):
                yield os.path.join(place, name)
