"""Tracks whose features are the log-mels of their separated sources.

A folder of stems has a folder a track, named by track_id, with a recording a stem: `vocals.wav`,
`bass.wav`, `drums.wav`, `other.wav`, or another format. The log-mels of a track's stems lie side by
side in one file of the feature store, `(frames, 4 * mels)`, in the order of `networks.STEMS`.
"""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from ..audio import SUFFIXES
from ..config import Frontend
from ..errors import InputError, format_list
from ..networks import STEMS
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, expand_user
from .store import FeatureStore, read_log_mel
from .tracks import Tracks, track_statistics

MOST_UNEQUAL = 0.01  # of a track's frames, by which its stems may differ in length


def with_stems(
    tracks: Tracks,
    stems: str | Path,
    folder: str | Path,
    frontend: Frontend,
    reporter: Reporter = SILENT,
) -> Tracks:
    """Return tracks with the log-mels of their stems in the place of the mix's.

    Args:
        tracks: of the mix.
        stems: the folder of stems.
        folder: the feature store's.
        frontend: settings of the log-mels.
        reporter: takes progress.

    Raises:
        InputError: lists the tracks with missing, undecodable or unequal stems.
    """
    paths = [_find(expand_user(stems), name) for name in tracks.table["track_id"]]
    missing = [f"{name}: {lack}" for name, lack in zip(tracks.table["track_id"], paths, strict=True)
               if isinstance(lack, str)]  # fmt: skip
    if missing:
        raise InputError(
            f"{len(missing)} of {len(tracks)} tracks have no stems in {stems} "
            f"({', '.join(STEMS)} in a folder named by track_id):\n{format_list(missing, most=20)}"
        )
    found = [path for path in paths if not isinstance(path, str)]
    store = FeatureStore(folder, frontend)
    files, reasons = store.build([str(path) for four in found for path in four], reporter)
    if reasons:
        listed = format_list([f"{path}: {why}" for path, why in reasons.items()], most=20)
        raise InputError(f"{len(reasons)} stems cannot be used:\n{listed}")
    joined = [
        _join([files[str(path)] for path in four], frontend.mels, name)
        for four, name in zip(found, tracks.table["track_id"], strict=True)
    ]
    statistics = track_statistics(joined, len(STEMS) * frontend.mels)
    return dataclasses.replace(
        tracks, files=joined, frames=statistics[0], mean=statistics[1], std=statistics[2]
    )


def _find(stems: Path, track_id: str) -> list[Path] | str:
    """Return a track's recordings in the order of STEMS, or what it lacks."""
    found = []
    for stem in STEMS:
        files = [stems / track_id / f"{stem}{suffix}" for suffix in SUFFIXES]
        there = next((file for file in files if file.is_file()), None)
        if there is None:
            return f"no {stem}"
        found.append(there)
    return found


def _join(files: list[Path], mels: int, track_id: str) -> Path:
    """Return the file with the log-mels of a track's stems side by side, written once."""
    key = hashlib.blake2b(" ".join(file.name for file in files).encode(), digest_size=16)
    joined = files[0].with_name(f"{key.hexdigest()}.f32")
    if joined.exists():
        return joined
    log_mels = [read_log_mel(file, mels) for file in files]
    lengths = [len(log_mel) for log_mel in log_mels]
    if max(lengths) - min(lengths) > max(1, MOST_UNEQUAL * max(lengths)):
        frames = ", ".join(f"{stem} {n}" for stem, n in zip(STEMS, lengths, strict=True))
        raise InputError(
            f"the stems of {track_id} differ in length (frames: {frames}); separate it again"
        )
    side_by_side = np.concatenate([log_mel[: min(lengths)] for log_mel in log_mels], axis=1)
    with atomic_write(joined) as file:
        file.write_bytes(np.ascontiguousarray(side_by_side, "<f4").data)
    return joined
