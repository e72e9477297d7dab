"""Baselines on data whose best predictor is known."""

import numpy as np
import pytest
import sklearn.metrics

from adff_tf.tasks import TASKS
from adff_tf.training.baselines import score_baselines

from .small import feature_tracks, index_table


def test_a_class_in_one_group_alone_leaves_the_penalty_unchosen():
    """Without a group that has one, no inner fold has both classes to train from."""
    x = np.random.default_rng(0).normal(size=(8, 256))
    table = index_table(list("aabbaabb"), valence=np.where(x[:, 0] < 9, [1.0, 1, -1, -1] * 2, 0))
    train = np.arange(8) < 4
    scores = score_baselines(TASKS["valence2"], feature_tracks(table, x), train, ~train)
    assert 0 <= scores["logistic"]["valence"]["accuracy"] <= 1


def test_baselines_on_known_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 256))
    table = index_table([f"g{k}" for k in range(300)], valence=np.tanh(0.3 * x[:, 3]))
    train = np.arange(300) < 200
    scores = score_baselines(TASKS["valence"], feature_tracks(table, x), train, ~train)
    targets = table["valence"].to_numpy()
    mean_r2 = sklearn.metrics.r2_score(targets[~train], np.full(100, targets[train].mean()))
    assert scores["mean"]["valence"]["r2"] == pytest.approx(mean_r2, abs=1e-6)
    assert scores["ridge"]["valence"]["r2"] > 0.5
    classes = score_baselines(TASKS["valence2"], feature_tracks(table, x), train, ~train)
    assert (
        classes["logistic"]["valence"]["accuracy"]
        > 0.68
        > 0.6
        > classes["mean"]["valence"]["accuracy"]
    )


def test_an_embedding_has_a_linear_model_of_its_own():
    """It is right where the features hold the labels; the bands' row stays as without it."""
    rng = np.random.default_rng(0)
    x, embedding = rng.normal(size=(300, 256)), rng.normal(size=(300, 20))
    table = index_table([f"g{k}" for k in range(300)], valence=np.tanh(0.3 * embedding[:, 3]))
    train, tracks = np.arange(300) < 200, feature_tracks(table, x)
    without = score_baselines(TASKS["valence"], tracks, train, ~train)
    scores = score_baselines(TASKS["valence"], tracks, train, ~train, embedding)
    assert scores.pop("musicnn-linear")["valence"]["r2"] > 0.9
    assert scores == without
