"""`python -m adff_tf.pretrain`, also `adff-pretrain`: teach ADFF a music tagger's features.

A command line: it parses, calls and prints.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated

import tyro

from .errors import InputError
from .pretraining.settings import Plan
from .support import commandline, console
from .support.files import expand_user

DESCRIPTION = """Teach ADFF the features of MusiCNN, a music tagger, on recordings without labels.
Then train on labels from there: adff-train --start-from OUT.

adff-pretrain ~/Music /archive/games --out pretraining: folders and files, searched to the bottom.

The teacher's weights are in the package musicnn: pip install --no-deps musicnn==0.1.0. It is not
imported, and nothing is downloaded. The same command resumes a stopped pre-training."""

AUDIO = tyro.conf.arg(
    metavar="AUDIO…", help="Audio files, and folders of audio files, searched to the bottom."
)


@dataclasses.dataclass(frozen=True)
class Options:
    """The program's own options; every other option is a setting of the pre-training."""

    audio: tyro.conf.Positional[Annotated[tuple[str, ...], AUDIO]] = ()
    out: Path | None = None
    """Folder for the results: new, empty, or of the pre-training to resume."""
    teacher: Path | None = None
    """The wheel of musicnn 0.1.0, or its unpacked folder; the installed package if not given."""
    hold_out: Path | None = None
    """Folder of recordings to hold out, in place of a fraction of AUDIO."""
    labelled: Path | None = None
    """Folder for the labels, to share it among pre-trainings; OUT/labelled if not given."""
    start_from: Path | None = None
    """Folder of an earlier pre-training, to go on from its weights with other recordings."""
    terms: str = "not stated"
    """Licence of the recordings, for the cards of models that start here."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, pre-train, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options, plan = parse(arguments)
    terminal = console.Terminal()
    folder = expand_user(options.out or Path())
    console.import_tensorflow()
    from .pretraining.run import Sources, pretrain, read_teacher

    sources = Sources(
        options.audio, options.hold_out, options.labelled, options.start_from, options.terms
    )
    done = pretrain(plan, sources, folder, lambda: read_teacher(options.teacher), terminal)
    for line in describe(done.metrics, folder):
        terminal.log(line)


def parse(arguments: list[str]) -> tuple[Options, Plan]:
    """Return the options and the plan of a command line. Raises InputError."""
    options, plan = commandline.parse("adff-pretrain", DESCRIPTION, Options(), Plan(), arguments)
    if not options.audio:
        raise InputError("no audio was given; give audio files or folders with audio files")
    if options.out is None:
        raise InputError("no folder was given for the results; give one by `out`")
    return options, plan


def describe(metrics: dict, folder: Path) -> list[str]:
    """Return lines on a finished pre-training, and the next command."""
    explained = metrics["explained_variance"]["penultimate"]
    return [
        f"best epoch {metrics['epoch']} of {metrics['epochs']}: it explains {explained:.3f} of the "
        "variance of the teacher's embedding on the held-out recordings",
        f"model: {folder / 'model.keras'}, whose prediction head is not trained yet",
        "next: train on music with labels",
        f"  python -m adff_tf.train --start-from {quote(str(folder))} --data ~/PMEmo2019",
    ]


if __name__ == "__main__":
    main()
