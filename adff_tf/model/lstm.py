"""A faster LSTM and Bi-LSTM for the temporal feature learning of the paper (Section 2.2.2).

`LSTM` and `Bidirectional` have the weights and outputs of the Keras layers of the same names, and
are faster where cuDNN is not used:

1. One matrix product projects the input of all steps before the time loop; Keras multiplies a small
   matrix in every step.
2. Both directions run in one time loop of twice the width. The cost of a loop is mostly its number
   of steps, whatever a step computes, and its tracing.
3. In training the gradient is written out, so that the recurrent kernel's gradient is one product
   over all steps instead of a sum in the loop's precision.

Conventions: sequences are `(batch, time, features)`. The gates stand in Keras's order i, f, g, o
along the last axis, `4 * units` wide. h is the output and c the cell state, `(batch, units)` each.
`dx_by_dy` in the gradient is a derivative, `dx` the derivative of the loss by x.
"""

import keras
from keras import ops


def _lstm_step(z, c, activation=ops.tanh, gate=ops.sigmoid):
    """Return h, c and the gates of a step.

    Args:
        z: projected input plus recurrent input, `(batch, 4 * units)`.
        c: the cell state before the step, `(batch, units)`.
        activation, gate: functions of g and of i, f, o.
    """
    i, f, g, o = ops.split(z, 4, axis=-1)
    i, f, g, o = gate(i), gate(f), activation(g), gate(o)
    c = f * c + i * g
    return o * activation(c), c, (i, f, g, o)


def _project_input(sequences, *cells):
    """Return the input's part of all gates of all cells, `(batch, time, cells * 4 * units)`."""
    _, time, features = ops.shape(sequences)
    # a product of two matrices has a tenth of the nodes in TensorFlow's graph
    rows = ops.reshape(sequences, (-1, features))
    projected = ops.matmul(rows, _concatenate([cell.kernel for cell in cells]))
    if cells[0].use_bias:
        projected = projected + _concatenate([cell.bias for cell in cells])
    return ops.reshape(projected, (-1, time, projected.shape[-1]))


def _concatenate(weights):
    return weights[0] if len(weights) == 1 else ops.concatenate(weights, axis=-1)


# === LSTM ===


class _ProjectedCell(keras.layers.LSTMCell):
    """One step of an LSTM on projected input `(batch, 4 * units)`."""

    def call(self, inputs, states, training=False):
        h, c = states
        z = inputs + ops.matmul(h, self.recurrent_kernel)
        h, c, _ = _lstm_step(z, c, self.activation, self.recurrent_activation)
        return h, [h, c]


class _ProjectedLoop(keras.layers.RNN):
    """The time loop of `LSTM`, with the input projected once before it.

    In the method resolution order this class stands between `keras.layers.LSTM` and
    `keras.layers.RNN`. Keras's LSTM therefore calls it by `super()`: in `__init__` with the cell,
    and in `inner_loop` after trying cuDNN.
    """

    def __init__(self, cell, **kwargs):
        if cell.dropout or cell.recurrent_dropout:
            raise ValueError(
                "adff_tf.model.lstm.LSTM has no dropout: put a Dropout layer before it"
            )
        super().__init__(_ProjectedCell.from_config(cell.get_config()), **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        projected = _project_input(sequences, self.cell)
        return super().inner_loop(projected, initial_state, mask=mask, training=training)


@keras.saving.register_keras_serializable("adff_tf")
class LSTM(keras.layers.LSTM, _ProjectedLoop):
    """`keras.layers.LSTM` with the same weights and outputs, faster without cuDNN.

    Input `(batch, time, features)`. Dropout raises ValueError.
    """


# === Time loops as functions ===


class _StepCell(keras.layers.Layer):
    """A function `(inputs, states) -> (outputs, states)` as a cell, for one trace."""

    def __init__(self, step, states, **kwargs):
        super().__init__(**kwargs)
        self.step, self.state_size = step, [state.shape[-1] for state in states]

    def call(self, inputs, states):
        return self.step(inputs, states)


def _loop_over_time(step, sequences, states, all_steps=True, backwards=False):
    """Return the outputs of a step function over `(batch, time, …)`, in time order.

    Args:
        step: `(inputs, states) -> (outputs, states)`.
        sequences: the inputs, `(batch, time, features)`.
        states: the states before the first step, `(batch, units)` each.
        all_steps: return `(batch, time, …)`; otherwise the last step's output, `(batch, …)`.
        backwards: step from the end to the start.
    """
    dtype = keras.backend.standardize_dtype(states[0].dtype)
    cell = _StepCell(step, states, name="step", dtype=dtype)
    loop = keras.layers.RNN(cell, return_sequences=all_steps, go_backwards=backwards)
    last, outputs, _ = loop.inner_loop(sequences, states, mask=None)
    if not all_steps:
        return last
    return ops.flip(outputs, axis=1) if backwards else outputs


def _run_lstm(projected, recurrent_kernel, all_steps):
    """Return h of an LSTM, `(batch, time, units)`, or of its last step alone, `(batch, units)`.

    Args:
        projected: projected input, `(batch, time, 4 * units)`.
        recurrent_kernel: `(units, 4 * units)`.
        all_steps: return every step's h.
    """

    def step(z, states):
        h, c, _ = _lstm_step(z + ops.matmul(states[0], recurrent_kernel), states[1])
        return h, [h, c]

    zeros = ops.zeros_like(projected[:, 0, : recurrent_kernel.shape[0]])
    return _loop_over_time(step, projected, [zeros, zeros], all_steps)


@ops.custom_gradient
def _run_lstm_in_training(projected, recurrent_kernel):
    """Return `_run_lstm` of all steps, with backpropagation through time written out.

    Hochreiter and Schmidhuber 1997. The automatic gradient of a loop adds to the recurrent kernel's
    gradient at every step, in the loop's precision. Here a step back in time computes dh and dc
    alone, and the recurrent kernel's gradient is one product over all steps.
    """

    def step(z, states):
        h, c, gates = _lstm_step(z + ops.matmul(states[0], recurrent_kernel), states[1])
        return ops.concatenate([h, c, *gates], axis=-1), [h, c]

    units = recurrent_kernel.shape[0]
    zeros = ops.zeros_like(projected[:, 0, :units])
    states_and_gates = _loop_over_time(step, projected, [zeros, zeros])
    h, c, i, f, g, o = ops.split(states_and_gates, 6, axis=-1)

    def gradient(*upstreams, upstream=None):  # backends differ in how they pass it
        dh_upstream = upstreams[0] if upstream is None else upstream
        h_before, c_before = (
            ops.concatenate([zeros[:, None], state[:, :-1]], axis=1) for state in (h, c)
        )
        tanh_c = ops.tanh(c)
        dh_by_dc = o * (1 - tanh_c * tanh_c)
        dc_by_dz = [g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g)]  # of i, f, g
        dh_by_dz = tanh_c * o * (1 - o)  # of o
        recurrent_kernel_t = ops.transpose(recurrent_kernel)

        def step_back(inputs, states):
            dh_upstream, dh_by_dc, f, by_dz = ops.split(
                inputs, [units, 2 * units, 3 * units], axis=-1
            )
            dh = dh_upstream + states[0]
            dc = states[1] + dh * dh_by_dc
            dz = ops.concatenate([dc, dc, dc, dh], axis=-1) * by_dz
            return dz, [ops.matmul(dz, recurrent_kernel_t), dc * f]

        inputs = ops.concatenate([dh_upstream, dh_by_dc, f, *dc_by_dz, dh_by_dz], axis=-1)
        dz = _loop_over_time(step_back, inputs, [zeros, zeros], backwards=True)
        h_rows, dz_rows = (ops.reshape(x, (-1, x.shape[-1])) for x in (h_before, dz))
        return dz, ops.matmul(ops.transpose(h_rows), dz_rows)

    return h, gradient


# === Bi-LSTM ===


@keras.saving.register_keras_serializable("adff_tf")
class Bidirectional(keras.layers.Bidirectional):
    """`keras.layers.Bidirectional` over `LSTM`, with both directions in one time loop.

    Same weights and outputs as Keras's. Input `(batch, time, features)`. Keras's own call runs on
    cuDNN, with a mask, with initial states and with other activations.
    """

    def call(self, sequences, initial_state=None, mask=None, training=None):
        if mask is not None or initial_state is not None or not self._can_share_a_loop():
            return super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        projected, recurrent_kernel = self._as_one_lstm(sequences)
        if training:
            h = _run_lstm_in_training(projected, recurrent_kernel)
            h = h if self.return_sequences else h[:, -1]
        else:
            h = _run_lstm(projected, recurrent_kernel, all_steps=self.return_sequences)
        if not self.return_sequences:
            return h
        forward, backward = ops.split(h, 2, axis=-1)
        return ops.concatenate([forward, ops.flip(backward, axis=1)], axis=-1)

    def _as_one_lstm(self, sequences):
        """Return the projected input and the recurrent kernel of both directions as one LSTM.

        The backward direction's input is reversed in time. In the recurrent kernel each direction
        has a block of its own in every gate, and zeros elsewhere.
        """
        forward, backward = self.forward_layer.cell, self.backward_layer.cell
        units, kernel = forward.units, forward.recurrent_kernel
        ahead, behind = ops.split(_project_input(sequences, forward, backward), 2, axis=-1)
        projected = _interleave_gates(ahead, ops.flip(behind, axis=1), units)
        zeros = ops.zeros_like(ops.convert_to_tensor(kernel))
        forward_rows = _interleave_gates(kernel, zeros, units)
        backward_rows = _interleave_gates(zeros, backward.recurrent_kernel, units)
        return projected, ops.concatenate([forward_rows, backward_rows], axis=0)

    def _can_share_a_loop(self) -> bool:
        directions = (self.forward_layer, self.backward_layer)
        on_cudnn = self.forward_layer.use_cudnn is not False and _may_have_cudnn()
        by_default = all(_has_default_activations(layer.cell) for layer in directions)
        is_concat = self.merge_mode == "concat" and not self.return_state
        return by_default and is_concat and not on_cudnn


def _has_default_activations(cell) -> bool:
    return (
        cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
    )


def _interleave_gates(forward, backward, units: int):
    """Return two `(…, 4 * units)` as one `(…, 8 * units)`, forward before backward in each gate."""
    gates = [ops.reshape(x, (-1, *x.shape[1:-1], 4, 1, units)) for x in (forward, backward)]
    interleaved = ops.concatenate(gates, axis=-2)
    return ops.reshape(interleaved, (-1, *forward.shape[1:-1], 8 * units))


def _may_have_cudnn() -> bool:
    """Return whether Keras may find a GPU.

    Keras lists devices on TensorFlow and JAX. On other backends its own layer decides.
    """
    if keras.backend.backend() not in ("tensorflow", "jax"):
        return True
    # all devices, because JAX may raise on a list of GPUs alone
    return any("gpu" in device.lower() for device in keras.distribution.list_devices())
