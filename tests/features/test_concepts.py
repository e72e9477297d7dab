"""Mid-level features beside emotions: the factors of built-in music, and batches of two halves."""

import dataclasses

import numpy as np
import pytest

from adff_tf.config import Data
from adff_tf.datasets import synthetic
from adff_tf.features import batches
from adff_tf.features.concepts import with_concepts
from adff_tf.features.segments import segment_set
from adff_tf.features.tracks import prepare_tracks
from adff_tf.networks import FACTORS, Mlem
from adff_tf.tasks import TASKS

from .. import tiny

EXPERIMENT = tiny.experiment().model_copy(
    update={"network": Mlem(width=0.05, mid_level="separate")}
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return synthetic.make(tmp_path_factory.mktemp("made") / "set", clips=6, seconds=2, workers=1)


@pytest.fixture(scope="module")
def taught(made, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    tracks, _ = prepare_tracks(synthetic.index(made).tracks, store, EXPERIMENT.frontend)
    tracks, beside = with_concepts(EXPERIMENT, tracks, made, store)
    assert beside is None
    return tracks


def test_the_factors_make_the_labels(taught):
    assert tuple(field.name for field in dataclasses.fields(synthetic.Factors)) == FACTORS
    table = taught.table
    valence = 0.15 * table["mode"] + 0.5 * table["consonance"] + 0.35 * table["register_semitones"]
    np.testing.assert_allclose(valence, table["valence"], atol=1e-6)
    arousal = 1.25 * (
        0.04 * table["tempo_bpm"] + 0.2 * table["density_hz"] + 0.36 * table["loudness_db"]
        + 0.22 * table["brightness_db_per_octave"] - 0.28 * table["articulation"]
    )  # fmt: skip
    np.testing.assert_allclose(arousal.clip(-1, 1), table["arousal"], atol=1e-6)


def test_batches_have_the_concepts_of_their_songs(taught):
    segments = segment_set(EXPERIMENT, taught, training=True)
    data = batches.training_batches(segments, TASKS["both"], 4)
    _, y, weights = next(iter(data))
    assert list(y) == ["valence", "arousal", "concepts"]
    by_valence = taught.table.set_index(taught.table["valence"].astype("float32"))
    for valence, concepts in zip(y["valence"][:, 0].numpy(), y["concepts"].numpy(), strict=True):
        np.testing.assert_allclose(
            concepts, by_valence.loc[valence, list(FACTORS)].astype(float), rtol=1e-5
        )
    assert {name: w.numpy().tolist() for name, w in weights.items()} == dict.fromkeys(y, [1.0] * 4)


def test_clips_without_emotions_are_half_of_every_batch(taught):
    others = taught.rows(np.arange(2))
    others = dataclasses.replace(others, table=others.table.assign(weight=0.0))
    unknown = dataclasses.replace(taught, table=taught.table.assign(**{FACTORS[0]: np.nan}))
    segments = segment_set(EXPERIMENT, unknown.joined(others), training=True)
    steps = batches.steps_per_epoch(segments, 4)
    assert steps == 3  # 6 songs, two in a batch
    data = batches.training_batches(segments, TASKS["both"], 4)
    seen = []
    for _, y, weights in data.take(steps):
        assert weights["valence"].numpy().tolist() == [2, 2, 0, 0]
        assert weights["concepts"].numpy().tolist() == [0, 0, 2, 2]
        assert np.isfinite(y["concepts"]).all()
        seen += y["valence"][:2, 0].numpy().tolist()
    assert sorted(seen) == sorted(taught.table["valence"].astype("float32").tolist())


def test_one_batch_of_few_songs_still_holds_both(taught):
    others = taught.rows(np.arange(5))
    others = dataclasses.replace(others, table=others.table.assign(weight=0.0))
    segments = segment_set(EXPERIMENT, taught.rows(np.arange(1)).joined(others), training=True)
    (rows,) = batches.batch_rows(segments, 0, 8)
    assert segments.is_labelled[rows].tolist() == [True] + [False] * 4


def test_settings_that_do_not_fit(tmp_path):
    for changes, message in (
        ({"data": Data(data=tmp_path)}, "mid_level needs mid-level features"),
        ({"task": "quadrant"}, "mid_level is for both, valence or arousal; the task is quadrant"),
        ({"network": Mlem(), "data": Data(mid_level_data=tmp_path)}, "is for mlem with mid_level"),
    ):
        settings = EXPERIMENT.model_dump() | changes
        with pytest.raises(ValueError, match=message):
            type(EXPERIMENT).model_validate(settings)
