"""PMEmo's real labels and annotations over time against another reader and published counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.datasets import pmemo

from ..real_data import needs_real_data, real_data

pytestmark = needs_real_data


def test_pmemo_has_767_labels_27_unlabelled_and_4_choruses():
    labels = pmemo.labels(real_data("pmemo"))
    published = pd.read_csv(real_data("pmemo/annotations/static_annotations.csv")).set_index(
        "musicId"
    )
    assert len(labels) == 767
    expected = published.loc[labels["track_id"].astype(int)]
    np.testing.assert_allclose(labels["valence"], 2 * expected["Valence(mean)"] - 1, atol=1e-12)
    np.testing.assert_allclose(labels["arousal"], 2 * expected["Arousal(mean)"] - 1, atol=1e-12)

    found = datasets.load(real_data("pmemo"))
    assert found.tracks["track_id"].tolist() == ["108", "372", "634", "683"]
    assert all(Path(path).is_file() for path in found.tracks["path"])
    songs = set(pd.read_csv(real_data("pmemo/metadata.csv"))["musicId"])
    unlabelled = sorted(songs - set(published.index))
    assert len(unlabelled) == 27
    assert (
        "27 of the 794 songs in metadata.csv have no static label and are left out: "
        f"{', '.join(map(str, unlabelled))}." in found.notes
    )
    assert "763 of the 767 labelled tracks have no audio in chorus/: 4 are used." in found.notes


def test_pmemo_static_labels_go_with_its_dynamic_ones():
    dynamic = (
        pd.read_csv(real_data("pmemo/annotations/dynamic_annotations.csv"))
        .groupby("musicId")
        .mean()
    )
    labels = pmemo.labels(real_data("pmemo")).set_index("track_id")
    labels.index = labels.index.astype(int)
    both = labels.join(dynamic, how="inner")
    assert len(both) > 700
    same = both["valence"].corr(both["Valence(mean)"]), both["arousal"].corr(both["Arousal(mean)"])
    assert min(same) > 0.8


def test_pmemos_annotations_over_time():
    """Counted in the published file: 36,434 rows of 767 songs, from 15.5 s in steps of 0.5 s."""
    table = pmemo.dynamic(real_data("pmemo"))
    assert (
        len(table) == 36434 and table["track_id"].nunique() == 767 and table["time_s"].min() == 15.5
    )
    song = table[table["track_id"] == "108"]
    assert (
        len(song) == 68
        and song["time_s"].iloc[-1] == 49.0
        and set(np.diff(song["time_s"])) == {0.5}
    )
    assert song["arousal"].iloc[0] == pytest.approx(2 * 0.859475 - 1, abs=1e-6)
    assert song["valence"].iloc[0] == pytest.approx(2 * 0.783438 - 1, abs=1e-5)
