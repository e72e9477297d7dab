"""Claims: one holder at a time, among threads, processes and machines; the dead lose theirs."""

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

from adff_tf.support import claims
from adff_tf.support.claims import Holder, Taken, held

HOLD = """
import sys, time
from adff_tf.support.claims import held
with held(sys.argv[1], "it"):
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
    """A claim by a process that is not this one; its file."""
    file = path.with_name(f"{path.name}.claim-0001")
    file.write_text(json.dumps(dataclasses.asdict(dataclasses.replace(Holder.this(), **changes))))
    return file


def test_the_second_is_told_who_holds_it(tmp_path, other):
    with (
        pytest.raises(Taken, match=f"it is held by process {other.pid} on .* .since 20"),
        held(tmp_path / "work", "it"),
    ):
        pass


def test_the_dead_are_followed_at_once(tmp_path, other):
    other.kill()
    time.sleep(0.2)  # not waited for: what is left of a process holds nothing
    with held(tmp_path / "work", "it") as claim:
        assert claim.file.name == "work.claim-0002" and not claim.lost


def test_a_process_of_the_same_number_is_not_the_holder(tmp_path):
    pretend(tmp_path / "work", pid=os.getpid(), born=Holder.this().born - 100)
    with held(tmp_path / "work", "it"):
        pass


def test_another_machine_is_believed_while_it_is_heard_of(tmp_path):
    file = pretend(tmp_path / "work", machine="elsewhere", host="elsewhere", pid=1)
    with pytest.raises(
        Taken,
        match=r"process 1 on elsewhere \(since .*\), heard of \d s ago; if that is gone, this is free in 1[78]\d s",
    ):
        claims._take(tmp_path / "work", "it", claims.LEASE_S)
    os.utime(file, (time.time() - 2 * claims.LEASE_S,) * 2)
    with held(tmp_path / "work", "it"):
        pass


def test_one_that_is_being_written_is_believed_for_a_lease(tmp_path):
    (tmp_path / "work.claim-0001").touch()
    with pytest.raises(Taken), held(tmp_path / "work", "it"):
        pass
    os.utime(tmp_path / "work.claim-0001", (1, 1))
    with held(tmp_path / "work", "it"):
        pass


def test_a_holder_is_heard_of_and_learns_that_it_was_overtaken(tmp_path):
    with held(tmp_path / "work", "it", lease_s=0.4) as claim:
        os.utime(claim.file, (1, 1))
        time.sleep(0.3)
        assert time.time() - claim.file.stat().st_mtime < 5
        (tmp_path / "work.claim-0002").write_text("{}")
        time.sleep(0.3)
        assert claim.lost
    assert (tmp_path / "work.claim-0002").read_text() == "{}"  # the other's is left alone


def test_a_folder_out_of_reach_for_a_while_ends_no_beats(tmp_path, monkeypatch):
    newest, is_away = claims._newest, threading.Event()

    def reached(path):
        if is_away.is_set():
            raise OSError(errno.ESTALE, "Stale file handle")
        return newest(path)

    monkeypatch.setattr(claims, "_newest", reached)
    with held(tmp_path / "work", "it", lease_s=0.4) as claim:
        is_away.set()
        time.sleep(0.2)
        is_away.clear()
        os.utime(claim.file, (1, 1))
        time.sleep(0.3)
        assert time.time() - claim.file.stat().st_mtime < 5 and not claim.lost


def test_a_claim_that_cannot_be_written_keeps_nobody_out(tmp_path, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(claims.json, "dumps", lambda holder: 1 / 0)
        with pytest.raises(ZeroDivisionError), held(tmp_path / "work", "it"):
            pass
    assert list(tmp_path.iterdir()) == []
    with held(tmp_path / "work", "it"):
        pass


def test_a_slow_one_whose_number_was_tidied_away_sees_who_holds_it(tmp_path, monkeypatch):
    """It looked when 4 was free; when it has made 5, another holds 6 and has removed what came before."""
    newest, work = claims._newest, tmp_path / "work"
    pretend(work).rename(tmp_path / "work.claim-0006")
    looks = iter([tmp_path / "work.claim-0004"])

    def slow(path):
        (tmp_path / "work.claim-0005").unlink(missing_ok=True)
        return next(looks, None) or newest(path)

    monkeypatch.setattr(claims, "_newest", slow)
    with pytest.raises(Taken, match="it is held by process"):
        claims._take(work, "it", 60.0)
    assert [file.name for file in tmp_path.iterdir()] == ["work.claim-0006"]


def test_many_at_once_never_hold_it_together(tmp_path):
    inside = []

    def try_it(_):
        for _ in range(10):
            try:
                with held(tmp_path / "work", "it"):
                    inside.append(1)
                    assert len(inside) == 1
                    time.sleep(0.001)
                    inside.pop()
                    return 1
            except Taken:
                time.sleep(0.002)
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(24))) > 1
    assert len(list(tmp_path.iterdir())) == 1
