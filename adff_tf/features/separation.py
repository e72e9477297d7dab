"""Separate recordings into the stems of `networks.STEMS`, by Demucs.

Demucs (Défossez, ISMIR 2021 workshop; the extra `stems`) downloads its weights at its first use.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from ..errors import InputError, format_list
from ..networks import STEMS
from ..support.console import SILENT, Reporter

DEMUCS = "htdemucs"  # Demucs's own default; its four sources are STEMS
Separate = Callable[[Path], tuple[dict[str, np.ndarray], int]]


def separate_missing(
    table: pd.DataFrame,
    stems: Path,
    separate: Separate | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Write the stems of tracks that have no folder in `stems` yet, a FLAC file each.

    A track's folder appears whole or not at all, so that a repeated call goes on.

    Args:
        table: the index, with `track_id` and `path`.
        stems: the folder of stems.
        separate: returns a recording's stems by name, `(channels, samples)` within ±1, and their
            rate in Hz; Demucs by default.
        reporter: takes progress.

    Raises:
        InputError: after the last track, lists those that could not be separated.
        ModuleNotFoundError: Demucs is not installed.
    """
    rows = [row for row in table.itertuples() if not (stems / str(row.track_id)).is_dir()]
    if not rows:
        return
    separate = separate or load_demucs()
    failed = []
    with reporter.bar("separating recordings", len(rows), minutely=True) as advance:
        for row in rows:
            try:
                found, rate = separate(Path(str(row.path)))
            except Exception as error:  # any type: a separator decodes the recording by itself
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                failed.append(f"{row.track_id}: {reason}")
            else:
                _write(found, rate, stems / str(row.track_id))
            advance()
    if failed:
        raise InputError(
            f"{len(failed)} of {len(rows)} recordings could not be separated:\n"
            f"{format_list(failed, most=20)}\nThe others are in {stems}. Repair or remove these, "
            "or put their stems there yourself"
        )


def load_demucs() -> Separate:
    """Return Demucs as a function of a recording's path.

    Raises:
        InputError: its weights cannot be loaded.
        ModuleNotFoundError: it is not installed.
    """
    from demucs import api

    try:
        separator = api.Separator(DEMUCS)
    except Exception as error:  # any type: a download, a cache, a damaged file
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"Demucs cannot load its weights ({DEMUCS}), which it downloads at its first use: "
            f"{reason}. Connect this machine, or copy Demucs's cache to it"
        ) from error

    def separate(path: Path) -> tuple[dict[str, np.ndarray], int]:
        _, found = separator.separate_audio_file(path)
        return {name: part.cpu().numpy() for name, part in found.items()}, separator.samplerate

    return separate


def _write(found: dict[str, np.ndarray], rate: int, folder: Path) -> None:
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)  # left by a kill
    partial.mkdir(parents=True)
    for stem in STEMS:
        samples = np.clip(found[stem], -1, 1).T
        soundfile.write(partial / f"{stem}.flac", samples, rate, subtype="PCM_16")
    partial.rename(folder)
