"""Measure `adff-score`: its steps, each alone on one core, and the whole.

    python benchmarks/bench_catalogue.py MODEL SOURCE… [--files 100] [--windows 24] [--rounds 3]
                                         [--decoders N] [--engine local]

MODEL is a run folder, or an export's `.tflite`. Run it from the root of the repository, on an idle
machine. `--decoders N` gives the cost of the number of decoding processes.

Decoding, features and network are measured one after the other in a process of one thread, in
core-seconds a window, median of the rounds. Then the files are predicted on, `rounds` times:

    allowed  cores ÷ (sum of the steps), in windows/s
    share    windows/s of the whole ÷ allowed; the whole begins with the loaded model, before the
             decoding processes start, and ends with the last row
    busy     core-seconds of all processes ÷ (cores × seconds); with `share` it separates waiting
             from work outside the steps
    MB       peak memory of this process
"""

import argparse
import concurrent.futures
import contextlib
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adff_tf.support.console import Silent, prepare_tensorflow

prepare_tensorflow()
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the steps take one core


class Clock(Silent):
    """Times the part of a run in which files are predicted on."""

    @contextlib.contextmanager
    def bar(self, label, total, **_):
        began, used = time.perf_counter(), core_seconds()
        yield lambda steps=1, note="": None
        self.seconds, self.used = time.perf_counter() - began, core_seconds() - used


def core_seconds() -> float:
    """Return the core-seconds of this process and of its ended children."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--windows", type=int, default=24, help="for features and network")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--decoders", type=int)
    parser.add_argument("--engine", default="local", choices=["local", "ray"])
    args = parser.parse_args()

    from adff_tf.catalogue import sources
    from adff_tf.catalogue.settings import EngineSettings
    from adff_tf.support.environment import count_cores

    paths = sources.find(args.sources).paths.to_pylist()
    files = [os.fsdecode(path) for path in paths[: args.files]]
    # one thread for TensorFlow has to be set before TensorFlow runs, so the steps get a process
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as process:
        measured = process.submit(measure_steps, args.model, files, args.windows, args.rounds)
        steps = measured.result()
    for name, seconds in steps.items():
        print(f"{name:<9} {1e3 * seconds:8.1f} ms of a core a window")
    cores = count_cores()
    allowed = cores / sum(steps.values())
    print(f"allowed   {allowed:8.2f} windows/s on {cores} cores\n")
    settings = EngineSettings(
        args.engine, batch=args.batch, threads=args.threads, decoders=args.decoders
    )
    for _ in range(args.rounds):
        measure_whole(args.model, files, settings, allowed, cores)


def measure_steps(model: str, files: list[str], count: int, rounds: int) -> dict[str, float]:
    """Return the core-seconds a window of decoding (with cutting), features and network.

    Args:
        model: a run folder or a `.tflite`.
        files: decoded whole.
        count: windows for features and network.
        rounds: each step is measured so often.
    """
    import numpy as np

    from adff_tf import audio
    from adff_tf.inference.windows import cut_windows

    load = load_litert if model.endswith(".tflite") else load_keras
    description, features, predict = load(model)
    rate, window = description.sample_rate_hz, description.window

    def cut() -> list[np.ndarray]:
        """Return all windows; those beyond `count` without samples, to bound the memory."""
        kept: list[np.ndarray] = []
        for path in files:
            for _, _, samples in cut_windows(audio.blocks(path, rate), window, window // 2):
                kept.append(samples if len(kept) < count else samples[:0])
        return kept

    def time_of(work: Callable, windows: int) -> float:
        began = time.process_time()
        work()
        return (time.process_time() - began) / windows

    windows = cut()
    used = min(count, len(windows)) // 4 * 4
    batches = [np.stack(windows[at : at + 4]) for at in range(0, used, 4)]
    log_mels = [features(batch) for batch in batches]
    predict(log_mels[0])
    steps: dict[str, tuple[Callable, int]] = {
        "decode": (cut, len(windows)),
        "features": (lambda: [features(batch) for batch in batches], used),
        "network": (lambda: [predict(batch) for batch in log_mels], used),
    }
    return {
        name: statistics.median(time_of(*step) for _ in range(rounds))
        for name, step in steps.items()
    }


def load_keras(model: str) -> tuple:
    """Return a run's description, and functions for its log-mels and its network, on one core."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from adff_tf.inference.description import Description
    from adff_tf.model.log_mel import log_mel
    from adff_tf.model.model_file import find_model, load_network

    file, experiment = find_model(model)
    network = load_network(file)
    return (
        Description.of(experiment),
        tf.function(lambda x: log_mel(x, experiment.frontend)[:, : experiment.frames]),
        tf.function(lambda log_mels: network(log_mels, training=False)),
    )


def load_litert(model: str) -> tuple:
    """Return the same of a `.tflite`."""
    import numpy as np

    from adff_tf.inference.backends import litert, litert_front_end
    from adff_tf.model.numpy_log_mel import track_log_mel

    content = Path(model).read_bytes()
    description = litert._read_description(content, Path(model))
    network = litert_front_end.strike(content, description)
    assert network
    interpreter = litert._interpreter(network.content)

    def features(waveforms: np.ndarray) -> np.ndarray:
        log_mels = [track_log_mel(waveform, network.frontend) for waveform in waveforms]
        return np.stack(log_mels)[:, : network.frames]

    def predict(log_mels: np.ndarray) -> None:
        for log_mel in log_mels:
            interpreter.set_tensor(network.log_mel, log_mel[None])
            interpreter.invoke()

    return description, features, predict


def measure_whole(model: str, files: list[str], settings, allowed: float, cores: int) -> None:
    """Predict on the files and print a line."""
    import pandas as pd

    from adff_tf.catalogue.run import predict_catalogue

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        predict_catalogue(model, files, Path(folder), settings=settings, reporter=clock)
        songs = pd.read_parquet(Path(folder) / "songs")
    windows, seconds = songs["windows"].sum(), clock.seconds
    speed, peak = windows / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{len(songs)} files, {windows} windows in {seconds:.1f} s: "
        f"{len(songs) / seconds:.2f} files/s, {speed:.2f} windows/s, share {speed / allowed:.2f}, "
        f"busy {clock.used / seconds / cores:.2f}, "
        f"{1e3 * clock.used / windows:.1f} ms of a core a window, {peak:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
