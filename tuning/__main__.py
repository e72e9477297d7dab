"""`python -m adff_tf.tuning`, also `adff-tune`: search the settings of an experiment. A command line and nothing else."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import join
from typing import Literal

from .. import presets
from ..config import Data, Experiment, Segments, Training
from ..support import commandline, console
from ..support.files import expand_user
from .space import DEMO, PAPER, SECTIONS, Plan, narrowed

DESCRIPTION = """Search seg_num, seg_len and other settings of ADFF for the best score by song, and write a report and best.json.

adff-tune: on built-in synthetic music, in minutes on two cores.

adff-tune --data ~/PMEmo2019 --trials 40: a data set that adff-train knows.

adff-tune --data songs.csv --label-range 1 9 --hours 8 --space seg_num=1,2,4,6 learning_rate=1e-5:1e-3 --dropout 0.3: narrowed.

adff-tune … --chief, and adff-tune … --worker 1, --worker 2 elsewhere: many at once.

The test fold that adff-train scores is kept from the search. The same command goes on where it was stopped."""

PATIENCE = 10  # early stopping waits a tenth of the epochs, and three at least
DEMO_TRIALS, TRIALS = 6, 30


@dataclasses.dataclass(frozen=True)
class Options:
    """What to search; the other options change single settings of the experiments, and fix those that are searched over."""

    preset: Literal["fast", "demo", "paper"] | None = None
    """Settings to start from. fast where --data is given, otherwise small ones for the built-in set."""
    config: Path | None = None
    """A saved config.json to start from instead."""
    out: Path | None = None
    """Folder for the search; searches/NAME under the current folder if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share it among runs; OUT/features if not given."""
    algorithm: Literal["bayesian", "hyperband", "random", "grid"] = "bayesian"
    """KerasTuner's. hyperband tries many for few epochs and the best of them for more; grid tries all."""
    trials: int | None = None
    """Trials at most. By default 30 (6 on the built-in set); with --hours, or hyperband or grid, as many as there are."""
    hours: float | None = None
    """Begin no trial after so many hours, over all calls."""
    space: tuple[str, ...] = ()
    """Hyperparameters fixed or narrowed: NAME=VALUE, NAME=VALUE,VALUE, NAME=LOW:HIGH or NAME=LOW:HIGH:STEP."""
    chief: bool = False
    """Propose trials to workers, here or on other machines, and report; train nothing."""
    worker: str | None = None
    """Try what the chief proposes, under this name. OUT has to be the chief's."""
    address: str = "127.0.0.1:7077"
    """HOST:PORT of the chief, as its workers reach it. Only for networks that you trust: it is neither encrypted nor locked."""
    wait: float = 300.0
    """Seconds that a worker waits for its chief."""


def demo() -> Experiment:
    """What is searched without --data: presets.demo on fewer and longer clips, for fewer epochs."""
    base = presets.demo()
    return base.model_copy(
        update={
            "data": Data(clips=240, clip_s=10.0),
            "segments": Segments(seg_len=5.0, seg_num=2, sampling="full", fresh=True),
            "training": Training(
                **{**base.training.model_dump(), "epochs": 6, "early_stopping": 3}
            ),
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, search, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, plan = parse(arguments)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path("searches") / commandline.run_name(plan.base))
    terminal.log(
        f"search folder: {folder}" + ("" if options.out else "  (choose another by --out)")
    )

    console.import_tensorflow()
    from . import search

    place = search.place_from(options.chief, options.worker, options.address, options.wait)
    found = search.search(plan, folder, budget(options, plan), options.features, place, terminal)
    if found is None:
        terminal.log("the search has ended; its chief writes the report")
        return
    text = (folder / "report.md").read_text()
    terminal.log("\n" + text.split("## Best")[1].split("## ")[0].strip() + "\n")
    for line in next_steps(options, plan, folder):
        terminal.log(line)


def parse(arguments: list[str]) -> tuple[Options, Plan]:
    """The options and the plan that a command line names. Raises InputError."""
    options, base = commandline.parse(
        "adff-tune", DESCRIPTION, Options(), _starting_point(arguments), arguments
    )
    base = commandline.with_absolute_path(base)
    is_demo = base.data.data is None and options.config is None and options.preset in (None, "demo")
    texts = [*options.space, *_fixed_by_flags(arguments, base)]
    return options, Plan(base, narrowed(DEMO if is_demo else PAPER, texts, base), options.algorithm)


def budget(options: Options, plan: Plan):
    """The budget that the options name, or the default one."""
    from .search import Budget

    is_open = options.hours is not None or options.algorithm in ("hyperband", "grid")
    default = None if is_open else DEMO_TRIALS if plan.base.data.data is None else TRIALS
    return Budget(options.trials if options.trials is not None else default, options.hours)


def _starting_point(arguments: list[str]) -> Experiment:
    """The experiment to start from; one of a preset stops early."""
    given = commandline.parse_known(arguments, "--preset", "--config", "--data")
    if not given.data and not given.config and given.preset in (None, "demo"):
        return demo()
    base = commandline.starting_point(arguments)
    if given.config:
        return base
    patience = max(3, base.training.epochs // PATIENCE)
    return base.model_copy(
        update={"training": base.training.model_copy(update={"early_stopping": patience})}
    )


def _fixed_by_flags(arguments: list[str], base: Experiment) -> list[str]:
    """A setting given by its own option is not searched over."""
    from .space import value_of

    given = commandline.given_options(arguments)
    return [f"{name}={value_of(base, name)}" for name in SECTIONS if name in given]


def next_steps(options: Options, plan: Plan, folder: Path) -> list[str]:
    """What to type next."""
    best = [
        "--config",
        folder / "best.json",
        "--features",
        options.features or folder / "features",
        "--out",
        f"{folder}-best",
    ]
    lines = [
        f"report: {folder / 'report.md'}   trials: {folder / 'trials.csv'}   best: {folder / 'best.json'}",
        "next: train the best, and score it on the songs that the search never saw",
        f"  python -m adff_tf.train {join(map(str, best))}",
    ]
    if plan.base.data.data is None:
        lines += [
            "then: search on your own music",
            "  python -m adff_tf.tuning --data ~/PMEmo2019 --hours 8",
        ]
    return lines


if __name__ == "__main__":
    main()
