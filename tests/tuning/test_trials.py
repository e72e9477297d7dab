"""One trial: its objective, failures with a reason, processes that are killed."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adff_tf.training.fit import DivergedError, Fit
from adff_tf.tuning import trials
from adff_tf.tuning.plan import Budget
from adff_tf.tuning.search import search

from .plans import make_plan


def test_objectives():
    r2 = {"valence": {"r2": 0.5, "rmse": 1.0}, "arousal": {"r2": -0.1, "rmse": 1.0}}
    assert trials.compute_objective(trials.TASKS["both"], r2) == pytest.approx(0.2)
    nan = float("nan")
    signs = {"valence": {"r2": nan, "sign": 0.5}, "arousal": {"r2": nan, "sign": 0.7}}
    assert trials.compute_objective(trials.TASKS["both"], signs) == pytest.approx(0.6)
    accuracies = {"quadrant": 0.6, "arousal": 0.9, "valence": 0.7}
    signs = {name: {"accuracy": value} for name, value in accuracies.items()}
    assert trials.compute_objective(trials.TASKS["quadrant"], signs) == 0.6
    one = {"arousal": {"accuracy": 0.9}}
    assert trials.compute_objective(trials.TASKS["arousal2"], one) == 0.9


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")]
)
def test_out_of_memory_is_a_failed_trial(error, manifest, features, tmp_path, monkeypatch):
    def fit(settings, *args):
        if settings.segments.seg_num == 1:
            raise error
        return Fit(None, pd.DataFrame())

    monkeypatch.setattr(trials, "fit", fit)
    answers = iter([{"arousal": np.full(6, 0.1)}])

    def predict(*args):
        for answer in answers:
            return np.arange(6), answer
        raise DivergedError("no number")

    monkeypatch.setattr(trials, "predict_segments", predict)
    found = search(make_plan(manifest, "seg_num=1,2,3"), tmp_path / "s", Budget(), features)
    by = found.trials.set_index("seg_num")
    assert by["status"].to_dict() == {1: "failed", 2: "completed", 3: "failed"}
    assert by["reason"][1].startswith("out of memory") and "diverged" in by["reason"][3]


def test_a_trial_that_kills_its_process_is_given_up(tmp_path):
    never_left = [trials._give_up_after_kills(tmp_path) for _ in range(trials.MAX_KILLS)]
    for block in never_left:  # as by a kill
        block.__enter__()
    message = "killed 2 times in this trial without finishing an epoch"
    with pytest.raises(trials.kt.errors.FailedTrialError, match=message):
        trials._give_up_after_kills(tmp_path).__enter__()


def test_a_trial_that_is_interrupted_or_moves_on_is_not_given_up(tmp_path):
    (tmp_path / "fit").mkdir()
    never_left = [trials._give_up_after_kills(tmp_path) for _ in range(4)]
    for epochs, block in enumerate(never_left):
        history = pd.DataFrame({"epoch": range(epochs), "seconds": 1.0})
        history.to_csv(tmp_path / "fit" / "history.csv")
        block.__enter__()
    for _ in range(4):
        (tmp_path / "begun.json").unlink(missing_ok=True)
        with pytest.raises(KeyboardInterrupt), trials._give_up_after_kills(tmp_path):
            raise KeyboardInterrupt
