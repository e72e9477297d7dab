"""The estimate of `adff-reproduce --dry-run` against measured training steps.

    python benchmarks/bench_estimate.py [--clock processor] [--shapes adff:1 adff:6 adff:16 mlem]

The cost model is fitted as a dry run fits it for all tables and rivals. Then a training step of
each shape is measured at the paper's sizes (full width, 20 s) with `--batch` segments. None of
these shapes is in the fit. With `--clock processor` seconds are those of all threads together,
which other programs on the machine disturb less.
"""

import argparse
import gc
import time

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument(
        "--shapes", nargs="+", default=["adff:1", "adff:6", "adff:16", "emomucs", "mlem"]
    )
    args = parser.parse_args()
    from adff_tf import presets
    from adff_tf.paper import cost

    clock = CLOCKS[args.clock]
    bases = [presets.paper(), *(make() for make in presets.RIVALS.values())]
    started = time.perf_counter()
    measured = []
    for small in cost.small_networks(bases):
        measured.append(cost.measure(small, clock=clock))
        gc.collect()
    model = cost.fit_costs(measured)
    print(f"fit to {len(measured)} networks in {time.perf_counter() - started:.0f} s", flush=True)
    print(f"seconds of {args.clock} time, batch {args.batch}, 20 s, float32")
    print("| shape | step | estimated | ratio | first step | estimated | ratio |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for shape in args.shapes:
        experiment = make_experiment(shape, args.batch)
        found = cost.measure(experiment, (args.batch,) * 4, clock)
        step_s = found.step_s[args.batch]
        guess = model.estimate(experiment)
        first_s = found.tracing_s + step_s
        row = [step_s, guess.later_s, guess.later_s / step_s]
        row += [first_s, guess.first_s, guess.first_s / first_s]
        print(f"| {shape} | {' | '.join(f'{value:.2f}' for value in row)} |", flush=True)
        gc.collect()


def make_experiment(shape: str, batch: int):
    """Return the paper's or the rival's settings: `adff:SEG_NUM`, `emomucs` or `mlem`."""
    from adff_tf import presets

    name, _, seg_num = shape.partition(":")
    base = presets.paper() if name == "adff" else presets.RIVALS[name]()
    training = base.training.model_copy(update={"batch_size": batch})
    segments = base.segments.model_copy(update={"seg_num": int(seg_num or 1)})
    return base.model_copy(update={"training": training, "segments": segments})


if __name__ == "__main__":
    main()
