"""Warm-up requests for TensorFlow Serving: `assets.extra/tf_serving_warmup_requests`.

The first predictions of a SavedModel are slow, while TensorFlow optimises its graph and fills its
caches. TensorFlow Serving sends the requests of this file, a TFRecord of `PredictionLog`, when it
loads a version, and serves the version before until they are done.

The requests hold silence, which takes the same path through the network as music. A tensor message
repeats its last value up to its shape, so that a request of eight windows of 20 s takes a few dozen
bytes instead of 28 MB.

`recording` is not among the default requests. A server with `--enable_batching` refuses it, because
a scalar `hop` cannot be batched, and a server that refuses a warm-up request loads no model.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from adff_tf.inference.model import BATCH

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST = 1000  # requests that TensorFlow Serving admits
# a client's single window, and the largest batch
REQUESTS = (("serving_default", 1), ("serving_default", BATCH), ("log_mel", 1))

Requests = Sequence[tuple[str, int]]


def write(saved_model_folder: Path, description: dict, requests: Requests = REQUESTS) -> Path:
    """Write the warm-up requests into a SavedModel's folder.

    Args:
        saved_model_folder: of one version.
        description: of `inference.description.describe`.
        requests: signature and rows of each request, 1 to 1000 requests; the rows of `recording`
            are the windows of its waveform.

    Returns:
        The file.
    """
    import tensorflow as tf

    if not 1 <= len(requests) <= MOST:
        raise ValueError(f"{len(requests)} warm-up requests; TensorFlow Serving admits 1 to {MOST}")
    file = saved_model_folder / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in _logs(description, requests):
            writer.write(log.SerializeToString())
    return file


def _logs(description: dict, requests: Requests) -> Iterator:
    """Yield a `PredictionLog` a request."""
    from tensorflow_serving.apis import prediction_log_pb2

    window, frames, mels = (description[key] for key in ("window", "frames", "mels"))
    floor_db = description["experiment"]["frontend"]["floor_db"]
    for signature, rows in requests:
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.signature_name = signature
        if signature == "serving_default":
            _fill(request.inputs["waveform"], (rows, window), 0.0)
        elif signature == "log_mel":
            _fill(request.inputs["log_mel"], (rows, frames, mels), floor_db)
        elif signature == "recording":
            _fill(request.inputs["waveform"], (rows * window,), 0.0)
            request.inputs["hop"].dtype = 3  # int32, a scalar
            request.inputs["hop"].int_val.append(window)
        else:
            raise ValueError(f"no warm-up request is known for the signature {signature}")
        yield log


def _fill(tensor, shape: tuple[int, ...], value: float) -> None:
    """Make a tensor message float32 of this shape, with one value throughout."""
    tensor.dtype = 1  # float32
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.float_val.append(value)
