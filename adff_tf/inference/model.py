"""`EmotionModel`: a trained model that predicts on whole recordings.

    source ── audio.blocks ── windows.cut_windows ── backend ── Emotion

A window's log-mel is computed from the window's own samples, so that its values do not depend on
where it was cut from. Importing this file loads no TensorFlow; a backend loads what it needs.
"""

import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import audio
from ..errors import InputError
from ..model import shipped
from ..support.files import expand_user
from ..tasks import DISTANCE, EFFECTS, VECTORS, Task
from .backends import Backend, Choice, Outputs, load_backend, locate
from .description import Description
from .emotion import Emotion, curve_row
from .hub import FORM, hub_name
from .windows import BlockMeter, batched, cut_windows, one_ahead

if TYPE_CHECKING:
    import keras

    from ..config import Experiment

PRESET = "adff"  # the model that ships, by `from_preset`
BATCH = 8  # windows predicted at once, at most
BATCH_S = 40.0  # their seconds, at most: more is no faster on a CPU, and each takes 10 MB


class EmotionModel:
    """A trained model: waveform to valence and arousal, or classes.

    Load it once, and predict on many recordings, from any thread.

    Attributes:
        description: the model's task, and the waveform that it takes.
    """

    def __init__(self, description: Description, backend: Backend):
        self.description, self._backend = description, backend

    @classmethod
    def load(
        cls,
        path: str | Path = shipped.NAME,
        threads: int | None = None,
        backend: Choice = "auto",
    ) -> "EmotionModel":
        """Return the model at `path`, identified by `backends.locate`.

        Args:
            path: a run folder, a `model.keras` in one, an export or its `saved_model`, an export's
                `.tflite`, `hf://USER/NAME` on the Hugging Face Hub, or "pretrained", the model
                that ships.
            threads: LiteRT's, 1 to 64; 2 by default.
            backend: litert, without TensorFlow; keras; or auto, litert where the model has it.

        Raises:
            InputError: no model, an unfinished run, a damaged model, or one of another version.
        """
        return cls(*load_backend(locate(path, backend), threads=threads))

    @classmethod
    def from_preset(
        cls, preset: str | Path = PRESET, threads: int | None = None, backend: Choice = "auto"
    ) -> "EmotionModel":
        """Return a model by the name of a preset, as in KerasHub.

        Args:
            preset: "adff", the model that ships; `hf://USER/NAME[@REVISION]`, a model on the
                Hugging Face Hub; or a path as for `load`.
            threads: as for `load`.
            backend: as for `load`.

        Raises:
            InputError: as `load`; a name that is none of these.
        """
        if str(preset) in (PRESET, shipped.NAME):
            return cls.load(shipped.NAME, threads, backend)
        if hub_name(preset) is None and not expand_user(preset).exists():
            raise InputError(
                f"there is no preset {str(preset)!r}; give {PRESET!r}, the model that ships, "
                f"{FORM}, or a model's folder"
            )
        return cls.load(preset, threads, backend)

    @classmethod
    def from_network(cls, network: "keras.Model", experiment: "Experiment") -> "EmotionModel":
        """Return a Keras network from log-mel to outputs as a model."""
        from .backends.keras_run import KerasBackend

        return cls(Description.of(experiment), KerasBackend.from_network(network, experiment))

    @property
    def task(self) -> Task:
        return self.description.task

    @property
    def sample_rate_hz(self) -> int:
        return self.description.sample_rate_hz

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.description.window

    def predict(
        self,
        source: audio.Source,
        source_rate_hz: int | None = None,
        hop_s: float | None = None,
        name: str = "",
        on_progress: Callable[[float], None] | None = None,
    ) -> Emotion:
        """Return the emotion of one recording of any length.

        Args:
            source: a path, a file's content as bytes, or samples `(samples,)` or
                `(samples, channels)` with `source_rate_hz`.
            source_rate_hz: the rate of an array's samples.
            hop_s: seconds from one window to the next; half a window by default.
            name: replaces the recording's path.
            on_progress: called every few windows with the seconds done.

        Raises:
            AudioError: the recording cannot be used.
            InputError: a hop out of range, or a model that predicts NaN.
        """
        rate, hop = self.sample_rate_hz, self.hop_samples(hop_s)
        stream = audio.blocks(source, rate, source_rate_hz=source_rate_hz, name=name)
        meter = BlockMeter(stream, rate)
        starts: list[int] = []
        outputs: list[Outputs] = []
        batch_size = max(1, min(BATCH, int(BATCH_S * rate) // self.window))
        for batch in one_ahead(batched(cut_windows(meter, self.window, hop), batch_size)):
            starts += [window.start for window in batch]
            outputs.append(self.predict_windows(np.stack([window.samples for window in batch])))
            check_finite(outputs[-1])
            if on_progress:
                on_progress(batch[-1].end / rate)
        path = str(source) if isinstance(source, str | Path) else f"<{type(source).__name__}>"
        return self.emotion(name or path, meter.samples, hop, starts, outputs, meter.peaks)

    def stream(
        self, blocks: Iterable[np.ndarray], source_rate_hz: int, hop_s: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Return the rows of `Emotion.curve` of a stream, each as soon as its window is complete.

        When the stream ends, its rest is predicted as the end of a recording is.

        Args:
            blocks: `(samples,)` or `(samples, channels)` of any length, such as a microphone's.
            source_rate_hz: their rate.
            hop_s: seconds from one window to the next; half a window by default.

        Raises:
            InputError: a hop or rate out of range, or a block that cannot be used.
        """
        rate, hop = self.sample_rate_hz, self.hop_samples(hop_s)
        waveform = audio.stream_blocks(blocks, rate, source_rate_hz=source_rate_hz)
        return (
            curve_row(self.task, window.start / rate, window.end / rate, self._one(window.samples))
            for window in cut_windows(waveform, self.window, hop)
        )

    def _one(self, samples: np.ndarray) -> Outputs:
        outputs = self.predict_windows(samples[None])
        check_finite(outputs)
        return {name: values[0] for name, values in outputs.items()}

    def predict_windows(self, waveforms: np.ndarray) -> Outputs:
        """Return the outputs for whole windows.

        Args:
            waveforms: `(batch, window)` float32, full scale ±1, at `sample_rate_hz`.

        Returns:
            By output, float32 `(batch,)` a target and for `distance`, `(batch, classes)` for
            `probabilities`, `(batch, targets * concepts)` for `effects`.

        Raises:
            InputError: another shape.
        """
        if waveforms.ndim != 2 or waveforms.shape[1] != self.window:
            raise InputError(
                f"windows of shape {waveforms.shape} were given; give (batch, {self.window}), at "
                f"{self.sample_rate_hz} Hz"
            )
        outputs = self._backend.predict(waveforms)
        return {name: v if name in VECTORS else v.reshape(-1) for name, v in outputs.items()}

    def emotion(
        self,
        path: str,
        samples: int,
        hop: int,
        starts: Sequence[int],
        outputs: Sequence[Outputs],
        peaks: np.ndarray | None = None,
    ) -> Emotion:
        """Return the emotion of a recording whose windows were predicted.

        Args:
            path: the recording's path, or a name for it.
            samples: its length.
            hop: samples from one window to the next.
            starts: first sample of each window.
            outputs: of `predict_windows`, for some windows each, in the order of `starts`.
            peaks: see `Emotion`.
        """
        rate = self.sample_rate_hz
        seconds, start = samples / rate, np.array(starts) / rate
        windows = {name: np.concatenate([one[name] for one in outputs]) for name in outputs[0]}
        distances, effects = windows.pop(DISTANCE, None), windows.pop(EFFECTS, None)
        return Emotion(
            task=self.task,
            path=path,
            seconds=seconds,
            window_s=self.description.window_s,
            hop_s=hop / rate,
            start=start,
            end=np.minimum(start + self.description.window_s, seconds),
            windows=windows,
            scale=self.description.scale,
            calibration=self.description.calibration,
            distance=None if distances is None else float(distances.mean()),
            effects=self._name_effects(effects),
            peaks=np.zeros(0, "float32") if peaks is None else peaks,
        )

    def _name_effects(self, effects: np.ndarray | None) -> dict[str, dict[str, float]]:
        """Return the mean effects over windows by target and concept."""
        if effects is None:
            return {}
        concepts, targets = self.description.concepts, self.task.targets
        by_target = effects.mean(axis=0).reshape(len(targets), len(concepts))
        return {
            name: dict(zip(concepts, row.tolist(), strict=True))
            for name, row in zip(targets, by_target, strict=True)
        }

    def hop_samples(self, hop_s: float | None) -> int:
        """Return a hop in samples, half a window for None. Raises InputError out of range."""
        if hop_s is None:
            return self.window // 2
        longest = self.description.window_s
        is_number = isinstance(hop_s, numbers.Real)
        if not (is_number and 1 / self.sample_rate_hz <= hop_s <= longest):  # NaN too
            raise InputError(
                f"a hop of {hop_s!r} s was given; "
                f"give a number above 0 and at most a window, {longest:g} s"
            )
        return round(hop_s * self.sample_rate_hz)


def check_finite(outputs: Outputs) -> None:
    """Raise InputError where outputs for finite samples hold NaN or infinity."""
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the model predicts {name} as NaN or infinity for finite samples: it is damaged, "
                "its training diverged, or this LiteRT is too old for it. Copy the model again, "
                "train again, or pip install -U ai-edge-litert"
            )
