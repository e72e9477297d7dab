"""Every setting of an experiment: typed, frozen, checked when made, and JSON both ways.

Names and symbols are the paper's where it has them (`seg_num`, `seg_len`). Where the paper leaves a choice open, the field's
description says which reading is the default and why, so that the other one can be tried. Times are seconds, rates Hz.
"""

from pathlib import Path
from typing import Literal

import pydantic
from pydantic import Field

from .errors import InputError
from .support.files import check_utf8

POOLS = 5  # each level halves time and mel
FEWEST_FRAMES = 2**POOLS  # frames a segment must keep so that five pools leave at least one

TaskName = Literal["both", "valence", "arousal", "valence2", "arousal2", "quadrant"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
DataKind = Literal["auto", "synthetic", "pmemo", "deam", "emomusic", "quadrants", "csv"]


def check_segment(frames: int, seg_num: int) -> None:
    """Raise InputError unless `frames` cut into `seg_num` parts leave enough for five pools."""
    if frames // seg_num < FEWEST_FRAMES:
        most = frames // FEWEST_FRAMES
        fits = f"use seg_num {most} or less, or" if most else "use"
        raise InputError(
            f"seg_num {seg_num} cuts {frames} frames into parts of {frames // seg_num}, and five pools need at least "
            f"{FEWEST_FRAMES} a part: {fits} a longer seg_len (100 frames a second)"
        )


def explain(error: pydantic.ValidationError) -> str:
    """What pydantic found wrong, one line a setting: its name, what was given, what is allowed."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {name}: no such setting")
        elif problem["type"] in ("value_error", "json_invalid"):
            lines.append(
                "  " + ": ".join(filter(None, (name, problem["msg"].removeprefix("Value error, "))))
            )
        else:
            lines.append(f"  {name}: {problem['msg']}; given {problem['input']!r}")
    return "\n".join(lines)


class Settings(pydantic.BaseModel):
    """A frozen group of settings that knows no other names."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True
    )


class Frontend(Settings):
    """Waveform to log-mel (Section 3.2: librosa, 44.1 kHz, 128 mels, window 60 ms, hop 10 ms)."""

    sample_rate_hz: int = Field(44100, ge=8000, le=192000)
    """Rate every recording is resampled to, Hz."""
    mels: int = Field(128, ge=32, le=512)
    """Mel bands (Slaney's scale and norm, librosa's default), 0 Hz to half the rate."""
    win_length_s: float = Field(0.060, gt=0, le=1)
    """Hann window, seconds."""
    hop_length_s: float = Field(0.010, gt=0, le=1)
    """Step between frames, seconds."""
    n_fft: int = Field(4096, ge=64)
    """DFT length. Not in the paper: the next power of two over the window gives the same numbers in librosa, TensorFlow and
    TFLite."""

    floor_db: float = Field(-100.0, ge=-100, le=-20)
    """What is quieter in a band is heard as this, digital silence too, dB. -100 is librosa's; there the rounding to 16 bits can be
    heard where a recording is empty: it lies at -82 dB in every band, at -77 with dither. From -70 up it cannot."""

    @property
    def win_length(self) -> int:
        """Window in samples."""
        return round(self.win_length_s * self.sample_rate_hz)

    @property
    def hop_length(self) -> int:
        """Hop in samples."""
        return round(self.hop_length_s * self.sample_rate_hz)

    def frames(self, seconds: float) -> int:
        """Frames of a segment of `seconds`: 100 a second at the paper's hop. The one more that centring gives is dropped."""
        return round(seconds * self.sample_rate_hz / self.hop_length)

    @pydantic.model_validator(mode="after")
    def _fits(self):
        for name, samples, fewest in (
            ("hop_length_s", self.hop_length, 1),
            ("win_length_s", self.win_length, 2),
        ):
            if samples < fewest:
                raise ValueError(
                    f"{name} {getattr(self, name):g} is {samples} samples at {self.sample_rate_hz} Hz; use {name} "
                    f"{fewest / self.sample_rate_hz:.2g} or more"
                )
        if self.win_length > self.n_fft:
            raise ValueError(
                f"n_fft {self.n_fft} is shorter than the window of {self.win_length} samples; use {2 ** (self.win_length - 1).bit_length()}"
            )
        return self


class Segments(Settings):
    """What the network sees of a song (Sections 2.1 and 3.1)."""

    seg_len: float = Field(20.0, gt=0, le=600)
    """Length of a segment, seconds."""
    seg_num: int = Field(6, ge=1, le=64)
    """Parts a segment is cut into along time; they become channels."""
    sampling: Literal["simple", "full"] = "full"
    """simple: one random segment a song. full: all segments in time order; a last one shorter than seg_len/2 is dropped,
    otherwise taken from further forward so that it is full length."""
    fresh: bool = False
    """Train on one random segment a song, drawn anew every epoch, and score as sampling says. Not in the paper, whose
    simple set is drawn once: an epoch is short and no two are alike."""


class Network(Settings):
    """ADFF (Section 2). The paper leaves the sizes of the Bi-LSTM, the attention and the fully connected layers open."""

    width: float = Field(1.0, gt=0, le=4)
    """Multiplies the VGG-16 channels 64, 128, 256, 512, 512."""
    se: bool = True
    """Squeeze-and-excitation; off is the paper's variant w/o SE."""
    tflm: bool = True
    """Temporal feature learning (SE and Bi-LSTM); off is the variant w/o TFLM: S_N averaged over time and mel."""
    lstm_units: int = Field(64, ge=1)
    """Units a direction in both Bi-LSTM layers. Not in the paper: 64 gives 25 M parameters in all."""
    se_ratio: int = Field(16, ge=1)
    """Reduction in the excitation; 16 is the original SE paper's."""
    level_end: Literal["pool-relu-norm", "norm-relu"] = "pool-relu-norm"
    """What ends a level: pool, ReLU, batch norm (the paper's order, literally), or batch norm, ReLU, pool."""
    norm_momentum: float = Field(0.9, ge=0, lt=1)
    """Batch norm's momentum. At Keras's 0.99 evaluation lags dozens of epochs behind on sets this small."""
    fc: tuple[int, ...] = (256, 64)
    """Units of the fully connected layers (ReLU) before the output."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Dropout after each fully connected layer."""


class Training(Settings):
    """One fit (Section 3.2: Adam, weight decay 1e-5, learning rate 1e-5, 200 epochs, batch 32, decay at given epochs)."""

    epochs: int = Field(200, ge=1)
    """Passes over the training songs."""
    batch_size: int = Field(32, ge=1)
    """Segments a step, over all devices."""
    learning_rate: float = Field(1e-5, gt=0)
    """The highest learning rate."""
    schedule: Literal["steps", "cosine"] = "steps"
    """steps: multiply by decay_factor after each of decay_epochs (paper). cosine: a linear rise over the first tenth, then
    half a cosine to zero."""
    decay_epochs: tuple[int, ...] = (20, 45, 80, 110, 140, 170)
    """steps only: epochs after which the rate falls."""
    decay_factor: float = Field(0.5, gt=0, le=1)
    """steps only: not given in the paper."""
    weight_decay: float = Field(1e-5, ge=0)
    """L2 added to the gradient, as PyTorch's Adam does. Keras's own weight_decay is decoupled and, times a rate of 1e-5,
    does nothing."""
    precision: Precision = "float32"
    """Keras dtype policy. mixed_bfloat16 is fast on GPUs and on CPUs that have units for it, and slow on others."""
    early_stopping: int = Field(0, ge=0)
    """Stop after so many epochs without a better inner validation loss, and keep the best; 0: off, the last epoch
    counts."""
    inner_fraction: float = Field(0.15, gt=0, lt=0.5)
    """early stopping only: share of the training songs held out, by group, to choose the epoch."""
    seed: int = Field(0, ge=0)
    """Seeds folds, weights, dropout, shuffling and random segments."""


class Validation(Settings):
    """How songs are split. Groups (song, or artist where known) are never divided."""

    folds: int = Field(5, ge=2)
    """Cross-validation folds."""
    hold_out: bool = False
    """Score the first fold alone instead of all of them."""
    final_model: bool = True
    """After the folds, train model.keras on all tracks. Off: the first fold's model is kept."""


class Data(Settings):
    """Where the songs and their labels are."""

    data: Path | None = None
    """A data set's folder or a CSV file (path,valence,arousal[,group]). The built-in synthetic set if not given."""
    kind: DataKind = "auto"
    """Layout of the data set; auto recognises it."""
    label_range: tuple[float, float] | None = None
    """CSV only: lowest and highest value of the labels' scale, such as 1 9."""
    skip_bad_audio: bool = False
    """Go on without recordings that do not decode; the report lists them."""
    clips: int = Field(400, ge=10)
    """synthetic only: clips to make."""
    clip_s: float = Field(12.0, gt=0, le=120)
    """synthetic only: seconds a clip."""


class Experiment(Settings):
    """All that decides a run's numbers."""

    task: TaskName = "both"
    """What is predicted: both targets, one of them, the sign of one (valence2, arousal2), or the quadrant."""
    data: Data = Data()
    frontend: Frontend = Frontend()
    segments: Segments = Segments()
    network: Network = Network()
    training: Training = Training()
    validation: Validation = Validation()

    @property
    def frames(self) -> int:
        """Frames of a segment."""
        return self.frontend.frames(self.segments.seg_len)

    @pydantic.model_validator(mode="after")
    def _enough_frames(self):
        check_segment(self.frames, self.segments.seg_num)
        if self.frontend.mels < FEWEST_FRAMES:
            raise ValueError(
                f"mels is {self.frontend.mels}; five pools need at least {FEWEST_FRAMES}"
            )
        return self

    def to_json(self) -> str:
        """Raises InputError where the data's path is not UTF-8, as JSON is."""
        check_utf8([self.data.data] if self.data.data else [])
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "the configuration") -> "Experiment":
        """The experiment in a JSON text; `source` names it in errors. Raises InputError."""
        try:
            return cls.model_validate_json(text)
        except pydantic.ValidationError as error:
            raise InputError(f"{source} cannot be used:\n{explain(error)}") from None
