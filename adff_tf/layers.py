"""The layers that Keras lacks, in pure Keras: they run on every Keras backend and in mixed precision.

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
    """One mean and deviation per mel band, (x - mean) / deviation.

    Input and output `(batch, frames, mels)`; mean and deviation, `(mels,)` in the input's unit, are weights that training does
    not change: 0 and 1 until they are assigned. Unlike `keras.layers.Normalization`, a traced function sees a later change.
    """

    def build(self, input_shape):
        mels = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=mels, initializer="zeros", trainable=False)
        self.deviation = self.add_weight(name="deviation", shape=mels, initializer="ones", trainable=False)

    def call(self, inputs):
        return (inputs - self.mean) / self.deviation

    def compute_output_shape(self, input_shape):
        return input_shape


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
        self.reduce = keras.layers.Dense(hidden, activation="relu", dtype=self.dtype_policy, name="reduce")
        self.expand = keras.layers.Dense(channels, activation="sigmoid", dtype=self.dtype_policy, name="expand")
        self.reduce.build((input_shape[0], channels))
        self.expand.build((input_shape[0], hidden))

    def call(self, inputs):
        z = ops.mean(inputs, axis=(1, 2))  # Eq. (2), squeeze: (batch, channels)
        a = self.expand(self.reduce(z))  # Eq. (3), excite: (batch, channels) in (0, 1)
        return inputs * a[:, None, None, :]  # Eq. (4), scale

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}


def _lstm_step(z, c, cell):
    """h and c after a step, from the sum z of its four gates' inputs `(batch, 4 * units)` and the c before it."""
    i, f, g, o = ops.split(z, 4, axis=-1)
    c = cell.recurrent_activation(f) * c + cell.recurrent_activation(i) * cell.activation(g)
    return cell.recurrent_activation(o) * cell.activation(c), c


def _project(sequences, cell):
    """The input's part of all gates at all times, `(batch, time, 4 * units)`: one product instead of one a step."""
    _, time, features = ops.shape(sequences)
    projected = ops.matmul(
        ops.reshape(sequences, (-1, features)), cell.kernel
    )  # of matrices: a tenth of the nodes in TensorFlow's graph
    projected = projected + cell.bias if cell.use_bias else projected
    return ops.reshape(projected, (-1, time, 4 * cell.units))


class _ProjectedCell(keras.layers.LSTMCell):
    """One step of an LSTM whose input has been projected already: inputs `(batch, 4 * units)`."""

    def call(self, inputs, states, training=False):
        h, c = states
        h, c = _lstm_step(inputs + ops.matmul(h, self.recurrent_kernel), c, self)
        return h, [h, c]


class _ProjectedLoop(keras.layers.RNN):
    """The time loop of `LSTM`, with the input projected once before it.

    It stands between `keras.layers.LSTM` and `keras.layers.RNN` in the order of method resolution, and so has its turn where
    Keras's LSTM calls `super()`: in `__init__` with the cell, and in `inner_loop` after cuDNN has been tried.
    """

    def __init__(self, cell, **kwargs):
        if cell.dropout or cell.recurrent_dropout:
            raise ValueError("adff_tf.layers.LSTM has no dropout of its own: put a Dropout layer before it")
        super().__init__(_ProjectedCell.from_config(cell.get_config()), **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(_project(sequences, self.cell), initial_state, mask=mask, training=training)


@keras.saving.register_keras_serializable("adff_tf")
class LSTM(keras.layers.LSTM, _ProjectedLoop):
    """`keras.layers.LSTM` with the same weights and outputs, faster where cuDNN is not.

    Off cuDNN, Keras multiplies the input by its kernel inside the time loop: as many small products as there are steps. Here
    one large product before the loop does it. Sequences `(batch, time, features)`; dropout raises ValueError.
    """


class _PairCell(keras.layers.Layer):
    """One step of two LSTMs side by side: the forward one in the first half of each gate and state, the backward one in the second.

    Made for one trace and thrown away; `recurrent_kernel` `(2 * units, 8 * units)` is a tensor, block-diagonal within each gate.
    """

    def __init__(self, cell, recurrent_kernel, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [2 * cell.units, 2 * cell.units]
        self.output_size = 2 * cell.units
        self.step = lambda inputs, h, c: _lstm_step(inputs + ops.matmul(h, recurrent_kernel), c, cell)

    def call(self, inputs, states):
        h, c = self.step(inputs, *states)
        return h, [h, c]


@keras.saving.register_keras_serializable("adff_tf")
class Bidirectional(keras.layers.Bidirectional):
    """`keras.layers.Bidirectional` over `LSTM`, with the same weights and outputs, both directions in one time loop.

    Off cuDNN a loop's cost is mostly its steps, whatever they compute, and tracing it: one of twice the width takes half of both.
    On cuDNN, with a mask or with initial states, Keras's own call runs. Sequences `(batch, time, features)`.
    """

    def call(self, sequences, initial_state=None, mask=None, training=None):
        on_cudnn = self.forward_layer.use_cudnn is not False and _may_have_cudnn()
        if on_cudnn or mask is not None or initial_state is not None or self.merge_mode != "concat" or self.return_state:
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        forward, backward = self.forward_layer.cell, self.backward_layer.cell
        units = forward.units
        gates = [_project(sequences, forward), ops.flip(_project(sequences, backward), axis=1)]
        kernels = [_gates_apart(cell.recurrent_kernel, units) for cell in (forward, backward)]
        nothing = ops.zeros_like(kernels[0])
        blocks = [ops.concatenate(row, axis=2) for row in ((kernels[0], nothing), (nothing, kernels[1]))]
        recurrent_kernel = ops.reshape(ops.concatenate(blocks, axis=0), (2 * units, 8 * units))
        time = sequences.shape[1]
        projected = ops.reshape(ops.concatenate([_gates_apart(z, units) for z in gates], axis=-2), (-1, time, 8 * units))

        loop = keras.layers.RNN(
            _PairCell(forward, recurrent_kernel, dtype=self.dtype_policy), return_sequences=self.return_sequences
        )
        start = ops.zeros_like(projected[:, 0, : 2 * units])
        last, outputs, _ = loop.inner_loop(projected, [start, start], mask=None)
        if not self.return_sequences:
            return last
        return ops.concatenate([outputs[..., :units], ops.flip(outputs[..., units:], axis=1)], axis=-1)


def _may_have_cudnn() -> bool:
    """Whether Keras may find a GPU; it lists devices on TensorFlow and JAX, and elsewhere its own layer is left to look."""
    return keras.backend.backend() not in ("tensorflow", "jax") or bool(keras.distribution.list_devices("gpu"))


def _gates_apart(x, units: int):
    """`(…, 4 * units)` to `(…, 4, 1, units)`."""
    return ops.reshape(x, (-1, *x.shape[1:-1], 4, 1, units))
