"""Index to feature store to `tf.data` batches.

The store keeps one log-mel file a track, `(1 + samples // hop, mels)` float32 dB, named after the audio's content and the front
end's settings, so that it is never computed twice and never stale. Segments are cut from it, and a batch is read, in NumPy;
cutting a segment into `seg_num` parts is left to the head of the network, which runs on the accelerator.

What a batch holds depends on (seed, epoch) alone: a run that was killed goes on with the batches it would have had.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from . import audio, features
from .config import Experiment, Frontend, Segments
from .console import SILENT, Listener
from .errors import InputError, listed
from .files import replaced
from .tasks import Task

WORKERS = max(2, os.cpu_count() or 2)


# === Feature store ===


class FeatureStore:
    """Log-mels of recordings in a folder, one `.npy` file each.

    `build` makes what is missing; `log_mel` opens one as a read-only memory map. Files are written under another name and
    renamed, so that a killed build leaves nothing half done and the next one goes on from there.
    """

    def __init__(self, folder: str | Path, frontend: Frontend):
        self.folder = Path(folder)
        self.frontend = frontend
        self._contents = self.folder / "contents.json"

    def build(self, paths: Sequence[str], listener: Listener = SILENT) -> tuple[dict[str, Path], dict[str, str]]:
        """Compute the log-mels that are not here yet.

        Returns the feature file of each path that decoded, and the reason of each that did not. Raises InputError where the
        disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        readable, bad = self._keys(paths, listener)
        missing = [path for path, key in readable.items() if not self._file(key).exists()]
        if missing:
            bad |= self._compute({path: self._file(readable[path]) for path in missing}, listener)
        return {path: self._file(key) for path, key in readable.items() if path not in bad}, bad

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.npy"

    def _keys(self, paths: Sequence[str], listener: Listener) -> tuple[dict[str, str], dict[str, str]]:
        """The key of each readable path, and the reason of each that cannot be read.

        A path's content is hashed again only when its size or time of change has changed since the last time.
        """
        known = json.loads(self._contents.read_text()) if self._contents.exists() else {}
        front = self.frontend.model_dump_json()
        keys, bad, fresh = {}, {}, {}
        with listener.bar("reading recordings", len(paths)) as advance, ThreadPoolExecutor(WORKERS) as pool:
            for path, found in zip(paths, pool.map(lambda path: _content(path, known), paths), strict=True):
                if isinstance(found, OSError):
                    bad[path] = found.strerror or str(found)
                else:
                    fresh[path] = found
                    keys[path] = hashlib.blake2b(f"{found[-1]} {front}".encode(), digest_size=16).hexdigest()
                advance()
        with replaced(self._contents) as file:
            file.write_text(json.dumps(known | fresh))
        return keys, bad

    def _compute(self, files: dict[str, Path], listener: Listener) -> dict[str, str]:
        """Decode the paths and write the log-mel of each to its file; the reason of each that does not decode."""
        paths, bad = list(files), {}
        waveforms = audio.dataset(paths, self.frontend.sample_rate_hz).prefetch(2)
        with listener.bar("computing log-mels", len(paths)) as advance, ThreadPoolExecutor(WORKERS) as pool:
            writing: list[Future] = []
            for position, waveform, error in waveforms.as_numpy_iterator():
                path = paths[position]
                if error:
                    bad[path] = error.decode()
                else:
                    writing.append(pool.submit(self._write, files[path], waveform))
                while len(writing) > WORKERS:
                    writing.pop(0).result()
                advance()
            for write in writing:
                write.result()
        return bad

    def _write(self, file: Path, waveform: np.ndarray) -> None:
        log_mel = features.track_log_mel(waveform, self.frontend)
        with replaced(file) as temporary, open(temporary, "wb") as out:
            np.save(out, log_mel)


def _content(path: str, known: dict) -> list | OSError:
    """[size, time of change in ns, hash of the content] of a file, or why it cannot be read."""
    try:
        stat = os.stat(path)
        before = known.get(path)
        if before and before[:2] == [stat.st_size, stat.st_mtime_ns]:
            return before
        with open(path, "rb") as file:
            return [stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, _blake2b).hexdigest()]
    except OSError as error:
        return error


def _blake2b():
    return hashlib.blake2b(digest_size=16)


# === Tracks with features ===


@dataclass(frozen=True)
class Tracks:
    """An index whose recordings have log-mels.

    table: the index, one row a track (see `datasets.index`), and `features`, the name of its file in the store, which is the same
    for the same content and front end. log_mels: a memory map a row, `(frames, mels)` dB.
    mean, deviation: of every band over each track's frames, `(tracks, mels)` dB.
    """

    table: pd.DataFrame
    log_mels: list[np.ndarray]
    mean: np.ndarray = field(repr=False)
    deviation: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, rows: np.ndarray) -> "Tracks":
        """Some of the tracks, by number."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return Tracks(table, [self.log_mels[row] for row in rows], self.mean[rows], self.deviation[rows])

    def standardisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each band over all frames of all tracks, `(mels,)` each, dB; no deviation is below 1 dB."""
        weight = np.array([len(log_mel) for log_mel in self.log_mels], "float64")[:, None]
        weight = weight / weight.sum()
        mean = (weight * self.mean).sum(axis=0)
        variance = (weight * (self.deviation**2 + (self.mean - mean) ** 2)).sum(axis=0)
        return mean, np.maximum(np.sqrt(variance), 1.0)


def prepare(
    tracks: pd.DataFrame, folder: str | Path, frontend: Frontend, skip_bad_audio: bool = False, listener: Listener = SILENT
) -> tuple[Tracks, dict[str, str]]:
    """The index with its log-mels, from the feature store in `folder`, and the reason of each track left out, by track_id.

    Raises InputError that lists every missing or undecodable recording at once, unless `skip_bad_audio`, and where none is left.
    """
    files, reasons = FeatureStore(folder, frontend).build(list(tracks["path"]), listener)
    is_bad = tracks["path"].isin(reasons.keys())
    bad = {row.track_id: f"{row.path}: {reasons[row.path]}" for row in tracks[is_bad].itertuples()}
    found = f"{len(bad)} of {len(tracks)} recordings cannot be used:\n{listed(bad.values(), most=50)}"
    if bad and not skip_bad_audio:
        raise InputError(f"{found}\nMend or remove them, or go on without them by --skip-bad-audio.")
    if is_bad.all():
        raise InputError(f"{found}\nNone is left to go on with.")
    table = tracks[~is_bad].reset_index(drop=True)
    table["features"] = [files[path].name for path in table["path"]]
    log_mels = [np.load(files[path], mmap_mode="r") for path in table["path"]]
    mean, deviation = _track_statistics(log_mels)
    return Tracks(table, log_mels, mean, deviation), bad


def _track_statistics(log_mels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    def both(log_mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return log_mel.mean(axis=0, dtype="float64"), log_mel.std(axis=0, dtype="float64")

    with ThreadPoolExecutor(WORKERS) as pool:
        means, deviations = zip(*pool.map(both, log_mels), strict=True)
    return np.stack(means), np.stack(deviations)


# === Segments ===


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

    `owner[k]` is the row of the track that segment k is cut from. Random places are drawn once, or with `segments.fresh` anew
    every epoch.
    """

    def __init__(self, tracks: Tracks, frames: int, segments: Segments, silence_db: float, seed: int = 0):
        self.tracks, self.frames, self.segments, self.silence_db, self.seed = tracks, frames, segments, silence_db, seed
        self._places = self._draw(epoch=0)
        self.owner = np.array([owner for owner, _ in self._places])

    def __len__(self) -> int:
        return len(self.owner)

    def order(self, epoch: int) -> np.ndarray:
        """The segments in the order of an epoch of training."""
        return np.random.default_rng((self.seed, epoch, 1)).permutation(len(self))

    def read(self, epoch: int, numbers: Sequence[int]) -> np.ndarray:
        """Log-mels of segments by number, `(len(numbers), frames, mels)` float32 dB."""
        places = self._draw(epoch) if self.segments.fresh else self._places
        log_mels, frames, silence_db = self.tracks.log_mels, self.frames, self.silence_db
        return np.stack([read_segment(log_mels[owner], start, frames, silence_db) for owner, start in (places[n] for n in numbers)])

    def _draw(self, epoch: int) -> list[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, epoch, 0))
        return [
            (owner, start)
            for owner, log_mel in enumerate(self.tracks.log_mels)
            for start in segment_starts(max(1, len(log_mel) - 1), self.frames, self.segments.sampling, rng)
        ]


# === Batches ===


def training_batches(segments: SegmentSet, task: Task, batch_size: int, first_epoch: int = 0) -> tf.data.Dataset:
    """Shuffled batches of one epoch after the other, without end: (log_mel, targets by output name).

    Every epoch has `steps_per_epoch` full batches; the segments left over are other ones each time.
    """
    size = min(batch_size, len(segments))

    def batches() -> Iterator:
        for epoch in itertools.count(first_epoch):
            order = segments.order(epoch)
            for step in range(steps_per_epoch(segments, batch_size)):
                yield epoch, order[step * size : (step + 1) * size]

    return _dataset(segments, task, batches, tf.data.INFINITE_CARDINALITY)


def steps_per_epoch(segments: SegmentSet, batch_size: int) -> int:
    return max(1, len(segments) // batch_size)


def scoring_batches(segments: SegmentSet, task: Task, batch_size: int) -> tf.data.Dataset:
    """All segments once, in order: (log_mel, targets by output name). Random ones stand where epoch 0 put them."""

    def batches() -> Iterator:
        for start in range(0, len(segments), batch_size):
            yield 0, np.arange(start, min(start + batch_size, len(segments)))

    return _dataset(segments, task, batches, -(-len(segments) // batch_size))


def batch_spec(frames: int, mels: int, task: Task) -> tuple:
    """The declared form of a batch: `(batch, frames, mels)` float32 and the targets by output name."""
    target = tf.TensorSpec((None, 1), tf.float32) if task.is_regression else tf.TensorSpec((None,), tf.int64)
    return tf.TensorSpec((None, frames, mels), tf.float32), dict.fromkeys(task.outputs, target)


def check_spec(dataset: tf.data.Dataset, declared: tuple) -> tf.data.Dataset:
    """The dataset itself, if its elements are as declared; otherwise ValueError with both."""
    if dataset.element_spec != declared:
        raise ValueError(f"the pipeline yields\n  {dataset.element_spec}\nbut the network expects\n  {declared}")
    return dataset


def _dataset(segments: SegmentSet, task: Task, batches: Callable[[], Iterator], count: int) -> tf.data.Dataset:
    """`count` batches of (epoch, segment numbers) read, in order, ahead of the accelerator that consumes them."""
    labels = {name: values[segments.owner] for name, values in task.labels(segments.tracks.table).items()}
    if task.is_regression:
        labels = {name: values[:, None] for name, values in labels.items()}
    spec = batch_spec(segments.frames, segments.tracks.mean.shape[1], task)

    def read(epoch, numbers):
        x = tf.numpy_function(segments.read, [epoch, numbers], tf.float32, stateful=False)
        y = {name: tf.gather(tf.constant(values), numbers) for name, values in labels.items()}
        return tf.ensure_shape(x, spec[0].shape), y

    numbers = tf.data.Dataset.from_generator(
        batches, output_signature=(tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), tf.int64))
    )
    dataset = numbers.map(read, num_parallel_calls=2, deterministic=True)
    return _ahead(check_spec(dataset.apply(tf.data.experimental.assert_cardinality(count)), spec))


def _ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetch, on the GPU where there is one alone; several are fed by their distribution strategy."""
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1:
        return dataset.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))
    return dataset.prefetch(2)


def segment_set(experiment: Experiment, tracks: Tracks, training: bool) -> SegmentSet:
    """The segments of an experiment. `fresh` replaces those of training by one a track, anywhere, drawn anew every epoch."""
    segments = experiment.segments
    if training and segments.fresh:
        segments = segments.model_copy(update={"sampling": "simple"})
    else:
        segments = segments.model_copy(update={"fresh": False})
    return SegmentSet(tracks, experiment.frames, segments, experiment.frontend.floor_db, experiment.training.seed)
