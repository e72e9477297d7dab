"""The layers that Keras lacks, in pure Keras: they run on every Keras backend and in mixed precision.

Pools name their strides: on JAX, Keras 3.15 takes the wrong ones where they are left out.

Tensors bear the paper's names and put channels last: a log-mel is `(batch, frames, mels)`, a stacked segment
`(batch, frames // seg_num, mels, seg_num)`, the output S of a level `(batch, time, mel, channels)`.
"""

import keras
from keras import ops


def cut_and_stack(log_mel, seg_num: int):
    """Cut a log-mel along time into `seg_num` parts and stack them as channels (Section 2.1; OP1 and OP2 of Figure 1).

    log_mel: `(batch, frames, mels)`. Returns `(batch, frames // seg_num, mels, seg_num)`; channel k is the k-th part in time
    order. The `frames % seg_num` frames at the end are dropped.
    """
    frames, mels = log_mel.shape[1:]
    part = frames // seg_num
    parts = ops.reshape(log_mel[:, : part * seg_num], (-1, seg_num, part, mels))
    return ops.transpose(parts, (0, 2, 3, 1))


@keras.saving.register_keras_serializable("adff_tf")
class Standardise(keras.layers.Layer):
    """One mean and std per mel band, (x - mean) / std.

    Input and output `(batch, frames, mels)`; mean and std, `(mels,)` in the input's unit, are weights that training does
    not change: 0 and 1 until they are assigned. Unlike `keras.layers.Normalization`, a traced function sees a later change.
    """

    def __init__(self, frontend: dict | None = None, **kwargs):
        """frontend: how the log-mels are made that these are of (`config.Frontend`), kept with the model and not used."""
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
    """`cut_and_stack` as the head of the network, so that it runs where the network runs.

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
    """ReLU and 2 x 2 max pooling, which commute: `(batch, time, mel, channels)` to `(batch, time // 2, mel // 2, channels)`.

    In training ReLU stands behind the pool, where its gradient has four times fewer cells; otherwise before it, where TensorFlow
    makes it a part of the convolution.
    """

    def call(self, inputs, training=False):
        if training:
            return ops.relu(ops.max_pool(inputs, 2, strides=2))
        return ops.max_pool(ops.relu(inputs), 2, strides=2)

    def compute_output_shape(self, input_shape):
        batch, time, mel, channels = input_shape
        return (batch, time // 2, mel // 2, channels)


@keras.saving.register_keras_serializable("adff_tf")
class SqueezeExcite(keras.layers.Layer):
    """Channel attention (Section 2.2.2, Equations 2 to 4; Hu et al. 2018).

    Input and output S `(batch, time, mel, channels)`. The excitation is FC (channels // ratio), ReLU, FC (channels), sigmoid.
    """

    def __init__(self, ratio: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        hidden = max(1, channels // self.ratio)
        self.reduce = keras.layers.Dense(
            hidden, activation="relu", dtype=self.dtype_policy, name="reduce"
        )
        self.expand = keras.layers.Dense(
            channels, activation="sigmoid", dtype=self.dtype_policy, name="expand"
        )
        self.reduce.build((input_shape[0], channels))
        self.expand.build((input_shape[0], hidden))

    def call(self, inputs):
        time_mel = inputs.shape[1:3]
        z = ops.average_pool(inputs, time_mel, strides=time_mel)[
            :, 0, 0
        ]  # Eq. (2), squeeze: (batch, channels)
        a = self.expand(self.reduce(z))  # Eq. (3), excite: (batch, channels) in (0, 1)
        return inputs * a[:, None, None, :]  # Eq. (4), scale

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}
