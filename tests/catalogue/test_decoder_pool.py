"""Decoding processes: the waveform's windows, and one error for each file that hangs or crashes."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adff_tf import audio
from adff_tf.catalogue.decoder import FileInfo, Setup
from adff_tf.catalogue.decoder_pool import SLOTS, DecodedWindow, DecoderPool
from adff_tf.inference.windows import cut_windows

from .broken import GOOD, RATE, REASONS, make_broken, noise

HOSTILE = "tests.catalogue.hostile:blocks"
SETUP = Setup(RATE, window=RATE, hop=RATE // 2, slots=SLOTS, decode=HOSTILE)


def decode(paths, processes: int = 2, patience_s: float = 60.0):
    """Return windows by path as (start, samples), and each file's `FileInfo` by path."""
    windows: dict[bytes, list] = {}
    infos: dict[bytes, FileInfo] = {}
    with DecoderPool(SETUP, processes, patience_s) as pool:
        for event in pool.decode(os.fsencode(path) for path in paths):
            if isinstance(event, DecodedWindow):
                windows.setdefault(event.path, []).append((event.start, event.samples.copy()))
            else:
                assert event.path not in infos, "a file that ended twice"
                infos[event.path] = event.info
    return windows, infos


def errors_by_name(infos: dict[bytes, FileInfo]) -> dict[str, str]:
    return {Path(os.fsdecode(path)).name: info.error for path, info in infos.items()}


def test_windows_are_those_of_the_waveform(tmp_path):
    files = []
    for k, (seconds, rate, suffix) in enumerate(
        [(3.3, 8000, "wav"), (0.4, 44100, "flac"), (9.0, 22050, "ogg"), (2.0, 48000, "mp3")]
    ):
        files.append(tmp_path / f"{k}.{suffix}")
        soundfile.write(files[-1], noise(seconds * rate / RATE, 2, k), rate)
    windows, infos = decode(files)
    for file in files:
        found, info = windows[os.fsencode(file)], infos[os.fsencode(file)]
        waveform = audio.load(file, RATE)
        wanted = list(cut_windows([waveform], SETUP.window, SETUP.hop))
        assert [start for start, _ in found] == [window.start for window in wanted]
        np.testing.assert_array_equal(
            [samples for _, samples in found], [window.samples for window in wanted]
        )
        digest, rate = (
            hashlib.sha256(file.read_bytes()).hexdigest(),
            soundfile.info(file).samplerate,
        )
        assert info == FileInfo(digest, rate, len(waveform))


def test_a_file_that_hangs_crashes_or_devours_costs_itself_alone(tmp_path):
    names = ["good0", "hangs", "good1", "crashes", "good2", "devours", "good3", "slow", "good4"]
    for k, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.wav", noise(2.0, seed=k), RATE)
    began = time.monotonic()
    errors = errors_by_name(decode([tmp_path / f"{n}.wav" for n in names], patience_s=1.5)[1])
    good = {name for name, error in errors.items() if not error}
    assert good == {f"{name}.wav" for name in names if name.startswith(("good", "slow"))}
    assert errors["hangs.wav"] == "its decoder made no progress for 1.5 s, and was ended"
    assert errors["crashes.wav"] == "its decoder crashed (SIGSEGV)"
    assert "more memory" in errors["devours.wav"] and time.monotonic() - began < 60


def test_broken_files_have_reasons(tmp_path):
    folder = make_broken(tmp_path)
    paths = [*sorted(folder.iterdir()), folder / "vanished.wav", Path(f"{folder}/nul\0.wav")]
    errors = errors_by_name(decode(paths)[1])
    for name, reason in REASONS.items():
        assert reason in errors[name], (name, errors[name])
    assert {name for name, error in errors.items() if not error} == GOOD


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_no_permission(tmp_path):
    soundfile.write(tmp_path / "locked.wav", noise(1.0), RATE)
    (tmp_path / "locked.wav").chmod(0)
    _, infos = decode([tmp_path / "locked.wav"], 1)
    assert "Permission denied" in next(iter(infos.values())).error


def test_decoding_processes_do_not_outlive_the_run(tmp_path):
    """Also where the run is killed while a decoder hangs."""
    (tmp_path / "hangs.wav").write_bytes(b"x")
    code = (
        "from adff_tf.catalogue.decoder_pool import DecoderPool\n"
        "from tests.catalogue.test_decoder_pool import SETUP\n"
        "pool = DecoderPool(SETUP, 2)\n"
        "print(*(p._process.pid for p in pool._processes), flush=True)\n"
        f"list(pool.decode([{os.fsencode(tmp_path / 'hangs.wav')!r}]))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    workers = [int(pid) for pid in run.stdout.readline().split()]
    time.sleep(2)
    run.kill()
    run.wait()
    until = time.monotonic() + 20
    while any(_runs(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in workers)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
