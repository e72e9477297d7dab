"""A trained model asked about recordings: values for the song, and a curve over windows.

Conventions. A window is one segment as in training, `seg_len` seconds of waveform at the model's rate; its log-mel is computed from
its own samples alone, so that a window has the same values wherever it was cut from. Windows start every `hop_s` seconds; what is
left behind the last whole one, if it is half a hop or more, is covered by a window taken from further forward (with a hop of one
window that is training's rule, `pipeline.segment_starts`). A song shorter than a window is padded with silence, as in training.
The song's value is the mean over its windows, of class probabilities too; `deviation` is the windows' sample standard deviation.
Valence and arousal are in units of [-1, 1], linear outputs: a value may lie a little outside.
"""

import functools
import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import audio
from ..config import Experiment
from ..errors import InputError
from ..model.model_file import load_network, located
from ..tasks import PROBABILITIES, TASKS, Task

if TYPE_CHECKING:
    import keras

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]

BATCH = 8  # windows answered at once, if they are not of more than
BATCH_S = 40.0  # seconds together: more is no faster on a CPU, and each takes some 10 MB of memory
ENVELOPE_HZ = 20  # peaks a second kept of the waveform, for plots


# === What a recording feels like ===


@dataclass(frozen=True)
class Emotion:
    """The answer for one recording.

    task: what was predicted. path: where the recording was, or a name for it. seconds: its length. window_s, hop_s: of the curve.
    start, end: of each window, `(windows,)` seconds; `end` never passes the recording's.
    windows: values by network output, `(windows,)` for a target and `(windows, classes)` for `probabilities`.
    scale: the ends of the targets' scale. peaks: the greatest |sample| of each 1/20 s, `(seconds * 20,)`.
    """

    task: Task
    path: str
    seconds: float
    window_s: float
    hop_s: float
    start: np.ndarray
    end: np.ndarray
    windows: dict[str, np.ndarray]
    scale: tuple[float, float] = (-1.0, 1.0)
    peaks: np.ndarray = field(default_factory=lambda: np.zeros(0, "float32"), repr=False)

    def __getattr__(self, name: str) -> float:
        """`valence` and `arousal`, where the model predicts them as numbers."""
        if name.startswith("_") or name in type(self).__dataclass_fields__:  # asked for while a copy is made, which has nothing yet
            raise AttributeError(name)
        if name in ("valence", "arousal") and name in self.values:
            return self.values[name]
        raise AttributeError(f"no {name!r} here: the task is {self.task.name}, which gives {', '.join(self.task.outputs)}")

    @functools.cached_property
    def values(self) -> dict[str, float]:
        """Each target's mean over the windows; empty for classes."""
        return {name: float(self.windows[name].mean()) for name in self._numbers}

    @property
    def deviation(self) -> dict[str, float | None]:
        """Each target's sample standard deviation over the windows, None where there is one window; empty for classes."""
        return {name: float(self.windows[name].std(ddof=1)) if len(self.start) > 1 else None for name in self._numbers}

    @property
    def probabilities(self) -> dict[str, float]:
        """Each class's probability, the mean over the windows; empty for numbers."""
        if self.task.is_regression:
            return {}
        return dict(zip(self.task.classes, self.windows[PROBABILITIES].mean(axis=0).tolist(), strict=True))

    @property
    def label(self) -> str | None:
        """The likeliest class; None for numbers."""
        return max(self.probabilities, key=self.probabilities.__getitem__) if self.probabilities else None

    @property
    def quadrant(self) -> str | None:
        """Q1 (+V +A), Q2 (-V +A), Q3 (-V -A), Q4 (+V -A); None where the task does not tell it."""
        if self.task.name == "quadrant":
            return self.label
        if self.task.name != "both":
            return None
        valence, arousal = (np.array(self.values[name] - sum(self.scale) / 2) for name in ("valence", "arousal"))
        return TASKS["quadrant"].classes[int(TASKS["quadrant"].class_of(valence, arousal))]

    @property
    def is_padded(self) -> bool:
        """Whether the recording is shorter than a window."""
        return self.seconds < self.window_s

    @property
    def curve(self) -> list[dict[str, Any]]:
        """A dict a window: `start`, `end` in seconds, and `valence`, `arousal`, or `label` and `probabilities`."""
        rows = []
        for k, (start, end) in enumerate(zip(self.start, self.end, strict=True)):
            row: dict[str, Any] = {"start": round(float(start), 3), "end": round(float(end), 3)}
            row |= {name: float(self.windows[name][k]) for name in self._numbers}
            if not self.task.is_regression:
                by_class = dict(zip(self.task.classes, self.windows[PROBABILITIES][k].tolist(), strict=True))
                row |= {"label": max(by_class, key=by_class.__getitem__), "probabilities": by_class}
            rows.append(row)
        return rows

    def rescaled(self, low: float, high: float) -> "Emotion":
        """The same answer with the targets' scale going from `low` to `high`, such as 0 and 1 or 1 and 9. Raises InputError."""
        check_scale(low, high)
        if (low, high) == self.scale:
            return self
        old_low, old_high = self.scale
        factor = (high - low) / (old_high - old_low)
        windows = {name: low + (self.windows[name] - old_low) * factor for name in self._numbers}
        return replace(self, windows=self.windows | windows, scale=(low, high))

    def as_dict(self) -> dict[str, Any]:
        """What the command line prints as JSON."""
        row: dict[str, Any] = {"path": self.path, "seconds": round(self.seconds, 3)}
        if self.task.is_regression:
            row |= self.values
        row |= {"quadrant": self.quadrant} if self.quadrant else {}
        if self.task.is_regression:
            row |= {"deviation": self.deviation, "scale": list(self.scale)}
        else:
            row |= {"label": self.label, "probabilities": self.probabilities}
        return row | {"window_s": self.window_s, "hop_s": self.hop_s, "padded": self.is_padded, "curve": self.curve}

    @property
    def _numbers(self) -> tuple[str, ...]:
        return self.task.targets if self.task.is_regression else ()


def check_scale(low: float, high: float) -> None:
    """Raise InputError unless two numbers are the ends of a scale."""
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"a scale from {low:g} to {high:g} was given; give the lower end first, as in 1 9")


# === Windows of a stream ===


def windows(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[tuple[int, np.ndarray]]:
    """The windows of a waveform that comes in blocks: (first sample, `(length,)` float32); see the module's conventions.

    Holds one window and one block at a time. hop: samples, at most `length`.
    """
    held, at, next_start = np.zeros(0, "float32"), 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while next_start + length <= at + len(held):
            yield next_start, held[next_start - at : next_start - at + length]
            next_start += hop
        done = max(at, min(next_start, at + len(held) - length))
        held, at = held[done - at :], done
    total = at + len(held)
    rest = total - (next_start - hop + length)
    if total < length:
        yield 0, np.pad(held, (0, length - total))
    elif rest and rest >= hop / 2:
        yield total - length, held[-length:]


class _Meter:
    """Passes blocks on and notes their length and their peaks."""

    def __init__(self, blocks: Iterable[np.ndarray], rate_hz: int):
        self._blocks, self._step = blocks, rate_hz // ENVELOPE_HZ
        self.samples = 0
        self._peaks: list[np.ndarray] = []
        self._rest = np.zeros(0, "float32")

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.samples += len(block)
            joined = np.concatenate([self._rest, np.abs(block)])
            whole = len(joined) // self._step * self._step
            self._peaks.append(joined[:whole].reshape(-1, self._step).max(axis=1))
            self._rest = joined[whole:]
            yield block

    @property
    def peaks(self) -> np.ndarray:
        return np.concatenate([*self._peaks, *([self._rest.max(keepdims=True)] if len(self._rest) else [])])


# === The model ===


class EmotionModel:
    """Something that answers for windows, asked about whole recordings: waveform in, valence and arousal (or classes) out.

    Load it once and ask it about as many recordings as you like.
    """

    def __init__(self, experiment: Experiment, answer: Answer):
        """experiment: what the windows are. answer: from whole windows `(batch, samples)` float32 to the network's outputs by name,
        `(batch,)` or `(batch, 1)` a target and `(batch, classes)`."""
        self.experiment, self._answer = experiment, answer

    @classmethod
    def load(cls, path: str | Path) -> "EmotionModel":
        """The model of a run.

        path: a run folder, or a `model.keras` in one (`fold1/model.keras` too). Raises InputError for anything else, for a run
        that is not finished, a damaged model and one of another version.
        """
        from ..model import servable

        file, experiment = located(path)
        answer = servable.load(file)
        return cls._of_function(answer, experiment) if answer else cls.of(load_network(file), experiment)

    @classmethod
    def of(cls, network: "keras.Model", experiment: Experiment) -> "EmotionModel":
        """A Keras network itself, from log-mel to answers."""
        from ..model import servable

        return cls._of_function(servable.answering(network, experiment), experiment)

    @classmethod
    def _of_function(cls, answer: Callable, experiment: Experiment) -> "EmotionModel":
        """A TensorFlow function from whole windows to tensors by name."""
        return cls(experiment, lambda waveforms: {name: value.numpy() for name, value in answer(waveforms).items()})

    @property
    def task(self) -> Task:
        return TASKS[self.experiment.task]

    @property
    def sample_rate_hz(self) -> int:
        return self.experiment.frontend.sample_rate_hz

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.experiment.frames * self.experiment.frontend.hop

    def predict(
        self,
        source: str | Path | bytes | np.ndarray,
        source_rate_hz: int | None = None,
        hop_s: float | None = None,
        name: str = "",
        on_progress: Callable[[float], None] | None = None,
    ) -> Emotion:
        """The emotion of one recording, of any length.

        source: a path, a file's content as bytes, or samples `(samples,)` or `(samples, channels)` with `source_rate_hz`.
        hop_s: seconds from one window to the next; half a window by default. name: what to call it, instead of its path.
        on_progress: told, every few windows, how many seconds of the recording have been answered.
        Raises InputError for a hop that is not above 0 and at most a window and for a model that answers no number, AudioError for
        a recording that cannot be used.
        """
        rate = self.sample_rate_hz
        hop = self.hop_samples(hop_s)
        meter = _Meter(audio.blocks(source, rate, source_rate_hz=source_rate_hz, name=name), rate)
        starts: list[int] = []
        answers: list[dict[str, np.ndarray]] = []
        for batch in _batches(windows(meter, self.window, hop), size=max(1, min(BATCH, int(BATCH_S * rate) // self.window))):
            starts += [start for start, _ in batch]
            answers.append(self.answer(np.stack([samples for _, samples in batch])))
            check_finite(answers[-1])
            if on_progress:
                on_progress(min(starts[-1] + self.window, meter.samples) / rate)
        path = name or (str(source) if isinstance(source, str | Path) else f"<{type(source).__name__}>")
        return self.emotion(path, meter.samples, hop, starts, answers, meter.peaks)

    def emotion(
        self, path: str, samples: int, hop: int, starts: Sequence[int], answers: Sequence[dict], peaks: np.ndarray | None = None
    ) -> Emotion:
        """What the answers for a recording's windows say of it.

        samples: its length. hop, starts: of its windows, in samples. answers: of `answer`, for any number of windows each.
        """
        rate = self.sample_rate_hz
        seconds, start = samples / rate, np.array(starts) / rate
        return Emotion(
            task=self.task,
            path=path,
            seconds=seconds,
            window_s=self.window / rate,
            hop_s=hop / rate,
            start=start,
            end=np.minimum(start + self.window / rate, seconds),
            windows={name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]},
            peaks=np.zeros(0, "float32") if peaks is None else peaks,
        )

    def answer(self, waveforms: np.ndarray) -> dict[str, np.ndarray]:
        """The network's outputs for whole windows: `(batch, samples)` float32 to `(batch,)` a target, `(batch, classes)`."""
        outputs = self._answer(waveforms)
        return {name: value.reshape(-1) if self.task.is_regression else value for name, value in outputs.items()}

    def hop_samples(self, hop_s: float | None) -> int:
        """A hop in samples, half a window for None. Raises InputError unless it is above 0 and at most a window."""
        if hop_s is None:
            return self.window // 2
        longest = self.window / self.sample_rate_hz
        if not (isinstance(hop_s, numbers.Real) and 1 / self.sample_rate_hz <= hop_s <= longest):  # NaN too
            raise InputError(f"a hop of {hop_s!r} s was given; give a number above 0 and at most a window, {longest:g} s")
        return round(hop_s * self.sample_rate_hz)


def check_finite(answers: dict[str, np.ndarray]) -> None:
    """Raise InputError where a model's answers to windows of finite samples are not all numbers."""
    for name, values in answers.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the model answers {name} with NaN or infinity for finite samples: it is damaged, or its training diverged. "
                "Copy it from the run again, or train again"
            )


def _batches(items: Iterable, size: int) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
