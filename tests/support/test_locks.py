"""One process at a time in a folder."""

import subprocess
import sys

import pytest

from adff_tf.support.locks import LockedError, lock_folder

HOLD = """
import pathlib, sys, time
from adff_tf.support.locks import lock_folder
with lock_folder(pathlib.Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    time.sleep(60)
"""


def lock(folder) -> None:
    with lock_folder(folder, "the run"):
        pass


def test_another_process_is_refused_until_the_first_ends_however_it_ends(tmp_path):
    command = [sys.executable, "-c", HOLD, tmp_path]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"works on the run in {tmp_path}") as caught:
        lock(tmp_path)
    assert (caught.value.folder, caught.value.work) == (tmp_path, "the run")
    first.kill()
    first.wait()
    lock(tmp_path)


def test_a_lock_ends_with_its_block_and_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), lock_folder(tmp_path, "the run"):
        raise ZeroDivisionError
    with lock_folder(tmp_path, "the run"), pytest.raises(LockedError):
        lock(tmp_path)
    lock(tmp_path)
