"""Labelling: recordings and their changed copies to log-mels and targets on disk.

    KEY-COPY.log_mel.f16   the student's log-mel, `(frames, mels)` raw little-endian float16, dB
    KEY-COPY.targets.f16   the teacher's targets, `(patches, 1756)` likewise, in TARGETS' order
    labelling.json         the front end and the seed

KEY is the recording's in the feature store. Copy 0 is the recording itself; a held-out recording
has no other. The targets are written last, and under another name first, so that a killed labelling
goes on with the copy that it was at. A copy depends on seed, KEY, its number and the recordings
that may be mixed in, and on nothing else.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import soxr

from .. import audio
from ..errors import InputError
from ..model.musicnn import DIMS, PATCH_S, SAMPLE_RATE_HZ, TARGETS, cut_patches, log_mel
from ..model.numpy_log_mel import track_log_mel
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write
from .augment import MAX_SPEED, augment
from .recordings import Recording
from .settings import Plan

SHORTEST_S = PATCH_S * MAX_SPEED  # every copy has a patch
RECORD = "labelling.json"
_VALUE = np.dtype("<f2")

Job = TypeVar("Job")
Result = TypeVar("Result")


class Labeller(Protocol):
    """Predicts the targets of patches, as `model.musicnn.Teacher` does."""

    def predict(self, patches: np.ndarray) -> dict[str, np.ndarray]:
        """Return `(patches, size)` by the names and sizes of TARGETS."""


@dataclass(frozen=True)
class Copy:
    """A copy of a recording and its files.

    Attributes:
        recording: whose copy it is.
        number: 0 is the recording itself.
        log_mel_file, targets_file: see the module's docstring.
    """

    recording: Recording
    number: int
    log_mel_file: Path
    targets_file: Path

    @property
    def is_labelled(self) -> bool:
        return self.log_mel_file.exists() and self.targets_file.exists()

    def log_mel(self, mels: int) -> np.ndarray:
        """Return the log-mel, `(frames, mels)` float16 dB, as a read-only memory map."""
        return _read(self.log_mel_file, mels)

    def targets(self) -> np.ndarray:
        """Return the targets of the whole patches, `(patches, 1756)` float16, likewise."""
        return _read(self.targets_file, DIMS)


def label(
    recordings: Sequence[Recording],
    folder: Path,
    plan: Plan,
    teacher: Labeller,
    reporter: Reporter = SILENT,
) -> tuple[list[Copy], dict[str, str]]:
    """Label the copies that are not labelled yet.

    Args:
        recordings: all recordings of the pre-training.
        folder: for the files.
        plan: the pre-training's settings.
        teacher: predicts the targets.
        reporter: takes progress.

    Returns:
        The labelled copies, in order of recordings and numbers, and the reason of each path that
        was left out.

    Raises:
        InputError: `folder` holds labels of another front end or seed.
    """
    _check_record(folder, plan)
    copies = [
        _copy(recording, number, folder)
        for recording in recordings
        for number in range(1 if recording.is_held_out else 1 + plan.labelling.copies)
    ]
    missing = [copy for copy in copies if not copy.is_labelled]
    partners = sorted((r for r in recordings if not r.is_held_out), key=lambda r: r.key)
    rate_hz = plan.frontend.sample_rate_hz

    def prepare(copy: Copy) -> tuple[np.ndarray, np.ndarray] | audio.AudioError:
        try:
            waveform = read_waveform(copy, partners, rate_hz, plan.learning.seed)
        except audio.AudioError as error:
            return error
        heard = soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ)
        return track_log_mel(waveform, plan.frontend), cut_patches(log_mel(heard))

    left_out = {}
    with reporter.bar("labelling", len(missing), minutely=True) as advance:
        for copy, prepared in _one_ahead(prepare, missing):
            if isinstance(prepared, audio.AudioError):
                left_out[copy.recording.path] = prepared.reason
            else:
                _write(copy, prepared[0], teacher.predict(prepared[1]))
            advance(note=Path(copy.recording.path).name)
    return [copy for copy in copies if copy.is_labelled], left_out


def read_waveform(copy: Copy, partners: Sequence[Recording], rate_hz: int, seed: int) -> np.ndarray:
    """Return a copy's waveform, `(samples,)` float32.

    Args:
        copy: which.
        partners: recordings that may be mixed in.
        rate_hz: the wanted sample rate.
        seed: of the changes.

    Raises:
        AudioError: the recording does not decode, or is too short.
    """
    recording = copy.recording
    waveform = audio.load(recording.path, rate_hz)
    if len(waveform) < SHORTEST_S * rate_hz:
        seconds = len(waveform) / rate_hz
        raise audio.AudioError(
            recording.path, f"is {seconds:.2f} s long, and {SHORTEST_S:.2f} s are needed"
        )
    if not copy.number:
        return waveform
    rng = np.random.default_rng((seed, int(recording.key, 16), copy.number))
    others = [partner for partner in partners if partner.key != recording.key]

    def second() -> np.ndarray | None:
        if not others:
            return None
        try:
            return audio.load(others[rng.integers(len(others))].path, rate_hz)
        except audio.AudioError:  # it is left out itself
            return None

    return augment(waveform, rate_hz, second, rng)


def _copy(recording: Recording, number: int, folder: Path) -> Copy:
    name = f"{recording.key}-{number}"
    return Copy(recording, number, folder / f"{name}.log_mel.f16", folder / f"{name}.targets.f16")


def _check_record(folder: Path, plan: Plan) -> None:
    """Write labelling.json, or raise InputError where the one that is there differs."""
    frontend = plan.frontend.model_dump(exclude=plan.frontend.unstated)
    text = json.dumps({"frontend": frontend, "seed": plan.learning.seed}, indent=2) + "\n"
    file = folder / RECORD
    if file.exists() and file.read_text() != text:
        raise InputError(
            f"{folder} holds labels of another front end or seed (see {file}); give another folder "
            "by `labelled`, or the same settings"
        )
    with atomic_write(file) as temporary:
        temporary.write_text(text)


def _write(copy: Copy, log_mel: np.ndarray, targets: dict[str, np.ndarray]) -> None:
    joined = np.concatenate([targets[name] for name in TARGETS], axis=1)
    for file, values in ((copy.log_mel_file, log_mel), (copy.targets_file, joined)):
        with atomic_write(file) as temporary:
            temporary.write_bytes(values.astype(_VALUE).tobytes())


def _read(file: Path, columns: int) -> np.ndarray:
    """Return a file's rows. Raises InputError where it is damaged."""
    size, row = file.stat().st_size, _VALUE.itemsize * columns
    if not size or size % row:
        raise InputError(f"{file} is damaged; remove it and begin again: it is computed anew")
    return np.memmap(file, _VALUE, mode="r", shape=(size // row, columns))


def _one_ahead(
    function: Callable[[Job], Result], jobs: Iterable[Job]
) -> Iterator[tuple[Job, Result]]:
    """Yield each job with its result; the next one is computed in a thread meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        before = None
        for job in jobs:
            now = job, pool.submit(function, job)
            if before:
                yield before[0], before[1].result()
            before = now
        if before:
            yield before[0], before[1].result()
