"""Scores against scikit-learn and numbers worked by hand."""

import numpy as np
import pytest
import sklearn.metrics

from adff_tf.tasks import TASKS
from adff_tf.training import metrics


def test_equal_to_scikit_learn():
    rng = np.random.default_rng(0)
    targets, predictions = rng.normal(size=50), rng.normal(size=50)
    assert metrics.r2(targets, predictions) == pytest.approx(
        sklearn.metrics.r2_score(targets, predictions)
    )
    assert metrics.rmse(targets, predictions) == pytest.approx(
        sklearn.metrics.root_mean_squared_error(targets, predictions)
    )


def test_by_hand():
    assert metrics.r2([0, 1, 2], [0, 1, 1]) == pytest.approx(0.5)  # 1 - 1 / 2
    assert metrics.rmse([0, 1, 2], [0, 1, 1]) == pytest.approx(3**-0.5)
    assert metrics.accuracy([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75
    assert np.isnan(metrics.r2([1, 1], [1, 0]))


@pytest.mark.parametrize(
    ("targets", "predictions"),
    [([], []), ([1, 2], [1]), ([[1, 2]], [[1, 2]]), ([1, np.nan], [1, 2]), ([1, 2], [1, np.inf])],
)
def test_unusable_predictions_are_refused(targets, predictions):
    with pytest.raises(ValueError, match="must be"):
        metrics.r2(targets, predictions)


def test_quadrants_are_also_scored_by_sign():
    # truth Q1 Q2 Q3 Q4; predicted Q1 Q1 Q3 Q2: the second has the wrong sign of valence, the fourth
    # of both
    probabilities = np.array(
        [[0.7, 0.1, 0.1, 0.1], [0.6, 0.3, 0.05, 0.05], [0.1, 0.2, 0.6, 0.1], [0.0, 0.9, 0.0, 0.1]]
    )
    scores = metrics.score_task(
        TASKS["quadrant"], {"probabilities": np.arange(4)}, {"probabilities": probabilities}
    )
    assert scores == {
        "quadrant": {"accuracy": 0.5},
        "arousal": {"accuracy": 0.75},
        "valence": {"accuracy": 0.5},
    }


def test_sign_sums_the_probabilities_of_its_quadrants():
    probabilities = np.array([[0.3, 0.3, 0.4, 0.0]])  # the likeliest is Q3, yet P(Q1) + P(Q2) > 0.5
    scores = metrics.score_task(
        TASKS["quadrant"], {"probabilities": np.array([0])}, {"probabilities": probabilities}
    )
    assert scores["quadrant"]["accuracy"] == 0 and scores["arousal"]["accuracy"] == 1


def test_classes_by_hand():
    point = {
        "valence": np.array([0.5, -0.5, -0.5, 0.5, 0.0]),
        "arousal": np.array([0.5, 0.5, -0.5, -0.5, 0.0]),
    }
    assert TASKS["quadrant"].class_index(**point).tolist() == [0, 1, 2, 3, 0]
    assert TASKS["valence2"].class_index(**point).tolist() == [1, 0, 0, 1, 1]
    assert TASKS["arousal2"].class_index(**point).tolist() == [1, 1, 0, 0, 1]


def test_signs_by_hand():
    """Signs of valence: right, right, wrong, right; of arousal: right, wrong, wrong, right."""
    truth = {"valence": np.array([0.5, -0.2, 0.0, 0.3]), "arousal": np.array([0.1, 0.1, -1.0, 0.2])}
    predicted = {
        "valence": np.array([0.1, -0.9, -0.1, 0.0]), "arousal": np.array([0.9, -0.1, 0.1, 0.4])
    }  # fmt: skip
    scores = metrics.score_task(TASKS["both"], truth, predicted)
    assert scores["valence"]["sign"] == 0.75 and scores["arousal"]["sign"] == 0.5
    assert scores["quadrant"] == {"accuracy": 0.5}
    assert scores["valence"]["r2"] == metrics.r2(truth["valence"], predicted["valence"])
    alone = metrics.score_task(TASKS["valence"], truth, predicted)
    assert alone == {"valence": scores["valence"]}


def test_quadrant_labels_have_signs_alone():
    truth, predicted = np.array([0.5, -0.5, 1.0, -1.0]), np.array([0.4, -0.4, 0.1, 0.1])
    kinds = np.array(["continuous", "continuous", "quadrant", "quadrant"])
    labels = {"valence": truth}, {"valence": predicted}
    found = metrics.score_task(TASKS["valence"], *labels, kinds)["valence"]
    assert found["rmse"] == pytest.approx(0.1) and found["sign"] == 0.75
    assert found["r2"] == pytest.approx(1 - 2 * 0.1**2 / 0.5)
    kinds[:] = "quadrant"
    found = metrics.score_task(TASKS["valence"], *labels, kinds)["valence"]
    assert np.isnan(found["r2"]) and np.isnan(found["rmse"]) and found["sign"] == 0.75
