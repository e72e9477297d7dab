"""Memory does not grow with the length of a recording."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from .songs import save_quick_run

CODE = """
import os, sys, threading, time
from pathlib import Path
from adff_tf.catalogue.run import predict_catalogue
from adff_tf.catalogue.settings import EngineSettings

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
settings = EngineSettings(decoders=1, threads=1, batch=16)
predict_catalogue(model, [song], out, hop_s=1.0, settings=settings)
print(peak_mb("self"), max(peaks.values()))
"""


def write_silence(file: Path, hours: float, rate_hz: int = 8000) -> Path:
    """Write a wav of silence as a sparse file, which takes no room on the disk."""
    size = int(hours * 3600 * rate_hz) * 2
    head = struct.pack("<4sI8sI", b"RIFF", 36 + size, b"WAVEfmt ", 16)
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    file.write_bytes(head + form + struct.pack("<4sI", b"data", size))
    os.truncate(file, 44 + size)
    return file


@pytest.mark.slow
def test_ten_hours_take_the_memory_of_ten_minutes(tmp_path):
    model = save_quick_run(tmp_path / "run")
    peaks = {}
    for hours in (1 / 6, 10):
        song, out = write_silence(tmp_path / f"{hours:.2f}.wav", hours), tmp_path / f"{hours:.2f}"
        command = [sys.executable, "-c", CODE, str(model), str(song), str(out)]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
        peaks[hours] = [float(number) for number in done.stdout.split()]
        (row,) = pd.read_parquet(out / "songs").to_dict("records")
        seconds = hours * 3600
        assert row["status"] == "ok" and row["windows"] == seconds
        assert row["seconds"] == pytest.approx(seconds)
    (short, short_decoder), (long, long_decoder) = peaks.values()
    assert long - short < 200 and long_decoder - short_decoder < 50, peaks
    print(peaks)
