"""KerasTuner's four algorithms as oracles that survive kills of search, chief and workers.

`ResumableOracle` changes KerasTuner's behaviour:

- Files are written whole or not at all. A restart finds a trial that began and is in no list.
- A trial that ended is not run again after a kill between its end and the next save.
- Grid search rebuilds its order from the trials; KerasTuner's forgets its position.
- A worker silent for `lease_s` is lost, and another worker gets its trial. Idle workers wait while
  a trial is running, because a lost worker's trial returns to the queue. KerasTuner's chief would
  wait for lost workers for ever.
- A budget in hours counts over all calls of the search.
- Bayesian optimisation does not learn from failed trials and would propose their values again.
  Random values replace values already tried.
"""

import functools
import json
import time
from collections.abc import Callable
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import Trial, TrialStatus

from adff_tf.support.files import atomic_write

from .plan import Budget, Plan

OBJECTIVE = kt.Objective("score", "max")
ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
UNLIMITED = 2**31  # consecutive failures: KerasTuner would stop; here the budget alone does


class ResumableOracle(kt.Oracle):
    """A KerasTuner oracle that resumes. It calls `on_trial_end` with every trial that has ended."""

    hours: float | None = None
    lease_s = 90.0
    on_trial_end: Callable[[Trial], None] = staticmethod(lambda trial: None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, objective=OBJECTIVE, max_consecutive_failed_trials=UNLIMITED, **kwargs
        )
        self.verbose = 0
        self._started = time.monotonic()
        self._spent_before = 0.0
        self._last_seen: dict[str, float] = {}  # by trial: its worker's last call, monotonic s

    # === Lost workers ===

    @kt.synchronized
    def create_trial(self, tuner_id):
        self._requeue_lost()
        trial = super().create_trial(tuner_id)
        self._last_seen[trial.trial_id] = time.monotonic()
        if trial.status == TrialStatus.STOPPED and self.ongoing_trials:
            self.tuner_ids.add(tuner_id)
            trial.status = TrialStatus.IDLE
        return trial

    def get_trial(self, trial_id):
        """Return a trial; the call shows that its worker lives."""
        self._last_seen[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    @kt.synchronized
    def end_trial(self, trial):
        if trial.trial_id in self.end_order:  # its worker counted as lost, and another was quicker
            return
        super().end_trial(trial)
        self._retry_queue = [waiting for waiting in self._retry_queue if waiting != trial.trial_id]
        self.on_trial_end(self.trials[trial.trial_id])

    def _requeue_lost(self) -> None:
        """Requeue trials whose worker has been silent for `lease_s`."""
        earliest = time.monotonic() - self.lease_s
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if self._last_seen.get(trial.trial_id, self._started) < earliest:
                del self.ongoing_trials[tuner_id]
                self.tuner_ids.discard(tuner_id)
                if trial.trial_id not in self._retry_queue:
                    self._retry_queue.append(trial.trial_id)

    # === The budget in hours ===

    @property
    def spent_s(self) -> float:
        """Seconds spent on the search, in this call and earlier ones."""
        return self._spent_before + time.monotonic() - self._started

    def populate_space(self, trial_id):
        if self.hours is not None and self.spent_s >= 3600 * self.hours:
            return {"status": TrialStatus.STOPPED, "values": None}
        return super().populate_space(trial_id)

    # === State on disk ===

    def save(self):
        with atomic_write(self._get_oracle_fname()) as file:
            file.write_text(json.dumps(self.get_state()))

    def _save_trial(self, trial):
        with atomic_write(f"{self._get_trial_dir(trial.trial_id)}/trial.json") as file:
            file.write_text(json.dumps(trial.get_state()))

    def get_state(self):
        return super().get_state() | {"spent_s": self.spent_s}

    def set_state(self, state):
        super().set_state(state)
        self._spent_before = state["spent_s"]

    def reload(self):
        super().reload()
        self.trials = dict(sorted(self.trials.items(), key=lambda item: int(item[0])))
        ended = [trial_id for trial_id, trial in self.trials.items() if trial.status in ENDED]
        waiting = [trial_id for trial_id in self.trials if trial_id not in ended]
        self._retry_queue = waiting[::-1]  # the last one is taken first
        self.start_order = list(self.trials)
        self.end_order = ended


class BayesianOracle(ResumableOracle, kt.oracles.BayesianOptimizationOracle):
    """Bayesian optimisation; random values where it proposes values already tried."""

    def populate_space(self, trial_id):
        proposed = super().populate_space(trial_id)
        if proposed["values"] and self._duplicate(proposed["values"]):
            return self._random_populate_space()
        return proposed


class RandomOracle(ResumableOracle, kt.oracles.RandomSearchOracle):
    """Random search."""


class GridOracle(ResumableOracle, kt.oracles.GridSearchOracle):
    """Grid search; its order is rebuilt from the trials."""

    def reload(self):
        super().reload()
        by_values = functools.cmp_to_key(
            lambda a, b: self._compare(self._values_of(a), self._values_of(b))
        )
        for trial_id in sorted(self.trials, key=by_values):
            self._ordered_ids.insert(trial_id)
        self._populate_next = list(self.trials)

    def _values_of(self, trial_id: str) -> dict:
        return self.trials[trial_id].hyperparameters.values


class HyperbandOracle(ResumableOracle, kt.oracles.HyperbandOracle):
    """Hyperband. Trials of more epochs train anew: the learning rate depends on their number."""


def make_oracle(plan: Plan, budget: Budget, lease_s: float) -> ResumableOracle:
    """Return the oracle of a plan's algorithm. lease_s: a worker silent for so long is lost."""
    hyperparameters, training = plan.space.declare(plan.base), plan.base.training
    common = {
        "hyperparameters": hyperparameters,
        "allow_new_entries": False,
        "tune_new_entries": False,
        "seed": training.seed + 1,  # KerasTuner replaces a seed of 0
    }
    oracle: ResumableOracle
    if plan.algorithm == "bayesian":
        random_first = min(3 * len(hyperparameters.space), max(3, (budget.trials or 30) // 3))
        oracle = BayesianOracle(num_initial_points=random_first, **common)
    elif plan.algorithm == "hyperband":
        oracle = HyperbandOracle(max_epochs=training.epochs, **common)
    else:
        oracle = {"random": RandomOracle, "grid": GridOracle}[plan.algorithm](**common)
    oracle.max_trials, oracle.hours, oracle.lease_s = budget.trials, budget.hours, lease_s
    return oracle
