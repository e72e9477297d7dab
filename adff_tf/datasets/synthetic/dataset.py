"""The built-in data set: a folder of clips made in code, whose valence and arousal are known.

Label range: -1 to 1, computed from each clip's factors (see factors.py).
Group: the clip.
Licence: free of any terms.
Citation: none.

Clip k depends on the seed and on k alone. Key, chord progression, instruments, drums, bass, mix,
room, equaliser and noise floor are drawn too; no label depends on them.

A folder holds `synthetic.json` (the recipe), `audio/<track_id>.flac` (mono, 16 bit) and, once every
clip is there, `labels.csv`: `track_id,path,valence,arousal,group` and the factors.
"""

import concurrent.futures
import dataclasses
import io
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from ...errors import InputError
from ...support.environment import count_cores
from ...support.files import atomic_write
from .. import index as shared
from ..label_files import read_table
from . import composer
from .factors import Factors, draw

NAME = "synthetic"
TERMS = "Made in code by adff-tf; free of any terms."
LAYOUT = (
    "synthetic.json, labels.csv and audio/*.flac, as adff_tf.datasets.synthetic.make writes them"
)

PARTS = {"vocals": "melody", "bass": "bass", "drums": "drums", "other": "chords"}  # by stem
RECIPE, LABELS = "synthetic.json", "labels.csv"
VERSION = 2  # changes with the music or its labels


def clip(
    seed: int, clip_index: int, seconds: float, sample_rate_hz: int = 44100
) -> tuple[Factors, np.ndarray]:
    """Return the factors and the waveform, `(samples,)` float32 within ±1, of one clip of a set."""
    rng = np.random.default_rng([seed, clip_index])
    factors = draw(rng)
    return factors, composer.render(factors, seconds, sample_rate_hz, rng)


def make(
    folder: str | Path,
    clips: int = 400,
    seconds: float = 12.0,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
    sample_rate_hz: int = 44100,
    workers: int | None = None,
    stems: bool = False,
) -> Path:
    """Make the set in `folder`, or complete it; clips that exist stay unchanged.

    Args:
        folder: created if missing.
        clips: number of clips.
        seconds: length of each, at least 2.
        seed: another seed gives another set.
        progress: called without arguments once for each clip, existing or new.
        sample_rate_hz: at least 8000.
        workers: processes, by default one a core. The clips do not depend on it.
        stems: also write the parts of each clip, `stems/TRACK/vocals.flac` (the melody), `bass`,
            `drums` and `other` (the chords).

    Returns:
        `folder`.

    Raises:
        InputError: an argument is out of range; the folder holds other files or a set with another
            recipe; the folder cannot be written.
    """
    recipe = {
        "version": VERSION,
        "clips": _at_least("clips", clips, 1, int),
        "seconds": _at_least("seconds", seconds, 2, float),
        "seed": _at_least("seed", seed, 0, int),
        "sample_rate_hz": _at_least("sample_rate_hz", sample_rate_hz, 8000, int),
    }
    folder = Path(folder).expanduser().absolute()
    try:
        _write_recipe(folder, recipe)
        _render_missing(folder, recipe, progress or (lambda: None), workers, stems)
        for partial in folder.rglob("*.part*"):  # left by a kill
            partial.unlink(missing_ok=True)
        if not (folder / LABELS).exists():
            with atomic_write(folder / LABELS) as temporary:
                _label_table(recipe).to_csv(temporary, index=False)
    except OSError as error:
        raise InputError(
            f"cannot write the synthetic set to {folder}: {error.strerror or error}. "
            "Choose another folder, or give the same command again to resume"
        ) from error
    return folder


def matches(root: Path) -> bool:
    """Return whether the folder holds a synthetic set, finished or not."""
    return (root / RECIPE).is_file()


def labels(root: Path) -> pd.DataFrame:
    """Return every clip: `track_id`, `valence` and `arousal` in [-1, 1], `group`.

    Raise InputError for a set that is unfinished.
    """
    if not (root / LABELS).is_file():
        raise InputError(
            f"{root} holds no finished synthetic set: {LABELS} is missing. Make the set again."
        )
    columns = {"track_id": str, "valence": float, "arousal": float, "group": str}
    return shared.scale_labels(read_table(root / LABELS, columns), -1, 1, root / LABELS)


def index(root: Path) -> shared.Index:
    """Return the clips whose audio is in audio/. Raise InputError."""
    tracks, notes = shared.attach_audio(root, labels(root), ["audio"])
    return shared.make(tracks, NAME, f"{NAME} ({root})", notes)


def scaled_factors(root: Path) -> pd.DataFrame:
    """Return the factors of every clip on [-1, 1], a column each, by `track_id`.

    Raise InputError for a set that is unfinished.
    """
    labels(root)
    table = pd.read_csv(root / LABELS, dtype={"track_id": str}, index_col="track_id")
    names = [field.name for field in dataclasses.fields(Factors)]
    factors = [Factors(**row) for row in table[names].to_dict("records")]
    scaled = {name: [one.scaled(name) for one in factors] for name in names}
    return pd.DataFrame(scaled, index=table.index)


def _at_least(name: str, value, low, kind: type):
    """Return `value` as `kind` (int or float). Raise InputError below `low` or for other types."""
    allowed = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, allowed) or not low <= value < np.inf:
        noun = "a whole number" if kind is int else "a number"
        raise InputError(f"{name} is {value!r}; it must be {noun} of at least {low}")
    return kind(value)


def _write_recipe(folder: Path, recipe: dict) -> None:
    """Write the recipe to the folder. Raise InputError where another recipe or other files are."""
    path = folder / RECIPE
    if path.exists():
        found = _read_recipe(path)
        other = [
            f"{name} {found.get(name)!r}, not {value!r}"
            for name, value in recipe.items()
            if found.get(name) != value
        ]
        if other:
            raise InputError(
                f"{folder} holds a synthetic set with another recipe: {', '.join(other)}. "
                "Give its settings, or choose another folder"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and holds no synthetic set. Choose a new or an empty folder"
        )
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(recipe, indent=2))


def _read_recipe(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(
            f"{path} is no JSON ({error}): {path.parent} is damaged. Choose another folder"
        ) from None


def _render_missing(
    folder: Path, recipe: dict, progress: Callable[[], None], workers: int | None, stems: bool
) -> None:
    """Render every clip that has no file yet, on all cores."""
    wanted = range(recipe["clips"])
    missing = [
        k
        for k in wanted
        if not _audio_path(folder, recipe, k).exists()
        or (stems and not _stem_path(folder, recipe, k, "other").exists())
    ]
    for _ in range(len(wanted) - len(missing)):
        progress()
    workers = min(workers or count_cores(), len(missing))
    if workers <= 1:
        for k in missing:
            _write_clip(folder, recipe, k, stems)
            progress()
        return
    # Spawned, not forked: the caller may hold TensorFlow's threads, which a fork does not survive.
    with concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn")
    ) as pool:
        running = [pool.submit(_write_clip, folder, recipe, k, stems) for k in missing]
        try:
            for done in concurrent.futures.as_completed(running):
                done.result()
                progress()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _track_id(recipe: dict, k: int) -> str:
    return f"{k:0{len(str(recipe['clips'] - 1))}d}"


def _audio_path(folder: Path, recipe: dict, k: int) -> Path:
    return folder / "audio" / f"{_track_id(recipe, k)}.flac"


def _stem_path(folder: Path, recipe: dict, k: int, stem: str) -> Path:
    return folder / "stems" / _track_id(recipe, k) / f"{stem}.flac"


def _write_clip(folder: Path, recipe: dict, k: int, stems: bool = False) -> None:
    """Render clip k and write its audio files; `other`, the last stem, says that all are there."""
    rate = recipe["sample_rate_hz"]
    rng = np.random.default_rng([recipe["seed"], k])
    wave, parts = composer.render_parts(draw(rng), recipe["seconds"], rate, rng)
    for stem, part in PARTS.items() if stems else ():
        place = _stem_path(folder, recipe, k, stem)
        place.parent.mkdir(parents=True, exist_ok=True)
        _write_flac(place, parts[part], rate)
    if not _audio_path(folder, recipe, k).exists():
        _write_flac(_audio_path(folder, recipe, k), wave, rate)


def _write_flac(path: Path, wave: np.ndarray, rate: int) -> None:
    # Encoded in memory: a full disk then raises the OSError of the write, not an encoder's error.
    encoded = io.BytesIO()
    soundfile.write(encoded, wave, rate, format="FLAC", subtype="PCM_16", compression_level=0.0)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def _label_table(recipe: dict) -> pd.DataFrame:
    """Return the content of labels.csv."""
    rows = []
    for k in range(recipe["clips"]):
        factors = draw(np.random.default_rng([recipe["seed"], k]))
        track = _track_id(recipe, k)
        row = {
            "track_id": track,
            "path": f"audio/{track}.flac",
            "valence": factors.valence,
            "arousal": factors.arousal,
            "group": track,
        }
        rows.append(row | dataclasses.asdict(factors))
    return pd.DataFrame(rows)
