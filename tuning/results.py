"""The results of a search, read from its folder's files alone: `trials.csv` and `best.json`.

`trials.csv` has a row a trial: `trial`, `status` (a `TrialStatus`), `score` (maximised: R² by song,
the mean over the targets; or accuracy), `seconds`, a column a hyperparameter, `epochs`,
`memory_mib` and `gpu_memory_mib` (peaks), the scores by target, `worker`, and the `reason` of a
failure.

`best.json` is the experiment of the best trial with `hold_out` on: the search kept only the first
fold apart.
"""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from adff_tf.config import Experiment
from adff_tf.support.files import atomic_write

from .plan import RECORD, Plan
from .space import SECTIONS

RESULT = "result.json"
FIRST_COLUMNS = ["trial", "status", "score", "seconds", *SECTIONS]
RESULT_COLUMNS = ["epochs", "memory_mib", "gpu_memory_mib"]
LAST_COLUMNS = ["worker", "reason"]


class TrialStatus(StrEnum):
    """The state of a trial, as in `trials.csv`."""

    COMPLETED = "completed"
    FAILED = "failed"
    UNFINISHED = "unfinished"

    @classmethod
    def from_keras_tuner(cls, status: str) -> "TrialStatus":
        """Return the status for KerasTuner's, unfinished for all but COMPLETED and FAILED."""
        ended = {"COMPLETED": cls.COMPLETED, "FAILED": cls.FAILED}
        return ended.get(status, cls.UNFINISHED)


@dataclass
class TrialResult:
    """The content of a trial's `result.json`.

    scores: as `metrics.score_task` returns. memory_mib, gpu_memory_mib: peaks; the latter is the
    sum over the GPUs.
    """

    trial: str
    worker: str
    seconds: float = 0.0
    epochs: int = 0
    memory_mib: float = 0.0
    gpu_memory_mib: float | None = None
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    reason: str | None = None

    def write(self, folder: Path) -> None:
        """Write `result.json` into the trial's folder."""
        with atomic_write(folder / RESULT) as file:
            file.write_text(json.dumps(asdict(self), indent=2) + "\n")


def read_plan(folder: Path) -> Plan:
    """Return the plan in a search's folder."""
    return Plan.from_json((folder / RECORD).read_text())


def read_trials(folder: Path) -> pd.DataFrame:
    """Return the trials of a search as in `trials.csv`, without rows where none has begun."""
    plan = read_plan(folder)
    table = pd.DataFrame([_read_trial(plan, file) for file in _trial_files(folder)])
    known = [*FIRST_COLUMNS, *RESULT_COLUMNS, *LAST_COLUMNS]
    scores = [name for name in table.columns if name not in known]
    return table.reindex(columns=[*FIRST_COLUMNS, *RESULT_COLUMNS, *scores, *LAST_COLUMNS])


def write_tables(folder: Path) -> pd.DataFrame:
    """Write `trials.csv`, and `best.json` where a trial is completed. Return the trials."""
    trials = read_trials(folder)
    with atomic_write(folder / "trials.csv") as file:
        trials.to_csv(file, index=False)
    best = find_best(trials)
    if best is not None:
        with atomic_write(folder / "best.json") as file:
            file.write_text(_final_experiment(folder, best["trial"]).to_json())
    return trials


def select(trials: pd.DataFrame, status: TrialStatus) -> pd.DataFrame:
    """Return the trials of a status."""
    return trials[trials["status"] == status]


def find_best(trials: pd.DataFrame) -> pd.Series | None:
    """Return the first row of the highest score; None where no trial is completed."""
    completed = select(trials, TrialStatus.COMPLETED)
    return None if completed.empty else completed.loc[completed["score"].idxmax()]


def score_columns(trials: pd.DataFrame) -> list[str]:
    """Return the columns of the scores by target that the search maximises."""
    for score in ("_r2", "_sign", "_accuracy"):  # R² is NaN where no label is a number
        found = [name for name in trials.columns if name.endswith(score)]
        if found and trials[found].notna().any(axis=None):
            return found
    return []


def format_reasons(trials: pd.DataFrame) -> str:
    """Return the reasons of the failed trials, one a line, each after the indices of its trials."""
    by_reason = select(trials, TrialStatus.FAILED).groupby("reason")["trial"].apply(list)
    return "\n".join(
        f"  trial {', '.join(map(str, numbers))}: {reason}" for reason, numbers in by_reason.items()
    )


def _trial_files(folder: Path) -> list[Path]:
    """Return KerasTuner's file of each trial, in order."""
    return sorted(folder.glob("project-*/trial_*/trial.json"), key=_trial_index)


def _trial_index(file: Path) -> int:
    return int(file.parent.name.removeprefix("trial_"))


def _read_trial(plan: Plan, file: Path) -> dict[str, Any]:
    trial, result = json.loads(file.read_text()), file.with_name(RESULT)
    status = TrialStatus.from_keras_tuner(trial["status"])
    row = {"trial": _trial_index(file), "status": status, "score": trial["score"]}
    row |= plan.space.complete(trial["hyperparameters"]["values"])
    if not result.exists() or status == TrialStatus.UNFINISHED:
        return row
    known = json.loads(result.read_text())
    row |= {name: known[name] for name in ("seconds", *RESULT_COLUMNS, *LAST_COLUMNS)}
    return row | {
        f"{target}_{name}": value
        for target, scores in known["scores"].items()
        for name, value in scores.items()
    }


def _final_experiment(folder: Path, trial: int) -> Experiment:
    """Return the experiment of a trial, with the test fold held out."""
    file = next(file for file in _trial_files(folder) if _trial_index(file) == trial)
    values = json.loads(file.read_text())["hyperparameters"]["values"]
    found = read_plan(folder).build_experiment(values)
    validation = found.validation.model_copy(update={"hold_out": True})
    return found.model_copy(update={"validation": validation})
