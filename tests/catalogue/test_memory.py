"""Memory that does not grow with the length of a recording."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ..inference.test_model import save_run
from .test_catalogue import quick

CODE = """
import os, sys, threading, time
from pathlib import Path
from adff_tf.catalogue import local, run

def peak_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3

peaks = {}
def watch():
    while True:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                if stat.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                    peaks[stat.parent.name] = peak_mb(stat.parent.name)
            except (OSError, IndexError, ValueError):
                pass
        time.sleep(0.2)

threading.Thread(target=watch, daemon=True).start()
model, song, out = sys.argv[1:]
run.score(model, [song], out, hop_s=1.0, ways=run.Ways(decoders=1, threads=1, batch=16))
print(peak_mb("self"), max(peaks.values()))
"""


def silence(file: Path, hours: float, rate_hz: int = 8000) -> Path:
    """A wav of silence that takes no room on the disk."""
    size = int(hours * 3600 * rate_hz) * 2
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (
        (1).to_bytes(2, "little") * 2
        + rate_hz.to_bytes(4, "little")
        + (2 * rate_hz).to_bytes(4, "little")
        + b"\2\0\x10\0"
    )
    file.write_bytes(head + form + b"data" + size.to_bytes(4, "little"))
    with open(file, "r+b") as opened:
        opened.truncate(44 + size)
    return file


@pytest.mark.slow
def test_ten_hours_take_the_memory_of_ten_minutes(tmp_path):
    model = quick(save_run(tmp_path / "run"))
    peaks = {}
    for hours in (1 / 6, 10):
        song = silence(tmp_path / f"{hours:.2f}.wav", hours)
        command = [
            sys.executable,
            "-c",
            CODE,
            str(model),
            str(song),
            str(tmp_path / f"{hours:.2f}"),
        ]
        told = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
        ).stdout
        peaks[hours] = [float(number) for number in told.split()]
        (row,) = pd.read_parquet(tmp_path / f"{hours:.2f}" / "songs").to_dict("records")
        assert (
            row["status"] == "ok"
            and row["seconds"] == pytest.approx(hours * 3600)
            and row["windows"] == hours * 3600
        )
    (short, short_decoder), (long, long_decoder) = peaks.values()
    assert long - short < 200 and long_decoder - short_decoder < 50, peaks
    print(peaks)
