"""What scoring a catalogue costs: its parts alone, each on one core, and the whole beside what they allow.

    python benchmarks/bench_scoring.py MODEL SOURCE… [--files 100] [--windows 24] [--rounds 3] [--engine local]

From the root of the repository, on a machine with nothing else to do. Decoding, features and network are measured one after the
other in a process of one thread, as core-seconds a window, the median of the rounds; then the files are scored, rounds times.
`allowed` is cores ÷ (the sum of the parts), `share` the windows a second of the whole (from the first file taken up to the last
row, the model loaded and the decoders not yet started) of that. `busy` is the core-seconds that all processes used ÷ (cores ×
seconds): with `share` it tells waiting from work beside the parts. Peak memory is this process's, and the greatest of a decoding
process's.
"""

import argparse
import contextlib
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adff_tf.support.console import Silent, quiet_tensorflow

quiet_tensorflow()


class Clock(Silent):
    """Times the part of a run in which files are scored."""

    @contextlib.contextmanager
    def bar(self, label, total, **_):
        began, used = time.perf_counter(), core_seconds()
        yield lambda steps=1, note="": None
        self.seconds, self.used = time.perf_counter() - began, core_seconds() - used


def core_seconds() -> float:
    """Of this process and of those that it ended."""
    return sum(os.times()[:4])


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("model")
    ask.add_argument("sources", nargs="+")
    ask.add_argument("--files", type=int, default=100)
    ask.add_argument(
        "--windows", type=int, default=24, help="that features and network are measured on"
    )
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--batch", type=int)
    ask.add_argument("--threads", type=int)
    ask.add_argument("--engine", default="local", choices=["local", "ray"])
    args = ask.parse_args()

    from adff_tf.catalogue import local, run, sources

    files = [
        os.fsdecode(path) for path in sources.find(args.sources).paths.to_pylist()[: args.files]
    ]
    parts = in_another_process(alone, args.model, files, args.windows, args.rounds)
    for name, seconds in parts.items():
        print(f"{name:<9} {1e3 * seconds:8.1f} ms of a core a window")
    allowed = local.cores() / sum(parts.values())
    print(f"allowed   {allowed:8.2f} windows/s on {local.cores()} cores\n")
    ways = run.Ways(args.engine, batch=args.batch, threads=args.threads)
    for _ in range(args.rounds):
        whole(args.model, files, ways, allowed, local.cores())


def in_another_process(function: Callable, *arguments):
    """The parts want TensorFlow with one thread, and the whole has it in its own way."""
    import concurrent.futures
    import multiprocessing

    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def alone(model: str, files: list[str], count: int, rounds: int) -> dict[str, float]:
    """Core-seconds a window of decoding (and cutting), features and network."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import numpy as np

    from adff_tf import audio
    from adff_tf.inference import model as inference_model
    from adff_tf.inference import windows as windowing
    from adff_tf.model import log_mel as front_end
    from adff_tf.model import model_file

    file, experiment = model_file.find_model(model)
    network = model_file.load_network(file)
    asked = inference_model.EmotionModel(experiment, lambda waveforms: {})
    hop, rate, frames = asked.hop_samples(None), asked.sample_rate_hz, experiment.frames
    log_mel = tf.function(
        lambda waveforms: front_end.log_mel(waveforms, experiment.frontend)[:, :frames]
    )
    answer = tf.function(lambda log_mels: network(log_mels, training=False))

    def cut() -> list[np.ndarray]:
        return [
            samples if k < count else samples[:0]
            for k, (_, samples) in enumerate(
                window
                for path in files
                for window in windowing.cut_windows(audio.blocks(path, rate), asked.window, hop)
            )
        ]

    def used(work: Callable) -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    windows = cut()
    batches = [
        np.stack(windows[at : at + 4]) for at in range(0, min(count, len(windows)) // 4 * 4, 4)
    ]
    mels = [log_mel(batch) for batch in batches]
    answer(mels[0])
    heard = 4 * len(batches)
    times = [
        (
            used(cut) / len(windows),
            used(lambda: [log_mel(b) for b in batches]) / heard,
            used(lambda: [answer(m) for m in mels]) / heard,
        )
        for _ in range(rounds)
    ]
    return dict(
        zip(
            ("decode", "features", "network"),
            map(statistics.median, zip(*times, strict=True)),
            strict=True,
        )
    )


def whole(model: str, files: list[str], ways, allowed: float, cores: int) -> None:
    """Score the files and print a line."""
    import pandas as pd

    from adff_tf.catalogue import run

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        run.score(model, files, Path(folder), ways=ways, reporter=clock)
        songs = pd.read_parquet(Path(folder) / "songs")
    windows, seconds = songs["windows"].sum(), clock.seconds
    rate, peak = windows / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{len(songs)} files, {windows} windows in {seconds:.1f} s: {len(songs) / seconds:.2f} files/s, {rate:.2f} windows/s, "
        f"share {rate / allowed:.2f}, busy {clock.used / seconds / cores:.2f}, {1e3 * clock.used / windows:.1f} ms of a core "
        f"a window, {peak:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
