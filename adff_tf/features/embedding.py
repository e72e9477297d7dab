"""MusiCNN's embedding of tracks, for a linear baseline.

Where the package musicnn is installed, its 200 penultimate features, the mean over a track's
patches of 3 s, lie as KEY.musicnn.f32 beside the track's log-mel in the feature store, computed
once.
"""

from pathlib import Path

import numpy as np

from .. import audio
from ..model import musicnn_files
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write
from .tracks import Tracks

NAME = "musicnn-linear"  # of the baseline
SIZE = 200


def musicnn_embedding(tracks: Tracks, reporter: Reporter = SILENT) -> np.ndarray | None:
    """Return the embedding of each track, `(tracks, 200)`; None where musicnn is not installed.

    Raises InputError where its files are damaged or of another version.
    """
    if not musicnn_files.is_installed():
        return None
    places = [file.with_suffix(".musicnn.f32") for file in tracks.files]
    missing = {
        place: path
        for place, path in zip(places, tracks.table["path"], strict=True)
        if not place.exists()
    }
    if missing:
        _compute(missing, reporter)
    return np.stack([np.fromfile(place, "<f4") for place in places])


def _compute(missing: dict[Path, str], reporter: Reporter) -> None:
    from ..model.musicnn import PATCH_S, SAMPLE_RATE_HZ, Teacher, cut_patches, log_mel

    network = Teacher(musicnn_files.load_teacher(musicnn_files.read_checkpoint()))
    shortest = int(np.ceil(PATCH_S * SAMPLE_RATE_HZ))
    with reporter.bar("MusiCNN's embedding", len(missing)) as advance:
        for place, path in missing.items():
            waveform = audio.load(path, SAMPLE_RATE_HZ)
            padded = np.pad(waveform, (0, max(0, shortest - len(waveform))))
            found = network.predict(cut_patches(log_mel(padded)))["penultimate"].mean(axis=0)
            with atomic_write(place) as file:
                file.write_bytes(found.astype("<f4").tobytes())
            advance()
