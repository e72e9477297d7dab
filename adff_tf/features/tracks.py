"""TODO adff_tf.features.tracks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Frontend
from ..errors import InputError, format_list
from ..support.console import SILENT, Reporter
from .store import WORKERS, FeatureStore, read_log_mel


@dataclass(frozen=True)
class Tracks:
    """An index whose recordings have log-mels.

    table: the index, one row a track (see `datasets.index`), and `features`, the name of its file in the store, which is the same
    for the same content and front end. files: each row's, whole. frames: how many each has, `(tracks,)`.
    mean, std: of every band over each track's frames, `(tracks, mels)` dB.
    """

    table: pd.DataFrame
    files: list[Path]
    frames: np.ndarray
    mean: np.ndarray = field(repr=False)
    std: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, rows: np.ndarray) -> "Tracks":
        """Some of the tracks, by number."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return Tracks(
            table,
            [self.files[row] for row in rows],
            self.frames[rows],
            self.mean[rows],
            self.std[rows],
        )

    def log_mel(self, row: int) -> np.ndarray:
        """A track's log-mel, `(frames, mels)` float32 dB, a read-only memory map.

        It is opened anew each time: systems allow a process a thousand open files, and some no more than 256.
        """
        return read_log_mel(self.files[row])

    def standardisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and std of each band over all frames of all tracks, `(mels,)` each, dB; no std is below 1 dB."""
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
    """The index with its log-mels, from the feature store in `folder`, and the reason of each track left out, by track_id.

    Groups that share a recording, by its content, are made one: it would be in two folds otherwise. Raises InputError that lists
    every missing or undecodable recording at once, unless `skip_bad_audio`, and where none is left.
    """
    files, reasons = FeatureStore(folder, frontend).build(list(tracks["path"]), reporter)
    is_bad = tracks["path"].isin(reasons.keys())
    bad = {row.track_id: f"{row.path}: {reasons[row.path]}" for row in tracks[is_bad].itertuples()}
    found = f"{len(bad)} of {len(tracks)} recordings cannot be used:\n{format_list(bad.values(), most=50)}"
    if bad and not skip_bad_audio:
        raise InputError(
            f"{found}\nMend or remove them, or go on without them by --skip-bad-audio."
        )
    if is_bad.all():
        raise InputError(f"{found}\nNone is left to go on with.")
    table = tracks[~is_bad].reset_index(drop=True)
    kept = [files[path] for path in table["path"]]
    table["features"] = [file.name for file in kept]
    for note in copy_notes(table):
        reporter.log(f"  note: {note}")
    return Tracks(
        table.assign(group=_merge_groups_of_copies(table)), kept, *_track_statistics(kept)
    ), bad


def copy_notes(table: pd.DataFrame) -> list[str]:
    """The note on recordings that are there more than once, by their content; none where each is there once."""
    same = [
        ", ".join(ids)
        for _, ids in table.groupby("features", sort=False)["track_id"]
        if len(ids) > 1
    ]
    if not same:
        return []
    return [
        f"{len(same)} recordings are there more than once, and their groups are one:\n{format_list(same)}"
    ]


def _merge_groups_of_copies(table: pd.DataFrame) -> pd.Series:
    """The groups, those that share a recording under one name, directly or by way of others."""
    group = table["group"]
    while True:
        shared = group.groupby(table["features"]).transform("min")
        merged = shared.groupby(group).transform("min")
        if merged.equals(group):
            return group
        group = merged


def _track_statistics(files: list[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each file: its frames, and each band's mean and std over them."""

    def of_file(file: Path) -> tuple[int, np.ndarray, np.ndarray]:
        log_mel = read_log_mel(file)
        return (
            len(log_mel),
            log_mel.mean(axis=0, dtype="float64"),
            log_mel.std(axis=0, dtype="float64"),
        )

    with ThreadPoolExecutor(WORKERS) as pool:
        frames, means, deviations = zip(*pool.map(of_file, files), strict=True)
    return np.array(frames), np.stack(means), np.stack(deviations)
