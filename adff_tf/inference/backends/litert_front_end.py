"""A `.tflite` that takes a waveform, run from its log-mel on.

LiteRT computes a log-mel in two to three times the time of NumPy. So the operations before the
log-mel are struck from the model in memory, and `model.numpy_log_mel` computes it. A FlatBuffer
lists a graph's inputs and operations in two vectors. Only these change: weights, offsets and
everything else stay where they are.

The layout is that of FlatBuffers (flatbuffers.dev/internals), the fields are those of TFLite's
schema, to which fields are only ever added. Reading the few that are needed takes a millisecond,
and the import of LiteRT's own reader as long as several windows.
"""

import struct
from dataclasses import dataclass

import numpy as np

from ...model.numpy_log_mel import PlainFrontend
from ..description import Description

STRIDED_SLICE = 45  # number of the operation

# fields by table, counted from 0
MODEL_OPCODES, MODEL_GRAPHS, MODEL_SIGNATURES = 1, 2, 7
GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS = 0, 1, 2, 3
OPCODE_BYTE, OPCODE_CODE = 0, 3
TENSOR_SHAPE = 0
OPERATOR_OPCODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS = 0, 1, 2
SIGNATURE_OUTPUTS = 1
MAP_NAME, MAP_TENSOR = 0, 1


@dataclass(frozen=True)
class Network:
    """A model without its front end.

    Attributes:
        content: for LiteRT.
        frontend: settings of the log-mel.
        frames: of a window.
        log_mel: index of the input, `(1, frames, mels)` float32, dB.
        outputs: index of each output.
    """

    content: bytes
    frontend: PlainFrontend
    frames: int
    log_mel: int
    outputs: dict[str, int]


def strike(content: bytes, description: Description) -> Network | None:
    """Return a model without its front end; None where none lies in the graph as in an export.

    Args:
        content: of an intact file.
        description: its own. Where it lacks a setting of the front end, nothing is struck.
    """
    try:
        frontend = PlainFrontend.of(description.settings["frontend"])
    except KeyError:
        return None
    frames = description.window // frontend.hop_length
    model = _Table(content, *struct.unpack_from("<I", content))
    graph, *_ = model.tables(MODEL_GRAPHS)
    tensors, operators = graph.tables(GRAPH_TENSORS), graph.tables(GRAPH_OPERATORS)
    inputs, outputs = graph.integers(GRAPH_INPUTS), graph.integers(GRAPH_OUTPUTS)
    shapes = [tensor.integers(TENSOR_SHAPE) for tensor in tensors]
    if [shapes[k] for k in inputs] != [[1, description.window]]:
        return None
    codes = [
        max(code.scalar(OPCODE_BYTE, "b"), code.scalar(OPCODE_CODE, "i"))
        for code in model.tables(MODEL_OPCODES)
    ]
    # the first slice drops the frame that centring adds
    log_mel = next(
        (
            output
            for operator in operators
            for output in operator.integers(OPERATOR_OUTPUTS)
            if codes[operator.scalar(OPERATOR_OPCODE, "I")] == STRIDED_SLICE
            and shapes[output] == [1, frames, frontend.mels]
        ),
        None,
    )
    kept, needed = [], set(outputs)
    for k in reversed(range(len(operators))):
        made = set(operators[k].integers(OPERATOR_OUTPUTS))
        if made & needed and log_mel not in made:
            kept.append(k)
            needed |= set(operators[k].integers(OPERATOR_INPUTS))
    if log_mel is None or needed & set(inputs):
        return None
    signature, *_ = model.tables(MODEL_SIGNATURES)
    named = {
        output.text(MAP_NAME): output.scalar(MAP_TENSOR, "I")
        for output in signature.tables(SIGNATURE_OUTPUTS)
    }
    if set(named) != set(description.outputs):
        return None
    return Network(_patch(graph, kept[::-1], log_mel), frontend, frames, log_mel, named)


def _patch(graph: "_Table", kept: list[int], log_mel: int) -> bytes:
    """Return the content with the operations `kept` alone, and `log_mel` as the input."""
    patched = bytearray(graph.content)
    start, _ = graph.vector(GRAPH_INPUTS)
    struct.pack_into("<i", patched, start, log_mel)
    start, _ = graph.vector(GRAPH_OPERATORS)
    struct.pack_into("<I", patched, start - 4, len(kept))  # a vector's length stands before it
    for place, k in enumerate(kept):
        (offset,) = struct.unpack_from("<I", graph.content, start + 4 * k)
        # an offset counts from its own place
        struct.pack_into("<I", patched, start + 4 * place, offset + 4 * (k - place))
    return bytes(patched)


class _Table:
    """A table of a FlatBuffer."""

    def __init__(self, content: bytes, place: int):
        self.content, self._place = content, place
        self._fields = place - struct.unpack_from("<i", content, place)[0]  # the vtable
        self._size = struct.unpack_from("<H", content, self._fields)[0]

    def scalar(self, field: int, form: str) -> int:
        """Return an integer of a `struct` form; 0 where the field is left out."""
        place = self._find(field)
        return struct.unpack_from(f"<{form}", self.content, place)[0] if place else 0

    def vector(self, field: int) -> tuple[int, int]:
        """Return the place of a vector's first element, and its length."""
        place = self._find(field)
        if not place:
            return 0, 0
        start = place + struct.unpack_from("<I", self.content, place)[0]
        return start + 4, struct.unpack_from("<I", self.content, start)[0]

    def integers(self, field: int) -> list[int]:
        start, length = self.vector(field)
        return np.frombuffer(self.content, "<i4", length, start).tolist()

    def tables(self, field: int) -> list["_Table"]:
        start, length = self.vector(field)
        places = range(start, start + 4 * length, 4)
        return [
            _Table(self.content, place + struct.unpack_from("<I", self.content, place)[0])
            for place in places
        ]

    def text(self, field: int) -> str:
        start, length = self.vector(field)
        return self.content[start : start + length].decode()

    def _find(self, field: int) -> int:
        """Return the place of a field; 0 where it is left out."""
        entry = 4 + 2 * field
        if entry >= self._size:
            return 0
        offset = struct.unpack_from("<H", self.content, self._fields + entry)[0]
        return self._place + offset if offset else 0
