"""Leases: one holder at a time among threads, processes and machines; the dead lose theirs."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from adff_tf.paper import leases
from adff_tf.paper.leases import (
    Holder,
    LeasedReporter,
    LeaseHeldError,
    LeaseLostError,
    hold_lease,
)
from adff_tf.support.console import SILENT

HOLD = """
import sys, time
from adff_tf.paper.leases import hold_lease
with hold_lease(sys.argv[1], "it"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds `tmp_path / "work"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "work")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def pretend(path, **changes):
    """Write a lease of another process; return its file."""
    file = path.with_name(f"{path.name}.lease-0001")
    holder = dataclasses.replace(Holder.current(), **changes)
    file.write_text(json.dumps(dataclasses.asdict(holder)))
    return file


def test_the_error_names_the_work_and_its_holder(tmp_path, other):
    with (
        pytest.raises(
            LeaseHeldError, match=f"it is held by process {other.pid} on .* .since 20"
        ) as error,
        hold_lease(tmp_path / "work", "it"),
    ):
        pass
    assert error.value.work == "it"
    assert error.value.holder.startswith(f"process {other.pid} on ")


def test_a_dead_holder_is_followed_at_once(tmp_path, other):
    other.kill()
    time.sleep(0.2)  # not waited for: a zombie holds nothing
    with hold_lease(tmp_path / "work", "it") as lease:
        assert lease.file.name == "work.lease-0002" and not lease.is_lost


def test_who_waits_names_the_holder_once(tmp_path, other, monkeypatch):
    monkeypatch.setattr(leases, "POLL_S", 0.05)
    threading.Timer(0.3, other.kill).start()
    lines = []
    with hold_lease(tmp_path / "work", "it", on_wait=lines.append):
        (line,) = lines
    assert line.startswith(f"it is held by process {other.pid} on ")


def test_a_process_of_the_same_pid_is_not_the_holder(tmp_path):
    pretend(tmp_path / "work", pid=os.getpid(), started_s=Holder.current().started_s - 100)
    with hold_lease(tmp_path / "work", "it"):
        pass


def test_another_machine_holds_while_it_renews(tmp_path):
    file = pretend(tmp_path / "work", machine="elsewhere", host="elsewhere", pid=1)
    with pytest.raises(
        LeaseHeldError,
        match=r"process 1 on elsewhere \(since .*\), last renewed \d s ago; without another "
        r"renewal this is free in 1[78]\d s",
    ):
        leases._take(tmp_path / "work", "it", leases.LEASE_S)
    os.utime(file, (time.time() - 2 * leases.LEASE_S,) * 2)
    with hold_lease(tmp_path / "work", "it"):
        pass


def test_a_half_written_lease_holds_for_a_lease_time(tmp_path):
    (tmp_path / "work.lease-0001").touch()
    with pytest.raises(LeaseHeldError), hold_lease(tmp_path / "work", "it"):
        pass
    os.utime(tmp_path / "work.lease-0001", (1, 1))
    with hold_lease(tmp_path / "work", "it"):
        pass


def test_a_holder_renews_and_notices_that_another_took_over(tmp_path):
    with hold_lease(tmp_path / "work", "it", lease_s=0.4) as lease:
        os.utime(lease.file, (1, 1))
        time.sleep(0.3)
        assert time.time() - lease.file.stat().st_mtime < 5
        (tmp_path / "work.lease-0002").write_text("{}")
        time.sleep(0.3)
        assert lease.is_lost
    assert (tmp_path / "work.lease-0002").read_text() == "{}"  # the other lease is left alone


def test_a_reporter_stops_the_work_once_the_lease_is_lost(tmp_path):
    with hold_lease(tmp_path / "work", "it") as lease:
        leased = LeasedReporter(SILENT, lease)
        leased.log("started")
        with leased.bar("steps", 3) as advance:
            advance()
            (tmp_path / "work.lease-0002").write_text("{}")
            lease.check()
            with pytest.raises(LeaseLostError, match="it was taken over by another process"):
                advance()
        with pytest.raises(LeaseLostError, match="it was taken over") as error:
            leased.log("finished")
    assert error.value.work == "it"


def test_a_folder_out_of_reach_for_a_while_ends_no_renewals(tmp_path, monkeypatch):
    last_file, is_away = leases._last_file, threading.Event()

    def reached(path):
        if is_away.is_set():
            raise OSError(errno.ESTALE, "Stale file handle")
        return last_file(path)

    monkeypatch.setattr(leases, "_last_file", reached)
    with hold_lease(tmp_path / "work", "it", lease_s=0.4) as lease:
        is_away.set()
        time.sleep(0.2)
        is_away.clear()
        os.utime(lease.file, (1, 1))
        time.sleep(0.3)
        assert time.time() - lease.file.stat().st_mtime < 5 and not lease.is_lost


def test_a_lease_that_cannot_be_written_blocks_nobody(tmp_path, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(leases.json, "dumps", lambda holder: 1 / 0)
        with pytest.raises(ZeroDivisionError), hold_lease(tmp_path / "work", "it"):
            pass
    assert list(tmp_path.iterdir()) == []
    with hold_lease(tmp_path / "work", "it"):
        pass


def test_a_slow_process_whose_index_was_removed_sees_the_holder(tmp_path, monkeypatch):
    """It looked when 4 was free; when it has made 5, another holds 6 and has removed 5."""
    last_file, work = leases._last_file, tmp_path / "work"
    pretend(work).rename(tmp_path / "work.lease-0006")
    looks = iter([tmp_path / "work.lease-0004"])

    def slow(path):
        (tmp_path / "work.lease-0005").unlink(missing_ok=True)
        return next(looks, None) or last_file(path)

    monkeypatch.setattr(leases, "_last_file", slow)
    with pytest.raises(LeaseHeldError, match="it is held by process"):
        leases._take(work, "it", 60.0)
    assert [file.name for file in tmp_path.iterdir()] == ["work.lease-0006"]


def test_many_at_once_never_hold_it_together(tmp_path):
    inside = []

    def try_it(_):
        for _ in range(10):
            try:
                with hold_lease(tmp_path / "work", "it"):
                    inside.append(1)
                    assert len(inside) == 1
                    time.sleep(0.001)
                    inside.pop()
                    return 1
            except LeaseHeldError:
                time.sleep(0.002)
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(24))) > 1
    assert len(list(tmp_path.iterdir())) == 1
