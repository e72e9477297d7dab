"""A trained model asked about recordings: values for the song, and a curve over windows.

Conventions. A window is one segment as in training, `seg_len` seconds of waveform at the model's rate; its log-mel is computed from
its own samples alone, so that a window has the same values wherever it was cut from. Windows start every `hop_s` seconds; what is
left behind the last whole one, if it is half a hop or more, is covered by a window taken from further forward (with a hop of one
window that is training's rule, `pipeline.segment_starts`). A song shorter than a window is padded with silence, as in training.
The song's value is the mean over its windows, of class probabilities too; `std` is the windows' sample std.
Valence and arousal are in units of [-1, 1], linear outputs: a value may lie a little outside.
"""

import numbers
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import audio
from ..config import Experiment
from ..errors import InputError
from ..model.model_file import find_model, load_network
from ..tasks import TASKS, Task
from .emotion import Emotion
from .windows import BlockMeter, batched, cut_windows

if TYPE_CHECKING:
    import keras

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]

BATCH = 8  # windows answered at once, if they are not of more than
BATCH_S = 40.0  # seconds together: more is no faster on a CPU, and each takes some 10 MB of memory


# === What a recording feels like ===


# === Windows of a stream ===


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

        file, experiment = find_model(path)
        answer = servable.load(file)
        return (
            cls._of_function(answer, experiment)
            if answer
            else cls.of(load_network(file), experiment)
        )

    @classmethod
    def of(cls, network: "keras.Model", experiment: Experiment) -> "EmotionModel":
        """A Keras network itself, from log-mel to answers."""
        from ..model import servable

        return cls._of_function(servable.waveform_function(network, experiment), experiment)

    @classmethod
    def _of_function(cls, answer: Callable, experiment: Experiment) -> "EmotionModel":
        """A TensorFlow function from whole windows to tensors by name."""
        return cls(
            experiment,
            lambda waveforms: {name: value.numpy() for name, value in answer(waveforms).items()},
        )

    @property
    def task(self) -> Task:
        return TASKS[self.experiment.task]

    @property
    def sample_rate_hz(self) -> int:
        return self.experiment.frontend.sample_rate_hz

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.experiment.frames * self.experiment.frontend.hop_length

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
        meter = BlockMeter(
            audio.blocks(source, rate, source_rate_hz=source_rate_hz, name=name), rate
        )
        starts: list[int] = []
        answers: list[dict[str, np.ndarray]] = []
        for batch in batched(
            cut_windows(meter, self.window, hop),
            size=max(1, min(BATCH, int(BATCH_S * rate) // self.window)),
        ):
            starts += [start for start, _ in batch]
            answers.append(self.answer(np.stack([samples for _, samples in batch])))
            check_finite(answers[-1])
            if on_progress:
                on_progress(min(starts[-1] + self.window, meter.samples) / rate)
        path = name or (
            str(source) if isinstance(source, str | Path) else f"<{type(source).__name__}>"
        )
        return self.emotion(path, meter.samples, hop, starts, answers, meter.peaks)

    def emotion(
        self,
        path: str,
        samples: int,
        hop: int,
        starts: Sequence[int],
        answers: Sequence[dict],
        peaks: np.ndarray | None = None,
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
            windows={
                name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]
            },
            peaks=np.zeros(0, "float32") if peaks is None else peaks,
        )

    def answer(self, waveforms: np.ndarray) -> dict[str, np.ndarray]:
        """The network's outputs for whole windows: `(batch, samples)` float32 to `(batch,)` a target, `(batch, classes)`."""
        outputs = self._answer(waveforms)
        return {
            name: value.reshape(-1) if self.task.is_regression else value
            for name, value in outputs.items()
        }

    def hop_samples(self, hop_s: float | None) -> int:
        """A hop in samples, half a window for None. Raises InputError unless it is above 0 and at most a window."""
        if hop_s is None:
            return self.window // 2
        longest = self.window / self.sample_rate_hz
        if not (
            isinstance(hop_s, numbers.Real) and 1 / self.sample_rate_hz <= hop_s <= longest
        ):  # NaN too
            raise InputError(
                f"a hop of {hop_s!r} s was given; give a number above 0 and at most a window, {longest:g} s"
            )
        return round(hop_s * self.sample_rate_hz)


def check_finite(answers: dict[str, np.ndarray]) -> None:
    """Raise InputError where a model's answers to windows of finite samples are not all numbers."""
    for name, values in answers.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the model answers {name} with NaN or infinity for finite samples: it is damaged, or its training diverged. "
                "Copy it from the run again, or train again"
            )
