"""search(): an experiment's settings tried by KerasTuner on one grouped split, alone or as chief and workers.

The split. The songs are divided into the base's folds, as training divides them. The first fold is the test fold: no trial trains
on it or is scored on it, and it is what `adff-train --config best.json` is scored on. The second fold scores the trials, by song,
and the others are what they learn from; where early stopping is on, it uses some of these.

The folder, which chief and workers have to see under the same path:

    search.json      what is searched: base, space, algorithm
    index.csv        every song and its role: test, score or learn
    features/        log-mels, computed once        synthetic/   the built-in music, where no data were given
    project-HASH/    KerasTuner's files and a folder a trial; HASH is of the space, the base, the algorithm and the index's content
    trials.csv, best.json, report.md, plots/        see `report`

The same call goes on where an earlier one stopped. A folder of another search, and data that changed, are refused.
"""

import contextlib
import hashlib
import io
import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import keras_tuner as kt
import numpy as np
import pandas as pd

from .. import audio
from ..config import Experiment
from ..errors import InputError
from ..features import tracks as track_features
from ..support import environment, folders
from ..support.console import SILENT, Reporter
from ..support.files import expand_user
from ..tasks import TASKS, Task
from ..training import run, splits
from . import oracles, report, trials
from .space import ALGORITHMS, EPOCHS, Plan, checked

RECORD, WHAT = "search.json", "a search"
GO_ON = "the settings of that search to go on with it; --trials and --hours may change"
TEST, SCORE = 1, 2  # folds
IDLE_S = 0.2  # between a worker's questions for a trial
BEAT_S = 10.0  # between a worker's signs of life


@dataclass(frozen=True)
class Budget:
    """When to stop: after so many trials, or hours, whichever comes first. The trial in progress is finished."""

    trials: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise InputError(
                f"a budget of {self.trials} trials leaves nothing to try; give --trials 1 or more"
            )
        if self.hours is not None and not self.hours > 0:
            raise InputError(
                f"a budget of {self.hours:g} hours leaves nothing to try; give --hours above 0, for instance --hours 0.5"
            )


@dataclass(frozen=True)
class Place:
    """This process's part in a search of many: the chief, which proposes, or a worker, which tries."""

    id: str
    host: str
    port: int
    wait_s: float = 300.0  # how long a worker waits for its chief

    @property
    def is_chief(self) -> bool:
        return "chief" in self.id  # as KerasTuner tells it

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Found:
    """What a search found: its folder, and a row a trial as in `trials.csv`. A worker finds nothing: its chief reports."""

    folder: Path
    trials: pd.DataFrame


def search(
    plan: Plan, folder: str | Path, budget: Budget, features: str | Path | None = None, place: Place | None = None,
    reporter: Reporter = SILENT, lease_s: float = oracles.Lasting.lease_s,
) -> Found | None:  # fmt: skip
    """Search as planned into `folder`, or go on with it; None for a worker.

    features: the feature store's folder, to share it; inside `folder` by default. place: None where there is no chief. lease_s: a
    worker that is silent for so long is lost, and its trial is given to another. Raises InputError for the user's mistakes.
    """
    folder = expand_user(folder)
    _check_plan(plan)
    if place and not place.is_chief:
        _reach(place, reporter)
        _check_begun(folder, plan)
        _search(plan, folder, budget, features, place, reporter, lease_s)
        return None
    with folders.held(folder, RECORD, WHAT, reporter) as reporter:
        folders.begin(folder, RECORD, plan.to_json(), WHAT, GO_ON)
        if place:
            _check_port(place)
        _search(plan, folder, budget, features, place, reporter, lease_s)
        return _found(folder)


def _search(
    plan: Plan,
    folder: Path,
    budget: Budget,
    features: str | Path | None,
    place: Place | None,
    reporter: Reporter,
    lease_s: float,
) -> None:
    """This process's part of the search."""
    worker = place if place and not place.is_chief else None
    songs, content = prepare(plan, folder, features, reporter)
    project = (
        folder / f"project-{hashlib.sha256((plan.to_json() + content).encode()).hexdigest()[:12]}"
    )

    with _environment(place), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Gaussian process's bounds, KerasTuner's deprecations
        tuner = _tuner(plan, songs, project, budget, reporter, report_progress=not worker)
        tuner.beat_s = min(BEAT_S, lease_s / 4)
        if not worker:
            tuner.oracle.lease_s = lease_s
            tuner.save()
            environment.write(folder / "environment.json", audio.graph_decoder())
        if place and place.is_chief:
            reporter.log(
                f"chief at {place.address}: waiting for workers, each the same command with --worker ID instead of --chief"
            )
        try:
            _run(tuner, place)
        except KeyboardInterrupt:
            if not worker and len(report.collect(folder)):
                report.write(folder)
            raise


def _found(folder: Path) -> Found:
    """What the search in a folder found, once its report is written. Raises InputError where no trial was completed."""
    report.write(folder)
    found = report.collect(folder)
    if not (found["status"] == "completed").any():
        raise InputError(
            f"no trial of {len(found)} could be completed:\n{report.reasons(found)}\nChange the space or the settings"
        )
    return Found(folder, found)


# === Before the search ===


def prepare(
    plan: Plan, folder: Path, features: str | Path | None, reporter: Reporter
) -> tuple[trials.Songs, str]:
    """The songs that the search may see, with their log-mels, and the content of index.csv. Raises InputError."""
    base, task = plan.base, TASKS[plan.base.task]
    index = run.load_index(base, folder, reporter)
    run.check_task(task, index)
    tracks, bad = track_features.prepare_tracks(
        index.tracks,
        features or folder / "features",
        base.frontend,
        base.data.skip_bad_audio,
        reporter,
    )
    if bad:
        reporter.log(f"going on without {len(bad)} recordings that cannot be used")
    folds = splits.assign_folds(tracks.table, task, base.validation.folds, base.training.seed)
    role = np.select([folds == TEST, folds == SCORE], ["test", "score"], "learn")
    songs = trials.Songs(
        learn=tracks.rows(np.flatnonzero(role == "learn")),
        score=tracks.rows(np.flatnonzero(role == "score")),
    )
    _check_songs(plan.base, task, songs)
    return songs, folders.keep_index(folder, tracks.table.assign(role=role), "the search")


def _check_plan(plan: Plan) -> None:
    checked(plan.space, plan.base)
    if plan.algorithm not in ALGORITHMS:
        raise InputError(f"the algorithm is {plan.algorithm!r}; use one of {', '.join(ALGORITHMS)}")
    if plan.base.validation.folds < 3:
        raise InputError(
            f"a search needs three folds or more, given are {plan.base.validation.folds}: one is kept for the final test, one "
            "scores the trials, and they learn from the others. Use --folds 5"
        )


def _check_songs(base: Experiment, task: Task, songs: trials.Songs) -> None:
    for target in task.targets if task.is_regression else ():
        if songs.score.table[target].nunique() < 2:
            raise InputError(
                f"the {len(songs.score)} songs that score the trials all have the same {target}, so that R² is not defined; give "
                "more songs, or fewer --folds (3 or more)"
            )
    if base.training.early_stopping:
        splits.check_inner_split(songs.learn.table)


def _check_begun(folder: Path, plan: Plan) -> None:
    file = folder / RECORD
    if not file.exists():
        raise InputError(
            f"{file} is not there; a worker needs the --out of its chief, in a folder that both see"
        )
    folders.check_same(folder, RECORD, plan.to_json(), WHAT, GO_ON)


# === Chief and workers ===


def place_from(
    chief: bool, worker: str | None, address: str, wait_s: float = Place.wait_s
) -> Place | None:
    """This process's place by the command line, or else by KerasTuner's environment variables. Raises InputError."""
    if chief and worker is not None:
        raise InputError(f"--chief and --worker {worker} were given; a process is one of them")
    if chief or worker is not None:
        id_ = "chief" if chief else str(worker)
        host, port = _split(address, "--address")
    else:
        names = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
        given = [name for name in names if os.environ.get(name)]
        if not given:
            return None
        if len(given) < len(names):
            missing = ", ".join(sorted(set(names) - set(given)))
            raise InputError(
                f"of KerasTuner's environment variables {', '.join(given)} is set and {missing} is not; set all three"
            )
        id_ = os.environ[names[0]]
        host, port = _split(
            f"{os.environ[names[1]]}:{os.environ[names[2]]}",
            "KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT",
        )
    if not chief and worker is not None and (not worker or "chief" in worker or "/" in worker):
        raise InputError(
            f"--worker {worker!r} cannot be a worker's name; give one without 'chief' and '/', for instance --worker 1"
        )
    return Place(id_, host, port, wait_s)


def _split(address: str, whence: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(
            f"{whence} {address!r} is no address; give HOST:PORT with a port from 1 to 65535, for instance 127.0.0.1:7077"
        )
    return host, int(port)


def _reach(place: Place, reporter: Reporter) -> None:
    """Wait for the chief."""
    reporter.log(f"worker {place.id}: waiting for the chief at {place.address}")
    with grpc.insecure_channel(place.address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=place.wait_s)
        except grpc.FutureTimeoutError:
            raise InputError(
                f"no chief answers at {place.address} after {place.wait_s:g} s. Start it by the same command with --chief instead "
                f"of --worker {place.id}, give its --address HOST:PORT, or wait longer by --wait SECONDS"
            ) from None


def _check_port(place: Place) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((place.host, place.port))
        except OSError as error:
            raise InputError(
                f"the chief cannot listen at {place.address}: {error.strerror or error}. Give another --address HOST:PORT, a free "
                "port of this machine, to it and to its workers"
            ) from None


@contextlib.contextmanager
def _environment(place: Place | None) -> Iterator[None]:
    """KerasTuner's environment variables of a place, for the time of the search; none of them without one."""
    names = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
    before = {name: os.environ.pop(name, None) for name in names}
    if place:
        os.environ.update(zip(names, (place.id, place.host, str(place.port)), strict=True))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


# === The search ===


class Tuner(kt.Tuner):
    """KerasTuner's tuner, each of whose trials is `trials.run`."""

    def __init__(self, plan: Plan, songs: trials.Songs, reporter: Reporter, **kwargs):
        super().__init__(**kwargs)
        self.plan, self.songs, self.reporter, self.beat_s = plan, songs, reporter, BEAT_S

    def pre_create_trial(self):
        if self._is_worker():
            time.sleep(IDLE_S)

    def run_trial(self, trial, *args, **kwargs):
        plan, values = self.plan, trial.hyperparameters.values
        result = trials.Result(trial.trial_id, self.tuner_id)
        self.reporter.log(f"trial {trial.trial_id}: {describe(plan, values)}")
        try:
            with self._alive(trial.trial_id):
                return {
                    oracles.OBJECTIVE.name: trials.run(
                        plan.base,
                        plan.space,
                        values,
                        self.songs,
                        Path(self.get_trial_dir(trial.trial_id)),
                        result,
                        self.reporter,
                    )
                }
        except kt.errors.FailedTrialError:
            raise
        except Exception as error:  # KerasTuner would take it for the trial's failure and go on
            raise kt.errors.FatalError(f"trial {trial.trial_id}: {error}") from error
        finally:
            if self._is_worker() and (result.scores or result.reason):
                self.reporter.log(f"trial {trial.trial_id}: {result.reason or 'done'}")

    @contextlib.contextmanager
    def _alive(self, trial_id: str) -> Iterator[None]:
        """Ask the chief for the trial now and then, so that it knows that the worker lives."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self.beat_s):
                with contextlib.suppress(grpc.RpcError):
                    self.oracle.get_trial(trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _get_tuner_fname(self):
        """One name for all: KerasTuner reads its project back only where this is."""
        return os.path.join(self.project_dir, "tuner.json")


def _tuner(
    plan: Plan,
    songs: trials.Songs,
    project: Path,
    budget: Budget,
    reporter: Reporter,
    report_progress: bool,
) -> Tuner:
    base = plan.base
    oracle = oracles.make(
        plan.algorithm,
        plan.space.declare(base),
        base.training.epochs,
        budget.trials,
        base.training.seed,
    )
    oracle.hours = budget.hours
    project.mkdir(parents=True, exist_ok=True)
    if report_progress:
        oracle.ended = lambda trial: _tell(project.parent, trial, budget, reporter)
    with contextlib.redirect_stdout(io.StringIO()):  # "Reloading Tuner from …"
        return Tuner(
            plan,
            songs,
            reporter,
            oracle=oracle,
            directory=str(project.parent),
            project_name=project.name,
        )


def _run(tuner: Tuner, place: Place | None) -> None:
    try:
        tuner.search()
    except kt.errors.FatalError as error:
        raise (error.__cause__ or error) from None
    except grpc.RpcError as error:
        if place is None:
            raise
        raise InputError(
            f"the chief at {place.address} is gone ({error.code().name}). Start it again by its own command, then this worker: the "
            "search goes on from there"
        ) from None


def _tell(folder: Path, trial: Any, budget: Budget, reporter: Reporter) -> None:
    """Bring the tables up to date and say how a trial ended."""
    found = report.write_tables(folder)
    row = found[found["trial"] == int(trial.trial_id)].iloc[0]
    done, best = int((found["status"] != "running").sum()), found["score"].max()
    ended = (
        f"score {row['score']:.4f}" if row["status"] == "completed" else f"failed: {row['reason']}"
    )
    of = f" of {budget.trials}" if budget.trials else ""
    reporter.log(
        f"trial {trial.trial_id}: {ended}  {row['seconds']:.0f} s  ({done}{of}, best {best:.4f})"
    )


def describe(plan: Plan, values: dict[str, Any]) -> str:
    """A trial's values in a line."""
    tried = plan.space.complete(values)
    shown = {name: tried[name] for name in plan.space.free}
    if EPOCHS in values:
        shown["epochs"] = values[EPOCHS]
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in shown.items()
    )
