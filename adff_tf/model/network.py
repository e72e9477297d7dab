"""The ADFF network as a Keras functional model (Section 2, Figure 1), on any Keras backend.

    log-mel ── standardise ── cut and stack ── S_1 … S_5 ── E_1 … E_5 ── E ── FC ── outputs

The input is `(batch, frames, mels)`. Layers are named so that weights transfer by name:
`level3_conv2`, `level3_norm`, `level3_se`, `level3_lstm1`, `level3_lstm2`, `fc1`, `valence`,
`arousal`. The names do not depend on `seg_num`, `seg_len` or the task.
"""

import keras

from ..config import Experiment, Network, check_segment
from ..tasks import DISTANCE, PROBABILITIES, TASKS
from .layers import CutAndStack, Familiarity, PooledReLU, SqueezeExcite, Standardise
from .lstm import LSTM, Bidirectional

FUSION, FAMILIARITY = "fusion", "familiarity"  # names of layers: E, and its distance
VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions of each level


def sflm_level(s, level: int, settings: Network):
    """Return S_N from S_{N-1}: one level of spatial feature learning, Eq. (1).

    ReLU and batch norm end the level, in the order of `settings.level_end`.

    Args:
        s: `(batch, time, mel, channels)`.
        level: N, 1 to 5.
        settings: the network's settings.

    Returns:
        `(batch, time // 2, mel // 2, channels of this level)`.
    """
    channels, convolutions = VGG16[level - 1]
    channels = max(1, round(channels * settings.width))
    norm = keras.layers.BatchNormalization(
        momentum=settings.norm_momentum, name=f"level{level}_norm"
    )
    pool = PooledReLU(name=f"level{level}_pool")
    pool_first = settings.level_end == "pool-relu-norm"
    for n in range(1, convolutions + 1):
        # the ReLU at the pool serves the last convolution too
        activation = None if pool_first and n == convolutions else "relu"
        s = keras.layers.Conv2D(
            channels, 3, padding="same", activation=activation, name=f"level{level}_conv{n}"
        )(s)
    for layer in (pool, norm) if pool_first else (norm, pool):
        s = layer(s)
    return s


def tflm(s, level: int, settings: Network):
    """Return E_N from S_N: temporal feature learning (Section 2.2.2).

    The Bi-LSTM takes one step per time row, mel x channels flattened; E_N is its last forward and
    last backward state. In the variant w/o TFLM, E_N is S_N averaged over time and mel.

    Args:
        s: `(batch, time, mel, channels)`.
        level: N, 1 to 5.
        settings: the network's settings.

    Returns:
        `(batch, 2 * lstm_units)`, or `(batch, channels)` w/o TFLM.
    """
    if not settings.tflm:
        return keras.layers.GlobalAveragePooling2D(name=f"level{level}_mean")(s)
    if settings.se:
        s = SqueezeExcite(settings.se_ratio, name=f"level{level}_se")(s)
    _, time, mel, channels = s.shape
    rows = keras.layers.Reshape((time, mel * channels), name=f"level{level}_rows")(s)
    for n in (1, 2):
        lstm = LSTM(
            settings.lstm_units, return_sequences=n == 1, name=f"level{level}_lstm{n}_direction"
        )
        rows = Bidirectional(lstm, name=f"level{level}_lstm{n}")(rows)
    return rows


def prediction_head(e, task: str, settings: Network) -> dict:
    """Return the task's outputs by name, float32, from the fused features E.

    Args:
        e: `(batch, features)`.
        task: a name in `TASKS`.
        settings: the network's settings.

    Returns:
        Per target `(batch, 1)`, linear, in units of [-1, 1]; or `probabilities`
        `(batch, classes)`, softmax.
    """
    for n, units in enumerate(settings.fc, start=1):
        e = keras.layers.Dense(units, activation="relu", name=f"fc{n}")(e)
        e = keras.layers.Dropout(settings.dropout, name=f"fc{n}_dropout")(e)
    spec = TASKS[task]
    if spec.is_regression:
        return {name: keras.layers.Dense(1, dtype="float32", name=name)(e) for name in spec.outputs}
    logits = keras.layers.Dense(len(spec.classes), dtype="float32", name=f"{task}_logits")(e)
    return {PROBABILITIES: keras.layers.Softmax(dtype="float32", name=PROBABILITIES)(logits)}


def build_adff(experiment: Experiment, precision: str | None = None) -> keras.Model:
    """Return the untrained network of an experiment.

    Input `log_mel` `(batch, frames, mels)` float32, dB. Outputs: a dict, see `prediction_head`. The
    layer `standardise` holds the mean and std of each mel band: 0 and 1 until they are assigned.

    Args:
        experiment: the settings.
        precision: a Keras dtype policy; by default Keras's current policy.

    Raises:
        InputError: five pools do not fit.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision or before)
    try:
        return _build(experiment)
    finally:
        keras.config.set_dtype_policy(before)


def with_distance(network: keras.Model) -> keras.Model:
    """Return a network with one more output, `distance` `(batch, 1)`, of `layers.Familiarity`."""
    levels = network.get_layer(FUSION).input
    outputs = dict(zip(network.output_names, network.outputs, strict=True))
    outputs[DISTANCE] = Familiarity(dtype="float32", name=FAMILIARITY)(levels)
    return keras.Model(network.inputs[0], outputs, name="adff")


def _build(experiment: Experiment) -> keras.Model:
    settings, frontend = experiment.network, experiment.frontend
    seg_num = experiment.segments.seg_num
    check_segment(experiment.frames, seg_num)

    # === Functional model ===
    log_mel = keras.Input((experiment.frames, frontend.mels), name="log_mel")
    x = Standardise(frontend.model_dump(), dtype="float32", name="standardise")(log_mel)
    s = CutAndStack(seg_num, dtype="float32", name="cut_and_stack")(x)
    levels = []
    for level in range(1, len(VGG16) + 1):
        s = sflm_level(s, level, settings)
        levels.append(tflm(s, level, settings))
    e = keras.layers.Concatenate(name=FUSION)(levels)
    return keras.Model(log_mel, prediction_head(e, experiment.task, settings), name="adff")
