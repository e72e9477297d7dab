"""What TensorFlow Serving asks a model by itself before it lets anyone else: `assets.extra/tf_serving_warmup_requests`.

The first answers of a SavedModel are slow: TensorFlow optimises its graph and fills its caches then. TensorFlow Serving plays the
requests of this file, a TFRecord of `PredictionLog`, when it loads a version, and keeps the version before it until that is done.

The requests hold silence. A tensor message repeats its last value up to its shape, so a request of eight windows of 20 s, 28 MB if
written out, takes a few dozen bytes, and silence takes the same path through the network as music.

`recording` is not among the requests unless it is asked for. A server with `--enable_batching` refuses it, since its scalar `hop`
cannot be put into a batch, and a server that refuses a warm-up request does not load the model.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..inference.model import BATCH

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST = 1000  # requests that TensorFlow Serving admits
RECORDS = (
    ("serving_default", 1),
    ("serving_default", BATCH),
    ("log_mel", 1),
)  # a client's lone window and the largest batch

Records = Sequence[tuple[str, int]]


def write(saved_model_folder: Path, about: dict, records: Records = RECORDS) -> Path:
    """Write the warm-up requests into a SavedModel's folder; returns the file.

    about: the model's description, `about.about`. records: (signature, rows) of each request, 1 to 1000 of them; the rows of
    `recording` are the windows of its waveform.
    """
    import tensorflow as tf

    if not 1 <= len(records) <= MOST:
        raise ValueError(f"{len(records)} warm-up requests; TensorFlow Serving admits 1 to {MOST}")
    file = saved_model_folder / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in _logs(about, records):
            writer.write(log.SerializeToString())
    return file


def _logs(about: dict, records: Records) -> Iterator:
    """A `PredictionLog` a request."""
    from tensorflow_serving.apis import prediction_log_pb2

    window, frames, mels = about["window"], about["frames"], about["mels"]
    for signature, rows in records:
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.signature_name = signature
        if signature == "serving_default":
            _fill(request.inputs["waveform"], (rows, window), 0.0)
        elif signature == "log_mel":
            _fill(
                request.inputs["log_mel"],
                (rows, frames, mels),
                about["experiment"]["frontend"]["floor_db"],
            )  # silence
        elif signature == "recording":
            _fill(request.inputs["waveform"], (rows * window,), 0.0)
            request.inputs["hop"].dtype = 3  # int32, a scalar
            request.inputs["hop"].int_val.append(window)
        else:
            raise ValueError(f"no warm-up request is known for the signature {signature}")
        yield log


def _fill(tensor, shape: tuple[int, ...], value: float) -> None:
    """Make a tensor message float32 of this shape with the one value throughout."""
    tensor.dtype = 1  # float32
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.float_val.append(value)
