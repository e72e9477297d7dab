"""A SavedModel by TensorFlow's C API session loader, which TensorFlow Serving uses.

    python c_session.py TENSORFLOW_FOLDER SAVED_MODEL IN.npz OUT.npz OUTPUT…

The process does not import TensorFlow. IN.npz holds the inputs by tensor name
(`serving_default_waveform:0`); OUT.npz gets the outputs by the given names.
"""

import ctypes as c
import sys
from pathlib import Path

import numpy as np

DATA_TYPES = {"float32": 1, "int32": 3}  # TF_DataType
RETURN_POINTERS = (
    "TF_NewStatus", "TF_NewSessionOptions", "TF_NewGraph", "TF_LoadSessionFromSavedModel",
    "TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData",
)  # fmt: skip


class Output(c.Structure):
    _fields_ = [("operation", c.c_void_p), ("index", c.c_int)]


def load_library(folder: Path) -> c.CDLL:
    c.CDLL(str(folder / "libtensorflow_framework.so.2"), mode=c.RTLD_GLOBAL)
    api = c.CDLL(str(folder / "libtensorflow_cc.so.2"), mode=c.RTLD_GLOBAL)
    for name in RETURN_POINTERS:
        getattr(api, name).restype = c.c_void_p
    api.TF_Message.restype, api.TF_Dim.restype = c.c_char_p, c.c_int64
    return api


class Session:
    """A loaded SavedModel."""

    def __init__(self, api: c.CDLL, model: str):
        self._api = api
        self._status, self._graph = c.c_void_p(api.TF_NewStatus()), c.c_void_p(api.TF_NewGraph())
        tags = (c.c_char_p * 1)(b"serve")
        options = c.c_void_p(api.TF_NewSessionOptions())
        self._session = c.c_void_p(
            api.TF_LoadSessionFromSavedModel(
                options, None, model.encode(), tags, 1, self._graph, None, self._status
            )
        )
        self._check()

    def run(self, inputs: dict[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
        """Return float32 outputs by name."""
        sources = (Output * len(inputs))(*map(self._output, inputs))
        values = (c.c_void_p * len(inputs))(*map(self._tensor, inputs.values()))
        targets = (Output * len(names))(*map(self._output, names))
        results = (c.c_void_p * len(names))()
        self._api.TF_SessionRun(
            self._session, None, sources, values, len(inputs), targets, results, len(names),
            None, 0, None, self._status,
        )  # fmt: skip
        self._check()
        return {name: self._array(value) for name, value in zip(names, results, strict=True)}

    def _check(self) -> None:
        message = self._api.TF_Message(self._status).decode()
        assert self._api.TF_GetCode(self._status) == 0, message

    def _output(self, name: str) -> Output:
        operation, index = name.split(":")
        pointer = self._api.TF_GraphOperationByName(self._graph, operation.encode())
        assert pointer, f"the graph has no {operation}"
        return Output(pointer, int(index))

    def _tensor(self, array: np.ndarray) -> c.c_void_p:
        shape = (c.c_int64 * max(1, array.ndim))(*array.shape)
        kind, size = DATA_TYPES[array.dtype.name], c.c_size_t(array.nbytes)
        tensor = c.c_void_p(self._api.TF_AllocateTensor(kind, shape, array.ndim, size))
        c.memmove(self._api.TF_TensorData(tensor), array.tobytes(), array.nbytes)
        return tensor

    def _array(self, value: int) -> np.ndarray:
        tensor = c.c_void_p(value)
        axes = range(self._api.TF_NumDims(tensor))
        shape = [self._api.TF_Dim(tensor, axis) for axis in axes]
        size = int(np.prod(shape))
        content = (c.c_float * size).from_address(self._api.TF_TensorData(tensor)) if size else []
        return np.array(content, "float32").reshape(shape)


def main(folder: str, model: str, inputs: str, outputs: str, *names: str) -> None:
    session = Session(load_library(Path(folder)), model)
    np.savez(outputs, **session.run(dict(np.load(inputs)), list(names)))


if __name__ == "__main__":
    main(*sys.argv[1:])
