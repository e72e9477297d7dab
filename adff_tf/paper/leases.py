"""Leases: which process works on what, among processes and machines that see one folder.

A lease is a file `NAME.lease-0001` beside the work; its content names the holder. Of several files
the one of the highest index counts. A process takes the work by creating the file of the next
index, which only one process can do. The holder touches its file `BEATS` times in `lease_s`.

A lease is free where its holder released it or is dead: the holder's process no longer exists on
this machine, or its file is older than `lease_s` by the file system's clock. The clocks of two
machines need not agree.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from ..errors import InputError
from ..support.console import Advance, Reporter

LEASE_S = 180.0  # longer than network file systems cache a file's time
BEATS = 8
POLL_S = 2.0  # between two attempts of a process that waits
FREE = "free"  # content of a released lease


class LeaseHeldError(InputError):
    """A live process holds the work."""

    def __init__(self, work: str, holder: str):
        super().__init__(
            f"{work} is held by {holder}. Wait for it, stop it, or write to another folder"
        )
        self.work, self.holder = work, holder


class LeaseLostError(InputError):
    """Another process took the work over."""

    def __init__(self, work: str):
        super().__init__(
            f"{work} was taken over by another process, because this process did not renew its "
            "lease for a while. The work goes on there; this process stopped"
        )
        self.work = work


@dataclass(frozen=True)
class Holder:
    """A process: its host, machine (host, boot and PID namespace), PID and start time."""

    host: str
    machine: str
    pid: int
    started_s: int | None
    since: str

    @classmethod
    def current(cls) -> "Holder":
        """Return this process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), _machine_id(), os.getpid(), _start_time(os.getpid()), now)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (since {self.since})"


class Lease:
    """Work that this process holds; a thread renews the lease.

    Once `is_lost` is true, another process holds the work: stop, and write nothing more.
    """

    def __init__(self, work: str, file: Path, lease_s: float):
        self.work, self.file, self.is_lost = work, file, False
        self._beat_s, self._ended = lease_s / BEATS, threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def check(self) -> bool:
        """Return whether the lease is lost, from the files in the folder."""
        self.is_lost = self.is_lost or _last_file(self.file.with_suffix("")) != self.file
        return self.is_lost

    def release(self) -> None:
        """Free the work. The file stays, so that its index is never used again."""
        self._ended.set()
        self._thread.join()
        if not self.check():
            self.file.write_text(FREE)

    def _renew(self) -> None:
        while not self._ended.wait(self._beat_s) and not self.is_lost:
            # An unreachable folder may come back, and a removed file shows at the next check.
            with contextlib.suppress(OSError):
                if not self.check():
                    os.utime(self.file)


class LeasedReporter:
    """Passes lines and bars on while the lease is held; raises LeaseLostError at the next step
    once the lease is lost."""

    def __init__(self, reporter: Reporter, lease: Lease) -> None:
        self._reporter, self._lease = reporter, lease

    def log(self, text: str) -> None:
        self._check()
        self._reporter.log(text)

    @contextlib.contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        with self._reporter.bar(label, total, passing, minutely) as advance:

            def advance_leased(steps: int = 1, note: str = "") -> None:
                self._check()
                advance(steps, note)

            yield advance_leased

    def _check(self) -> None:
        if self._lease.is_lost:
            raise LeaseLostError(self._lease.work)


@contextlib.contextmanager
def hold_lease(
    path: str | Path,
    work: str,
    lease_s: float = LEASE_S,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[Lease]:
    """Hold the work named by `path` during the block.

    Args:
        path: name of the work; need not exist. The lease files lie beside it.
        work: the work in words, for messages.
        lease_s: seconds without a renewal after which another process may take over.
        on_wait: wait where another process holds the work, and call this once with the holder.

    Raises:
        LeaseHeldError: a live process holds the work, and `on_wait` is None.
    """
    lease = _take(Path(path), work, lease_s, on_wait)
    try:
        yield lease
    finally:
        lease.release()


def _take(
    path: Path, work: str, lease_s: float, on_wait: Callable[[str], None] | None = None
) -> Lease:
    is_waiting = False
    while True:
        try:
            return Lease(work, _create_next(path, work, lease_s), lease_s)
        except LeaseHeldError as error:
            if on_wait is None:
                raise
            if not is_waiting:
                on_wait(f"{error.work} is held by {error.holder}; waiting")
            is_waiting = True
        time.sleep(POLL_S)


def _create_next(path: Path, work: str, lease_s: float) -> Path:
    """Create the lease file of the next index; raise LeaseHeldError where the last one is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        last = _last_file(path)
        if last and (holder := _live_holder(last, lease_s)):
            raise LeaseHeldError(work, holder)
        index = _index(last) + 1 if last else 1
        file = path.with_name(f"{path.name}.lease-{index:04d}")
        try:
            file.touch(exist_ok=False)
        except FileExistsError:
            continue  # another process was faster
        try:
            file.write_text(json.dumps(asdict(Holder.current())))
        except BaseException:  # a half-written file on a full disk would block the work
            file.unlink(missing_ok=True)
            raise
        if _last_file(path) == file:
            for old in _lease_files(path)[:-1]:
                old.unlink(missing_ok=True)
            return file
        file.unlink(missing_ok=True)  # the holder of a higher index may have removed it already


def _lease_files(path: Path) -> list[Path]:
    """Return the lease files of some work in the order of their indices."""
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(
        (file for file in files if file.name.startswith(f"{path.name}.lease-")), key=_index
    )


def _last_file(path: Path) -> Path | None:
    return next(reversed(_lease_files(path)), None)


def _index(file: Path) -> int:
    return int(file.name.rpartition("-")[2])


def _live_holder(file: Path, lease_s: float) -> str | None:
    """Describe the holder of a lease, with the time left where its process is out of sight; None
    where the lease is free."""
    try:
        text, silent_s = file.read_text(), _file_system_time(file.parent) - file.stat().st_mtime
    except FileNotFoundError:  # a newer file took its place
        return None
    if text == FREE:
        return None
    holder: Holder | None
    try:
        holder = Holder(**json.loads(text))
    except (ValueError, TypeError):  # half written
        holder = None
    if holder and holder.machine == _machine_id():
        return str(holder) if _start_time(holder.pid) == holder.started_s else None
    if silent_s >= lease_s:
        return None
    return (
        f"{holder or 'another process'}, last renewed {max(silent_s, 0):.0f} s ago; without "
        f"another renewal this is free in {lease_s - silent_s:.0f} s"
    )


def _file_system_time(folder: Path) -> float:
    """Return the time by the clock of the folder's file system, seconds."""
    probe = folder / f".now.{uuid.uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _machine_id() -> str:
    """Return a text that differs between machines, boots and PID namespaces."""
    files = [Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")]
    boot, namespace = (
        str(file.readlink() if file.is_symlink() else file.read_text().strip())
        if file.exists()
        else ""
        for file in files
    )
    return f"{socket.gethostname()} {uuid.getnode():x} {boot} {namespace}"


def _start_time(pid: int) -> int | None:
    """Return a process's start time in whole seconds; None for a zombie and where none exists."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time())
    except psutil.NoSuchProcess:
        return None
