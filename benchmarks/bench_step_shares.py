"""The shares of a training step's operations: convolutions, Bi-LSTMs and so on, by tf.profiler.

    python benchmarks/bench_step_shares.py [--width 0.25 0.5 1] [--seg-num 1 6 16] [--batch 2]

Prints a row for each width and seg_num, on segments of 20 s in float32: the seconds of a step, and
the percentage of each part in the summed time of all operations, forwards and backwards. A
convolution includes its bias and ReLU. The times of operations that run at once are both counted.
"""

import argparse
import collections
import gc
import re
import tempfile
import time
from pathlib import Path

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()

PARTS = {
    "optimizer": "^adam/",
    "Bi-LSTM": "_lstm|PartitionedCall",  # the gradients of all Bi-LSTMs are one function
    "convolution": "_conv",
    "pool": "_pool",
    "batch norm": "_norm",
    "SE": "_se",
    "rest": "",
}
BACKWARDS = re.compile("gradient_tape/|PartitionedCall[_0-9]*/gradients/")
OPERATION = re.compile(r"([^\s:]+):([A-Z_]\w+)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--seg-num", type=int, nargs="+", default=[1, 6, 16])
    parser.add_argument("--batch", type=int, default=2)
    args = parser.parse_args()
    import tensorflow as tf

    print(f"TensorFlow {tf.__version__}, float32, batch {args.batch}, 20 s; % forwards + backwards")
    columns = ["width", "seg_num", "step, s", *PARTS]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for width in args.width:
        for seg_num in args.seg_num:
            seconds, shares = profile_step(width, seg_num, args.batch)
            row = [f"{width:g}", f"{seg_num}", f"{seconds:.2f}"]
            row += [describe(shares, part) for part in PARTS]
            print(f"| {' | '.join(row)} |", flush=True)
            gc.collect()


def profile_step(width: float, seg_num: int, batch: int) -> tuple[float, dict]:
    """Return the seconds of a training step, and the share of each (part, is backwards)."""
    import numpy as np
    import tensorflow as tf

    from adff_tf.config import Experiment, Network, Segments
    from adff_tf.training.fit import new_model

    segments, network = Segments(seg_num=seg_num), Network(width=width)
    model, _ = new_model(Experiment(task="arousal", segments=segments, network=network), 100)
    x = np.random.default_rng(0).normal(-50, 20, (batch, 2000, 128)).astype("float32")
    y = {"arousal": np.zeros((batch, 2), "float32")}
    for _ in range(2):
        model.train_on_batch(x, y)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        started = time.perf_counter()
        model.train_on_batch(x, y)
        seconds = time.perf_counter() - started
        tf.profiler.experimental.stop()
        return seconds, read_shares(Path(folder))


def read_shares(folder: Path) -> dict[tuple[str, bool], float]:
    """Return the share of each (part, is backwards) in a profile's operations."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    spent: dict[tuple[str, bool], float] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                found = OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                if found and not found[2].startswith(("PartitionedCall", "Stateful")):
                    part = next(name for name, text in PARTS.items() if re.search(text, found[1]))
                    spent[part, bool(BACKWARDS.match(found[1]))] += event.duration_ps
    total = sum(spent.values())
    return {key: duration / total for key, duration in spent.items()}


def describe(shares: dict[tuple[str, bool], float], part: str) -> str:
    """Return a part's percentages, forwards and backwards; of the optimizer their sum."""
    forwards, backwards = (100 * shares.get((part, way), 0.0) for way in (False, True))
    return f"{forwards:.0f}" if part == "optimizer" else f"{forwards:.0f} + {backwards:.0f}"


if __name__ == "__main__":
    main()
