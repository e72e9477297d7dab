"""search(): KerasTuner varies settings on one split of the songs, alone or as chief and workers.

The split. Songs are divided into the base's folds as training divides them. The first fold is the
test fold: no trial trains on it or is scored on it; `adff-train --config best.json` scores it. The
second fold is `val`: it scores the trials, by song. The others are `train`; with early stopping, an
inner split of these chooses the epoch.

The folder, which chief and workers see under the same path:

    search.json             the plan: versions, base, space, algorithm
    index.csv               every song and its role: train, val or test
    features/               log-mels, computed once
    synthetic/              the synthetic set, without a data set
    project-HASH/           KerasTuner's files and a folder a trial; HASH is of plan and index.csv
    trials.csv, best.json   see `results`
    report.md, plots/       see `report`

The same call resumes a search. The folder of another search, and data that changed, are refused.
"""

import contextlib
import hashlib
import io
import os
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import keras_tuner as kt
import numpy as np
import pandas as pd

from adff_tf import audio
from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.features.tracks import prepare_tracks
from adff_tf.support import environment, folders
from adff_tf.support.console import SILENT, Reporter
from adff_tf.support.files import expand_user
from adff_tf.tasks import TASKS, Task
from adff_tf.training.run import load_index
from adff_tf.training.splits import check_inner_split, split_tracks

from .oracles import OBJECTIVE, ResumableOracle, make_oracle
from .plan import ALGORITHMS, RECORD, Budget, Plan, check_versions
from .report import write_report
from .results import TrialResult, TrialStatus, format_reasons, read_trials, select, write_tables
from .space import check_space
from .trials import SongSplit, run_trial
from .workers import ProcessRole, check_port, keras_tuner_environment, wait_for_chief

WORK = "search"
HOW_TO_RESUME = "use the settings of that search to resume it; trials and hours may change"
TEST, VAL = 1, 2  # folds
POLL_S = 0.2  # a worker requests a trial at this interval
HEARTBEAT_S = 10.0  # a worker shows at this interval that it lives


@dataclass(frozen=True)
class SearchResult:
    """A search's folder, and its trials as in `trials.csv`."""

    folder: Path
    trials: pd.DataFrame


def search(
    plan: Plan,
    folder: str | Path,
    budget: Budget,
    features: str | Path | None = None,
    role: ProcessRole | None = None,
    reporter: Reporter = SILENT,
    lease_s: float = ResumableOracle.lease_s,
) -> SearchResult | None:
    """Begin or resume a search in `folder`.

    Args:
        plan: the base experiment, the space and the algorithm.
        folder: the search's folder.
        budget: trials and hours.
        features: the feature store's folder, to share it; inside `folder` by default.
        role: chief or worker; None for a search of one process.
        reporter: shows lines and bars.
        lease_s: a worker silent for so long is lost, and another gets its trial.

    Returns:
        The result; None for a worker, since its chief reports.

    Raises:
        InputError: the plan, the data or the folder cannot be used, or no trial could be completed.
    """
    folder = expand_user(folder)
    _check_plan(plan)
    if role and not role.is_chief:
        wait_for_chief(role, reporter)
        _check_begun(folder, plan)
        _run_search(plan, folder, budget, features, role, reporter, lease_s)
        return None
    with folders.locked(folder, RECORD, WORK):
        check_versions(folder)
        folders.begin(folder, RECORD, plan.to_json(), WORK, HOW_TO_RESUME)
        if role:
            check_port(role)
        _run_search(plan, folder, budget, features, role, reporter, lease_s)
        return _finish(folder)


def _run_search(
    plan: Plan,
    folder: Path,
    budget: Budget,
    features: str | Path | None,
    role: ProcessRole | None,
    reporter: Reporter,
    lease_s: float,
) -> None:
    """Run this process's part of the search."""
    is_worker = role is not None and not role.is_chief
    songs, content = prepare_songs(plan, folder, features, reporter)
    digest = hashlib.sha256((plan.to_json() + content).encode()).hexdigest()[:12]
    project = folder / f"project-{digest}"
    oracle = make_oracle(plan, budget, lease_s)
    oracle.on_trial_end = lambda trial: _log_trial_end(folder, trial.trial_id, budget, reporter)
    with keras_tuner_environment(role), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Gaussian process's bounds, KerasTuner's deprecations
        tuner = Tuner(plan, songs, project, oracle, reporter)
        if not is_worker:
            tuner.save()
            environment.write(folder, audio.graph_decoder())
        if role and role.is_chief:
            reporter.log(
                f"chief at {role.address}: waiting for workers, each the same command with "
                "--worker ID instead of --chief"
            )
        try:
            _run_tuner(tuner, role)
        except KeyboardInterrupt:
            if not is_worker and len(read_trials(folder)):
                write_report(folder)
            raise


def _finish(folder: Path) -> SearchResult:
    """Write the report. Return the result; raise InputError where no trial was completed."""
    trials = write_report(folder)
    if select(trials, TrialStatus.COMPLETED).empty:
        raise InputError(
            f"no trial of {len(trials)} could be completed:\n{format_reasons(trials)}\n"
            "Change the space or the settings"
        )
    return SearchResult(folder, trials)


# === Before the search ===


def prepare_songs(
    plan: Plan, folder: Path, features: str | Path | None, reporter: Reporter
) -> tuple[SongSplit, str]:
    """Return the songs that trials use, with log-mels, and the content of index.csv."""
    base, task = plan.base, TASKS[plan.base.task]
    index = load_index(base, folder, reporter)
    store, skip = features or folder / "features", base.data.skip_bad_audio
    tracks, bad = prepare_tracks(index.tracks, store, base.frontend, skip, reporter)
    if bad:
        reporter.log(f"going on without {len(bad)} recordings that cannot be used")
    folds = split_tracks(tracks.table, task, base.validation, base.training.seed)
    role = np.select([folds == TEST, folds == VAL], ["test", "val"], "train")
    if base.validation.split == "published":
        role = tracks.table["split"].where(folds > 0, "").to_numpy()
    songs = SongSplit(
        train=tracks.rows(np.flatnonzero(role == "train")),
        val=tracks.rows(np.flatnonzero(role == "val")),
    )
    _check_songs(plan.base, task, songs)
    return songs, folders.keep_index(folder, tracks.table.assign(role=role), WORK)


def _check_plan(plan: Plan) -> None:
    check_space(plan.space, plan.base)
    if plan.algorithm not in ALGORITHMS:
        raise InputError(f"the algorithm is {plan.algorithm!r}; use one of {', '.join(ALGORITHMS)}")
    if plan.base.validation.split == "folds" and plan.base.validation.folds < 3:
        raise InputError(
            f"a search needs three folds or more, given are {plan.base.validation.folds}: one is "
            "kept for the final test, one scores the trials, the others train them; set folds to 5"
        )


def _check_songs(base: Experiment, task: Task, songs: SongSplit) -> None:
    if not len(songs.val):
        raise InputError(
            "the published split has no val songs here, which score the trials; use `split` folds"
        )
    for target in task.targets if task.is_regression else ():
        if songs.val.table[target].nunique() < 2:
            raise InputError(
                f"the {len(songs.val)} songs that score the trials all have the same {target}, so "
                "that R² is not defined; give more songs, or fewer folds (3 or more)"
            )
    if base.training.early_stopping:
        check_inner_split(songs.train.table)


def _check_begun(folder: Path, plan: Plan) -> None:
    """Raise InputError unless the chief began this plan's search in `folder`."""
    file = folder / RECORD
    if not file.exists():
        raise InputError(f"{file} is not there; give a worker its chief's folder, which both see")
    check_versions(folder)
    folders.check_same(folder, RECORD, plan.to_json(), WORK, HOW_TO_RESUME)


# === The search ===


class Tuner(kt.Tuner):
    """KerasTuner's tuner with `run_trial` for a trial."""

    def __init__(
        self,
        plan: Plan,
        songs: SongSplit,
        project: Path,
        oracle: ResumableOracle,
        reporter: Reporter,
    ):
        self.plan, self.songs, self.reporter = plan, songs, reporter
        self.heartbeat_s = min(HEARTBEAT_S, oracle.lease_s / 4)
        project.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(io.StringIO()):  # "Reloading Tuner from …"
            super().__init__(
                oracle=oracle, directory=str(project.parent), project_name=project.name
            )

    def pre_create_trial(self):
        if self._is_worker():
            time.sleep(POLL_S)

    def run_trial(self, trial, *args, **kwargs):
        values, folder = trial.hyperparameters.values, Path(self.get_trial_dir(trial.trial_id))
        result = TrialResult(trial.trial_id, self.tuner_id)
        self.reporter.log(f"trial {trial.trial_id}: {self.plan.describe(values)}")
        try:
            with self._heartbeat(trial.trial_id):
                score = run_trial(self.plan, values, self.songs, folder, result, self.reporter)
                return {OBJECTIVE.name: score}
        except kt.errors.FailedTrialError:
            raise
        except Exception as error:  # KerasTuner would record a failed trial and continue
            raise kt.errors.FatalError(f"trial {trial.trial_id}: {error}") from error
        finally:
            if self._is_worker() and (result.scores or result.reason):
                self.reporter.log(f"trial {trial.trial_id}: {result.reason or 'done'}")

    @contextlib.contextmanager
    def _heartbeat(self, trial_id: str) -> Iterator[None]:
        """Fetch the trial from the chief every `heartbeat_s`, as a sign that this worker lives."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self.heartbeat_s):
                with contextlib.suppress(grpc.RpcError):  # the trial's end reports a lost chief
                    self.oracle.get_trial(trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _get_tuner_fname(self):
        """Return one name for all processes: KerasTuner reloads only where this file exists."""
        return os.path.join(self.project_dir, "tuner.json")


def _run_tuner(tuner: Tuner, role: ProcessRole | None) -> None:
    try:
        tuner.search()
    except kt.errors.FatalError as error:
        raise (error.__cause__ or error) from None
    except grpc.RpcError as error:
        if role is None:
            raise
        raise InputError(
            f"the chief at {role.address} is gone ({error.code().name}); start it again by its own "
            "command, then this worker: the search is resumed"
        ) from None


def _log_trial_end(folder: Path, trial_id: str, budget: Budget, reporter: Reporter) -> None:
    """Write the tables, and log how a trial ended and how many have."""
    trials = write_tables(folder)
    row = trials[trials["trial"] == int(trial_id)].iloc[0]
    is_completed = row["status"] == TrialStatus.COMPLETED
    end = f"score {row['score']:.4f}" if is_completed else f"failed: {row['reason']}"
    ended = int((trials["status"] != TrialStatus.UNFINISHED).sum())
    of = f" of {budget.trials}" if budget.trials else ""
    best = f"best {trials['score'].max():.4f}"
    reporter.log(f"trial {trial_id}: {end}  {row['seconds']:.0f} s  ({ended}{of}, {best})")
