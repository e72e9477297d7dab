"""Windows of waveform to calibrate and to compare artifacts on: music, the run's own where it is at hand, and hostile ones."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from .. import audio
from ..datasets import synthetic
from ..errors import InputError

MUSIC = "music"  # what the names of its windows begin with


def of_music(
    run: Path, count: int, window: int, sample_rate_hz: int, seed: int
) -> tuple[str, list[np.ndarray]]:
    """Where they are from, in words, and `count` windows `(window,)` float32 at random places of music.

    Of the recordings that the run's `index.csv` names and that are still there, one after the other and then from the start again;
    or of music made in code (`datasets.synthetic`) where there are none. Silence stands behind one shorter than a window, as
    in training. Raises InputError for an index that is damaged, and for a recording that is.
    """
    rng = np.random.default_rng(seed)
    index = run / "index.csv"
    try:
        named = pd.read_csv(index, usecols=["path"])["path"] if index.is_file() else []
    except (ValueError, pd.errors.ParserError) as error:  # empty, not a table, without the column
        raise InputError(f"{index} is damaged ({error}); copy it from the run again") from None
    paths = [path for path in rng.permutation(named) if Path(path).is_file()]
    if paths:
        recordings = (
            _loaded(path, sample_rate_hz)
            for path in itertools.islice(itertools.cycle(paths), count)
        )
        return "the run's recordings", [
            _any_window(waveform, window, rng) for waveform in recordings
        ]
    seconds = 1.5 * window / sample_rate_hz
    made = (synthetic.clip(seed, number, seconds, sample_rate_hz)[1] for number in range(count))
    return "music made in code", [_any_window(waveform, window, rng) for waveform in made]


def hostile(window: int, sample_rate_hz: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Windows `(window,)` float32 by name that no one would call music: what breaks a front end breaks here."""
    rng, t = np.random.default_rng(seed), np.arange(window) / sample_rate_hz
    shapes: dict[str, Callable[[], np.ndarray]] = {
        "silence": lambda: np.zeros(window),
        "full-scale square wave": lambda: np.sign(np.sin(2 * np.pi * 440 * t) + 1e-9),
        "impulse": lambda: np.where(np.arange(window) == window // 2, 1.0, 0.0),
        "full-scale noise": lambda: rng.uniform(-1, 1, window),
        "noise at -90 dB": lambda: rng.normal(0, 3e-5, window),
        "pure tone": lambda: 0.5 * np.sin(2 * np.pi * 1000 * t),
        "constant": lambda: np.full(window, 0.5),
        "sweep": lambda: (
            0.9 * np.sin(2 * np.pi * (20 * t + (sample_rate_hz / 2 - 20) * t**2 / (2 * t[-1])))
        ),
    }
    return {name: shape().astype("float32") for name, shape in shapes.items()}


def _loaded(path: str, sample_rate_hz: int) -> np.ndarray:
    try:
        return audio.load(path, sample_rate_hz)
    except audio.AudioError as error:
        raise InputError(
            f"{error}\nIt is one of the run's recordings, which artifacts are compared on. Mend it, or move it away: what is not "
            "there is passed over"
        ) from None


def _any_window(waveform: np.ndarray, window: int, rng: np.random.Generator) -> np.ndarray:
    waveform = np.pad(waveform, (0, max(0, window - len(waveform))))
    start = rng.integers(0, len(waveform) - window + 1)
    return waveform[start : start + window].astype("float32")
