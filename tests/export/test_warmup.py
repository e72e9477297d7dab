"""Warm-up requests, read back by tensorflow-serving-api and given to the model."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from adff_tf.export import warmup
from adff_tf.inference.description import describe
from adff_tf.inference.model import BATCH

from .. import tiny
from .test_serving_kit import KIT

DESCRIPTION = describe(tiny.experiment(), "")


def read_logs(file: Path) -> list[prediction_log_pb2.PredictionLog]:
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def test_the_model_answers_every_request(version, tmp_path):
    copy = shutil.copytree(version, tmp_path / "1")
    file = warmup.write(copy, DESCRIPTION, [*warmup.REQUESTS, ("recording", 2)])
    assert file == copy / "assets.extra" / "tf_serving_warmup_requests"
    assert file.stat().st_size < 2000
    signatures = tf.saved_model.load(str(copy)).signatures
    shapes = []
    for log in read_logs(file):
        request = log.predict_log.request
        tensors = request.inputs.items()
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in tensors}
        outputs = signatures[request.model_spec.signature_name](**inputs)
        assert all(np.isfinite(value).all() for value in outputs.values())
        shapes.append((request.model_spec.signature_name, *outputs["valence"].shape))
    expected = [("serving_default", 1), ("serving_default", BATCH), ("log_mel", 1)]
    assert shapes == [*expected, ("recording", 2)]


def test_a_batching_server_accepts_the_default_requests(tmp_path):
    """Their inputs share the first dimension. A refused request keeps the model from loading."""
    config = (KIT / "batching.config").read_text()
    limit = int(re.search(r"max_batch_size \{ value: (\d+) \}", config)[1])
    for log in read_logs(warmup.write(tmp_path, DESCRIPTION)):
        (tensor,) = log.predict_log.request.inputs.values()
        assert 1 <= tensor.tensor_shape.dim[0].size <= limit


def test_requests_that_no_server_accepts(tmp_path):
    for requests, message in (
        ([], "0 warm-up"),
        ([("log_mel", 1)] * 1001, "1001 warm-up"),
        ([("description", 1)], "signature description"),
    ):
        with pytest.raises(ValueError, match=message):
            warmup.write(tmp_path, DESCRIPTION, requests)
    assert len(read_logs(warmup.write(tmp_path, DESCRIPTION, [("log_mel", 1)] * 1000))) == 1000
