"""Recordings of real libraries: broken ones with the expected reason, and odd good ones."""

import os
from pathlib import Path

import numpy as np
import soundfile

RATE = 8000

REASONS = {
    "truncated.wav": "cut off or damaged",
    "empty.mp3": "is empty (0 bytes)",
    "text.wav": "is no audio or damaged",
    "no samples.wav": "holds no samples",
    "1 Hz.wav": "sample rate of 1 Hz",
    "1 MHz.wav": "sample rate of 1000000 Hz",
    "nan.wav": "NaN or infinite",
    "a folder.wav": "is a folder or a device",
    "a pipe.wav": "is a folder or a device",
    "dangling.wav": "No such file or directory",
    "vanished.wav": "No such file or directory",
    "nul\0.wav": "is a folder or a device",
}
GOOD = {"wrong suffix.mp3", "24 channels.wav", "caf\udce9.wav", "link.wav"}


def noise(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Return noise, `(samples, channels)` float32."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, (int(seconds * RATE), channels)).astype("float32")


def make_broken(folder: Path) -> Path:
    """Return a new folder with the names in GOOD and, where a file can have them, in REASONS."""
    folder = folder / "broken"
    folder.mkdir()
    good = noise(2.0)
    soundfile.write(folder / "truncated.wav", good, RATE)
    content = (folder / "truncated.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(content[: len(content) // 2])
    (folder / "empty.mp3").touch()
    (folder / "text.wav").write_text("no sound at all, whatever the name says")
    soundfile.write(folder / "no samples.wav", good[:0], RATE)
    for name, rate in {"1 Hz.wav": 1, "1 MHz.wav": 1_000_000}.items():
        (folder / name).write_bytes(content[:24] + rate.to_bytes(4, "little") + content[28:])
    with_nan = np.where(np.arange(len(good)) == 999, np.nan, good[:, 0])
    soundfile.write(folder / "nan.wav", with_nan, RATE, subtype="FLOAT")
    (folder / "a folder.wav").mkdir()
    os.mkfifo(folder / "a pipe.wav")
    (folder / "dangling.wav").symlink_to("nowhere")
    soundfile.write(folder / "wrong suffix.mp3", good, RATE, format="FLAC")
    soundfile.write(folder / "24 channels.wav", noise(2.0, 24), RATE)
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav")).write_bytes(content)
    (folder / "link.wav").symlink_to("24 channels.wav")
    return folder
