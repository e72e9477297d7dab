"""Tiny recordings, packages and MIDI files."""

import subprocess
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8000


def recording(path: Path, seconds: float, seed: int = 0) -> Path:
    """Write noise; another seed gives another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.1, 0.1, int(seconds * RATE_HZ))
    soundfile.write(path, samples, RATE_HZ)
    return path


def package(folder: Path, name: str, tree: Path, licences: list[str]) -> Path:
    """Build NAME_1_all.deb in `folder` of the files in `tree`."""
    control = tree / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\n"
        "Description: test\n"
    )
    copyright_file = tree / "usr" / "share" / "doc" / name / "copyright"
    copyright_file.parent.mkdir(parents=True)
    copyright_file.write_text("".join(f"Files: *\nLicense: {licence}\n" for licence in licences))
    deb = folder / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, capture_output=True)
    return deb


def scale(path: Path, notes: int = 40, gap_s: float = 0.5, channel: int = 0) -> Path:
    """Write a MIDI file of one note every `gap_s`, the last one ended."""
    import mido

    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    ticks = round(gap_s * 960)
    for i in range(notes):
        pitch = 48 + i % 24
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=80))
        track.append(mido.Message("note_off", channel=channel, note=pitch, time=ticks))
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path
