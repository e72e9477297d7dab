"""A training step and a forward pass of the full network, timed in turn with a PyTorch program.

    python benchmarks/bench_step.py [--peer torch_adff.py] [--precision float32] [--rounds 3]

The peer is a program that takes --mode, --batch, --seg-num, --dtype and --steps, and prints
`… : SECONDS s`. Both use two threads. Prints medians over the rounds and their ratio to the peer's.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", help="the PyTorch program; default: none")
    parser.add_argument(
        "--precision", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"]
    )
    parser.add_argument("--mode", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seg-num", type=int, default=6)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    for precision in args.precision:
        for mode in args.mode:
            step = make_step(mode, precision, args.batch, args.seg_num)
            ours, theirs = [], []
            for _ in range(args.rounds):
                ours.append(median_seconds(step, args.steps))
                if args.peer:
                    theirs.append(peer_seconds(args, mode, precision))
            line = f"{mode} {precision} seg_num {args.seg_num} batch {args.batch}: "
            line += f"{statistics.median(ours):.3f} s"
            if theirs:
                ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
                spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
                line += f", peer {statistics.median(theirs):.3f} s, "
                line += f"ratio {statistics.median(ratios):.2f} ({spread})"
            print(line, flush=True)


def make_step(mode: str, precision: str, batch: int, seg_num: int):
    """Return a function that runs one step of the full network on segments of 20 s, warmed up."""
    import tensorflow as tf

    from adff_tf.config import Experiment, Segments, Training
    from adff_tf.model.networks import build_network
    from adff_tf.tasks import TASKS
    from adff_tf.training.optimizer import compile_model

    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    experiment = Experiment(
        task="arousal", segments=Segments(seg_num=seg_num), training=Training(precision=policy)
    )
    model = build_network(experiment, experiment.training.precision)
    compile_model(model, TASKS["arousal"], experiment.training, 100)
    x, y = tf.random.normal((batch, 2000, 128)), {"arousal": tf.zeros((batch, 2))}

    def step():
        if mode == "train":
            model.train_on_batch(x, y)
        else:
            model.predict_on_batch(x)

    for _ in range(2):
        step()
    return step


def median_seconds(step, steps: int) -> float:
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peer_seconds(args, mode: str, precision: str) -> float:
    options = {"mode": mode, "dtype": precision, "steps": args.steps}
    options |= {"batch": args.batch, "seg-num": args.seg_num}
    command = [sys.executable, args.peer]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(re.search(r": ([0-9.]+) s", done.stdout)[1])


if __name__ == "__main__":
    main()
