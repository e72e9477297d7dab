"""Seconds from the command of a training to its first optimizer steps, by stage.

    python benchmarks/bench_start.py [--width 1 0.25] [--seg-num 6] [--rounds 3]

Each round is a process that trains as `adff-train` does and ends after two steps. The built-in
music and its log-mels are made before and do not count. Prints medians over the rounds, of wall
time and of processor time; the latter is steadier on a shared machine.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CLIPS = 10
STAGES = ("imports", "data", "network", "first step", "second step", "to the first step")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, nargs="+", default=[1.0, 0.25])
    parser.add_argument("--seg-num", type=int, nargs="+", default=[6])
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for width in args.width:
            for seg_num in args.seg_num:
                settings = {"width": width, "seg-num": seg_num, "batch-size": args.batch_size}
                start_once(Path(folder), settings)  # makes the music and the log-mels
                rounds = [start_once(Path(folder), settings) for _ in range(args.rounds)]
                print(", ".join(f"{name} {value:g}" for name, value in settings.items()))
                for k, clock in enumerate(("wall", "processor")):
                    medians = [statistics.median(one[s][k] for one in rounds) for s in STAGES]
                    texts = [f"{s} {m:.1f}" for s, m in zip(STAGES, medians, strict=True)]
                    print(f"  {clock} time, s: {', '.join(texts)}", flush=True)


def start_once(folder: Path, settings: dict) -> dict[str, list[float]]:
    """Return the wall and processor time of each stage of one training, in its own process."""
    music = folder / "music"
    if not music.exists():
        from adff_tf.datasets import synthetic

        synthetic.make(music, clips=CLIPS, seconds=20.0)
    with tempfile.TemporaryDirectory() as out:
        arguments = ["--preset", "paper", "--data", str(music), "--features", str(folder / "mels")]
        arguments += ["--out", str(Path(out) / "run")]
        for name, value in settings.items():
            arguments += [f"--{name}", str(value)]
        command = [sys.executable, __file__, "--child", str(time.time()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def train_two_steps(started: float, arguments: list[str]) -> None:
    """Train as `adff-train`, print the times of the stages, and end the process."""
    import adff_tf.train
    from adff_tf.support import console

    console.import_tensorflow()
    from adff_tf.training import fit, run

    times = [(started, 0.0)]

    def mark() -> None:
        times.append((time.time(), time.process_time()))
        if len(times) == len(STAGES):
            pairs = [*itertools.pairwise(times), (times[0], times[4])]
            spent = [[b - a for a, b in zip(*pair, strict=True)] for pair in pairs]
            print(json.dumps(dict(zip(STAGES, spent, strict=True))), flush=True)
            os._exit(0)

    def marked(function: Callable, after: bool = False) -> Callable:
        def call(*args, **kwargs):
            mark()
            result = function(*args, **kwargs)
            if after:
                mark()
            return result

        return call

    run.load_index = marked(run.load_index)
    fit.new_model = marked(fit.new_model, after=True)
    fit._Progress.on_train_batch_end = marked(fit._Progress.on_train_batch_end)
    adff_tf.train.main(arguments)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        train_two_steps(float(sys.argv[2]), sys.argv[3:])
    else:
        main()
