"""Scores over folds and by data set, by hand."""

from adff_tf.tasks import TASKS
from adff_tf.training.summary import summarise


def scores(r2: float) -> dict:
    return {"valence": {"r2": r2}}


def test_a_data_set_is_averaged_over_the_folds_that_have_it():
    nan = float("nan")
    folds = [
        {"song": scores(0.5), "segment": scores(0.5), "sources": {"a": scores(0.25)}},
        {
            "song": scores(0.5),
            "segment": scores(0.5),
            "sources": {"a": scores(0.75), "b": scores(nan)},
        },
    ]
    found = summarise(TASKS["valence"], folds, [])
    assert found["sources"] == {"a": scores(0.5), "b": {"valence": {"r2": None}}}


def test_one_data_set_has_no_scores_by_source():
    fold = {"song": scores(0.5), "segment": scores(0.25)}
    found = summarise(TASKS["valence"], [fold, fold], [])
    assert "sources" not in found and found["segment_mean"] == scores(0.25)
