"""`python -m adff_tf.tuning`, also `adff-tune`: search the settings. Parses, calls, prints."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import join
from typing import Literal

from adff_tf import presets
from adff_tf.config import Data, Experiment, Network, Segments, Training
from adff_tf.errors import InputError
from adff_tf.support import commandline, console
from adff_tf.support.files import expand_user
from adff_tf.training.start import check_start, take_over

from .plan import Budget, Plan
from .space import DEMO, PAPER, SECTIONS, narrow, value_of

DESCRIPTION = """Search seg_num, seg_len and other settings of ADFF for the best score by song.
Writes a report and best.json.

adff-tune: on built-in synthetic music, in minutes on two cores.

adff-tune --data ~/PMEmo2019 --trials 40: a data set that adff-train knows.

adff-tune --data songs.csv --label-range 1 9 --hours 8 --space seg_num=1,2 dropout=0:0.3: narrowed.

adff-tune … --chief, and adff-tune … --worker 1, --worker 2 elsewhere: many processes.

The search does not use the test fold that adff-train scores. The same command resumes a search."""

EARLY_STOPPING_SHARE = 10  # patience: a tenth of the epochs, and three at least
DEMO_TRIALS, TRIALS = 6, 30


@dataclasses.dataclass(frozen=True)
class Options:
    """The search's own options; an experiment's options change the base and fix hyperparameters."""

    preset: Literal["fast", "demo", "paper"] | None = None
    """Settings to start from; fast with --data, otherwise small ones for the built-in set."""
    config: Path | None = None
    """A saved config.json to start from instead."""
    out: Path | None = None
    """Folder for the search; searches/NAME under the current folder if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share it among runs; OUT/features if not given."""
    algorithm: Literal["bayesian", "hyperband", "random", "grid"] = "bayesian"
    """KerasTuner's. hyperband: many trials of few epochs, the best again with more; grid: all."""
    trials: int | None = None
    """Trials at most; 30 by default (6 on the built-in set), all with hours, hyperband or grid."""
    hours: float | None = None
    """Begin no trial after so many hours, over all calls."""
    space: tuple[str, ...] = ()
    """Fix or narrow hyperparameters: NAME=VALUE, NAME=VALUE,VALUE,… or NAME=LOW:HIGH[:STEP]."""
    chief: bool = False
    """Propose trials to workers, here or on other machines, and report; train nothing."""
    worker: str | None = None
    """Train the chief's trials, under this name. OUT has to be the chief's."""
    address: str = "127.0.0.1:7077"
    """HOST:PORT of the chief. Neither encrypted nor authenticated: for trusted networks."""
    wait: float = 300.0
    """Seconds that a worker waits for its chief."""


def demo() -> Experiment:
    """Return the base without --data: presets.demo on fewer and longer clips, for fewer epochs."""
    base = presets.demo()
    training = {**base.training.model_dump(), "epochs": 6, "early_stopping": 3}
    return base.model_copy(
        update={
            "data": Data(clips=240, clip_s=10.0),
            "segments": Segments(seg_len=5.0, seg_num=2, sampling="full", fresh=True),
            "training": Training(**training),
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, search, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, plan = parse(arguments)
    budget = make_budget(options, plan)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path("searches") / commandline.run_name(plan.base))
    hint = "" if options.out else "  (choose another by --out)"
    terminal.log(f"search folder: {folder}{hint}")

    console.import_tensorflow()
    from .report import format_best
    from .search import search
    from .workers import choose_role

    role = choose_role(options.chief, options.worker, options.address, options.wait)
    found = search(plan, folder, budget, options.features, role, terminal)
    if found is None:
        terminal.log("the search has ended; its chief writes the report")
        return
    terminal.log(f"\n{format_best(found.trials)}\n")
    for line in next_steps(options, plan, folder):
        terminal.log(line)


def parse(arguments: list[str]) -> tuple[Options, Plan]:
    """Return the options and the plan of a command line. Raises InputError."""
    start = take_over(_starting_point(arguments), arguments)
    options, base = commandline.parse("adff-tune", DESCRIPTION, Options(), start, arguments)
    check_start(base)
    if not isinstance(base.network, Network):
        raise InputError("the search is over ADFF's settings; --model is adff-train's alone")
    base = commandline.with_absolute_path(base)
    is_demo = not base.data.data and options.config is None and options.preset in (None, "demo")
    texts = [*options.space, *_fixed_by_options(arguments, base)]
    try:
        space = narrow(DEMO if is_demo else PAPER, texts, base)
    except InputError as error:
        raise InputError(f"--space: {error}") from None
    return options, Plan(base, space, options.algorithm)


def make_budget(options: Options, plan: Plan) -> Budget:
    """Return the budget of the options, or the default one."""
    is_open = options.hours is not None or options.algorithm in ("hyperband", "grid")
    default = None if is_open else TRIALS if plan.base.data.data else DEMO_TRIALS
    return Budget(options.trials if options.trials is not None else default, options.hours)


def _starting_point(arguments: list[str]) -> Experiment:
    """Return the experiment to start from; a preset's stops early."""
    given = commandline.parse_known(arguments, "--preset", "--config", "--data", "--start-from")
    if (
        not given.start_from
        and not given.data
        and not given.config
        and given.preset in (None, "demo")
    ):
        return demo()
    base = commandline.starting_point(arguments)
    if given.config:
        return base
    patience = max(3, base.training.epochs // EARLY_STOPPING_SHARE)
    training = base.training.model_copy(update={"early_stopping": patience})
    return base.model_copy(update={"training": training})


def _fixed_by_options(arguments: list[str], base: Experiment) -> list[str]:
    """Return the texts that fix the settings given by their own options."""
    given = commandline.given_options(arguments)
    return [f"{name}={value_of(base, name)}" for name in SECTIONS if name in given]


def next_steps(options: Options, plan: Plan, folder: Path) -> list[str]:
    """Return lines that name the results and the next command."""
    best, features = folder / "best.json", options.features or folder / "features"
    flags = ["--config", best, "--features", features, "--out", f"{folder}-best"]
    lines = [
        f"report: {folder / 'report.md'}   trials: {folder / 'trials.csv'}   best: {best}",
        "next: train the best, and score it on the songs that the search did not use",
        f"  python -m adff_tf.train {join(map(str, flags))}",
    ]
    if not plan.base.data.data:
        lines += [
            "then: search on your own music",
            "  python -m adff_tf.tuning --data ~/PMEmo2019 --hours 8",
        ]
    return lines


if __name__ == "__main__":
    main()
