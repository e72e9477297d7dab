"""A window by LiteRT: the whole file, and the network alone with NumPy's front end.

    python benchmarks/bench_litert.py MODEL.tflite… [--repeats 15]

Two windows at once, each on one thread, as `EmotionModel` predicts them; both ways in turn, on
windows of brown noise: milliseconds a window, and of a core a window, each the median and the
least; the ratio of the core's medians, and the greatest difference of an output.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from adff_tf.inference.backends import litert, litert_front_end
from adff_tf.inference.backends.litert import LiteRTBackend


def load(path: Path) -> tuple[int, dict[str, LiteRTBackend]]:
    """Return the samples of a window, and both backends."""
    content = path.read_bytes()
    description = litert._read_description(content, path)
    network = litert_front_end.strike(content, description)
    if network is None:
        raise SystemExit(f"{path}: its front end cannot be struck")
    runs = {
        "whole file": [litert._signature(content, description, path) for _ in range(2)],
        "NumPy's front end": [litert._from_log_mel(network, path) for _ in range(2)],
    }
    return description.window, {
        name: LiteRTBackend(pair, description.outputs, 2) for name, pair in runs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    for path in args.models:
        window, backends = load(path)
        waveforms = rng.normal(0, 0.1, (2, window)).cumsum(axis=1)
        waveforms = (waveforms / np.abs(waveforms).max()).astype("float32")
        outputs = {name: backend.predict(waveforms) for name, backend in backends.items()}
        seconds: dict[str, list[float]] = {name: [] for name in backends}
        of_a_core: dict[str, list[float]] = {name: [] for name in backends}
        for _ in range(args.repeats):
            for name, backend in backends.items():
                start, used = time.perf_counter(), time.process_time()
                backend.predict(waveforms)
                seconds[name].append((time.perf_counter() - start) / len(waveforms))
                of_a_core[name].append((time.process_time() - used) / len(waveforms))
        whole, struck = outputs.values()
        difference = max(np.abs(whole[name] - struck[name]).max() for name in whole)
        print(f"{path.name}: greatest difference {difference:.1e}")
        peer = statistics.median(of_a_core["whole file"])
        for name in backends:
            cells = [
                f"{1e3 * statistics.median(times):7.1f} (least {1e3 * min(times):6.1f})"
                for times in (seconds[name], of_a_core[name])
            ]
            ratio = statistics.median(of_a_core[name]) / peer
            print(f"  {name:<18} {cells[0]} ms, {cells[1]} ms of a core, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
