"""`python -m adff_tf.train`, also `adff-train`: train, cross-validate and report. A command line.

Without arguments the program makes synthetic music, trains on it in minutes, and prints the next
commands.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import join, quote
from typing import Literal

from .config import Experiment, Network, check_stems
from .support import commandline, console
from .support.files import expand_user

Preset = Literal["fast", "finetune", "demo", "paper", "emomucs", "mlem", "musicnn-linear"]

DESCRIPTION = """Train ADFF on music with valence and arousal labels, and write a report.

adff-train: built-in synthetic music, in minutes on two cores.

adff-train --data ~/PMEmo2019: a known data set (PMEmo, DEAM, emoMusic, EMOPIA, MERGE, 4QAED).

adff-train --data songs.csv --label-range 1 9: your own (path,valence,arousal[,group], or folders
Q1 to Q4).

adff-train --data ~/PMEmo2019 --data ~/EMOPIA: several data sets, numbers and quadrants together.

adff-train --data songs.csv --label-range 1 9 --start-from MODEL: fine-tune a trained model.

adff-train --data ~/PMEmo2019 --preset paper: the paper's schedule, for hours.

The same command resumes a stopped run. Nothing is written outside the run folder."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The program's own options; every other option is a setting of the experiment."""

    preset: Preset | None = None
    """Settings to start from. finetune with --start-from, fast with --data, otherwise demo.
    emomucs, mlem: rivals of the paper's Table 1, as their authors trained them. musicnn-linear: a
    linear model on MusiCNN's embedding, see --model musicnn-linear."""
    config: Path | None = None
    """A saved config.json to start from instead."""
    out: Path | None = None
    """Folder for the run; runs/NAME under the current folder if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share it among runs; OUT/features if not given."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, run, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, experiment = parse(arguments)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path("runs") / commandline.run_name(experiment))
    terminal.log(f"run folder: {folder}" + ("" if options.out else "  (choose another by --out)"))
    terminal.log(architecture(experiment))

    console.import_tensorflow()
    from .reports.markdown import render_scores
    from .training.run import run

    done = run(experiment, folder, options.features, terminal)
    terminal.log(f"\n{render_scores(done.metrics)}\n")
    minutes = f"{done.metrics['seconds'] / 60:.1f} minutes"
    terminal.log(f"report: {folder / 'report.md'}   model: {folder / 'model.keras'}   {minutes}")
    for line in next_steps(experiment, folder, options.features):
        terminal.log(line)


def parse(arguments: list[str]) -> tuple[Options, Experiment]:
    """Return the options and the experiment of a command line. Raises InputError."""
    from .training.start import check_start, take_over

    base = take_over(commandline.starting_point(arguments), arguments)
    options, experiment = commandline.parse("adff-train", DESCRIPTION, Options(), base, arguments)
    check_start(experiment)
    check_stems(experiment)
    return options, experiment


def architecture(experiment: Experiment) -> str:
    """Return one line on the network's sizes; of ADFF those that are smaller than the paper's."""
    network, segments = experiment.network, experiment.segments
    if not isinstance(network, Network):
        sizes = f"{segments.seg_len:g} s, task {experiment.task}, {network.describe(segments)}"
        return f"network: {network.title}, {sizes}"
    reduced = []
    if network.width != 1:
        reduced.append(f"width {network.width:g} of the paper's")
    if network.lstm_units != 64:
        reduced.append(f"{network.lstm_units} LSTM units a direction instead of 64")
    if segments.seg_len != 20:
        reduced.append(f"{segments.seg_len:g} s instead of 20 s")
    return (
        f"network: ADFF, {segments.seg_len:g} s in {segments.seg_num} parts, "
        f"task {experiment.task}" + (f"  (reduced: {', '.join(reduced)})" if reduced else "")
    )


def next_steps(experiment: Experiment, folder: Path, features: Path | None = None) -> list[str]:
    """Return the next commands, as lines. features: the log-mels' folder if not the run's own."""
    lines = ["next: predict a song", f"  python -m adff_tf.predict {quote(str(folder))} SONG"]
    if not experiment.data.data:
        lines += [
            "then: train on your own music, by one of",
            "  python -m adff_tf.train --data ~/PMEmo2019",
            "  python -m adff_tf.train --data songs.csv --label-range 1 9      "
            "(path,valence,arousal)",
        ]
    elif experiment.validation.hold_out and experiment.validation.split == "folds":
        parts = ["--config", folder / "config.json", "--no-hold-out", "--out", f"{folder}-folds"]
        parts += ["--features", features or folder / "features"]
        lines += [
            "then: every fold, as the paper reports",
            f"  python -m adff_tf.train {join(map(str, parts))}",
        ]
    return lines


if __name__ == "__main__":
    main()
