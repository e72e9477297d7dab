"""A SavedModel through TensorFlow's C API session loader, the loader that TensorFlow Serving uses, in a process without Python's
TensorFlow: `python c_session.py TENSORFLOW_FOLDER SAVED_MODEL IN.npz OUT.npz OUTPUT…`.

IN.npz holds the inputs by tensor name (`serving_default_waveform:0`); OUT.npz gets the outputs by the names given.
"""

import ctypes as c
import sys
from pathlib import Path

import numpy as np

FLOAT, INT32 = 1, 3  # TF_DataType
POINTERS = (
    "TF_NewStatus", "TF_NewSessionOptions", "TF_NewGraph", "TF_LoadSessionFromSavedModel", "TF_GraphOperationByName",
    "TF_AllocateTensor", "TF_TensorData",
)  # fmt: skip


class Output(c.Structure):
    _fields_ = [("operation", c.c_void_p), ("index", c.c_int)]


def library(folder: Path) -> c.CDLL:
    c.CDLL(str(folder / "libtensorflow_framework.so.2"), mode=c.RTLD_GLOBAL)
    api = c.CDLL(str(folder / "libtensorflow_cc.so.2"), mode=c.RTLD_GLOBAL)
    for name in POINTERS:
        getattr(api, name).restype = c.c_void_p
    api.TF_Message.restype, api.TF_Dim.restype = c.c_char_p, c.c_int64
    return api


def main(folder: str, model: str, inputs: str, outputs: str, *names: str) -> None:
    api = library(Path(folder))
    status, graph = c.c_void_p(api.TF_NewStatus()), c.c_void_p(api.TF_NewGraph())

    def check() -> None:
        assert api.TF_GetCode(status) == 0, api.TF_Message(status).decode()

    tags = (c.c_char_p * 1)(b"serve")
    options = c.c_void_p(api.TF_NewSessionOptions())
    session = c.c_void_p(
        api.TF_LoadSessionFromSavedModel(
            options, None, model.encode(), tags, 1, graph, None, status
        )
    )
    check()

    def end(name: str) -> Output:
        operation, index = name.split(":")
        found = api.TF_GraphOperationByName(graph, operation.encode())
        assert found, f"the graph has no {operation}"
        return Output(found, int(index))

    def tensor(array: np.ndarray) -> c.c_void_p:
        dims = (c.c_int64 * max(1, array.ndim))(*array.shape)
        kind = {"float32": FLOAT, "int32": INT32}[array.dtype.name]
        made = c.c_void_p(api.TF_AllocateTensor(kind, dims, array.ndim, c.c_size_t(array.nbytes)))
        c.memmove(api.TF_TensorData(made), array.tobytes(), array.nbytes)
        return made

    given = np.load(inputs)
    ends = (Output * len(given.files))(*map(end, given.files))
    values = (c.c_void_p * len(given.files))(*(tensor(given[name]) for name in given.files))
    wanted, found = (Output * len(names))(*map(end, names)), (c.c_void_p * len(names))()
    api.TF_SessionRun(
        session,
        None,
        ends,
        values,
        len(given.files),
        wanted,
        found,
        len(names),
        None,
        0,
        None,
        status,
    )
    check()

    def array(value: int) -> np.ndarray:
        held = c.c_void_p(value)
        shape = [api.TF_Dim(held, axis) for axis in range(api.TF_NumDims(held))]
        size = int(np.prod(shape))
        content = (c.c_float * size).from_address(api.TF_TensorData(held)) if size else []
        return np.array(content, "float32").reshape(shape)

    np.savez(outputs, **{name: array(value) for name, value in zip(names, found, strict=True)})


if __name__ == "__main__":
    main(*sys.argv[1:])
