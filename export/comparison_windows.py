"""Windows of waveform that artifacts are compared on and calibrated with, `(window,)` float32.

Music comes from the run's own recordings where they still exist, otherwise from
`datasets.synthetic`. Stress windows (silence, a square wave, …) are signals that break front ends.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from adff_tf import audio
from adff_tf.datasets import synthetic
from adff_tf.errors import InputError

MUSIC = "music"  # prefix of the names of windows of music


def music_windows(
    run: Path, count: int, window: int, sample_rate_hz: int, seed: int
) -> tuple[str, list[np.ndarray]]:
    """Return a description of the source, and windows at random places of music.

    Every recording in the run's `index.csv` gives one window, then each gives another, until there
    are enough. A recording shorter than a window is padded with silence, as in training.

    Args:
        run: the run folder.
        count: number of windows.
        window: samples of a window.
        sample_rate_hz: rate of the windows.
        seed: of the choice of places.

    Raises:
        InputError: a damaged index or recording.
    """
    rng = np.random.default_rng(seed)
    paths = [path for path in rng.permutation(_indexed_paths(run)) if Path(path).is_file()]
    if paths:
        source = "the run's recordings"
        chosen = itertools.islice(itertools.cycle(paths), count)
        recordings = (_load(path, sample_rate_hz) for path in chosen)
    else:
        source, seconds = "synthetic music", 1.5 * window / sample_rate_hz
        clips = (synthetic.clip(seed, number, seconds, sample_rate_hz) for number in range(count))
        recordings = (waveform for _, waveform in clips)
    return source, [_cut_at_random(waveform, window, rng) for waveform in recordings]


def stress_windows(window: int, sample_rate_hz: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return windows of extreme signals by name."""
    rng, t = np.random.default_rng(seed), np.arange(window) / sample_rate_hz
    signals: dict[str, Callable[[], np.ndarray]] = {
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
    return {name: signal().astype("float32") for name, signal in signals.items()}


def _indexed_paths(run: Path) -> list[str]:
    """Return the paths in a run's index.csv, none where the run has no index."""
    index = run / "index.csv"
    try:
        return list(pd.read_csv(index, usecols=["path"])["path"]) if index.is_file() else []
    except ValueError as error:  # empty, no table, or without the column
        raise InputError(f"{index} is damaged ({error}); copy it from the run again") from None


def _load(path: str, sample_rate_hz: int) -> np.ndarray:
    try:
        return audio.load(path, sample_rate_hz)
    except audio.AudioError as error:
        raise InputError(
            f"{error}\nThe export compares artifacts on the run's recordings, and this is one of "
            "them. Mend it, or move it away: missing recordings are skipped"
        ) from None


def _cut_at_random(waveform: np.ndarray, window: int, rng: np.random.Generator) -> np.ndarray:
    waveform = np.pad(waveform, (0, max(0, window - len(waveform))))
    start = rng.integers(0, len(waveform) - window + 1)
    return waveform[start : start + window].astype("float32")
