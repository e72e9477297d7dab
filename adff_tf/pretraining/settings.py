"""The settings of a pre-training: typed, frozen, validated, as those of an experiment."""

from typing import Annotated

import pydantic
from pydantic import Field

from ..config import (
    Augmentation,
    Experiment,
    Frontend,
    Network,
    Precision,
    Segments,
    Training,
    check_segment,
)
from ..model.musicnn_files import RATE_HZ
from ..settings import Settings

Weight = Annotated[float, Field(ge=0)]


class Labelling(Settings):
    """Changed copies of the recordings, which the teacher labels too."""

    copies: int = Field(1, ge=0, le=999)
    """Number of changed copies of each training recording: speed, level, equaliser, noise, codec, a
    second recording. The recording itself is always used."""


class Learning(Settings):
    """The student's training."""

    epochs: int = Field(30, ge=1)
    """Number of passes; a pass has as many windows as the recordings are long."""
    batch_size: int = Field(32, ge=1)
    """Windows per step."""
    learning_rate: float = Field(1.5e-3, gt=0)
    """Highest learning rate: a rise over the first tenth of training, then half a cosine."""
    weight_decay: float = Field(1e-5, ge=0)
    """Factor of the L2 term added to the gradient."""
    early_stopping: int = Field(6, ge=0)
    """Stop after this many epochs without more explained variance on the held-out recordings. The
    best epoch is kept in any case. 0: train all epochs."""
    held_out: float = Field(0.1, gt=0, lt=0.5)
    """Fraction of the recordings that are held out: not trained on, they choose the epoch."""
    target_dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout rate between the fused features and the targets."""
    mean_weight: Weight = 1.0
    """Weight in the loss of the teacher's features averaged over a patch."""
    max_weight: Weight = 1.0
    """Weight of the features' maximum over a patch."""
    penultimate_weight: Weight = 1.0
    """Weight of the teacher's embedding, its last layer before the tags."""
    tags_weight: Weight = 1.0
    """Weight of the tags' logits."""
    precision: Precision = "float32"
    """Keras dtype policy of the training; the saved model is float32."""
    seed: int = Field(0, ge=0)
    """Seed of copies, held-out recordings, weights, dropout, windows and their changes."""

    @pydantic.model_validator(mode="after")
    def _check_weights(self):
        if not any(self.target_weights.values()):
            raise ValueError("all weights of the targets are 0; give one more than 0")
        return self

    @property
    def target_weights(self) -> dict[str, float]:
        """The weight of each group of targets, by the names in `model.musicnn.TARGETS`."""
        groups = ("mean", "max", "penultimate", "tags")
        return {name: getattr(self, f"{name}_weight") for name in groups}


class Plan(Settings):
    """All settings that decide a pre-training's numbers."""

    frontend: Frontend = Frontend(sample_rate_hz=16000, n_fft=1024, floor_db=-70.0)
    network: Network = Network(width=0.25)
    seg_len: float = Field(10.0, gt=0, le=600)
    """Length of a window in seconds."""
    seg_num: int = Field(12, ge=1, le=64)
    """Number of parts that a window is cut into along time; the parts become channels. A step takes
    half the time of one with 6."""
    augmentation: Augmentation = Augmentation(masks=2, bandwidth=0.5)
    labelling: Labelling = Labelling()
    learning: Learning = Learning()

    @pydantic.model_validator(mode="after")
    def _check(self):
        if self.augmentation.mixup:
            raise ValueError(
                "mixup is for labels, and pre-training has none; leave it out (copies of a "
                "recording are mixed with others)"
            )
        if self.frontend.sample_rate_hz < RATE_HZ:
            raise ValueError(
                f"sample_rate_hz {self.frontend.sample_rate_hz} was given; the teacher's is "
                f"{RATE_HZ}, and its log-mel is made of the same waveform: give "
                f"{RATE_HZ} or more"
            )
        check_segment(self.frontend.frames(self.seg_len), self.seg_num)
        return self

    @property
    def experiment(self) -> Experiment:
        """The experiment whose network the student is; its head stays untrained."""
        learning = self.learning
        names = ("epochs", "batch_size", "learning_rate", "weight_decay", "precision", "seed")
        return Experiment(
            task="both",
            frontend=self.frontend,
            network=self.network,
            segments=Segments(seg_len=self.seg_len, seg_num=self.seg_num),
            training=Training(
                schedule="cosine", **{name: getattr(learning, name) for name in names}
            ),
        )
