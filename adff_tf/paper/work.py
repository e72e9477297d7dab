"""The work of a training step, counted from an experiment's settings without building its network.

`count` walks through the network as `model.networks` builds it and adds up, for one segment, the
work that grows with the batch, and the work of a step that does not. Standardisation, batch norm,
squeeze-and-excitation and the outputs are left out: they are less than a hundredth of the
multiply-adds and of the parameters.
"""

from dataclasses import dataclass

from ..config import Experiment
from ..model import emomucs, mlem
from ..model.network import VGG16
from ..networks import (
    C1D_FILTERS,
    C1D_KERNEL,
    C1D_POOL,
    C2D_POOLS,
    STEMS,
    EmoMucs,
    Mlem,
    MusicnnLinear,
    Network,
)


@dataclass
class Work:
    """The work of a training step. The first four are of one segment.

    Attributes:
        multiply_adds: of the convolutions, forwards.
        patches: numbers in all patches that the kernels are laid over, as of im2col.
        cells: outputs of the convolutions.
        lstm_multiply_adds: of the Bi-LSTMs, forwards.
        loop_steps: steps of the Bi-LSTMs' time loops, whatever the batch.
        parameters: numbers that the optimizer updates.
        convolutions: layers, each of which is traced.
        lstms: Bi-LSTM layers, each of which is traced.
    """

    multiply_adds: int = 0
    patches: int = 0
    cells: int = 0
    lstm_multiply_adds: int = 0
    loop_steps: int = 0
    parameters: int = 0
    convolutions: int = 0
    lstms: int = 0


def count(experiment: Experiment) -> Work:
    """Return the work of a training step of an experiment's network."""
    network, frontend = experiment.network, experiment.frontend
    if isinstance(network, Network):
        return _count_adff(experiment, network)
    if isinstance(network, MusicnnLinear):
        return Work()  # solved for, without steps
    walk = _Walk(experiment.frames, frontend.mels)
    if isinstance(network, Mlem):
        return _count_mlem(walk, network)
    return _count_emomucs(walk, network)


class _Walk:
    """Counts the work of layers that follow each other; holds the size of their output."""

    def __init__(self, time: int, mel: int, channels: int = 1, work: Work | None = None) -> None:
        self.time, self.mel, self.channels, self.work = time, mel, channels, work or Work()

    def convolve(
        self, channels: int, kernel: tuple[int, int], stride: int = 1, extra: int = 0
    ) -> None:
        """Count a convolution; the output has the input's size divided by the stride.

        Args:
            channels: of the output.
            kernel: over time and mel.
            stride: over both.
            extra: channels that are appended to the input.
        """
        self.time, self.mel = -(-self.time // stride), -(-self.mel // stride)
        positions = self.time * self.mel
        patch = kernel[0] * kernel[1] * (self.channels + extra)
        self.channels = channels
        work = self.work
        work.multiply_adds += positions * patch * channels
        work.patches += positions * patch
        work.cells += positions * channels
        work.parameters += patch * channels
        work.convolutions += 1

    def pool(self, time: int, mel: int) -> None:
        self.time, self.mel = self.time // time, self.mel // mel

    def run_lstm(self, units: int) -> None:
        """Count a Bi-LSTM over the time rows; one loop of twice the width runs both directions."""
        features, gates = self.mel * self.channels, 8 * units
        self.work.lstm_multiply_adds += self.time * (features + 2 * units) * gates
        self.work.loop_steps += self.time
        self.work.parameters += (features + units) * gates
        self.work.lstms += 1
        self.mel, self.channels = 1, 2 * units

    def connect(self, inputs: int, units: int) -> None:
        """Count a fully connected layer."""
        self.work.parameters += inputs * units


def _count_adff(experiment: Experiment, network: Network) -> Work:
    seg_num = experiment.segments.seg_num
    walk = _Walk(experiment.frames // seg_num, experiment.frontend.mels, seg_num)
    features = 0
    for full_channels, convolutions in VGG16:
        for _ in range(convolutions):
            walk.convolve(max(1, round(full_channels * network.width)), (3, 3))
        walk.pool(2, 2)
        features += 2 * network.lstm_units if network.tflm else walk.channels
        if network.tflm:
            temporal = _Walk(walk.time, walk.mel, walk.channels, walk.work)
            for _ in range(2):
                temporal.run_lstm(network.lstm_units)
    for units in network.fc:
        walk.connect(features, units)
        features = units
    return walk.work


def _count_mlem(walk: _Walk, network: Mlem) -> Work:
    def scaled(channels: int) -> int:
        return max(1, round(channels * network.width))

    walk.time, walk.mel = walk.time - 2, walk.mel - 2  # a kernel of 5 on a padding of 1
    walk.convolve(scaled(mlem.STEM), (5, 5), stride=2)
    for part in mlem.LAYOUT:
        if part is None:
            walk.pool(2, 2)
            continue
        channels, kernels = scaled(part[0]), part[1]
        if walk.channels != channels:
            _Walk(walk.time, walk.mel, walk.channels, walk.work).convolve(channels, (1, 1))
        for kernel in kernels:
            walk.convolve(channels, (kernel, kernel), extra=1)
    return walk.work


def _count_emomucs(walk: _Walk, network: EmoMucs) -> Work:
    frames, mels, work = walk.time, walk.mel, walk.work
    for _ in range(1 if network.fusion == "none" else len(STEMS)):
        if network.source_model == "c2d":
            walk = _Walk(frames, mels, work=work)
            for pool in C2D_POOLS:
                walk.convolve(emomucs.C2D_FILTERS, (3, 3))
                walk.pool(*pool)
            continue
        walk = _Walk(frames, 1, mels, work)
        for filters in C1D_FILTERS:
            walk.time -= C1D_KERNEL - 1
            walk.convolve(filters, (C1D_KERNEL, 1))
            walk.pool(C1D_POOL, 1)
        walk.connect(walk.time * walk.channels, emomucs.UNITS)
    return work
