"""Predictions by song, by hand."""

import numpy as np

from adff_tf.training.predictions import mean_by_song


def test_by_song_is_the_mean_of_its_segments():
    track_rows = np.array([0, 0, 1])
    assert mean_by_song(track_rows, {"valence": np.array([0.0, 1.0, 0.3])})["valence"].tolist() == [
        0.5,
        0.3,
    ]
    classes = mean_by_song(
        track_rows, {"probabilities": np.array([[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])}
    )["probabilities"]
    np.testing.assert_allclose(classes, [[0.4, 0.6], [1.0, 0.0]])
