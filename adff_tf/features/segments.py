"""TODO adff_tf.features.segments."""

from collections.abc import Sequence

import numpy as np

from ..config import Experiment, Segments
from .tracks import Tracks


def segment_starts(frames: int, segment: int, sampling: str, rng: np.random.Generator) -> list[int]:
    """First frames of a track's segments (Section 3.1).

    frames, segment: length of the track and of a segment. A track shorter than a segment has one, which is padded. "full": in
    time order; a last one shorter than half a segment is dropped, otherwise it is taken from further forward so that it is
    full length. "simple": one, anywhere.
    """
    if frames <= segment:
        return [0]
    if sampling == "simple":
        return [int(rng.integers(0, frames - segment + 1))]
    starts = list(range(0, frames - segment + 1, segment))
    rest = frames - len(starts) * segment
    if rest and rest >= segment / 2:
        starts.append(frames - segment)
    return starts


def read_segment(log_mel: np.ndarray, start: int, segment: int, silence_db: float) -> np.ndarray:
    """`(segment, mels)` float32 from a track's log-mel; silence where the track is too short."""
    piece = log_mel[start : start + segment]
    if len(piece) == segment:
        return piece
    return np.pad(piece, ((0, segment - len(piece)), (0, 0)), constant_values=silence_db)


class SegmentSet:
    """The segments of some tracks: which there are, and their log-mels.

    `track_rows[k]` is the row of the track that segment k is cut from. Random places are drawn once, or with `segments.fresh` anew
    every epoch.
    """

    def __init__(
        self, tracks: Tracks, frames: int, segments: Segments, silence_db: float, seed: int = 0
    ):
        self.tracks, self.frames, self.segments, self.silence_db, self.seed = (
            tracks,
            frames,
            segments,
            silence_db,
            seed,
        )
        self._places = self._draw(epoch=0)
        self.track_rows = np.array([track_rows for track_rows, _ in self._places])

    def __len__(self) -> int:
        return len(self.track_rows)

    def order(self, epoch: int) -> np.ndarray:
        """The segments in the order of an epoch of training."""
        return np.random.default_rng((self.seed, epoch, 1)).permutation(len(self))

    def read(self, epoch: int, numbers: Sequence[int]) -> np.ndarray:
        """Log-mels of segments by number, `(len(numbers), frames, mels)` float32 dB."""
        places = self._draw(epoch) if self.segments.fresh else self._places
        batch = np.empty((len(numbers), self.frames, self.tracks.mean.shape[1]), "float32")
        for segment, number in zip(batch, numbers, strict=True):
            track_rows, start = places[number]
            segment[:] = read_segment(
                self.tracks.log_mel(track_rows), start, self.frames, self.silence_db
            )
        return batch

    def _draw(self, epoch: int) -> list[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, epoch, 0))
        return [
            (track_rows, start)
            for track_rows, frames in enumerate(self.tracks.frames)
            for start in segment_starts(
                max(1, int(frames) - 1), self.frames, self.segments.sampling, rng
            )
        ]


def segment_set(experiment: Experiment, tracks: Tracks, training: bool) -> SegmentSet:
    """The segments of an experiment. `fresh` replaces those of training by one a track, anywhere, drawn anew every epoch."""
    segments = experiment.segments
    if training and segments.fresh:
        segments = segments.model_copy(update={"sampling": "simple"})
    else:
        segments = segments.model_copy(update={"fresh": False})
    return SegmentSet(
        tracks, experiment.frames, segments, experiment.frontend.floor_db, experiment.training.seed
    )
