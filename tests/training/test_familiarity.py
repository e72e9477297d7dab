"""The distance from the training songs, against Mahalanobis's by NumPy's inverse."""

import keras
import numpy as np
import pytest

from adff_tf.config import Frontend
from adff_tf.features.segments import segment_set
from adff_tf.features.tracks import prepare_tracks
from adff_tf.model.network import FUSION, build_adff
from adff_tf.training.familiarity import ADDED, add_distance, whitening
from adff_tf.training.run import load_index

from .small import make_experiment


@pytest.fixture(scope="module", params=[True, False], ids=["tflm", "without"])
def measured(manifest, tmp_path_factory, request):
    """An untrained network with its distance, its training segments, and their E by level."""
    folder = tmp_path_factory.mktemp("measured")
    experiment = make_experiment(manifest, tflm=request.param)
    index = load_index(experiment, folder).tracks
    tracks, _ = prepare_tracks(index, folder / "features", Frontend())
    keras.utils.set_random_seed(1)
    network = build_adff(experiment)
    network.get_layer("standardise").set_weights(list(tracks.standardisation()))
    segments = segment_set(experiment, tracks, training=False)
    x = segments.read(0, range(len(segments)))
    levels = keras.Model(network.inputs, network.get_layer(FUSION).input).predict_on_batch(x)
    return add_distance(network, experiment, tracks), x, levels


def test_the_distance_is_mahalanobis_over_levels(measured):
    model, x, levels = measured
    found = model.predict_on_batch(x)["distance"][:, 0]
    logs = []
    for e in levels:
        standard = (e - e.mean(axis=0)) / (e.std(axis=0) + 1e-6)
        inverse = np.linalg.inv(np.cov(standard.T, bias=True) + ADDED * np.eye(e.shape[1]))
        away = np.sqrt(np.einsum("ij,jk,ik->i", standard, inverse, standard))
        logs.append(np.log(away / np.median(away)))
    assert found == pytest.approx(np.exp(np.mean(logs, axis=0)), rel=0.02)


def test_what_the_songs_never_showed_is_far(measured):
    model, x, _ = measured
    near = model.predict_on_batch(x)["distance"]
    tone = np.full_like(x[:1], -100.0)
    tone[:, :, 40] = 0.0
    assert model.predict_on_batch(tone)["distance"][0, 0] > 2 * near.max()


def test_whitened_features_have_unit_covariance():
    rng = np.random.default_rng(0)
    features = rng.normal(3, 1, (5000, 4)) @ rng.normal(0, 1, (4, 4))
    mean, projection = whitening(features)
    white = (features - mean) @ projection
    assert np.cov(white.T) == pytest.approx(np.eye(4), abs=0.05)


def test_a_feature_that_never_changes_does_no_harm():
    features = np.random.default_rng(0).normal(0, 1, (50, 3))
    features[:, 1] = 0.5
    assert all(np.isfinite(values).all() for values in whitening(features))
