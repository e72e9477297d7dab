"""MLEM's network (Chowdhury, Praher and Widmer, SMC 2021; the name MLEM is ADFF's).

A residual network with a small receptive field (Koutini et al., EUSIPCO 2019). Before each
convolution of a block one channel is appended, the position on the frequency axis from -1 to 1. The
linear layer of 7 `concepts` has no bias, and the outputs have none; with two outputs the network
has 2,220,174 parameters. With names (`Experiment.concepts`) the concepts are one more output, which
is taught mid-level features; the outputs have a bias where they are least squares of the concepts
(mid_level separate, `training.effects`). Where the emotions' loss moves the concepts too (mid_level
joint), they learn more of the emotions than their names say, and the effects mean little.
"""

import keras

from ..config import Experiment
from ..networks import Mlem
from ..tasks import CONCEPTS
from .layers import CompressedLevel, FrequencyChannel, StopGradient
from .network import FUSION, NETWORK, standardised_input, task_outputs

# Blocks and pools in order: channels and the kernels of a block's convolutions; None is a pool.
LAYOUT = (
    (128, (3, 1)), None, (128, (3, 3)), None, (128, (3, 3)), (256, (3, 3)), (512, (1, 1)),
)  # fmt: skip
STEM = 128


def build(experiment: Experiment) -> keras.Model:
    """Return MLEM's network, untrained; see `networks.build_network`."""
    settings = experiment.network
    assert isinstance(settings, Mlem)
    settings.check(experiment.frames, experiment.frontend)

    def scaled(channels: int) -> int:
        return max(1, round(channels * settings.width))

    # === Functional model ===
    log_mel, x = standardised_input(experiment)
    if settings.level == "compressed":
        x = CompressedLevel(dtype="float32", name="compressed_level")(x)
    x = keras.layers.Reshape((*x.shape[1:], 1), name="channel")(x)
    x = keras.layers.ZeroPadding2D(1, name="stem_padding")(x)
    x = _conv(scaled(STEM), 5, "stem_conv", padding="valid", strides=2)(x)
    x = keras.layers.ReLU(name="stem_relu")(_norm("stem_norm")(x))
    for n, part in enumerate(LAYOUT, start=1):
        if part is None:
            x = keras.layers.MaxPooling2D(2, name=f"pool{n}")(x)
        else:
            channels, kernels = part
            x = residual_block(x, scaled(channels), kernels, f"block{n}")
    e = keras.layers.GlobalAveragePooling2D(name="features")(x)
    e = keras.layers.Identity(name=FUSION)(e)
    named = experiment.concepts
    if units := len(named) or settings.concepts:
        options = {"use_bias": False, "dtype": "float32", "name": CONCEPTS}
        e = keras.layers.Dense(units, **options)(e)
    is_separate = settings.mid_level == "separate"
    known = StopGradient(dtype="float32", name="known")(e) if is_separate else e
    outputs = task_outputs(known, experiment.task, use_bias=is_separate)
    outputs |= {CONCEPTS: e} if named else {}
    return keras.Model(log_mel, outputs, name=NETWORK)


def residual_block(x, channels: int, kernels: tuple[int, int], name: str):
    """Return a block's `(batch, time, mel, channels)`: two convolutions beside a shortcut."""
    shortcut = x
    if x.shape[-1] != channels:
        shortcut = _norm(f"{name}_shortcut_norm")(_conv(channels, 1, f"{name}_shortcut")(x))
    for n, kernel in enumerate(kernels, start=1):
        x = FrequencyChannel(name=f"{name}_frequency{n}")(x)
        x = _norm(f"{name}_norm{n}")(_conv(channels, kernel, f"{name}_conv{n}")(x))
        if n == 1:
            x = keras.layers.ReLU(name=f"{name}_relu1")(x)
    x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu2")(x)


def _conv(channels: int, kernel: int, name: str, padding: str = "same", strides: int = 1):
    return keras.layers.Conv2D(
        channels, kernel, strides=strides, padding=padding, use_bias=False,
        kernel_initializer="he_normal", name=name,
    )  # fmt: skip


def _norm(name: str) -> keras.layers.Layer:
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)
