"""Settings of the networks: ADFF, the rivals in the paper's Table 1, and a linear model.

All take the log-mel of the experiment's front end, and EmoMucs also those of separated sources.
Sizes are those of the authors; where they leave a choice open, the field's docstring says so.
"""

import math
from typing import Annotated, Any, Literal

import pydantic
import tyro
from pydantic import Field

from .errors import InputError
from .frontend import Frontend
from .settings import TAGS, Settings

STEMS = ("vocals", "bass", "drums", "other")  # separated sources of a recording, in this order
MODEL = tyro.conf.arg(metavar="{" + ",".join(TAGS) + "}")
NAMES = {"adff": "ADFF", "emomucs": "EmoMucs", "mlem": "MLEM", "musicnn-linear": "MusiCNN, linear"}
C2D_POOLS = ((3, 2), (3, 3), (3, 2), (3, 2), (3, 4))  # (time, mel); of EmoMucs's 938 x 96 cells
C1D_KERNEL, C1D_POOL, C1D_FILTERS = 8, 4, (32, 16)
# Perceptual features of Aljanaki and Soleymani (ISMIR 2018), as musicians rated them
MID_LEVEL = (
    "melodiousness", "articulation", "rhythmic_complexity", "rhythmic_stability", "dissonance",
    "tonal_stability", "minorness",
)  # fmt: skip
# Factors of the built-in music, in the place of mid-level features; see `datasets.synthetic`
FACTORS = (
    "tempo_bpm", "density_hz", "loudness_db", "brightness_db_per_octave", "articulation", "mode",
    "consonance", "register_semitones",
)  # fmt: skip
MLEM_FEWEST = 16  # frames and mels: the stem and two pools halve three times
MUSICNN_PATCH = 187  # frames, 3 s
MUSICNN_FRONTEND = {
    "sample_rate_hz": 16000, "mels": 96, "n_fft": 512, "win_length_s": 0.032, "hop_length_s": 0.016
}  # fmt: skip


class Network(Settings):
    """ADFF (Section 2). Not in the paper: sizes of the Bi-LSTM, the attention and the FC layers."""

    model: Annotated[Literal["adff"], MODEL] = "adff"
    """Network to train; each has options of its own."""
    width: float = Field(1.0, gt=0, le=4)
    """Factor on the VGG-16 channels 64, 128, 256, 512, 512."""
    se: bool = True
    """Squeeze-and-excitation; off: the paper's variant w/o SE."""
    tflm: bool = True
    """Temporal feature learning (SE and Bi-LSTM); off: the paper's variant w/o TFLM, in which S_N
    is averaged over time and mel."""
    lstm_units: int = Field(64, ge=1)
    """Units per direction in both Bi-LSTM layers. Not in the paper: 64 gives 25 M parameters in
    all."""
    se_ratio: int = Field(16, ge=1)
    """Reduction ratio of the excitation; 16 is the value of the original SE paper."""
    level_end: Literal["pool-relu-norm", "norm-relu"] = "pool-relu-norm"
    """End of a level. pool-relu-norm: pool, ReLU, batch norm (the paper's order, literally).
    norm-relu: batch norm, ReLU, pool."""
    norm_momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum of batch norm. With Keras's 0.99, evaluation lags dozens of epochs behind training
    on data sets of this size."""
    fc: tuple[int, ...] = (256, 64)
    """Units of the fully connected layers (ReLU) before the output layer."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Dropout rate after each fully connected layer."""

    @property
    def title(self) -> str:
        """The network's name and paper."""
        return "ADFF (Huang et al., Interspeech 2022)"

    def describe(self, segments: Any) -> str:
        """Return the sizes that differ from run to run, in words."""
        variant = ("" if self.se else ", without SE") + ("" if self.tflm else ", without TFLM")
        return f"width {self.width:g} of the paper's, seg_num {segments.seg_num}{variant}"


class EmoMucs(Settings):
    """EmoMucs (de Berardinis et al., ISMIR 2020), or its source model on the mix: C1D-M or C2D-M.

    C2D-M is the row "EmoMucs" of ADFF's Table 1, digit for digit.
    """

    model: Annotated[Literal["emomucs"], MODEL] = "emomucs"
    """Network to train; each has options of its own."""
    source_model: Literal["c1d", "c2d"] = "c2d"
    """c1d: two convolutions over time. c2d: five over time and mel."""
    fusion: Literal["none", "early", "mid", "late"] = "none"
    """none: one source model, on the mix. Otherwise a source model for each of four separated
    sources (see stems), joined behind the convolutions (early), behind c1d's hidden layer (mid) or
    by their outputs (late)."""
    stem_models: Literal["full", "freeze", "finetune"] = "full"
    """fusion only. full: all parts are trained together. freeze: each source model alone on its
    stem first, which shows what each stem says; then the fusion alone. finetune: then all of it, at
    a tenth of the learning rate (the factor is not in the paper)."""
    level: Literal["standardised", "relative"] = "standardised"
    """standardised: by mel band, as for ADFF. relative: dB below the segment's own maximum, 80 dB
    at most, as its authors do; absolute loudness, a cue of arousal, is lost."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """c1d only: dropout rate before each fully connected layer."""

    @property
    def title(self) -> str:
        """The network's name and paper."""
        name = self.source_model.upper()
        sources = "on the mix" if self.fusion == "none" else f"with {self.fusion} fusion of stems"
        return f"EmoMucs's {name} {sources} (de Berardinis et al., ISMIR 2020)"

    def describe(self, segments: Any) -> str:
        """Return the sizes that differ from run to run, in words."""
        ways = {"full": "", "freeze": ", source models frozen", "finetune": ", fine-tuned"}
        return f"input {self.level}{ways[self.stem_models]}"

    def check(self, frames: int, frontend: Frontend) -> None:
        """Raise InputError unless a segment is long enough for the pools."""
        if self.fusion == "none" and self.stem_models != "full":
            raise InputError(f"stem_models {self.stem_models} needs fusion early, mid or late")
        if self.fusion == "mid" and self.source_model == "c2d":
            raise InputError("c2d has no hidden layer for fusion mid; give early, late or c1d")
        if self.source_model == "c2d":
            times, heights = zip(*C2D_POOLS, strict=True)
            fewest_frames, fewest_mels = math.prod(times), math.prod(heights)
        else:
            fewest_frames, fewest_mels = _c1d_fewest_frames(), 1
        _check_size("EmoMucs", frames, frontend.mels, fewest_frames, fewest_mels)


class Mlem(Settings):
    """MLEM's network (Chowdhury et al., SMC 2021).

    A residual network with a small receptive field, and the frequency as one more channel. Its
    outputs are linear in a few concepts.
    """

    model: Annotated[Literal["mlem"], MODEL] = "mlem"
    """Network to train; each has options of its own."""
    width: float = Field(1.0, gt=0, le=4)
    """Factor on the channels 128, 256 and 512. A step at 1 takes many times ADFF's."""
    concepts: int = Field(7, ge=0, le=64)
    """Units of the linear layer between features and outputs: as many as MLEM has mid-level
    features. 0: no such layer. With mid_level one unit a feature."""
    level: Literal["standardised", "compressed"] = "standardised"
    """standardised: by band, as for ADFF. compressed: log10(1 + magnitude) as its authors, who make
    all recordings equally loud first; here, all segments. For frontend.filterbank octave."""
    mid_level: Literal["none", "separate", "joint"] = "none"
    """Teach the concepts mid-level features, which explain the answers: those of mid_level_data, or
    the factors of the built-in music. separate: the emotions are least squares of the concepts, so
    that a concept is what its name says. joint: as its authors do, all by both losses."""

    @property
    def title(self) -> str:
        """The network's name and paper."""
        taught = "without" if self.mid_level == "none" else "with"
        return f"MLEM's network (Chowdhury et al., SMC 2021), trained {taught} mid-level features"

    def describe(self, segments: Any) -> str:
        """Return the sizes that differ from run to run, in words."""
        if self.mid_level != "none":
            return f"width {self.width:g} of its paper's, mid-level features {self.mid_level}"
        layer = f", {self.concepts} concepts" if self.concepts else ", no concepts"
        return f"width {self.width:g} of its paper's{layer}, input {self.level}"

    def check(self, frames: int, frontend: Frontend) -> None:
        """Raise InputError unless a segment is long enough for the pools."""
        _check_size("MLEM", frames, frontend.mels, MLEM_FEWEST, MLEM_FEWEST)


class MusicnnLinear(Settings):
    """Ridge or logistic regression on MusiCNN's embedding (Pons and Serra, ISMIR 2019).

    Training finds the penalty by folds of the training songs and solves for the weights: it has no
    epochs, and settings of training and augmentation have no effect. MusiCNN's weights are those of
    the package musicnn (pip install --no-deps musicnn==0.1.0), and are part of the trained model.
    """

    model: Annotated[Literal["musicnn-linear"], MODEL] = "musicnn-linear"
    """Network to train; each has options of its own."""

    @property
    def title(self) -> str:
        """The model's name and paper."""
        return "a linear model on MusiCNN's embedding (Pons and Serra, ISMIR 2019)"

    @property
    def level(self) -> str:
        """What MusiCNN takes: its weights are for levels as they are."""
        return "absolute"

    def describe(self, segments: Any) -> str:
        """Return the sizes that differ from run to run, in words."""
        return f"embedding of 200, mean over patches of 3 s in {segments.seg_len:g} s"

    def check(self, frames: int, frontend: Frontend) -> None:
        """Raise InputError unless the front end is MusiCNN's and a segment has a patch."""
        for name, value in MUSICNN_FRONTEND.items():
            if getattr(frontend, name) != value:
                raise InputError(
                    f"musicnn-linear needs MusiCNN's front end, {name} {value}; the settings have "
                    f"{getattr(frontend, name)}: give the preset musicnn-linear"
                )
        if frames < MUSICNN_PATCH:
            raise InputError(
                f"a segment of {frames} frames is too short for MusiCNN's patches of "
                f"{MUSICNN_PATCH}: give a seg_len of 3 s or more"
            )


def _tag(network: object) -> str | None:
    """Return the name of a network's settings; those of earlier versions are ADFF's."""
    if isinstance(network, dict):
        return network.get("model", "adff")
    return getattr(network, "model", None)


AnyNetwork = Annotated[
    Annotated[Network, pydantic.Tag("adff")]
    | Annotated[EmoMucs, pydantic.Tag("emomucs")]
    | Annotated[Mlem, pydantic.Tag("mlem")]
    | Annotated[MusicnnLinear, pydantic.Tag("musicnn-linear")],
    pydantic.Discriminator(
        _tag, custom_error_type="model", custom_error_message=f"model is one of {', '.join(TAGS)}"
    ),
]
NETWORKS = {
    kind.model_fields["model"].default: kind for kind in (Network, EmoMucs, Mlem, MusicnnLinear)
}


def _check_size(name: str, frames: int, mels: int, fewest_frames: int, fewest_mels: int) -> None:
    if frames < fewest_frames or mels < fewest_mels:
        raise InputError(
            f"a segment of {frames} frames and {mels} mels is too small for {name}'s pools: give "
            f"at least {fewest_frames} frames (a longer seg_len) and {fewest_mels} mels"
        )


def _c1d_fewest_frames() -> int:
    frames = 1
    for _ in C1D_FILTERS:
        frames = frames * C1D_POOL + C1D_KERNEL - 1
    return frames
