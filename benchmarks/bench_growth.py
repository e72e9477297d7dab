"""Time and memory of training, prediction and their data over size, as slopes, with a plot.

    python benchmarks/bench_growth.py [predict index step] [--longest-h 10] [--most-rows 100000]
        [--plot docs/images/growth.png] [--csv growth.csv]

Every size runs in a process of its own, which prints seconds and its peak memory. A slope is that
of log seconds over log size, by least squares over the upper half of the sizes: 1 is linear growth.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()

SECTIONS = ("predict", "index", "step")
LENGTHS_S = (10, 60, 600, 3600, 36000)
ROWS = (10, 100, 1000, 10_000, 100_000)
STEPS: dict[str, tuple[float, ...]] = {
    "seg_num": (1, 2, 4, 8, 16),
    "width": (0.125, 0.25, 0.5, 1),
    "batch": (1, 2, 4, 8, 16),
    "cores": (1, 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help="predict, index or step; all"
    )
    parser.add_argument("--longest-h", type=float, default=10)
    parser.add_argument("--most-rows", type=int, default=100_000)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # a measurement's own process
    args = parser.parse_args()
    if args.one:
        kind, axis, size = args.one
        seconds = MEASURES[kind](axis, float(size))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak_mb": peak}))
        return
    args.sections = args.sections or SECTIONS
    rows = []
    for kind, axis, size in _sizes(args):
        found = _measure(kind, axis, size)
        rows.append({"kind": kind, "axis": axis, "size": size, **found})
        print(
            f"{kind} {axis} {size:g}: {found['seconds']:.4f} s, {found['peak_mb']:.0f} MB",
            flush=True,
        )
    _report(rows, args)


def _sizes(args: argparse.Namespace) -> Iterator[tuple[str, str, float]]:
    if "predict" in args.sections:
        for seconds in LENGTHS_S:
            if seconds <= args.longest_h * 3600:
                yield "predict", "seconds of music", seconds
    if "index" in args.sections:
        for axis in ("rows: an epoch of batches", "rows: index, folds, segments"):
            for rows in ROWS:
                if rows <= args.most_rows:
                    yield "index", axis, rows
    if "step" in args.sections:
        for axis, sizes in STEPS.items():
            for size in sizes:
                yield "step", axis, size


def _measure(kind: str, axis: str, size: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", kind, axis, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{kind} {axis} {size:g} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# === Measurements, each in its own process ===


def predict(axis: str, seconds: float) -> float:
    """Seconds to predict a recording by the model that ships, loaded and warm."""
    import numpy as np
    import soundfile

    from adff_tf import EmotionModel

    model = EmotionModel.load()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "song.wav"
        second = rng.normal(0, 0.1, model.sample_rate_hz).astype("float32")
        with soundfile.SoundFile(file, "w", model.sample_rate_hz, 1, "PCM_16") as opened:
            for _ in range(int(seconds)):
                opened.write(second)
        model.predict(second, model.sample_rate_hz)
        started = time.perf_counter()
        model.predict(file)
        return time.perf_counter() - started


def index(axis: str, rows: float) -> float:
    """Seconds of work that has a row a song, on synthetic log-mels that share one file."""
    import numpy as np
    import pandas as pd

    from adff_tf.config import Experiment, Segments, Validation
    from adff_tf.datasets import load
    from adff_tf.features.batches import batch_rows
    from adff_tf.features.segments import segment_set
    from adff_tf.features.tracks import Tracks
    from adff_tf.tasks import TASKS
    from adff_tf.training.splits import split_tracks

    count, rng = int(rows), np.random.default_rng(0)
    experiment = Experiment(segments=Segments(seg_len=1, seg_num=2, sampling="simple", fresh=True))
    with tempfile.TemporaryDirectory() as folder:
        table = pd.DataFrame({
            "path": [f"{k}.wav" for k in range(count)],
            "valence": rng.uniform(-1, 1, count), "arousal": rng.uniform(-1, 1, count),
            "group": [f"artist {k // 3}" for k in range(count)],
        })  # fmt: skip
        table.to_csv(Path(folder) / "songs.csv", index=False)
        file = Path(folder) / "log_mel.f32"
        rng.normal(-50, 10, (201, 128)).astype("float32").tofile(file)
        started = time.perf_counter()
        found = load(Path(folder) / "songs.csv", label_range=(-1, 1))
        split_tracks(found.tracks, TASKS["both"], Validation(folds=2), seed=0)
        tracks = Tracks(
            found.tracks, [file] * count, np.full(count, 201), np.zeros((count, 128)),
            np.ones((count, 128)),
        )  # fmt: skip
        segments = segment_set(experiment, tracks, training=True)
        if axis == "rows: index, folds, segments":
            return time.perf_counter() - started
        started = time.perf_counter()
        for indices in batch_rows(segments, 0, 32):
            segments.read(0, indices.tolist())
        return time.perf_counter() - started


def step(axis: str, size: float) -> float:
    """Seconds of a training step at full width, batch 4 and seg_num 6, but for one of these."""
    settings = {"seg_num": 6, "width": 1.0, "batch": 4, "cores": os.cpu_count() or 1, axis: size}
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(settings["cores"])])
    import numpy as np

    from adff_tf.config import Experiment, Network, Segments
    from adff_tf.training.fit import new_model

    experiment = Experiment(
        task="arousal",
        segments=Segments(seg_num=int(settings["seg_num"])),
        network=Network(width=settings["width"]),
    )
    model, _ = new_model(experiment, 1)
    batch = int(settings["batch"])
    x = np.random.default_rng(0).normal(-50, 20, (batch, 2000, 128)).astype("float32")
    y = {"arousal": np.zeros((batch, 2), "float32")}
    model.train_on_batch(x, y)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - started)
    return sorted(times)[1]


MEASURES: dict[str, Callable[[str, float], float]] = {
    "predict": predict, "index": index, "step": step
}  # fmt: skip


# === Report ===


def _report(rows: list[dict], args: argparse.Namespace) -> None:
    import numpy as np
    import pandas as pd

    table = pd.DataFrame(rows)
    if args.csv:
        table.to_csv(args.csv, index=False)
    print("\n| | sizes | seconds | slope | peak memory, MB |\n|---|---|---|---|---|")
    for (kind, axis), part in table.groupby(["kind", "axis"], sort=False):
        upper = part.iloc[-max(2, (len(part) + 1) // 2) :]
        slope = np.polyfit(np.log(upper["size"]), np.log(upper["seconds"]), 1)[0]
        cells = (", ".join(f"{value:.3g}" for value in part[name]) for name in ("size", "seconds"))
        memory = ", ".join(f"{value:.0f}" for value in part["peak_mb"])
        print(f"| {kind}, {axis} | {' | '.join(cells)} | {slope:.2f} | {memory} |")
    if args.plot:
        _draw(table, args.plot)


def _draw(table, file: Path) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    parts = list(table.groupby(["kind", "axis"], sort=False))
    figure = Figure(figsize=(11, 2.9 * -(-len(parts) // 4)), layout="constrained")
    axes = figure.subplots(-(-len(parts) // 4), 4, squeeze=False).ravel()
    for axis, ((kind, name), part) in zip(axes, parts, strict=False):
        sizes, seconds = part["size"].to_numpy(), part["seconds"].to_numpy()
        axis.loglog(sizes, seconds, "o-", color="#2b6cb0")
        power = 1 if seconds[-1] > seconds[0] else -1
        axis.loglog(sizes, seconds[-1] * (sizes / sizes[-1]) ** power, ":", color="#718096")
        axis.set_title(f"{kind}: {name}", fontsize=9)
        axis.set_ylabel("seconds", fontsize=8)
        axis.set_ylim(seconds.min() / 2, seconds.max() * 2)
        axis.set_xticks(np.unique(sizes), [f"{size:g}" for size in np.unique(sizes)], fontsize=7)
        axis.minorticks_off()
    for axis in axes[len(parts) :]:
        axis.set_axis_off()
    figure.suptitle("dotted: in proportion to the size, or inversely", fontsize=8)
    figure.savefig(file, dpi=130)


if __name__ == "__main__":
    main()
