"""The student's loss and explained variance against independent computations."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error, r2_score

from adff_tf.model.musicnn import DIMS, TARGETS
from adff_tf.pretraining.student import (
    build_student,
    explained_variance,
    make_backbone,
    make_loss,
)

from .small import make_plan

ENDS = np.cumsum(list(TARGETS.values()))[:-1]


def split(values):
    return dict(zip(TARGETS, np.split(values, ENDS, axis=1), strict=True))


@pytest.fixture(scope="module")
def student():
    return build_student(make_plan())


def test_the_loss_is_the_weighted_mean_of_the_groups_errors():
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(2, 5, DIMS)).astype("float32")
    weights = {"mean": 1.0, "max": 0.0, "penultimate": 3.0, "tags": 1.0}
    errors = {name: mean_squared_error(a, split(p)[name]) for name, a in split(y).items()}
    expected = (errors["mean"] + 3 * errors["penultimate"] + errors["tags"]) / 5
    assert np.mean(make_loss(weights)(y, p)) == pytest.approx(expected, rel=1e-5)


def test_explained_variance_is_r2_weighted_by_variance():
    rng = np.random.default_rng(1)
    y = rng.normal(3, 1, (11, DIMS)).astype("float32")
    p = (0.7 * y + rng.normal(1, 0.2, y.shape)).astype("float32")
    batches = [(p[:6], y[:6]), (p[6:], y[6:])]
    windows = SimpleNamespace(
        evaluation_batches=lambda: SimpleNamespace(as_numpy_iterator=lambda: iter(batches))
    )
    echo = SimpleNamespace(predict_on_batch=lambda x: x)
    found = explained_variance(echo, windows)
    for name, target in split(y).items():
        expected = r2_score(target, split(p)[name], multioutput="variance_weighted")
        assert found[name] == pytest.approx(expected, abs=1e-4)


def test_the_student_ends_in_a_projection_of_the_fused_features(student):
    plan = make_plan()
    assert student.output_shape == (None, DIMS)
    assert [layer.name for layer in student.layers][-3:] == [
        "fusion", "fusion_dropout", "projection",
    ]  # fmt: skip
    assert student.input_shape == (None, plan.experiment.frames, plan.frontend.mels)


def test_the_backbone_has_the_student_s_layers_and_a_head_of_its_own(student):
    backbone = make_backbone(student, make_plan().experiment)
    x = np.random.default_rng(0).normal(-30, 9, (2, 100, 128)).astype("float32")
    import keras

    for model in (student, backbone):
        assert model.get_layer("fusion")
    features = [
        keras.Model(model.input, model.get_layer("fusion").output)(x, training=False)
        for model in (student, backbone)
    ]
    np.testing.assert_array_equal(*map(np.asarray, features))
    assert set(backbone(x)) == {"valence", "arousal"}
