"""A run: a catalogue scored into a folder, and gone on with where it was stopped.

    OUT/score.json    what was asked: the model's content, the windows
    OUT/songs, OUT/curves    the two tables (table.py)
    OUT/score.claim-0001     who is at it (claims.py)

A file is done when its row is in a part; a run that is stopped at any moment loses what it did since the last part, `PART_S`
seconds at most, and does that again. Files are known by their path: one whose content changed keeps its row.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InputError
from ..inference.model import EmotionModel
from ..support import claims, folders
from ..support.console import SILENT, Reporter
from ..support.files import atomic_write, check_empty, expand_user
from . import local, models, on_ray, sources, table

RECORD, CLAIM = "score.json", "score"
FORMAT = 1  # of score.json and the tables
PART_FILES, PART_WINDOWS, PART_S = 2000, 200_000, 60.0

Tables = Iterator[pa.Table]


@dataclass(frozen=True)
class Ways:
    """How a run goes about it; none of it moves a value by more than 1e-5. None: what suits the machine.

    engine: `local`, or `ray` on the cluster at `ray_address` (None starts one here) with actors of `actor_cores`. decoders,
    threads, batch, patience_s: see `local.Effort`.
    """

    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    actor_cores: int | None = None
    decoders: int | None = None
    threads: int | None = None
    batch: int | None = None
    patience_s: float = local.Effort.patience_s

    def __post_init__(self) -> None:
        for name, least in (
            ("actor_cores", 1),
            ("decoders", 1),
            ("threads", 1),
            ("batch", 1),
            ("patience_s", 1),
        ):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise InputError(
                    f"{name.removesuffix('_s')} {value:g} was given; give {least} or more"
                )


@dataclass(frozen=True)
class Finished:
    """What the folder holds at the end. new: files scored by this run. unread: folders that could not be searched."""

    folder: Path
    counts: table.Counts
    new: int
    unread: tuple[str, ...]


def score(
    model: str | Path,
    catalogue: Sequence[str],
    folder: str | Path,
    hop_s: float | None = None,
    ways: Ways = Ways(),
    retry_errors: bool = False,
    reporter: Reporter = SILENT,
) -> Finished:
    """Score the files of a catalogue that have no row in `folder` yet.

    model: see models.py. catalogue: see sources.py. hop_s: seconds from one window to the next, half a window by default.
    retry_errors: files whose row is an error have none. Raises InputError for what cannot be used, for a folder that holds the
    scores of another model or hop, and `claims.Taken` for one that another process writes to.
    """
    folder, named = expand_user(folder).absolute(), models.Named.at(model)
    found = sources.find(catalogue)
    for reason in found.unread:
        reporter.log(f"warning: {reason}")
    _check_folder(folder)
    with claims.held(folder / CLAIM, f"{folder}") as claim:
        loaded, effort = _loaded(named, ways)
        hop = loaded.hop_samples(hop_s)
        _keep_record(folder, named, loaded, hop)
        parts = table.Parts(folder, table.Columns.of(loaded.task))
        if retry_errors:
            reporter.log(f"{parts.forget_errors()} errors are tried again")
        todo = _todo(found.paths, parts, reporter)
        if len(todo):
            _work(
                _engine(named, loaded, hop, todo, effort, ways), parts, claim, len(todo), reporter
            )
        return Finished(folder, parts.counted(), len(todo), found.unread)


# === The folder ===


def _check_folder(folder: Path) -> None:
    """Raise InputError for a folder of something else, and for one that cannot be written."""
    if not (folder / RECORD).is_file():
        is_ours = folder.is_dir() and any(folder.glob(f"{CLAIM}.claim-*"))
        check_empty(
            folder, "the scores", {path.name for path in folder.iterdir()} if is_ours else ()
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; give another folder by --out"
        ) from None


def _keep_record(folder: Path, named: models.Named, model: EmotionModel, hop: int) -> None:
    """Write what was asked, or check that it is what the folder's scores were made with. Raises InputError."""
    rate = model.sample_rate_hz
    now = {
        "format": FORMAT,
        "model_sha256": named.sha256(),
        "task": model.task.name,
        "sample_rate_hz": rate,
        "window_s": model.window / rate,
        "hop_s": hop / rate,
    }
    record = folder / RECORD
    if record.is_file():
        before = _read(record)
        if {key: before.get(key) for key in now} != now:
            differ = folders.differences({key: before.get(key) for key in now}, now)
            raise InputError(
                f"{folder} holds scores of another kind, made with {before.get('model')}:\n{differ}\nGive another folder by --out, "
                "or the same model and hop"
            )
        return
    with atomic_write(record) as temporary:
        temporary.write_text(json.dumps({**now, "model": str(named.file)}, indent=2) + "\n")


def _read(record: Path) -> dict:
    try:
        content = json.loads(record.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{record} cannot be read: {error}. Give another folder by --out"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{record} is damaged: it holds no settings. Give another folder by --out")
    return content


def _todo(paths: pa.Array, parts: table.Parts, reporter: Reporter) -> pa.Array:
    """The files that have no row."""
    todo = paths.filter(pc.invert(pc.is_in(paths, value_set=parts.done())))
    done = len(paths) - len(todo)
    reporter.log(f"{len(paths)} files" + (f", {done} of them done" if done else ""))
    return todo


# === The work ===


def _loaded(named: models.Named, ways: Ways) -> tuple[EmotionModel, local.Effort]:
    """The model in this process, and how much of this machine is used. With Ray the model is only looked at, before any actor
    is."""
    usual = local.Effort.of(local.cores(), models.has_gpu(named))
    effort = local.Effort(
        ways.decoders or usual.decoders,
        ways.threads or usual.threads,
        ways.batch or usual.batch,
        ways.patience_s,
    )
    return models.load(named, effort.threads if ways.engine == "local" else 1), effort


def _engine(
    named: models.Named,
    model: EmotionModel,
    hop: int,
    todo: pa.Array,
    effort: local.Effort,
    ways: Ways,
) -> Tables:
    """Tables of rows, as the files are done."""
    if ways.engine == "ray":
        cluster = on_ray.Cluster(
            ways.ray_address,
            ways.actor_cores,
            ways.decoders,
            ways.threads,
            ways.batch,
            ways.patience_s,
        )
        yield from on_ray.scored(named, hop, todo, cluster)
        return
    columns = table.Columns.of(model.task)
    with local.Engine(model, hop, effort) as engine:
        for row in engine.scored(path.as_py() for path in todo):
            yield columns.table([row])


def _work(
    tables: Tables, parts: table.Parts, claim: claims.Claim, total: int, reporter: Reporter
) -> None:
    """Write what comes, in parts; what came before Ctrl-C too."""
    with reporter.bar("songs", total, minutely=True) as advance:
        tell, pending = _Rate(total, advance), _Pending(parts, claim)
        try:
            for scored in tables:
                pending.add(scored)
                tell.of(scored)
        except KeyboardInterrupt:
            pending.write()
            raise
        pending.write()


class _Pending:
    """Rows that are not yet on disk."""

    def __init__(self, parts: table.Parts, claim: claims.Claim):
        self._parts, self._claim = parts, claim
        self._begin()

    def _begin(self) -> None:
        self._tables, self._files, self._windows, self._since = (
            list[pa.Table](),
            0,
            0,
            time.monotonic(),
        )

    def add(self, scored: pa.Table) -> None:
        self._tables.append(scored)
        self._files += len(scored)
        self._windows += _windows(scored)
        if (
            self._files >= PART_FILES
            or self._windows >= PART_WINDOWS
            or time.monotonic() - self._since >= PART_S
        ):
            self.write()

    def write(self) -> None:
        """Raises InputError where another process took the folder over."""
        if self._claim.check():
            raise InputError(
                "another process took this folder over: it looked as if this one were dead. What it does not do itself is lost"
            )
        if self._tables:
            self._parts.add(pa.concat_tables(self._tables))
        self._begin()


class _Rate:
    """Progress in words: how fast, and how long it will take."""

    def __init__(self, total: int, advance: Callable[..., None]):
        self._left, self._advance, self._began, self._files, self._all_windows = (
            total,
            advance,
            time.monotonic(),
            0,
            0,
        )

    def of(self, scored: pa.Table) -> None:
        self._files += len(scored)
        self._left -= len(scored)
        self._all_windows += _windows(scored)
        passed = max(time.monotonic() - self._began, 1e-9)
        note = f"{self._files / passed:.1f} songs/s, {self._all_windows / passed:.1f} windows/s"
        self._advance(len(scored), f"{note}, {_duration(passed / self._files * self._left)} left")


def _windows(scored: pa.Table) -> int:
    return pc.sum(scored["windows"]).as_py() or 0


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
