"""Files of the pictures of songs, written as the songs come."""

import re
import warnings
from pathlib import Path

from matplotlib.figure import Figure

from ..inference.emotion import Emotion
from ..support.files import atomic_write
from .effects_picture import draw_effects
from .song_pictures import draw_curve, draw_path, draw_plane, has_plane


class Pictures:
    """Writes the pictures of songs into a folder as the songs come.

    Files: `<song>-curve`, `<song>-path`, `<song>-effects` of a model that explains, and of several
    songs `songs`, each .png and .svg. A path and the plane of songs need both targets; other tasks
    have the curve alone.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._stems: set[str] = set()
        self._songs: list[Emotion] = []

    def add(self, emotion: Emotion) -> list[Path]:
        """Write a song's pictures and return their files."""
        stem = _unused_stem(emotion, self._stems)
        self._stems.add(stem)
        self._songs.append(emotion)
        files = _save(draw_curve(emotion), self.folder / f"{stem}-curve")
        if has_plane(emotion):
            files += _save(draw_path(emotion), self.folder / f"{stem}-path")
        if emotion.effects:
            files += _save(draw_effects(emotion), self.folder / f"{stem}-effects")
        return files

    def finish(self) -> list[Path]:
        """Write the plane of all songs, if there are several, and return its files."""
        if len(self._songs) < 2 or not has_plane(self._songs[0]):
            return []
        return _save(draw_plane(self._songs), self.folder / "songs")


def _save(figure: Figure, stem: Path) -> list[Path]:
    files = []
    with warnings.catch_warnings():  # letters in a song's name that the font lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        warnings.filterwarnings("ignore", "Matplotlib currently does not support .* natively")
        for suffix, options in ((".png", {"dpi": 140}), (".svg", {"metadata": {"Date": None}})):
            files.append(stem.with_name(stem.name + suffix))
            with atomic_write(files[-1]) as file:
                figure.savefig(file, **options)
    return files


def _unused_stem(emotion: Emotion, used: set[str]) -> str:
    """Return the song's name for files, numbered where another song has the same."""
    name = Path("stdin" if emotion.path == "-" else emotion.path).stem
    stem = re.sub(r"[^\w.-]+", "_", name.encode("utf-8", "replace").decode()) or "song"
    numbered = (f"{stem}-{k}" for k in range(2, len(used) + 3))
    return next(name for name in (stem, *numbered) if name not in used)
