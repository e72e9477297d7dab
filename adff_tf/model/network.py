"""The ADFF network as a Keras functional model (Section 2, Figure 1), on any Keras backend.

    log-mel ── standardise ── cut and stack ── S_1 … S_5 ── E_1 … E_5 ── E ── FC ── outputs

The input is `(batch, frames, mels)`. Layers are named so that weights transfer by name:
`level3_conv2`, `level3_norm`, `level3_se`, `level3_lstm1`, `level3_lstm2`, `fc1`, `valence`,
`arousal`. The names do not depend on `seg_num`, `seg_len` or the task.
"""

import contextlib
from collections.abc import Iterator

import keras

from ..config import Experiment, Network, check_segment
from ..errors import InputError
from ..tasks import PROBABILITIES, TASKS
from .layers import CutAndStack, PooledReLU, SqueezeExcite, Standardise
from .lstm import LSTM, Bidirectional

STANDARDISE, FUSION = "standardise", "fusion"  # names of layers
NETWORK = "adff"  # name of every network, by which `export.tflite` knows its tensors
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
    return task_outputs(e, task)


def output_layers(task: str) -> tuple[str, ...]:
    """Return the names of the linear layers of a task's outputs."""
    return TASKS[task].targets if TASKS[task].is_regression else (f"{task}_logits",)


def task_outputs(e, task: str, use_bias: bool = True) -> dict:
    """Return the task's outputs by name, float32, of one linear layer each; see `prediction_head`.

    Args:
        e: `(batch, features)`.
        task: a name in `TASKS`.
        use_bias: whether the layers have a bias.
    """
    spec, linear = TASKS[task], keras.layers.Dense
    options = {"dtype": "float32", "use_bias": use_bias}
    layers = output_layers(task)
    if spec.is_regression:
        return {name: linear(1, name=name, **options)(e) for name in layers}
    logits = linear(len(spec.classes), name=layers[0], **options)(e)
    return {PROBABILITIES: keras.layers.Softmax(dtype="float32", name=PROBABILITIES)(logits)}


def build_adff(experiment: Experiment, precision: str | None = None) -> keras.Model:
    """Return ADFF, untrained.

    Input `log_mel` `(batch, frames, mels)` float32, dB. Outputs: a dict, see `prediction_head`. The
    layer `standardise` holds the mean and std of each mel band: 0 and 1 until they are assigned.

    Args:
        experiment: the settings.
        precision: a Keras dtype policy; by default Keras's current policy.

    Raises:
        InputError: five pools do not fit, or the experiment has another network.
    """
    with dtype_policy(precision):
        return _build(experiment)


@contextlib.contextmanager
def dtype_policy(precision: str | None) -> Iterator[None]:
    """Build layers with a Keras dtype policy; None: with the current one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _build(experiment: Experiment) -> keras.Model:
    settings = experiment.network
    if not isinstance(settings, Network):
        raise InputError(f"the experiment's model is {settings.model}; build_network builds it")
    seg_num = experiment.segments.seg_num
    check_segment(experiment.frames, seg_num)

    # === Functional model ===
    log_mel, x = standardised_input(experiment)
    s = CutAndStack(seg_num, dtype="float32", name="cut_and_stack")(x)
    levels = []
    for level in range(1, len(VGG16) + 1):
        s = sflm_level(s, level, settings)
        levels.append(tflm(s, level, settings))
    e = keras.layers.Concatenate(name=FUSION)(levels)
    return keras.Model(log_mel, prediction_head(e, experiment.task, settings), name=NETWORK)


def standardised_input(experiment: Experiment) -> tuple:
    """Return the input `log_mel` and the standardised one, `(batch, frames, mels)` each.

    The layer `standardise` carries the front end of the training, by which files are checked.
    """
    frontend = experiment.frontend
    log_mel = keras.Input((experiment.frames, experiment.bands), name="log_mel")
    layer = Standardise(frontend.model_dump(), dtype="float32", name=STANDARDISE)
    return log_mel, layer(log_mel)
