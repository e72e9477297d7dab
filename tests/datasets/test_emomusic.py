"""emoMusic's real labels against another reader and published counts."""

import numpy as np
import pandas as pd

from adff_tf.datasets import emomusic

from ..real_data import needs_real_data, real_data


@needs_real_data
def test_emomusic_has_744_songs_of_411_artists():
    labels = emomusic.labels(real_data("emomusic"))
    published = (
        pd.read_csv(real_data("emomusic/static_annotations.csv"))
        .set_index("song_id")
        .loc[labels["track_id"].astype(int)]
    )
    assert len(labels) == 744 and labels["group"].nunique() == 411
    np.testing.assert_allclose(labels["valence"], (published["mean_valence"] - 5) / 4, atol=1e-12)
    np.testing.assert_allclose(labels["arousal"], (published["mean_arousal"] - 5) / 4, atol=1e-12)
