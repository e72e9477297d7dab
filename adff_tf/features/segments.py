"""Segments: the pieces of tracks that the network takes (Sections 2.1 and 3.1 of the paper).

Positions and lengths are in frames. A track of n frames is cut as n - 1, because centring gives one
frame more than the track's length in hops; a track shorter than a segment is padded with silence.
Random positions depend on the seed and the epoch alone.
"""

import functools
from collections.abc import Sequence

import numpy as np

from ..config import Experiment, Segments
from ..inference.windows import window_starts
from .tracks import Tracks


def segment_starts(frames: int, segment: int, sampling: str, rng: np.random.Generator) -> list[int]:
    """Return the first frames of a track's segments (Section 3.1).

    A track shorter than a segment has one segment. "simple": one segment at a random position.
    "full": `inference.windows.window_starts` with a hop of one segment: a last segment shorter than
    half a segment is dropped, a longer one is moved back in time to full length.

    Args:
        frames: length of the track.
        segment: length of a segment.
        sampling: "simple" or "full".
        rng: used for "simple" alone.
    """
    if frames <= segment:
        return [0]
    if sampling == "simple":
        return [int(rng.integers(0, frames - segment + 1))]
    return window_starts(frames, segment, hop=segment)


def read_segment(log_mel: np.ndarray, start: int, segment: int, silence_db: float) -> np.ndarray:
    """Return `(segment, mels)` of a track's log-mel, padded with silence past its end."""
    piece = log_mel[start : start + segment]
    if len(piece) == segment:
        return piece
    return np.pad(piece, ((0, segment - len(piece)), (0, 0)), constant_values=silence_db)


class SegmentSet:
    """The segments of some tracks: their positions and log-mels.

    Random positions are drawn once, or with `segments.fresh` again every epoch.

    Args:
        tracks: the tracks to cut.
        frames: length of a segment.
        segments: the settings `sampling` and `fresh`.
        silence_db: value of padding, dB.
        seed: of positions and order.

    Attributes:
        track_rows: the row in `tracks` of each segment's track, `(segments,)`.
    """

    def __init__(
        self, tracks: Tracks, frames: int, segments: Segments, silence_db: float, seed: int = 0
    ):
        self.tracks, self.frames, self.segments = tracks, frames, segments
        self.silence_db, self.seed = silence_db, seed
        # two epochs: batches are read ahead
        self._positions = functools.lru_cache(maxsize=2)(self._draw_positions)
        self.track_rows = np.array([row for row, _ in self._positions(0)])

    def __len__(self) -> int:
        return len(self.track_rows)

    @functools.cached_property
    def is_labelled(self) -> np.ndarray:
        """Whether the track of each segment has emotion labels, `(segments,)` bool."""
        return self.tracks.table["weight"].to_numpy()[self.track_rows] > 0

    def order(self, epoch: int) -> np.ndarray:
        """Return the segment indices in the order of an epoch of training."""
        return np.random.default_rng((self.seed, epoch, 1)).permutation(len(self))

    def read(self, epoch: int, indices: Sequence[int]) -> np.ndarray:
        """Return the log-mels of some segments, `(len(indices), frames, mels)` float32 dB."""
        positions = self._positions(epoch if self.segments.fresh else 0)
        batch = np.empty((len(indices), self.frames, self.tracks.mels), "float32")
        for segment, index in zip(batch, indices, strict=True):
            row, start = positions[index]
            segment[:] = read_segment(self.tracks.log_mel(row), start, self.frames, self.silence_db)
        return batch

    def _draw_positions(self, epoch: int) -> list[tuple[int, int]]:
        """Return the track's row and the first frame of each segment."""
        rng, sampling = np.random.default_rng((self.seed, epoch, 0)), self.segments.sampling
        return [
            (row, start)
            for row, frames in enumerate(self.tracks.frames)
            for start in segment_starts(max(1, int(frames) - 1), self.frames, sampling, rng)
        ]


def segment_set(experiment: Experiment, tracks: Tracks, training: bool) -> SegmentSet:
    """Return the segments of an experiment's tracks, for training or for val and test.

    With `fresh`, training takes one random segment per track, drawn again every epoch; val and test
    segments do not change.
    """
    segments = experiment.segments
    if training and segments.fresh:
        segments = segments.model_copy(update={"sampling": "simple"})
    else:
        segments = segments.model_copy(update={"fresh": False})
    return SegmentSet(
        tracks, experiment.frames, segments, experiment.frontend.floor_db, experiment.training.seed
    )
