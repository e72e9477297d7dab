"""MusiCNN's checkpoint: the files of `MSD_musicnn` in the package musicnn 0.1.0 (ISC licence).

The package is never imported: it needs old versions of TensorFlow and NumPy. Its wheel, its folder
or the installed package is enough. A file counts only with the published content, by SHA-256.
"""

import hashlib
import importlib.util
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import InputError
from ..support.files import expand_user

if TYPE_CHECKING:
    import keras

NAME = "MusiCNN, trained on the Million Song Dataset (musicnn 0.1.0, MSD_musicnn)"
LICENCE = "ISC, Jordi Pons and Xavier Serra 2019"
INSTALL = "pip install --no-deps musicnn==0.1.0"
RATE_HZ = 16_000  # of the waveform that the network takes
INSIDE = PurePosixPath("musicnn", "MSD_musicnn")  # of the wheel
DATA = ".data-00000-of-00001"
SHA256 = {
    DATA: "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    ".index": "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
}

Files = dict[str, bytes]  # by the names in SHA256


def read_checkpoint(given: str | Path | None = None) -> Files:
    """Return the checkpoint's files.

    Args:
        given: the wheel, its unpacked folder, or the folder of the checkpoint; the installed
            package if None.

    Raises:
        InputError: a file is missing, cannot be read, or has another content.
    """
    source = _installed() if given is None else expand_user(given)
    try:
        files = _read_wheel(source) if source.is_file() else _read_folder(source)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"the teacher cannot be read from {source}: {reason}; install it, {INSTALL}, or give "
            "its wheel or folder by `teacher`"
        ) from None
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            raise InputError(
                f"the teacher's file {name} in {source} is damaged or of another version; install "
                f"it again: {INSTALL}"
            )
    return files


def is_installed() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("musicnn") is not None


def load_teacher(files: Files) -> "keras.Model":
    """Return the teacher's network with the weights in the checkpoint's files."""
    from . import musicnn

    # hidden files, as the package has them, have no prefix, and TensorFlow's reader needs one
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "teacher")
        for name, content in files.items():
            Path(f"{prefix}{name}").write_bytes(content)
        return musicnn.load(prefix)


def _installed() -> Path:
    """Return the folder of the installed package. Raises InputError."""
    found = importlib.util.find_spec("musicnn")
    for place in (found.submodule_search_locations or ()) if found else ():
        return Path(place)
    raise InputError(
        f"the teacher is not installed: {INSTALL}. Or give its wheel or folder by `teacher`"
    )


def _read_wheel(wheel: Path) -> Files:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(str(INSIDE / name)) for name in SHA256}


def _read_folder(folder: Path) -> Files:
    place = next((p for p in _places(folder) if (p / ".index").is_file()), folder)
    return {name: (place / name).read_bytes() for name in SHA256}


def _places(folder: Path) -> Iterator[Path]:
    """Yield the folders below or at `folder` that may hold the checkpoint."""
    yield from (folder, folder / INSIDE.name, folder / INSIDE)
