"""`python recipes/corpus.py`, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile

ROOT = Path(__file__).parents[2]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, ROOT / "recipes" / "corpus.py", *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_composer_alone_and_again(tmp_path):
    arguments = (tmp_path / "music", "--sources", "composer", "--clips", 2)
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "music" / "sources.csv")
    assert list(table.seconds) == [30, 30]
    info = soundfile.info(tmp_path / "music" / table.file[0])
    assert (info.samplerate, info.channels) == (32000, 1)
    before = (tmp_path / "music" / "sources.csv").read_text()
    assert run(*arguments).returncode == 0
    assert (tmp_path / "music" / "sources.csv").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sources", "emopia"), "--emopia is missing"),
        (("--sources", "composer", "--clips", "0"), "at least 1"),
        (("--sources", "emopia", "--emopia", "."), "holds no .mid files"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, message):
    done = run(tmp_path / "music", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
