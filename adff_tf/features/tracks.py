"""Tracks: an index whose recordings have log-mels in the feature store.

Statistics of log-mels are per mel band, in dB. Groups of tracks that share a recording are merged,
because a copy in another fold would leak.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Frontend
from ..errors import InputError, format_list
from ..support.console import SILENT, Reporter
from .store import WORKERS, FeatureStore, read_log_mel


@dataclass(frozen=True)
class Tracks:
    """An index with its log-mels.

    Attributes:
        table: the index, one row a track (see `datasets.index`), with the column `features`, the
            file's name in the store: the same for the same content and front end.
        files: the path of each row's file.
        frames: the number of frames of each track, `(tracks,)`.
        mean: mean of each band over a track's frames, `(tracks, mels)`, dB.
        std: standard deviation likewise.
        concepts: columns of the table with mid-level features in [-1, 1], NaN where unknown.
        first_band, file_bands: of the files; by default they hold these bands and no others.
    """

    table: pd.DataFrame
    files: list[Path]
    frames: np.ndarray
    mean: np.ndarray = field(repr=False)
    std: np.ndarray = field(repr=False)
    concepts: tuple[str, ...] = ()
    first_band: int = 0
    file_bands: int | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def mels(self) -> int:
        return self.mean.shape[1]

    def rows(self, rows: np.ndarray) -> "Tracks":
        """Return the tracks of some rows, by index."""
        table = self.table.iloc[rows].reset_index(drop=True)
        files = [self.files[row] for row in rows]
        statistics = {"mean": self.mean[rows], "std": self.std[rows], "frames": self.frames[rows]}
        return replace(self, table=table, files=files, **statistics)

    def bands(self, first: int, count: int) -> "Tracks":
        """Return the tracks with some of their bands."""
        chosen = slice(first, first + count)
        return replace(
            self, mean=self.mean[:, chosen], std=self.std[:, chosen],
            first_band=self.first_band + first, file_bands=self.file_bands or self.mels,
        )  # fmt: skip

    def joined(self, other: "Tracks") -> "Tracks":
        """Return these tracks and then the others, which have the same concepts."""
        return replace(
            self,
            table=pd.concat([self.table, other.table], ignore_index=True),
            files=[*self.files, *other.files],
            frames=np.concatenate([self.frames, other.frames]),
            mean=np.concatenate([self.mean, other.mean]),
            std=np.concatenate([self.std, other.std]),
        )

    def log_mel(self, row: int) -> np.ndarray:
        """Return a track's log-mel, `(frames, mels)` float32 dB, a read-only memory map."""
        # mapped anew at each access: a process may hold 256 to 1024 open files
        log_mel = read_log_mel(self.files[row], self.file_bands or self.mels)
        return log_mel[:, self.first_band : self.first_band + self.mels]

    def standardisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and std of each band over all frames of all tracks, `(mels,)` each, dB.

        No std is below 1 dB.
        """
        weight = (self.frames / self.frames.sum())[:, None]
        mean = (weight * self.mean).sum(axis=0)
        variance = (weight * (self.std**2 + (self.mean - mean) ** 2)).sum(axis=0)
        return mean, np.maximum(np.sqrt(variance), 1.0)


def prepare_tracks(
    tracks: pd.DataFrame,
    folder: str | Path,
    frontend: Frontend,
    skip_bad_audio: bool = False,
    reporter: Reporter = SILENT,
) -> tuple[Tracks, dict[str, str]]:
    """Compute the log-mels of an index that are missing, and merge the groups of copies.

    Args:
        tracks: the index, see `datasets.index`.
        folder: the feature store's folder.
        frontend: settings of the log-mels.
        skip_bad_audio: leave out recordings that do not decode.
        reporter: takes progress and notes.

    Returns:
        The tracks, and the reason of each track left out, by track_id.

    Raises:
        InputError: lists every missing or undecodable recording, unless `skip_bad_audio`; or no
            recording is left.
    """
    files, reasons = FeatureStore(folder, frontend).build(list(tracks["path"]), reporter)
    is_bad = tracks["path"].isin(reasons.keys())
    bad = {row.track_id: f"{row.path}: {reasons[row.path]}" for row in tracks[is_bad].itertuples()}
    listed = format_list(bad.values(), most=50)
    found = f"{len(bad)} of {len(tracks)} recordings cannot be used:\n{listed}"
    if bad and not skip_bad_audio:
        raise InputError(f"{found}\nRepair or remove them, or skip them by `skip_bad_audio`.")
    if is_bad.all():
        raise InputError(f"{found}\nNone is left.")
    table = tracks[~is_bad].reset_index(drop=True)
    kept = [files[path] for path in table["path"]]
    table["features"] = [file.name for file in kept]
    for note in copy_notes(table):
        reporter.log(f"  note: {note}")
    table["group"] = _merge_groups_of_copies(table)
    return Tracks(table, kept, *track_statistics(kept, frontend.mels)), bad


def copy_notes(table: pd.DataFrame) -> list[str]:
    """Return a note on recordings that occur more than once by content; an empty list for none."""
    copies = [
        ", ".join(ids)
        for _, ids in table.groupby("features", sort=False)["track_id"]
        if len(ids) > 1
    ]
    if not copies:
        return []
    return [
        f"{len(copies)} recordings are there more than once, and their groups are one:\n"
        + format_list(copies)
    ]


def _merge_groups_of_copies(table: pd.DataFrame) -> pd.Series:
    """Return the groups; groups that share a recording, directly or in a chain, get one name."""
    group = table["group"]
    while True:
        shared = group.groupby(table["features"]).transform("min")
        merged = shared.groupby(group).transform("min")
        if merged.equals(group):
            return group
        group = merged


def track_statistics(files: list[Path], mels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return `frames`, `mean` and `std` of `Tracks`, of files of the store."""

    def statistics(file: Path) -> tuple[int, np.ndarray, np.ndarray]:
        log_mel = read_log_mel(file, mels)
        mean, std = log_mel.mean(axis=0, dtype="float64"), log_mel.std(axis=0, dtype="float64")
        return len(log_mel), mean, std

    with ThreadPoolExecutor(WORKERS) as pool:
        frames, means, stds = zip(*pool.map(statistics, files), strict=True)
    return np.array(frames), np.stack(means), np.stack(stds)
