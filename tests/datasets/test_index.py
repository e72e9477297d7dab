"""The index table: validation, scaling, natural order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adff_tf.datasets import index
from adff_tf.errors import InputError

TRACKS = pd.DataFrame(
    {
        "track_id": ["a", "b"],
        "path": ["/a", "/b"],
        "valence": [0.0, 1.0],
        "arousal": [-1.0, 0.5],
        "group": ["a", "b"],
    }
)


def test_validate_returns_the_table():
    assert index.validate(TRACKS) is TRACKS


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (
            TRACKS.drop(columns="group"),
            "track_id, path, valence, arousal; expected are exactly .*, group",
        ),
        (TRACKS.assign(fold=1), "fold; expected"),
        (TRACKS.iloc[:0], "no tracks"),
        (TRACKS.assign(track_id="a"), r"a \(2 times\)"),
        (TRACKS.assign(path="/a"), r"/a \(2 times\)"),
        (TRACKS.assign(track_id=["a", ""]), "empty id"),
        (TRACKS.assign(valence=[0, float("nan")]), "b: valence nan"),
        (TRACKS.assign(arousal=[float("inf"), 0]), "a: arousal inf"),
        (TRACKS.assign(arousal=[0, 1.01]), "b: arousal 1.01"),
    ],
)
def test_validate_refuses(bad, named):
    with pytest.raises(InputError, match=named):
        index.validate(bad)
    with pytest.raises(InputError, match=named):
        index.Index(bad, "continuous", (), "")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.lists(st.floats(0, 1), min_size=1))
def test_scale_stays_within_and_keeps_the_order(low, width, parts):
    high = low + width
    values = pd.Series([low, high, *(min(max(low + part * width, low), high) for part in parts)])
    scaled = index.scale(values, low, high)
    assert scaled[0] == -1 and scaled[1] == 1 and scaled.abs().max() <= 1
    assert scaled[values.argsort()].is_monotonic_increasing
    np.testing.assert_allclose(scaled, np.interp(values, [low, high], [-1, 1]), atol=1e-6)


def test_natural_order():
    assert (
        index.join_ids(["b2", "a10", "10", "a9", "2", "a", "01", "1"])
        == "01, 1, 2, 10, a, a9, a10, b2"
    )
