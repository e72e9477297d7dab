"""The index table: validation, scaling, natural order, several data sets joined."""

import dataclasses

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
        "source": "here",
        "labels": "continuous",
        "split": "",
        "weight": 1.0,
    }
)


def test_validate_returns_the_table():
    assert index.validate(TRACKS) is TRACKS


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (
            TRACKS.drop(columns="group"),
            "track_id, path, valence, arousal, source, .*; expected are exactly .*, group, source",
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
        index.Index(bad, (), "")


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


def index_of(name: str, has_artists: bool = False, groups=("2", "Moby")) -> index.Index:
    """Return an index of two tracks, the first of which is its own group."""
    tracks = TRACKS[list(index.TRACK_COLUMNS)].assign(
        track_id=["2", "3"], path=[f"/{name}/2", f"/{name}/3"], group=groups
    )
    return index.make(tracks, name, f"{name} (/{name})", [f"Note on {name}."], "continuous",
                      {"3": "test"}, has_artists)  # fmt: skip


def test_one_data_set_keeps_its_ids():
    joined = index.join([index_of("pmemo")], [0.5])
    expected = index_of("pmemo").tracks.assign(weight=0.5)
    pd.testing.assert_frame_equal(joined.tracks, expected)
    assert joined.source == "pmemo (/pmemo)" and joined.notes == ("Note on pmemo.",)


def test_several_data_sets_are_told_apart_by_name():
    joined = index.join([index_of("csv"), index_of("deam"), replaced(index_of("csv"), "/x")])
    assert joined.tracks["track_id"].tolist() == [
        "csv/2", "csv/3", "deam/2", "deam/3", "csv-2/2", "csv-2/3",
    ]  # fmt: skip
    assert joined.tracks["source"].tolist() == [
        "csv", "csv", "deam", "deam", "csv-2", "csv-2",
    ]  # fmt: skip
    assert joined.tracks["group"].nunique() == 6  # equal names that are no artists
    assert joined.tracks["split"].tolist() == ["", "test"] * 3
    assert (joined.tracks["weight"] == 1).all()
    assert joined.notes == ("csv: Note on csv.", "deam: Note on deam.", "csv-2: Note on csv.")
    assert joined.source == "csv (/csv); deam (/deam); csv (/csv)"


def replaced(one: index.Index, place: str) -> index.Index:
    """Return the index with its recordings elsewhere."""
    tracks = one.tracks.assign(path=[f"{place}/{k}" for k in range(len(one.tracks))])
    return dataclasses.replace(one, tracks=tracks)


def test_an_artist_of_two_data_sets_is_one_group():
    """A track of an unknown artist has its id as group, which is no artist."""
    joined = index.join([index_of("pmemo", True), index_of("merge", True)], [1, 3])
    assert joined.tracks["group"].tolist() == ["pmemo/2", "Moby", "merge/2", "Moby"]
    assert joined.tracks["weight"].tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize("weights", [(1,), (1, 2, 3), (1, 0), (1, -1), (1, float("nan"))])
def test_weights_that_cannot_be(weights):
    with pytest.raises(
        InputError, match="`weights` are 1.* for 2 data sets: give one number above"
    ):
        index.join([index_of("a"), index_of("b")], weights)


def test_kinds_of_labels():
    quadrants = dataclasses.replace(
        replaced(index_of("q"), "/q"), tracks=index_of("q").tracks.assign(labels="quadrant")
    )
    assert quadrants.labels == "quadrant" and index_of("a").labels == "continuous"
    assert index.join([index_of("a"), quadrants]).labels == "mixed"


def test_a_loaders_mistake_is_a_bug():
    for name in ("labels", "split"):
        with pytest.raises(ValueError, match=f"column {name} holds another value"):
            index.validate(TRACKS.assign(**{name: "other"}))
