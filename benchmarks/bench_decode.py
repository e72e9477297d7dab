"""Seconds to decode a folder of music with each decoder of `audio.dataset`, and their ratio.

    python benchmarks/bench_decode.py [FOLDER] [--files N] [--seconds S] [--rounds R] [--parallel P]

Without a folder it makes N stereo mp3s of S seconds (noise under chords, 44.1 kHz). Each decoder
reads every file once before the clock starts, and then R times in turn with the other decoder. The
median counts.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import soundfile as sf

from adff_tf import audio

SUFFIXES = {".mp3", ".wav", ".flac", ".ogg", ".opus", ".m4a", ".aac"}


def make_mp3s(folder: Path, files: int, seconds: float, rate_hz: int = 44100) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    for n in range(files):
        chord = sum(np.sin(2 * np.pi * hertz * t) for hertz in rng.uniform(100, 2000, 4)) / 10
        sf.write(folder / f"{n}.mp3", chord[:, None] + rng.normal(0, 0.05, (len(t), 2)), rate_hz)


def decode_all(
    paths: list[str], decoder: audio.GraphDecoder, parallel: int | None
) -> tuple[float, float]:
    """Wall seconds, and seconds of music decoded."""
    start, samples = time.perf_counter(), 0
    for _, waveform, error in audio.dataset(paths, decoder=decoder, parallel=parallel):
        if error.numpy():
            raise SystemExit(f"error: {error.numpy().decode()}")
        samples += len(waveform)
    return time.perf_counter() - start, samples / 44100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, help="a folder of music, searched with its subfolders"
    )
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--parallel", type=int, help="files at once (default: the number of cores, at most 8)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if given.folder is None:
            make_mp3s(Path(made), given.files, given.seconds)
        folder = given.folder or Path(made)
        paths = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise SystemExit(
                f"error: no music in {folder}; looked for {', '.join(sorted(SUFFIXES))}"
            )
        decoders = (
            ["libsndfile"]
            if audio.graph_decoder() == "libsndfile"
            else ["tensorflow-io", "libsndfile"]
        )
        seconds: dict[str, list[float]] = {decoder: [] for decoder in decoders}
        for decoder in decoders:
            decode_all(paths, decoder, given.parallel)
        for _ in range(given.rounds):
            for decoder in decoders:
                taken, music = decode_all(paths, decoder, given.parallel)
                seconds[decoder].append(taken)
    print(f"{len(paths)} files, {music:.0f} s of music, {os.cpu_count()} cores")
    medians = {decoder: statistics.median(taken) for decoder, taken in seconds.items()}
    for decoder, taken in medians.items():
        print(f"{decoder:14} {taken:7.3f} s   {music / taken:7.0f} s of music a second")
    if len(medians) == 2:
        print(
            f"tensorflow-io / libsndfile = {medians['tensorflow-io'] / medians['libsndfile']:.2f}"
        )
    else:
        print("tensorflow-io's ops do not load here: nothing to compare with")


if __name__ == "__main__":
    main()
