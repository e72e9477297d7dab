"""The paper's layers that Keras lacks, in pure Keras.

    cut_and_stack, CutAndStack   Section 2.1, OP1 and OP2 of Figure 1
    SqueezeExcite                Section 2.2.2, Eq. (2), (3), (4)
    PooledReLU                   the pool and ReLU at the end of a level, Eq. (1)
    Standardise                  one mean and std per mel band; not in the paper
    Familiarity                  how far E lies from the training songs'; not in the paper

Every layer runs on every Keras backend and in mixed precision, and is saved by its name
`adff_tf>…`. Tensors bear the paper's names and put channels last: a log-mel is
`(batch, frames, mels)`, a stacked segment `(batch, frames // seg_num, mels, seg_num)`, the output S
of a level `(batch, time, mel, channels)`.
"""

import keras
from keras import ops

SMALLEST_SQUARE = 1e-2  # of a distance, so that one level's cannot be all


def cut_and_stack(log_mel, seg_num: int):
    """Cut a log-mel along time into `seg_num` parts and stack the parts as channels.

    Args:
        log_mel: `(batch, frames, mels)`; the `frames % seg_num` frames at the end are dropped.
        seg_num: number of parts.

    Returns:
        `(batch, frames // seg_num, mels, seg_num)`; channel k is the k-th part in time order.
    """
    frames, mels = log_mel.shape[1:]
    part = frames // seg_num
    parts = ops.reshape(log_mel[:, : part * seg_num], (-1, seg_num, part, mels))
    return ops.transpose(parts, (0, 2, 3, 1))


@keras.saving.register_keras_serializable("adff_tf")
class Standardise(keras.layers.Layer):
    """Standardise each mel band: (x - mean) / std.

    Input and output are `(batch, frames, mels)`. mean and std, `(mels,)` in the input's unit, are
    weights that training does not change: 0 and 1 until they are assigned. Unlike in
    `keras.layers.Normalization`, a later assignment reaches functions that are traced already.

    Args:
        frontend: front-end settings (`config.Frontend`) used in training; stored, not used.
    """

    def __init__(self, frontend: dict | None = None, **kwargs):
        super().__init__(**kwargs)
        self.frontend = frontend

    def build(self, input_shape):
        mels = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=mels, initializer="zeros", trainable=False)
        self.std = self.add_weight(name="std", shape=mels, initializer="ones", trainable=False)

    def call(self, inputs):
        return (inputs - self.mean) / self.std

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "frontend": self.frontend}


@keras.saving.register_keras_serializable("adff_tf")
class CutAndStack(keras.layers.Layer):
    """Apply `cut_and_stack` inside the network, on the network's device.

    Input `(batch, frames, mels)`, output `(batch, frames // seg_num, mels, seg_num)`. No weights.
    """

    def __init__(self, seg_num: int, **kwargs):
        super().__init__(**kwargs)
        self.seg_num = seg_num

    def call(self, inputs):
        return cut_and_stack(inputs, self.seg_num)

    def compute_output_shape(self, input_shape):
        batch, frames, mels = input_shape
        return (batch, frames // self.seg_num, mels, self.seg_num)

    def get_config(self):
        return {**super().get_config(), "seg_num": self.seg_num}


@keras.saving.register_keras_serializable("adff_tf")
class PooledReLU(keras.layers.Layer):
    """Apply ReLU and 2 x 2 max pooling, in the faster order; the two commute.

    Input `(batch, time, mel, channels)`, output `(batch, time // 2, mel // 2, channels)`. In
    training ReLU follows the pool, where its gradient has a quarter of the cells. Otherwise ReLU
    comes first, where TensorFlow fuses it with the convolution.
    """

    def call(self, inputs, training=False):
        # strides are given because Keras 3.15 on JAX has a wrong default
        if training:
            return ops.relu(ops.max_pool(inputs, 2, strides=2))
        return ops.max_pool(ops.relu(inputs), 2, strides=2)

    def compute_output_shape(self, input_shape):
        batch, time, mel, channels = input_shape
        return (batch, time // 2, mel // 2, channels)


@keras.saving.register_keras_serializable("adff_tf")
class SqueezeExcite(keras.layers.Layer):
    """Weight the channels of S by attention (Section 2.2.2, Eq. 2 to 4; Hu et al. 2018).

    Input and output are `(batch, time, mel, channels)`. The excitation is FC (channels // ratio),
    ReLU, FC (channels), sigmoid.

    Args:
        ratio: reduction ratio of the excitation.
    """

    def __init__(self, ratio: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        batch, *_, channels = input_shape
        hidden = max(1, channels // self.ratio)
        self.reduce = keras.layers.Dense(
            hidden, activation="relu", dtype=self.dtype_policy, name="reduce"
        )
        self.expand = keras.layers.Dense(
            channels, activation="sigmoid", dtype=self.dtype_policy, name="expand"
        )
        self.reduce.build((batch, channels))
        self.expand.build((batch, hidden))

    def call(self, inputs):
        z = _mean_over_time_and_mel(inputs)  # Eq. (2), squeeze: (batch, channels)
        a = self.expand(self.reduce(z))  # Eq. (3), excite: (batch, channels) in (0, 1)
        return inputs * a[:, None, None, :]  # Eq. (4), scale: (batch, time, mel, channels)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}


def _mean_over_time_and_mel(s):
    """Return the mean of each channel, `(batch, channels)`, from `(batch, time, mel, channels)`."""
    time_mel = s.shape[1:3]
    return ops.average_pool(s, time_mel, strides=time_mel)[:, 0, 0]


@keras.saving.register_keras_serializable("adff_tf")
class Familiarity(keras.layers.Layer):
    """Measure how far E lies from that of the training songs.

    Input a list of E_1 … E_5, `(batch, features)` each; output `(batch, 1)` float32: the geometric
    mean over levels of |(E_N - mean) · projection|, Mahalanobis's distance where the projection
    whitens (Lee et al., NeurIPS 2018). A level has weights mean `(features,)` and projection
    `(features, features)`, which training does not change: 0 and the unit matrix until they are
    assigned.
    """

    def build(self, input_shape):
        self.levels = []
        for n, (_, size) in enumerate(input_shape, start=1):
            fixed = {"trainable": False}
            mean = self.add_weight(name=f"mean{n}", shape=(size,), initializer="zeros", **fixed)
            unit, square = "identity", (size, size)
            projection = self.add_weight(
                name=f"projection{n}", shape=square, initializer=unit, **fixed
            )
            self.levels.append((mean, projection))

    def call(self, inputs):
        logs = []
        for e, (mean, projection) in zip(inputs, self.levels, strict=True):
            away = ops.matmul(ops.cast(e, "float32") - mean, projection)
            squared = ops.sum(ops.square(away), axis=-1, keepdims=True)
            logs.append(ops.log(squared + SMALLEST_SQUARE) / 2)
        return ops.exp(sum(logs) / len(logs))

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], 1)


@keras.saving.register_keras_serializable("adff_tf")
class Effects(keras.layers.Layer):
    """Measure what each concept adds to each target: weight * (concept - mean).

    The effect of Chowdhury et al. (SMC 2021), centred on the training songs' mean: the effects on a
    target sum to its value less its mean. `(batch, concepts)` to `(batch, targets * concepts)`
    float32, target by target. Training does not change the weights, mean `(concepts,)` and weight
    `(targets, concepts)`: 0 until they are assigned.

    Args:
        targets: number of targets.
    """

    def __init__(self, targets: int, **kwargs):
        super().__init__(**kwargs)
        self.targets = targets

    def build(self, input_shape):
        size, fixed = input_shape[-1], {"trainable": False, "initializer": "zeros"}
        self.mean = self.add_weight(name="mean", shape=(size,), **fixed)
        self.weight = self.add_weight(name="weight", shape=(self.targets, size), **fixed)

    def call(self, inputs):
        effects = (inputs - self.mean)[:, None, :] * self.weight
        return ops.reshape(effects, (-1, self.targets * inputs.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.targets * input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "targets": self.targets}


@keras.saving.register_keras_serializable("adff_tf")
class StopGradient(keras.layers.Layer):
    """Return the input, through which no gradient passes."""

    def call(self, inputs):
        return ops.stop_gradient(inputs)


@keras.saving.register_keras_serializable("adff_tf")
class RelativeLevel(keras.layers.Layer):
    """Measure dB below each segment's maximum, at most 80, `(batch, frames, mels)` to the same.

    The level of librosa's `power_to_db(ref=np.max)`, which EmoMucs takes.
    """

    def call(self, inputs):
        loudest = ops.max(inputs, axis=(1, 2), keepdims=True)
        return ops.maximum(inputs - loudest, -80.0)


@keras.saving.register_keras_serializable("adff_tf")
class CompressedLevel(keras.layers.Layer):
    """Turn dB of magnitude into log10(1 + magnitude) of segments that are equally loud.

    MLEM's level, `(batch, frames, mels)` to the same. Its authors set a recording's peak to 1; here
    a segment's maximum is set to 45 dB, that of such recordings (45.3 ± 2.5 dB in 60 of 4QAED).
    """

    LOUDEST_DB = 45.0

    def call(self, inputs):
        loudest = ops.max(inputs, axis=(1, 2), keepdims=True)
        magnitude = 10.0 ** ((inputs - loudest + self.LOUDEST_DB) / 20)
        return ops.log10(1 + magnitude)


@keras.saving.register_keras_serializable("adff_tf")
class FrequencyChannel(keras.layers.Layer):
    """Append the position on the frequency axis as a channel: 2k/mels - 1 for band k.

    `(batch, time, mel, channels)` to `(batch, time, mel, channels + 1)`; "frequency-aware"
    convolutions (Koutini et al., ICASSP 2020).
    """

    def call(self, inputs):
        mels = inputs.shape[2]
        position = 2 * ops.arange(mels, dtype=inputs.dtype) / mels - 1
        row = ops.ones_like(inputs[..., :1]) * position[None, None, :, None]
        return ops.concatenate([inputs, row], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)
