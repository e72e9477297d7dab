"""Segments per second from the feature store to batches, and of a training step.

    python benchmarks/bench_pipeline.py [--tracks 100] [--batches 50] [--precision mixed_bfloat16]

Prints the time to read a batch as a share of a step: under 1, the step never waits.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tracks", type=int, default=100, help="number of tracks of 45 s, log-mels of noise"
    )
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4, help="training steps; 0: none")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--precision", default="mixed_bfloat16")
    args = parser.parse_args()

    from adff_tf.config import Experiment, Network, Segments, Training
    from adff_tf.features.batches import training_batches
    from adff_tf.features.segments import segment_set
    from adff_tf.model.networks import build_network
    from adff_tf.tasks import TASKS
    from adff_tf.training.optimizer import compile_model

    experiment = Experiment(
        segments=Segments(sampling="full", fresh=True),
        network=Network(width=args.width),
        training=Training(batch_size=args.batch, precision=args.precision),
    )
    task = TASKS[experiment.task]
    with tempfile.TemporaryDirectory() as folder:
        tracks = noise_tracks(folder, args.tracks)
        segments = segment_set(experiment, tracks, training=True)
        batches = iter(training_batches(segments, task, args.batch))
        next(batches)
        start = time.perf_counter()
        for _ in range(args.batches):
            next(batches)
        reading = (time.perf_counter() - start) / args.batches
        print(
            f"pipeline: {args.batch / reading:.0f} segments of 20 s per second "
            f"({1000 * reading:.1f} ms per batch of {args.batch})"
        )
        if args.steps:
            model = build_network(experiment, experiment.training.precision)
            compile_model(model, task, experiment.training, 100)
            x, y, weight = next(batches)
            model.train_on_batch(x, y, weight)
            start = time.perf_counter()
            for _ in range(args.steps):
                model.train_on_batch(x, y, weight)
            step = (time.perf_counter() - start) / args.steps
            print(
                f"training step: {args.batch / step:.1f} segments per second; "
                f"reading its batch takes {reading / step:.3f} of a step"
            )
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def noise_tracks(folder: str, count: int):
    from adff_tf.features.tracks import Tracks

    rng, files = np.random.default_rng(0), [Path(folder) / f"{k}.f32" for k in range(count)]
    for file in files:
        rng.normal(-40, 20, (4501, 128)).astype("float32").tofile(file)
    names = [str(k) for k in range(count)]
    table = pd.DataFrame(
        {"track_id": names, "path": names, "valence": 0.0, "arousal": 0.0, "group": names}
    )
    return Tracks(table, files, np.full(count, 4501), np.zeros((count, 128)), np.ones((count, 128)))


if __name__ == "__main__":
    main()
