"""Who works on what, among processes and machines that see one folder.

A claim is a file beside the work, `NAME.claim-0001`, that says who holds it. The file of the highest number counts; whoever creates
the next number holds the work, and only one can. A holder touches its file now and then. It is dead where its process is gone from
this machine, or where it was not heard of for `lease_s`, by the file system's own clock: the clocks of two machines need not agree.
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

LEASE_S = 180.0  # longer than network file systems keep a file's time to themselves
BEATS = 8  # a lease
ASK_S = 2.0  # between two looks of one who waits
FREE = "free"


class Taken(InputError):
    """Somebody alive holds the work."""


@dataclass(frozen=True)
class Holder:
    """A process: its machine (host, boot and process namespace), its number and when that process began."""

    host: str
    machine: str
    pid: int
    born: int | None
    since: str

    @classmethod
    def this(cls) -> "Holder":
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), _machine(), os.getpid(), _born(os.getpid()), now)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (since {self.since})"


class Claim:
    """Work that this process holds. `lost` becomes true where another took it over: stop then, and write nothing more."""

    def __init__(self, file: Path, lease_s: float):
        self.file = file
        self._beat_s, self._ended, self._lost = lease_s / BEATS, threading.Event(), False
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        return self._lost

    def release(self) -> None:
        """Let go. The file stays, so that its number is not given twice."""
        self._ended.set()
        self._thread.join()
        if not self.check():
            self.file.write_text(FREE)

    def check(self) -> bool:
        """Whether it is lost, by the files themselves."""
        self._lost = self._lost or _newest(self.file.with_suffix("")) != self.file
        return self._lost

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s) and not self._lost:
            with contextlib.suppress(
                OSError
            ):  # the folder is out of reach, or the file gone: a later check tells
                if not self.check():
                    os.utime(self.file)


@contextlib.contextmanager
def held(
    path: str | Path, what: str, lease_s: float = LEASE_S, wait: Callable[[str], None] | None = None
) -> Iterator[Claim]:
    """Hold the work named by `path`, which need not exist, during the block. what: it in words, such as "the run in runs/x".

    Raises Taken, which names the holder, where somebody alive has it; or with `wait`, tells that once who has it and waits.
    """
    claim = _waited(Path(path), what, lease_s, wait) if wait else _take(Path(path), what, lease_s)
    try:
        yield claim
    finally:
        claim.release()


def _waited(path: Path, what: str, lease_s: float, wait: Callable[[str], None]) -> Claim:
    holder = None
    while True:
        try:
            return _take(path, what, lease_s)
        except Taken as taken:
            if holder is None:
                wait(str(taken).split(". ")[0])
            holder = taken
            time.sleep(ASK_S)


def _take(path: Path, what: str, lease_s: float) -> Claim:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        last = _newest(path)
        if last and (holder := _holder(last, lease_s)):
            raise Taken(
                f"{what} is held by {holder}. Wait for it, stop it, or write to another folder"
            )
        number = int(last.suffix.rpartition("-")[2]) + 1 if last else 1
        file = path.with_name(f"{path.name}.claim-{number:04d}")
        try:
            file.touch(exist_ok=False)
        except FileExistsError:
            continue  # another was quicker
        try:
            file.write_text(json.dumps(asdict(Holder.this())))
        except BaseException:  # a full disk: what is half written would keep everyone out
            file.unlink(missing_ok=True)
            raise
        if _newest(path) == file:
            for old in _all(path)[:-1]:
                old.unlink(missing_ok=True)
            return Claim(file, lease_s)
        file.unlink(missing_ok=True)  # one of a higher number may have tidied it away


def _all(path: Path) -> list[Path]:
    """The claim files of some work, the one that counts last."""
    prefix = f"{path.name}.claim-"
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    numbered = [file for file in files if file.name.startswith(prefix)]
    return sorted(numbered, key=lambda file: int(file.name.removeprefix(prefix)))


def _newest(path: Path) -> Path | None:
    return next(reversed(_all(path)), None)


def _holder(file: Path, lease_s: float) -> str | None:
    """Who holds a claim, in words, and until when where that cannot be seen; None where it was let go or its holder is dead."""
    try:
        text, silent_s = file.read_text(), _now(file.parent) - file.stat().st_mtime
    except FileNotFoundError:  # a newer one took its place
        return None
    if text == FREE:
        return None
    holder: Holder | None
    try:
        holder = Holder(**json.loads(text))
    except (ValueError, TypeError):  # half written
        holder = None
    if holder and holder.machine == _machine():
        return str(holder) if _born(holder.pid) == holder.born else None
    if silent_s >= lease_s:
        return None
    return (
        f"{holder or 'another process'}, heard of {max(silent_s, 0):.0f} s ago; if that is gone, this is free in "
        f"{lease_s - silent_s:.0f} s"
    )


def _now(folder: Path) -> float:
    """The time by the clock of the file system that the folder is on."""
    probe = folder / f".now.{uuid.uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _machine() -> str:
    """What tells this machine, and in it the space of process numbers, from all others."""
    known = [Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")]
    boot, space = (
        str(file.readlink() if file.is_symlink() else file.read_text().strip())
        if file.exists()
        else ""
        for file in known
    )
    return f"{socket.gethostname()} {uuid.getnode():x} {boot} {space}"


def _born(pid: int) -> int | None:
    """When a process of this machine began, in whole seconds; None where there is none, or what is left of one."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time())
    except psutil.NoSuchProcess:
        return None
