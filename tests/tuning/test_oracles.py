"""KerasTuner's algorithms: they find the maximum, keep the budget and resume after kills."""

import itertools

import pandas as pd
import pytest

from adff_tf.config import Experiment
from adff_tf.tuning import oracles, trials
from adff_tf.tuning.plan import Budget
from adff_tf.tuning.search import search

from .plans import Killed, make_plan


@pytest.mark.parametrize(
    "algorithm, wanted_trials", [("bayesian", 6), ("random", 10), ("hyperband", 11)]
)
def test_algorithms_find_the_maximum_and_keep_the_budget(
    algorithm, wanted_trials, manifest, features, tmp_path, quick
):
    # the highest score is 1, at seg_num 1 and a learning rate of 1e-3
    texts = "seg_num=1,2,3", "learning_rate=1e-4:1e-2"
    wanted = make_plan(manifest, *texts, algorithm=algorithm, epochs=9)
    found = search(wanted, tmp_path / "s", Budget(trials=wanted_trials), features)
    assert len(found.trials) == len(quick) == wanted_trials
    assert (found.trials["status"] == "completed").all()
    best = Experiment.from_json((tmp_path / "s" / "best.json").read_text())
    assert best.segments.seg_num == 1 and found.trials["score"].max() > 0.3
    epochs = {settings.training.epochs for settings in quick}
    assert epochs == ({1, 3} if algorithm == "hyperband" else {9})
    assert best.training.epochs in epochs


def test_bayesian_does_not_propose_failed_values_again(manifest, features, tmp_path, quick):
    # 4 and above cannot work
    wanted = make_plan(manifest, "seg_num=1,2,3,4,5,6,7,8", algorithm="bayesian")
    found = search(wanted, tmp_path / "s", Budget(trials=8), features)
    assert sorted(found.trials["seg_num"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (found.trials["status"] == "failed").sum() == 5


def test_hours_are_a_budget(manifest, features, tmp_path, monkeypatch, quick):
    spent = iter([0.0, 1799.0, 1800.0])  # at the request of a first, a second and a third trial
    monkeypatch.setattr(oracles.ResumableOracle, "get_state", oracles.kt.Oracle.get_state)
    monkeypatch.setattr(oracles.ResumableOracle, "spent_s", property(lambda self: next(spent)))
    wanted = make_plan(manifest, "seg_num=1,2,3", algorithm="random")
    assert len(search(wanted, tmp_path / "s", Budget(hours=0.5), features).trials) == 2


@pytest.mark.parametrize("algorithm", ["grid", "bayesian", "random", "hyperband"])
def test_a_killed_search_goes_on(algorithm, manifest, features, tmp_path, monkeypatch, quick):
    before, when = trials._fit_and_score, iter(itertools.count(1))

    def score(*args):
        if next(when) in (1, 4):  # in the very first trial too
            raise Killed
        return before(*args)

    monkeypatch.setattr(trials, "_fit_and_score", score)
    texts = "seg_num=1,2,3", "lstm_units=2,3,4"
    wanted = make_plan(manifest, *texts, algorithm=algorithm, epochs=3)
    for _ in range(2):
        with pytest.raises(Killed):
            search(wanted, tmp_path / "s", Budget(trials=4), features)
    found = search(wanted, tmp_path / "s", Budget(trials=6), features)
    assert (found.trials["status"] == "completed").all() and len(quick) == len(found.trials)
    tried = {(s.segments.seg_num, s.network.lstm_units, s.training.epochs) for s in quick}
    assert len(tried) == len(quick)
    assert len(found.trials) == 6 or algorithm == "hyperband"
    again = search(wanted, tmp_path / "s", Budget(trials=6), features)
    pd.testing.assert_frame_equal(again.trials, found.trials)


def test_the_state_on_disk_is_whole_after_any_write(
    manifest, features, tmp_path, quick, monkeypatch
):
    """A trial that was written and is in no list is found; an ended trial is not run again."""
    wanted = make_plan(manifest, "seg_num=1,2,3")
    save = oracles.ResumableOracle.save

    def killed_on_the_second_trial(self):
        if len(self.trials) == 2:
            raise Killed
        save(self)

    monkeypatch.setattr(oracles.ResumableOracle, "save", killed_on_the_second_trial)
    with pytest.raises(Killed):
        search(wanted, tmp_path / "s", Budget(), features)
    monkeypatch.setattr(oracles.ResumableOracle, "save", save)
    found = search(wanted, tmp_path / "s", Budget(), features)
    assert sorted(found.trials["seg_num"]) == [1, 2, 3]
    assert sorted(settings.segments.seg_num for settings in quick) == [1, 2, 3]
