"""The settings of an experiment: typed, frozen, validated, JSON both ways.

Names and symbols are the paper's where it has them (`seg_num`, `seg_len`). Where the paper leaves a
choice open, the field's docstring states the default and the reason, so that a reader can try the
alternative. Times are in seconds, rates in Hz, levels in dB. The fields' docstrings are the text
of `--help`.
"""

from pathlib import Path
from typing import Annotated, Literal

import pydantic
import tyro
from pydantic import Field

from .errors import InputError
from .frontend import FEWEST_FRAMES, Frontend
from .networks import FACTORS, MID_LEVEL, STEMS, AnyNetwork, EmoMucs, Mlem, Network
from .settings import Settings, explain
from .tasks import TASKS

TaskName = Literal["both", "valence", "arousal", "valence2", "arousal2", "quadrant"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
DataKind = Literal[
    "auto", "synthetic", "pmemo", "deam", "emomusic", "merge", "panda4q", "quadrants", "csv"
]


def check_segment(frames: int, seg_num: int) -> None:
    """Raise InputError unless `frames` cut into `seg_num` parts leave enough for five pools."""
    part = frames // seg_num
    if part < FEWEST_FRAMES:
        most = frames // FEWEST_FRAMES
        fits = f"use seg_num {most} or less, or" if most else "use"
        raise InputError(
            f"seg_num {seg_num} cuts {frames} frames into parts of {part}, and five pools need at "
            f"least {FEWEST_FRAMES} a part: {fits} a longer seg_len (100 frames a second)"
        )


class Segments(Settings):
    """The segments of a song that the network takes (Sections 2.1 and 3.1)."""

    seg_len: float = Field(20.0, gt=0, le=600)
    """Length of a segment in seconds."""
    seg_num: int = Field(6, ge=1, le=64)
    """Number of parts that a segment is cut into along time; the parts become channels."""
    sampling: Literal["simple", "full"] = "full"
    """simple: one random segment per song. full: all segments in time order; a last segment shorter
    than seg_len/2 is dropped, a longer one is moved back in time to full length."""
    fresh: bool = False
    """Train on one random segment per song, drawn again every epoch; val and test segments follow
    sampling. Not in the paper, whose simple set is drawn once: epochs are short and all differ."""


class Training(Settings):
    """One fit (Section 3.2: Adam, learning rate and weight decay 1e-5, 200 epochs, batches of 32).

    The learning rate falls at given epochs.
    """

    epochs: int = Field(200, ge=1)
    """Number of passes over the training songs."""
    batch_size: int = Field(32, ge=1)
    """Segments per step, over all devices."""
    learning_rate: float = Field(1e-5, gt=0)
    """Highest learning rate of the schedule."""
    schedule: Literal["steps", "cosine"] = "steps"
    """Schedule of the learning rate. steps: multiply by decay_factor after each of decay_epochs
    (paper). cosine: rise linearly over the first tenth of training, then fall to zero along half a
    cosine."""
    decay_epochs: tuple[int, ...] = (20, 45, 80, 110, 140, 170)
    """steps only: epochs after which the learning rate falls."""
    decay_factor: float = Field(0.5, gt=0, le=1)
    """steps only: factor on the learning rate at each of decay_epochs. Not in the paper."""
    weight_decay: float = Field(1e-5, ge=0)
    """Factor of the L2 term added to the gradient, as in PyTorch's Adam. Keras's own weight_decay
    is decoupled and has no effect at a learning rate of 1e-5."""
    precision: Precision = "float32"
    """Keras dtype policy. mixed_bfloat16 is fast on GPUs and on CPUs with bfloat16 units, and slow
    on other CPUs."""
    early_stopping: int = Field(0, ge=0)
    """Stop after this many epochs without a lower val loss on an inner split, and keep the best
    epoch. 0: no early stopping, keep the last epoch."""
    inner_fraction: float = Field(0.15, gt=0, lt=0.5)
    """early_stopping only: fraction of the training songs in the inner val set, split by group."""
    ema: float = Field(0.0, ge=0, lt=1)
    """Momentum of a moving average of the weights, which becomes the model. 0: off."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of a class label or sign that is spread evenly over all classes or both signs."""
    seed: int = Field(0, ge=0)
    """Seed of folds, weights, dropout, shuffling and random segments."""


class Augmentation(Settings):
    """Random changes of training segments, drawn anew every epoch. Not in the paper."""

    mixup: float = Field(0.0, ge=0, le=10)
    """Parameter alpha of mixup (Zhang et al. 2018): log-mels and labels of two segments are mixed
    with a weight from Beta(alpha, alpha). 0: off."""
    masks: int = Field(0, ge=0, le=10)
    """Number of masks over time and of masks over mel bands (SpecAugment, Park et al. 2019); masked
    cells get the band's mean."""
    mask_frames: int = Field(60, ge=1)
    """masks only: greatest length of a mask over time, in frames."""
    mask_bands: int = Field(12, ge=1)
    """masks only: greatest height of a mask over bands."""
    bandwidth: float = Field(0.0, ge=0, le=1)
    """Share of the segments that pass a low-pass with a random cutoff from 4 kHz up, so that a
    recording's own sample rate or codec does not move its prediction."""


class Start(Settings):
    """A trained model to start from: its weights by layer name, its front end and network."""

    start_from: Path | None = None
    """Model to start from: a run folder, a folder of adff-pretrain, a model.keras in one, or
    `pretrained`, the model that ships. Default: random weights."""
    freeze: int = Field(0, ge=0)
    """Number of first epochs in which transferred layers do not change; their batch norm is in
    evaluation mode."""
    backbone_rate: float = Field(1.0, gt=0, le=1)
    """Factor on the learning rate of transferred layers."""
    allow_heard: bool = False
    """Also score songs that the start was trained on. Their scores say nothing about new music."""
    start_sha256: str | None = None
    """Expected SHA-256 of the start's model.keras; filled in by the program."""
    start_terms: str | None = None
    """Licence of the start, for model card and report; filled in by the program."""


class Validation(Settings):
    """The split of songs into folds. A group (song, or artist where known) is in one fold only."""

    split: Literal["folds", "published"] = "folds"
    """folds: cross-validation. published: the data sets' own split (EMOPIA, MERGE); train on its
    train songs and score its test songs. Its val songs are the val set of early stopping, and train
    otherwise."""
    folds: int = Field(5, ge=2)
    """Number of cross-validation folds."""
    hold_out: bool = False
    """Train and score the first fold only."""
    final_model: bool = True
    """After the folds, train model.keras on all tracks. Off: model.keras is the first fold's
    network."""

    @property
    def scored_folds(self) -> range:
        """Numbers of the folds that are trained and scored, from 1."""
        return range(1, 2 if self.hold_out or self.split == "published" else self.folds + 1)


class Data(Settings):
    """The place of the songs and their labels."""

    data: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """Folder of a data set, or a CSV file (path,valence,arousal[,group]); once for each of several
    data sets. Default: the built-in synthetic set."""
    weights: tuple[float, ...] = ()
    """Weight of each data set in the training loss, in the order of data. Default: 1 each."""
    kind: DataKind = "auto"
    """Layout of the data sets; auto recognises it."""
    label_range: tuple[float, float] | None = None
    """CSV only: lowest and highest value of the label scale, such as 1 9."""
    stems: Path | None = None
    """emomucs with fusion only: folder of separated sources, TRACK/vocals.wav, bass, drums and
    other for each track_id. The built-in set makes its own."""
    separate: bool = False
    """stems only: separate the recordings that have no stems there yet, by Demucs
    (pip install "adff-tf[stems]"; it downloads its weights)."""
    mid_level_data: Path | None = None
    """mlem with mid_level only: folder of the mid-level data set of Aljanaki and Soleymani, whose
    clips are half of every batch. Default: the factors of the built-in music."""
    skip_bad_audio: bool = False
    """Leave out recordings that do not decode; the report lists them."""
    clips: int = Field(400, ge=10)
    """synthetic only: number of clips."""
    clip_s: float = Field(12.0, gt=0, le=120)
    """synthetic only: length of a clip in seconds."""

    @property
    def place(self) -> str:
        """The paths of the data sets, for reports."""
        return ", ".join(map(str, self.data)) or "built-in synthetic music"

    @pydantic.field_validator("data", mode="before")
    @classmethod
    def _accept_one(cls, given):
        """Accept a single path, as in Python and in a config.json of one data set."""
        if given is None:
            return ()
        return (given,) if isinstance(given, str | Path) else given


class Experiment(Settings):
    """All settings that decide a run's numbers."""

    task: TaskName = "both"
    """Prediction task: both targets, one of them (valence, arousal), the sign of one (valence2,
    arousal2), or the quadrant."""
    data: Data = Data()
    frontend: Frontend = Frontend()
    segments: Segments = Segments()
    network: AnyNetwork = Network()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()
    start: Start = Start()
    validation: Validation = Validation()

    @property
    def frames(self) -> int:
        """Frames of a segment."""
        return self.frontend.frames(self.segments.seg_len)

    @property
    def takes_stems(self) -> bool:
        """Whether the network's input is separated sources and not the mix."""
        return isinstance(self.network, EmoMucs) and self.network.fusion != "none"

    @property
    def concepts(self) -> tuple[str, ...]:
        """Names of the mid-level features that the network is taught; empty for none."""
        if not isinstance(self.network, Mlem) or self.network.mid_level == "none":
            return ()
        return FACTORS if self.data.mid_level_data is None else MID_LEVEL

    @property
    def bands(self) -> int:
        """Bands of the network's input: mels, of each stem where it takes stems."""
        return self.frontend.mels * (len(STEMS) if self.takes_stems else 1)

    @pydantic.model_validator(mode="after")
    def _check_segment(self):
        if isinstance(self.network, Network):
            check_segment(self.frames, self.segments.seg_num)
        else:
            self.network.check(self.frames, self.frontend)
        return self

    @pydantic.model_validator(mode="after")
    def _check_combination(self):
        if self.takes_stems and self.data.data and self.data.stems is None:
            raise ValueError(
                "fusion needs separated sources of the songs; give their folder by stems"
            )
        if self.data.separate and self.data.stems is None:
            raise ValueError("separate writes into the folder of stems; give it by stems")
        if self.takes_stems and self.augmentation.bandwidth:
            raise ValueError("bandwidth changes the mix; it cannot be given with fusion")
        if self.data.mid_level_data is not None and not self.concepts:
            raise ValueError("mid_level_data is for mlem with mid_level; give both")
        if self.concepts:
            self._check_concepts()
        if self.training.ema and self.training.early_stopping:
            raise ValueError(
                "ema averages the last epochs and early_stopping keeps one epoch; give one of them"
            )
        if self.training.ema and self.start.freeze:
            raise ValueError(
                "Keras's moving average does not cover frozen layers; give ema or freeze, not both"
            )
        if self.start.freeze >= self.training.epochs:
            raise ValueError(
                f"freeze {self.start.freeze} of {self.training.epochs} epochs leaves the backbone "
                "no epoch to learn; give a smaller freeze or more epochs"
            )
        return self

    def _check_concepts(self) -> None:
        if self.data.data and self.data.mid_level_data is None:
            raise ValueError(
                "mid_level needs mid-level features beside these songs; give mid_level_data"
            )
        if not TASKS[self.task].is_regression:
            raise ValueError(f"mid_level is for both, valence or arousal; the task is {self.task}")
        if self.augmentation.mixup:
            raise ValueError("mixup would mix songs with and without mid-level features; leave it")

    def to_json(self) -> str:
        """Return the settings as JSON. Raises InputError where the data's path is not UTF-8."""
        for path in self.data.data:
            try:
                str(path).encode()
            except UnicodeEncodeError:
                raise InputError(
                    f"the path of data is not UTF-8, as JSON has to be: {path}; rename it"
                ) from None
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "the configuration") -> "Experiment":
        """Return the experiment in a JSON text. Raises InputError, which names `source`."""
        try:
            return cls.model_validate_json(text)
        except pydantic.ValidationError as error:
            raise InputError(f"{source} cannot be used:\n{explain(error)}") from None


def check_stems(experiment: Experiment) -> None:
    """Raise InputError where stems are given to a network that takes none."""
    if experiment.data.stems is not None and not experiment.takes_stems:
        raise InputError("stems are for emomucs with fusion early, mid or late; give its fusion")
