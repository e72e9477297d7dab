"""KerasTuner's search algorithms, made to survive kills: of the search, of the chief, and of its workers.

What KerasTuner leaves to be done, and is done here in `Lasting`, which stands in front of each of its oracles:

- its files are written whole or not at all, and a trial that was begun but is in no list is found again;
- a trial that has ended is not run again after a kill between its end and the next save;
- grid search forgets where it was; the order is rebuilt from the trials;
- a worker that is not heard of for `lease_s` is lost: its trial goes to the next one that asks. Workers whose search has ended wait
  until no trial is running, since its worker may yet be lost. KerasTuner's chief would wait for the dead for ever;
- a budget in hours, over all the calls that the search took;
- Bayesian optimisation learns nothing from a failed trial and would propose the same again: what was tried is replaced by chance.
"""

import functools
import json
import time
from collections.abc import Callable
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import Trial

from ..support.files import atomic_write

OBJECTIVE = kt.Objective("score", "max")
ENDED = ("COMPLETED", "FAILED")
NO_LIMIT = (
    2**31
)  # KerasTuner stops a search after so many failed trials in a row; here the budget alone does


class Lasting(kt.Oracle):
    """In front of a KerasTuner oracle. `ended` is called with every trial that has ended."""

    hours: float | None = None
    lease_s = 90.0
    ended: Callable[[Trial], None] = staticmethod(lambda trial: None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, objective=OBJECTIVE, max_consecutive_failed_trials=NO_LIMIT, **kwargs
        )
        self.verbose = 0
        self._started = time.monotonic()
        self._spent_before = 0.0
        self._heard: dict[str, float] = {}  # by trial: when its worker was last heard of

    # === Workers that die ===

    @kt.synchronized
    def create_trial(self, tuner_id):
        self._forget_lost()
        trial = super().create_trial(tuner_id)
        self._heard[trial.trial_id] = time.monotonic()
        if trial.status == "STOPPED" and self.ongoing_trials:
            self.tuner_ids.add(tuner_id)
            trial.status = "IDLE"
        return trial

    def get_trial(self, trial_id):
        """A trial; asking for it is how its worker is heard of."""
        self._heard[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    @kt.synchronized
    def end_trial(self, trial):
        if (
            trial.trial_id in self.end_order
        ):  # its worker was thought lost, and another one was quicker
            return
        super().end_trial(trial)
        self._retry_queue = [waiting for waiting in self._retry_queue if waiting != trial.trial_id]
        self.ended(self.trials[trial.trial_id])

    def _forget_lost(self) -> None:
        """Take the trials of workers that are not heard of back."""
        longest = time.monotonic() - self.lease_s
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if self._heard.get(trial.trial_id, self._started) < longest:
                del self.ongoing_trials[tuner_id]
                self.tuner_ids.discard(tuner_id)
                if trial.trial_id not in self._retry_queue:
                    self._retry_queue.append(trial.trial_id)

    # === The budget in hours ===

    @property
    def spent_s(self) -> float:
        """Seconds since the search began, in this call and those before it."""
        return self._spent_before + time.monotonic() - self._started

    def populate_space(self, trial_id):
        if self.hours is not None and self.spent_s >= 3600 * self.hours:
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    # === State on disk ===

    def save(self):
        with atomic_write(self._get_oracle_fname()) as file:
            file.write_text(json.dumps(self.get_state()))

    def _save_trial(self, trial):
        self._get_trial_dir(trial.trial_id)
        with atomic_write(f"{self._get_trial_dir(trial.trial_id)}/trial.json") as file:
            file.write_text(json.dumps(trial.get_state()))

    def get_state(self):
        return super().get_state() | {"spent_s": self.spent_s}

    def set_state(self, state):
        super().set_state(state)
        self._spent_before = state["spent_s"]

    def reload(self):
        super().reload()
        known = dict(sorted(self.trials.items(), key=lambda item: int(item[0])))
        waiting = [trial_id for trial_id, trial in known.items() if trial.status not in ENDED]
        self._retry_queue = waiting[::-1]  # the last one is taken first
        self.trials = known
        self.start_order = list(known)
        self.end_order = [trial_id for trial_id in known if trial_id not in waiting]


class Bayesian(Lasting, kt.oracles.BayesianOptimizationOracle):
    def populate_space(self, trial_id):
        proposed = super().populate_space(trial_id)
        if proposed["values"] and self._duplicate(proposed["values"]):
            return self._random_populate_space()
        return proposed


class Random(Lasting, kt.oracles.RandomSearchOracle):
    pass


class Grid(Lasting, kt.oracles.GridSearchOracle):
    def reload(self):
        super().reload()
        by_values = functools.cmp_to_key(
            lambda a, b: self._compare(self._values(a), self._values(b))
        )
        for trial_id in sorted(self.trials, key=by_values):
            self._ordered_ids.insert(trial_id)
        self._populate_next = list(self.trials)

    def _values(self, trial_id: str) -> dict:
        return self.trials[trial_id].hyperparameters.values


class Hyperband(Lasting, kt.oracles.HyperbandOracle):
    """Its trials of more epochs train anew: a schedule of the learning rate is one of so many epochs."""


def make(
    name: str, hyperparameters: kt.HyperParameters, epochs: int, trials: int | None, seed: int
) -> Lasting:
    """KerasTuner's algorithm of a name: bayesian, hyperband, random or grid. epochs: of Hyperband's longest trials."""
    common = {
        "hyperparameters": hyperparameters,
        "allow_new_entries": False,
        "tune_new_entries": False,
        "seed": seed + 1,  # KerasTuner takes 0 for none
    }
    oracle: Lasting
    if name == "bayesian":
        at_random = min(3 * len(hyperparameters.space), max(3, (trials or 30) // 3))
        oracle = Bayesian(num_initial_points=at_random, **common)
    elif name == "hyperband":
        oracle = Hyperband(max_epochs=epochs, **common)
    else:
        oracle = {"random": Random, "grid": Grid}[name](**common)
    oracle.max_trials = trials
    return oracle
