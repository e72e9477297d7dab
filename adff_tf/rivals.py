"""Settings of the networks in the paper's Table 1 beside ADFF: EmoMucs and MLEM.

Both take the log-mel of the experiment's front end. Sizes are those of their authors; where the
authors leave a choice open, the field's docstring says so.
"""

from typing import Annotated, Literal

import tyro
from pydantic import Field

from .errors import InputError
from .settings import TAGS, Settings

MODEL = tyro.conf.arg(metavar="{" + ",".join(TAGS) + "}")
NAMES = {"adff": "ADFF", "emomucs": "EmoMucs", "mlem": "MLEM"}
C2D_POOLS = ((3, 2), (3, 3), (3, 2), (3, 2), (3, 4))  # (time, mel); of EmoMucs's 938 x 96 cells
C1D_KERNEL, C1D_POOL, C1D_FILTERS = 8, 4, (32, 16)
MLEM_FEWEST = 16  # frames and mels: the stem and two pools halve three times


class EmoMucs(Settings):
    """EmoMucs's source model on the mix (de Berardinis et al., ISMIR 2020): C1D-M or C2D-M.

    C2D-M is the row "EmoMucs" of ADFF's Table 1, digit for digit.
    """

    model: Annotated[Literal["emomucs"], MODEL] = "emomucs"
    """Network to train: adff, emomucs or mlem; each has options of its own."""
    source_model: Literal["c1d", "c2d"] = "c2d"
    """c1d: two convolutions over time. c2d: five over time and mel."""
    level: Literal["standardised", "relative"] = "standardised"
    """standardised: by mel band, as for ADFF. relative: dB below the segment's own maximum, 80 dB
    at most, as its authors do; absolute loudness, a cue of arousal, is lost."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """c1d only: dropout rate before each fully connected layer."""

    @property
    def title(self) -> str:
        """The network's name and paper."""
        name = self.source_model.upper()
        return f"EmoMucs's {name} on the mix (de Berardinis et al., ISMIR 2020)"

    def describe(self, segments: Settings) -> str:
        """Return the sizes that differ from run to run, in words."""
        return f"input {self.level}"

    def check(self, frames: int, mels: int) -> None:
        """Raise InputError unless a segment is long enough for the pools."""
        if self.source_model == "c2d":
            times, heights = zip(*C2D_POOLS, strict=True)
            fewest_frames, fewest_mels = _product(times), _product(heights)
        else:
            fewest_frames, fewest_mels = _c1d_fewest_frames(), 1
        _check_size("EmoMucs", frames, mels, fewest_frames, fewest_mels)


class Mlem(Settings):
    """MLEM's network (Chowdhury et al., SMC 2021) without its mid-level features.

    A residual network with a small receptive field, and the frequency as one more channel.
    """

    model: Annotated[Literal["mlem"], MODEL] = "mlem"
    """Network to train: adff, emomucs or mlem; each has options of its own."""
    width: float = Field(1.0, gt=0, le=4)
    """Factor on the channels 128, 256 and 512. A step at 1 takes many times ADFF's."""
    concepts: int = Field(7, ge=0, le=64)
    """Units of the linear layer between features and outputs: as many as MLEM has mid-level
    features. 0: no such layer."""

    @property
    def title(self) -> str:
        """The network's name and paper."""
        return "MLEM's network (Chowdhury et al., SMC 2021), trained without mid-level features"

    def describe(self, segments: Settings) -> str:
        """Return the sizes that differ from run to run, in words."""
        layer = f", {self.concepts} concepts" if self.concepts else ", no concepts"
        return f"width {self.width:g} of its paper's{layer}"

    def check(self, frames: int, mels: int) -> None:
        """Raise InputError unless a segment is long enough for the pools."""
        _check_size("MLEM", frames, mels, MLEM_FEWEST, MLEM_FEWEST)


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


def _product(numbers: tuple[int, ...]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product
