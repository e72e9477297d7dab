"""`python -m adff_tf.train`, also `adff-train`: train and cross-validate ADFF, and report. A command line and nothing else.

With no arguments it makes its own music, trains on it in minutes, and says what to type next.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import join, quote
from typing import Literal

from .config import Experiment
from .support import commandline, console
from .support.files import expand_user

DESCRIPTION = """Train ADFF on music with valence and arousal labels, and write an honest report.

adff-train: built-in synthetic music, in minutes on two cores.

adff-train --data ~/PMEmo2019: a data set it knows (PMEmo, DEAM, emoMusic, EMOPIA, folders Q1 to Q4).

adff-train --data songs.csv --label-range 1 9: your own (path,valence,arousal[,group]).

adff-train --data ~/PMEmo2019 --preset paper: the paper's schedule, for hours.

The same command goes on where it was stopped. Nothing is written outside the run folder."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to start from and where to write; the other options change single settings."""

    preset: Literal["fast", "demo", "paper"] | None = None
    """Settings to start from. fast where --data is given, otherwise demo."""
    config: Path | None = None
    """A saved config.json to start from instead."""
    out: Path | None = None
    """Folder for the run; runs/NAME under the current folder if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share it among runs; OUT/features if not given."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: parse, run, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, experiment = parse(arguments)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path("runs") / commandline.run_name(experiment))
    terminal.log(f"run folder: {folder}" + ("" if options.out else "  (choose another by --out)"))
    terminal.log(architecture(experiment))

    console.import_tensorflow()
    from .training import run as runs

    run = runs.run(experiment, folder, options.features, terminal)
    terminal.log("")
    terminal.log(
        (folder / "report.md").read_text().split("## Each fold")[0].split("## Scores")[1].strip()
    )
    terminal.log("")
    terminal.log(
        f"report: {folder / 'report.md'}   model: {folder / 'model.keras'}   {run.metrics['seconds'] / 60:.1f} minutes"
    )
    for line in next_steps(experiment, folder, options.features):
        terminal.log(line)


def parse(arguments: list[str]) -> tuple[Options, Experiment]:
    """The options and the experiment that a command line names. Raises InputError."""
    return commandline.parse(
        "adff-train", DESCRIPTION, Options(), commandline.starting_point(arguments), arguments
    )


def architecture(experiment: Experiment) -> str:
    """One line on the network that is trained, and how it differs in size from the paper's."""
    network, segments = experiment.network, experiment.segments
    smaller = [f"width {network.width:g} of the paper's"] if network.width != 1 else []
    smaller += (
        [f"{network.lstm_units} LSTM units a direction instead of 64"]
        if network.lstm_units != 64
        else []
    )
    smaller += [f"{segments.seg_len:g} s instead of 20 s"] if segments.seg_len != 20 else []
    reduced = f"  (reduced: {', '.join(smaller)})" if smaller else ""
    return f"network: ADFF, {segments.seg_len:g} s in {segments.seg_num} parts, task {experiment.task}{reduced}"


def next_steps(experiment: Experiment, folder: Path, features: Path | None = None) -> list[str]:
    """What to type next. features: where the log-mels are, if not in the run folder."""
    ask = ["next: ask it about a song", f"  python -m adff_tf.predict {quote(str(folder))} SONG"]
    if experiment.data.data is None:
        return [
            *ask,
            "then: train on your own music, as one of",
            "  python -m adff_tf.train --data ~/PMEmo2019",
            "  python -m adff_tf.train --data songs.csv --label-range 1 9      (path,valence,arousal)",
        ]
    if not experiment.validation.hold_out:
        return ask
    parts = ["--config", folder / "config.json", "--no-hold-out", "--out", f"{folder}-folds"]
    parts += ["--features", features or folder / "features"]
    return [
        *ask,
        "then: every fold, as the paper reports",
        f"  python -m adff_tf.train {join(map(str, parts))}",
    ]


if __name__ == "__main__":
    main()
