"""TODO adff_tf.model.lstm."""

import keras
from keras import ops


def _lstm_step(z, c, squash=ops.tanh, open_gate=ops.sigmoid):
    """h and c after a step, and its gates, from the sum z `(batch, 4 * units)` of what reaches them and the c before it."""
    i, f, g, o = ops.split(z, 4, axis=-1)
    i, f, g, o = open_gate(i), open_gate(f), squash(g), open_gate(o)
    c = f * c + i * g
    return o * squash(c), c, (i, f, g, o)


def _project(sequences, *cells):
    """The input's part of all gates of all cells at all times, `(batch, time, cells * 4 * units)`, by one product."""
    _, time, features = ops.shape(sequences)
    rows = ops.reshape(
        sequences, (-1, features)
    )  # a product of matrices has a tenth of the nodes in TensorFlow's graph
    projected = ops.matmul(rows, _joined([cell.kernel for cell in cells]))
    if cells[0].use_bias:
        projected = projected + _joined([cell.bias for cell in cells])
    return ops.reshape(projected, (-1, time, projected.shape[-1]))


def _joined(weights):
    return weights[0] if len(weights) == 1 else ops.concatenate(weights, axis=-1)


class _ProjectedCell(keras.layers.LSTMCell):
    """One step of an LSTM whose input has been projected already: inputs `(batch, 4 * units)`."""

    def call(self, inputs, states, training=False):
        h, c = states
        z = inputs + ops.matmul(h, self.recurrent_kernel)
        h, c, _ = _lstm_step(z, c, self.activation, self.recurrent_activation)
        return h, [h, c]


class _ProjectedLoop(keras.layers.RNN):
    """The time loop of `LSTM`, with the input projected once before it.

    It stands between `keras.layers.LSTM` and `keras.layers.RNN` in the order of method resolution, and so has its turn where
    Keras's LSTM calls `super()`: in `__init__` with the cell, and in `inner_loop` after cuDNN has been tried.
    """

    def __init__(self, cell, **kwargs):
        if cell.dropout or cell.recurrent_dropout:
            raise ValueError(
                "adff_tf.layers.LSTM has no dropout of its own: put a Dropout layer before it"
            )
        super().__init__(_ProjectedCell.from_config(cell.get_config()), **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(
            _project(sequences, self.cell), initial_state, mask=mask, training=training
        )


@keras.saving.register_keras_serializable("adff_tf")
class LSTM(keras.layers.LSTM, _ProjectedLoop):
    """`keras.layers.LSTM` with the same weights and outputs, faster where cuDNN is not.

    Off cuDNN, Keras multiplies the input by its kernel inside the time loop: as many small products as there are steps. Here
    one large product before the loop does it. Sequences `(batch, time, features)`; dropout raises ValueError.
    """


class _Step(keras.layers.Layer):
    """A function `(inputs, states) -> (outputs, states)` as a cell of Keras's time loop: made for one trace and thrown away."""

    def __init__(self, step, states, **kwargs):
        super().__init__(**kwargs)
        self.step, self.state_size = step, [state.shape[-1] for state in states]

    def call(self, inputs, states):
        return self.step(inputs, states)


def _over_time(step, sequences, states, whole=True, backwards=False):
    """The outputs of all steps over `(batch, time, …)` sequences, in time order, or without `whole` the last step's."""
    cell = _Step(step, states, name="step", dtype=keras.backend.standardize_dtype(states[0].dtype))
    loop = keras.layers.RNN(cell, return_sequences=whole, go_backwards=backwards)
    last, outputs, _ = loop.inner_loop(sequences, states, mask=None)
    if not whole:
        return last
    return ops.flip(outputs, axis=1) if backwards else outputs


def _recur(projected, recurrent_kernel, whole):
    """h of an LSTM `(batch, time, units)`, or without `whole` after the last step `(batch, units)`.

    projected: `(batch, time, 4 * units)`. recurrent_kernel: `(units, 4 * units)`.
    """

    def step(z, states):
        h, c, _ = _lstm_step(z + ops.matmul(states[0], recurrent_kernel), states[1])
        return h, [h, c]

    start = ops.zeros_like(projected[:, 0, : recurrent_kernel.shape[0]])
    return _over_time(step, projected, [start, start], whole)


@ops.custom_gradient
def _recur_in_training(projected, recurrent_kernel):
    """`_recur` of all steps, with its gradient written out: backpropagation through time (Hochreiter and Schmidhuber 1997).

    The loop's automatic gradient adds to the recurrent kernel's at every step, in the loop's precision. Here a step back in time
    computes what the step before it needs, dh and dc, and the recurrent kernel's is one product over all steps.
    """

    def step(z, states):
        h, c, gates = _lstm_step(z + ops.matmul(states[0], recurrent_kernel), states[1])
        return ops.concatenate([h, c, *gates], axis=-1), [h, c]

    units = recurrent_kernel.shape[0]
    start = ops.zeros_like(projected[:, 0, :units])
    h, c, i, f, g, o = ops.split(_over_time(step, projected, [start, start]), 6, axis=-1)

    def gradient(*upstreams, upstream=None):
        dh_outside = upstreams[0] if upstream is None else upstream
        h_before, c_before = (
            ops.concatenate([start[:, None], state[:, :-1]], axis=1) for state in (h, c)
        )
        squashed = ops.tanh(c)
        dc_by_dh = o * (1 - squashed * squashed)
        di_by_dc, df_by_dc, dg_by_dc = g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g)
        do_by_dh = squashed * o * (1 - o)
        to_before = ops.transpose(recurrent_kernel)

        def step_back(inputs, states):
            dh_outside, dc_by_dh, f, by_gate = ops.split(
                inputs, [units, 2 * units, 3 * units], axis=-1
            )
            dh = dh_outside + states[0]
            dc = states[1] + dh * dc_by_dh
            dz = ops.concatenate([dc, dc, dc, dh], axis=-1) * by_gate
            return dz, [ops.matmul(dz, to_before), dc * f]

        inputs = ops.concatenate(
            [dh_outside, dc_by_dh, f, di_by_dc, df_by_dc, dg_by_dc, do_by_dh], axis=-1
        )
        dz = _over_time(step_back, inputs, [start, start], backwards=True)
        rows = [ops.reshape(x, (-1, x.shape[-1])) for x in (h_before, dz)]
        return dz, ops.matmul(ops.transpose(rows[0]), rows[1])

    return h, gradient


@keras.saving.register_keras_serializable("adff_tf")
class Bidirectional(keras.layers.Bidirectional):
    """`keras.layers.Bidirectional` over `LSTM`, with the same weights and outputs, both directions in one time loop.

    Off cuDNN a loop's cost is mostly its steps, whatever they compute, and tracing it: one of twice the width takes half of both.
    On cuDNN, with a mask, initial states or other activations, Keras's own call runs. Sequences `(batch, time, features)`.
    """

    def call(self, sequences, initial_state=None, mask=None, training=None):
        if mask is not None or initial_state is not None or not self._has_one_loop():
            return super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        projected, recurrent_kernel = self._joined_directions(sequences)
        if training:
            h = _recur_in_training(projected, recurrent_kernel)
            h = h if self.return_sequences else h[:, -1]
        else:
            h = _recur(projected, recurrent_kernel, whole=self.return_sequences)
        if not self.return_sequences:
            return h
        ahead, behind = ops.split(h, 2, axis=-1)
        return ops.concatenate([ahead, ops.flip(behind, axis=1)], axis=-1)

    def _joined_directions(self, sequences):
        """Both directions as one LSTM: the projected input, the backward one's turned round, and the recurrent kernel, of which
        each direction has a block in every gate."""
        forward, backward = self.forward_layer.cell, self.backward_layer.cell
        ahead, behind = ops.split(_project(sequences, forward, backward), 2, axis=-1)
        projected = _side_by_side(ahead, ops.flip(behind, axis=1), forward.units)
        nothing = ops.zeros_like(ops.convert_to_tensor(forward.recurrent_kernel))
        rows = ((forward.recurrent_kernel, nothing), (nothing, backward.recurrent_kernel))
        return projected, ops.concatenate(
            [_side_by_side(*row, forward.units) for row in rows], axis=0
        )

    def _has_one_loop(self) -> bool:
        on_cudnn = self.forward_layer.use_cudnn is not False and _may_have_cudnn()
        usual = all(_is_usual(layer.cell) for layer in (self.forward_layer, self.backward_layer))
        return usual and not on_cudnn and self.merge_mode == "concat" and not self.return_state


def _is_usual(cell) -> bool:
    return (
        cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
    )


def _side_by_side(forward, backward, units: int):
    """Two `(…, 4 * units)` as one `(…, 8 * units)`: within each gate the forward direction's units before the backward one's."""
    gates = [ops.reshape(x, (-1, *x.shape[1:-1], 4, 1, units)) for x in (forward, backward)]
    joined = ops.concatenate(gates, axis=-2)
    return ops.reshape(joined, (-1, *forward.shape[1:-1], 8 * units))


def _may_have_cudnn() -> bool:
    """Whether Keras may find a GPU; it lists devices on TensorFlow and JAX, and elsewhere its own layer is left to look."""
    if keras.backend.backend() not in ("tensorflow", "jax"):
        return True
    return any(
        "gpu" in device.lower() for device in keras.distribution.list_devices()
    )  # asked for gpu alone, JAX may raise
