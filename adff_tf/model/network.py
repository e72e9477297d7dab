"""The ADFF network as a Keras functional model (Section 2 and Figure 1 of the paper), on any Keras backend.

    log-mel (batch, frames, mels) ── standardise ── cut and stack ── S_1 … S_5 ── E_1 … E_5 ── E ── FC ── valence, arousal

Layers are named so that weights transfer by name: `level3_conv2`, `level3_norm`, `level3_se`, `level3_lstm1`, `level3_lstm2`,
`fc1`, `valence`, `arousal`. The names do not depend on `seg_num`, `seg_len` or the task.
"""

import keras

from .. import config
from ..tasks import PROBABILITIES, TASKS
from . import layers
from .lstm import LSTM, Bidirectional

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions of each level


def sflm_level(s, level: int, settings: config.Network):
    """One level of spatial feature learning, Eq. (1): S_N from S_{N-1}.

    s: `(batch, time, mel, channels)`. Returns `(batch, time // 2, mel // 2, channels of this level)`. ReLU and batch norm stand
    at the level's end, in the order that `settings.level_end` names.
    """
    channels, convolutions = VGG16[level - 1]
    channels = max(1, round(channels * settings.width))
    norm = keras.layers.BatchNormalization(
        momentum=settings.norm_momentum, name=f"level{level}_norm"
    )
    pool = layers.PooledReLU(name=f"level{level}_pool")
    literal = settings.level_end == "pool-relu-norm"
    for n in range(1, convolutions + 1):
        # the ReLU at the pool serves the last convolution too
        activation = None if literal and n == convolutions else "relu"
        s = keras.layers.Conv2D(
            channels, 3, padding="same", activation=activation, name=f"level{level}_conv{n}"
        )(s)
    for layer in (pool, norm) if literal else (norm, pool):
        s = layer(s)
    return s


def tflm(s, level: int, settings: config.Network):
    """Temporal feature learning (Section 2.2.2): E_N `(batch, 2 * lstm_units)` from S_N `(batch, time, mel, channels)`.

    The Bi-LSTM takes one step per time row, mel x channels flattened; E_N is its last forward and last backward state. In the
    variant w/o TFLM, E_N is S_N averaged over time and mel, `(batch, channels)`.
    """
    if not settings.tflm:
        return keras.layers.GlobalAveragePooling2D(name=f"level{level}_mean")(s)
    if settings.se:
        s = layers.SqueezeExcite(settings.se_ratio, name=f"level{level}_se")(s)
    _, time, mel, channels = s.shape
    rows = keras.layers.Reshape((time, mel * channels), name=f"level{level}_rows")(s)
    for n in (1, 2):
        lstm = LSTM(
            settings.lstm_units, return_sequences=n == 1, name=f"level{level}_lstm{n}_direction"
        )
        rows = Bidirectional(lstm, name=f"level{level}_lstm{n}")(rows)
    return rows


def prediction_head(e, task: str, settings: config.Network) -> dict:
    """The prediction module: the fused features E to the task's outputs by name, float32.

    A target is `(batch, 1)`, linear, in units of [-1, 1]; `probabilities` is `(batch, classes)`, softmax.
    """
    for n, units in enumerate(settings.fc, start=1):
        e = keras.layers.Dense(units, activation="relu", name=f"fc{n}")(e)
        e = keras.layers.Dropout(settings.dropout, name=f"fc{n}_dropout")(e)
    spec = TASKS[task]
    if spec.is_regression:
        return {name: keras.layers.Dense(1, dtype="float32", name=name)(e) for name in spec.outputs}
    logits = keras.layers.Dense(len(spec.classes), dtype="float32", name=f"{task}_logits")(e)
    return {PROBABILITIES: keras.layers.Softmax(dtype="float32", name=PROBABILITIES)(logits)}


def build_adff(experiment: config.Experiment, precision: str | None = None) -> keras.Model:
    """The network of an experiment, untrained, in a precision (a Keras dtype policy): by default Keras's current one.

    Input `log_mel` `(batch, frames, mels)` float32, dB. Outputs: a dict by name, see `prediction_head`. The log-mel is
    standardised per mel band inside the model, with the values assigned to the layer `standardise` (0 and 1 at first). Raises
    InputError where five pools do not fit.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision or before)
    try:
        return _build(experiment)
    finally:
        keras.config.set_dtype_policy(before)


def _build(experiment: config.Experiment) -> keras.Model:
    settings, segments = experiment.network, experiment.segments
    config.check_segment(experiment.frames, segments.seg_num)

    # === Functional model ===
    log_mel = keras.Input((experiment.frames, experiment.frontend.mels), name="log_mel")
    x = layers.Standardise(experiment.frontend.model_dump(), dtype="float32", name="standardise")(
        log_mel
    )
    s = layers.CutAndStack(segments.seg_num, dtype="float32", name="cut_and_stack")(x)
    levels = []
    for level in range(1, len(VGG16) + 1):
        s = sflm_level(s, level, settings)
        levels.append(tflm(s, level, settings))
    e = keras.layers.Concatenate(name="fusion")(levels)
    return keras.Model(log_mel, prediction_head(e, experiment.task, settings), name="adff")
