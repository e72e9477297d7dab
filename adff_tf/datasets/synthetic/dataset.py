"""The built-in set: music made in code, whose valence and arousal are known.

A clip is drawn from eight factors, each uniform and independent of the others:

| factor | range | scaled to | weight |
|---|---|---|---|
| `tempo_bpm` | 60 to 160 | ±1 | arousal 0.04 |
| `density_hz`, onsets a second | 2 to 7 | ±1 | arousal 0.2 |
| `loudness_db`, RMS below full scale | -36 to -16 | ±1 | arousal 0.36 |
| `brightness_db_per_octave`, spectral tilt | -3 to 3 | ±1 | arousal 0.22 |
| `articulation`, from staccato to legato: how long a note sounds of the time to the next | 0.2 to 1 | ±1 | arousal -0.28 |
| `mode`, major or minor | | 1 or -1 | valence 0.15 |
| `consonance`, from semitone clashes and mistuned strings to plain triads | -1 to 1 | ±1 | valence 0.5 |
| `register_semitones`, of chords and melody | -9 to 9 | ±1 | valence 0.35 |

    arousal = clip(1.25 * (weighted sum of its five), -1, 1)
    valence = weighted sum of its three

There is no noise in the labels. Key, chord progression, instruments, drums, bass, mix, room, equaliser and noise floor are
drawn too and no label depends on them. Clip k depends on the seed and on k alone.

A folder holds `synthetic.json` (the recipe), `audio/<track_id>.flac` (mono, 16 bit) and, once every clip is there,
`labels.csv`: `track_id,path,valence,arousal,group` and the factors.
"""

import concurrent.futures
import dataclasses
import io
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from ...errors import InputError
from .. import index as shared
from . import composer

NAME = "synthetic"
TERMS = "Made in code by adff-tf; free of any terms."
LAYOUT = (
    "synthetic.json, labels.csv and audio/*.flac, as adff_tf.datasets.synthetic.make writes them"
)

RANGES = {
    "tempo_bpm": (60.0, 160.0),
    "density_hz": (2.0, 7.0),
    "loudness_db": (-36.0, -16.0),
    "brightness_db_per_octave": (-3.0, 3.0),
    "articulation": (0.2, 1.0),
    "consonance": (-1.0, 1.0),
    "register_semitones": (-9.0, 9.0),
}
AROUSAL = {
    "tempo_bpm": 0.04,
    "density_hz": 0.2,
    "loudness_db": 0.36,
    "brightness_db_per_octave": 0.22,
    "articulation": -0.28,
}
VALENCE = {"mode": 0.15, "consonance": 0.5, "register_semitones": 0.35}
AROUSAL_GAIN = (
    1.25  # five independent parts seldom agree: without it the labels would deviate by 0.31 only
)
RECIPE, LABELS, VERSION = (
    "synthetic.json",
    "labels.csv",
    2,
)  # the version changes with the music or its labels


@dataclasses.dataclass(frozen=True)
class Factors:
    """What a clip is made of and what its labels are computed from; units and ranges in the module's table."""

    tempo_bpm: float
    density_hz: float
    loudness_db: float
    brightness_db_per_octave: float
    articulation: float
    mode: str
    consonance: float
    register_semitones: float

    def scaled(self, name: str) -> float:
        """The factor `name` on [-1, 1]; minor is -1, major 1."""
        value = getattr(self, name)
        if name == "mode":
            return {"minor": -1.0, "major": 1.0}[value]
        low, high = RANGES[name]
        return 2 * (value - low) / (high - low) - 1

    @property
    def arousal(self) -> float:
        """In [-1, 1]."""
        return float(
            np.clip(
                AROUSAL_GAIN * sum(weight * self.scaled(name) for name, weight in AROUSAL.items()),
                -1,
                1,
            )
        )

    @property
    def valence(self) -> float:
        """In [-1, 1]."""
        return sum(weight * self.scaled(name) for name, weight in VALENCE.items())


def draw(rng: np.random.Generator) -> Factors:
    """Eight independent factors."""
    values = {name: float(rng.uniform(low, high)) for name, (low, high) in RANGES.items()}
    return Factors(mode="major" if rng.random() < 0.5 else "minor", **values)


def clip(
    seed: int, number: int, seconds: float, sample_rate_hz: int = 44100
) -> tuple[Factors, np.ndarray]:
    """Clip `number` of the set with this seed: its factors and its waveform, `(samples,)` float32 within ±1."""
    rng = np.random.default_rng([seed, number])
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
) -> Path:
    """Make the set in `folder`, or go on with it: clips that are there stay as they are.

    Args:
        folder: is made if it is missing.
        clips: how many.
        seconds: length of each, at least 2.
        seed: another seed gives another set.
        progress: called without arguments, once a clip that is there (an old one or a new one).
        sample_rate_hz: of the audio, at least 8000.
        workers: processes; by default one a core. The clips do not depend on it.

    Returns:
        `folder`.

    Raises:
        InputError: an argument is out of range, the folder holds something else or a set with another recipe, or it cannot
            be written.
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
        _open(folder, recipe)
        _render_missing(folder, recipe, progress or (lambda: None), workers)
        for partial in folder.rglob("*.part"):  # what a kill left
            partial.unlink(missing_ok=True)
        if not (folder / LABELS).exists():
            _write(folder / LABELS, _table(recipe).to_csv(index=False).encode())
    except OSError as error:
        raise InputError(
            f"cannot write the synthetic set to {folder}: {error.strerror or error}. "
            "Make room or choose another folder; the same command goes on where this one stopped"
        ) from error
    return folder


def matches(root: Path) -> bool:
    """Whether the folder `root` holds a synthetic set, finished or not."""
    return (root / RECIPE).is_file()


def labels(root: Path) -> pd.DataFrame:
    """Every clip: `track_id`, `valence` and `arousal` in [-1, 1], `group` (the clip). Raises InputError if unfinished."""
    if not (root / LABELS).is_file():
        raise InputError(
            f"{root} holds no finished synthetic set: {LABELS} is missing. Make it again, or go on with it."
        )
    columns = {"track_id": str, "valence": float, "arousal": float, "group": str}
    return shared.scaled_labels(shared.read_table(root / LABELS, columns), -1, 1, root / LABELS)


def index(root: Path) -> shared.Index:
    """The clips whose audio is in audio/. Raises InputError."""
    tracks, notes = shared.with_audio(root, labels(root), ["audio"])
    return shared.Index(tracks, "continuous", tuple(notes), f"{NAME} ({root})")


def _at_least(name: str, value, low, kind: type):
    allowed = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, allowed) or not low <= value < np.inf:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"{name} is {value!r}; it must be {what} of at least {low}")
    return kind(value)


def _open(folder: Path, recipe: dict) -> None:
    """Leave the folder with this recipe in it, or refuse it."""
    path = folder / RECIPE
    if path.exists():
        found = _recipe(path)
        other = [
            f"{name} {found.get(name)!r}, not {value!r}"
            for name, value in recipe.items()
            if found.get(name) != value
        ]
        if other:
            raise InputError(
                f"{folder} holds a synthetic set with another recipe: {', '.join(other)}. "
                "Ask for that one, or choose another folder"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and holds no synthetic set. Choose a new or an empty folder"
        )
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(recipe, indent=2).encode())


def _recipe(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(
            f"{path} is no JSON ({error}): {path.parent} is damaged. Choose another folder"
        ) from None


def _render_missing(
    folder: Path, recipe: dict, progress: Callable[[], None], workers: int | None
) -> None:
    """Every clip that has no file yet, on all cores."""
    wanted = range(recipe["clips"])
    missing = [number for number in wanted if not _audio(folder, recipe, number).exists()]
    for _ in range(len(wanted) - len(missing)):
        progress()
    workers = min(workers or _cores(), len(missing))
    if workers <= 1:
        for number in missing:
            _save(folder, recipe, number)
            progress()
        return
    # Spawned, not forked: the caller may hold TensorFlow's threads, which a fork does not survive.
    with concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn")
    ) as pool:
        running = [pool.submit(_save, folder, recipe, number) for number in missing]
        try:
            for done in concurrent.futures.as_completed(running):
                done.result()
                progress()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _track_id(recipe: dict, number: int) -> str:
    return f"{number:0{len(str(recipe['clips'] - 1))}d}"


def _audio(folder: Path, recipe: dict, number: int) -> Path:
    return folder / "audio" / f"{_track_id(recipe, number)}.flac"


def _save(folder: Path, recipe: dict, number: int) -> None:
    """One clip's audio file."""
    _, wave = clip(recipe["seed"], number, recipe["seconds"], recipe["sample_rate_hz"])
    # Encoded in memory: a full disk is then an OSError of the write, not a decoder's riddle.
    encoded = io.BytesIO()
    soundfile.write(
        encoded,
        wave,
        recipe["sample_rate_hz"],
        format="FLAC",
        subtype="PCM_16",
        compression_level=0.0,
    )
    _write(_audio(folder, recipe, number), encoded.getvalue())


def _write(path: Path, content: bytes) -> None:
    """Under another name first, so that a file with the right name is whole."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _table(recipe: dict) -> pd.DataFrame:
    """The content of labels.csv."""
    rows = []
    for number in range(recipe["clips"]):
        factors = draw(np.random.default_rng([recipe["seed"], number]))
        track = _track_id(recipe, number)
        row = {
            "track_id": track,
            "path": f"audio/{track}.flac",
            "valence": factors.valence,
            "arousal": factors.arousal,
        }
        rows.append(row | {"group": track} | dataclasses.asdict(factors))
    return pd.DataFrame(rows)
