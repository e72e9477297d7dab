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
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from .. import audio
from ..config import Experiment, Frontend, Segments
from ..errors import InputError, listed
from ..model import log_mel as front_end
from ..support.console import SILENT, Listener
from ..support.files import expanded, replaced
from ..tasks import Task

WORKERS = max(2, os.cpu_count() or 2)


# === Feature store ===


class FeatureStore:
    """Log-mels of recordings in a folder, one `.npy` file each.

    `build` makes what is missing. Files are written under another name and renamed, so that a killed build leaves nothing half done
    and the next one goes on from there.
    """

    def __init__(self, folder: str | Path, frontend: Frontend):
        self.folder = expanded(folder)
        self.frontend = frontend
        self._contents = self.folder / "contents.json"

    def build(self, paths: Sequence[str], listener: Listener = SILENT) -> tuple[dict[str, Path], dict[str, str]]:
        """Compute the log-mels that are not here yet.

        Returns the feature file of each path that decoded, and the reason of each that did not. Raises InputError where the
        disk is full, or the folder cannot be used.
        """
        try:
            return self._build(paths, listener)
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot hold the log-mels: {error.strerror}; give another folder for them by --features"
            ) from None

    def _build(self, paths: Sequence[str], listener: Listener) -> tuple[dict[str, Path], dict[str, str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        keys, bad = self._keys(paths, listener)
        files = {path: self.folder / f"{key}.npy" for path, key in keys.items()}
        missing = {file: path for path, file in files.items() if not file.exists()}  # copies of a recording are computed once
        if missing:
            reasons = self._compute(missing, listener)
            bad |= {path: reasons[file] for path, file in files.items() if file in reasons}
        return {path: file for path, file in files.items() if path not in bad}, bad

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
        if any(known.get(path) != content for path, content in fresh.items()):
            with replaced(self._contents) as file:
                file.write_text(json.dumps(known | fresh))
        return keys, bad

    def _compute(self, recordings: dict[Path, str], listener: Listener) -> dict[Path, str]:
        """Write each file, the log-mel of its recording; the reason of each whose recording does not decode."""
        files, bad = list(recordings), {}
        waveforms = audio.dataset(list(recordings.values()), self.frontend.sample_rate_hz).prefetch(2)
        with listener.bar("computing log-mels", len(files)) as advance, ThreadPoolExecutor(WORKERS) as pool:
            writing: list[Future] = []
            for position, waveform, error in waveforms.as_numpy_iterator():
                if error:
                    file = files[position]
                    bad[file] = error.decode().removeprefix(f"{recordings[file]}: ")
                else:
                    writing.append(pool.submit(self._write, files[position], waveform))
                while len(writing) > WORKERS:
                    writing.pop(0).result()
                advance()
            for write in writing:
                write.result()
        return bad

    def _write(self, file: Path, waveform: np.ndarray) -> None:
        log_mel = front_end.track_log_mel(waveform, self.frontend)
        with replaced(file) as temporary, open(temporary, "wb") as out:
            np.save(out, log_mel)


_HEADER = re.compile(rb"'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\)")


def _stored(file: Path) -> np.ndarray:
    """A file of the store, `(frames, mels)` float32, as a read-only memory map. Raises InputError where it is damaged.

    It is `np.load(file, mmap_mode="r")` for threads: that has Python compile the header, which now and then ends in a SystemError
    where another thread compiles, too (CPython issue 106905). The format: `numpy.lib.format`, version 1.0.
    """
    with open(file, "rb") as stored:
        start = stored.read(10)  # magic, version, length of the header
        length = int.from_bytes(start[8:], "little")
        shape = _HEADER.search(stored.read(length))
        size = os.fstat(stored.fileno()).st_size
    frames, mels = map(int, shape.groups()) if shape else (0, 0)
    if not frames * mels or size != len(start) + length + 4 * frames * mels:
        raise InputError(f"{file} is damaged; remove it and begin again: it is computed anew")
    return np.memmap(file, "float32", "r", len(start) + length, (frames, mels))


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
    for the same content and front end. files: each row's, whole. frames: how many each has, `(tracks,)`.
    mean, deviation: of every band over each track's frames, `(tracks, mels)` dB.
    """

    table: pd.DataFrame
    files: list[Path]
    frames: np.ndarray
    mean: np.ndarray = field(repr=False)
    deviation: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, rows: np.ndarray) -> "Tracks":
        """Some of the tracks, by number."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return Tracks(table, [self.files[row] for row in rows], self.frames[rows], self.mean[rows], self.deviation[rows])

    def log_mel(self, row: int) -> np.ndarray:
        """A track's log-mel, `(frames, mels)` float32 dB, a read-only memory map.

        It is opened anew each time: systems allow a process a thousand open files, and some no more than 256.
        """
        return _stored(self.files[row])

    def standardisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each band over all frames of all tracks, `(mels,)` each, dB; no deviation is below 1 dB."""
        weight = (self.frames / self.frames.sum())[:, None]
        mean = (weight * self.mean).sum(axis=0)
        variance = (weight * (self.deviation**2 + (self.mean - mean) ** 2)).sum(axis=0)
        return mean, np.maximum(np.sqrt(variance), 1.0)


def prepare(
    tracks: pd.DataFrame, folder: str | Path, frontend: Frontend, skip_bad_audio: bool = False, listener: Listener = SILENT
) -> tuple[Tracks, dict[str, str]]:
    """The index with its log-mels, from the feature store in `folder`, and the reason of each track left out, by track_id.

    Groups that share a recording, by its content, are made one: it would be in two folds otherwise. Raises InputError that lists
    every missing or undecodable recording at once, unless `skip_bad_audio`, and where none is left.
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
    kept = [files[path] for path in table["path"]]
    table["features"] = [file.name for file in kept]
    for note in copies(table):
        listener.say(f"  note: {note}")
    return Tracks(table.assign(group=_one_group_a_recording(table)), kept, *_track_statistics(kept)), bad


def copies(table: pd.DataFrame) -> list[str]:
    """The note on recordings that are there more than once, by their content; none where each is there once."""
    same = [", ".join(ids) for _, ids in table.groupby("features", sort=False)["track_id"] if len(ids) > 1]
    if not same:
        return []
    return [f"{len(same)} recordings are there more than once, and their groups are one:\n{listed(same)}"]


def _one_group_a_recording(table: pd.DataFrame) -> pd.Series:
    """The groups, those that share a recording under one name, directly or by way of others."""
    group = table["group"]
    while True:
        shared = group.groupby(table["features"]).transform("min")
        merged = shared.groupby(group).transform("min")
        if merged.equals(group):
            return group
        group = merged


def _track_statistics(files: list[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each file: its frames, and each band's mean and deviation over them."""

    def of_file(file: Path) -> tuple[int, np.ndarray, np.ndarray]:
        log_mel = _stored(file)
        return len(log_mel), log_mel.mean(axis=0, dtype="float64"), log_mel.std(axis=0, dtype="float64")

    with ThreadPoolExecutor(WORKERS) as pool:
        frames, means, deviations = zip(*pool.map(of_file, files), strict=True)
    return np.array(frames), np.stack(means), np.stack(deviations)


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
        batch = np.empty((len(numbers), self.frames, self.tracks.mean.shape[1]), "float32")
        for segment, number in zip(batch, numbers, strict=True):
            owner, start = places[number]
            segment[:] = read_segment(self.tracks.log_mel(owner), start, self.frames, self.silence_db)
        return batch

    def _draw(self, epoch: int) -> list[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, epoch, 0))
        return [
            (owner, start)
            for owner, frames in enumerate(self.tracks.frames)
            for start in segment_starts(max(1, int(frames) - 1), self.frames, self.segments.sampling, rng)
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
