"""`adff-evaluate`, also `python -m adff_tf.evaluate`: score a model on a data set."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from .config import DataKind
from .errors import InputError
from .support import console
from .support.commandline import name_data
from .support.files import expand_user

DESCRIPTION = """Score a trained model on a data set, and write a report.

adff-evaluate runs/PMEmo2019-both --data ~/DEAM: on another data set.

adff-evaluate runs/PMEmo2019-both --data ~/DEAM --data ~/EMOPIA: together and by data set.

adff-evaluate runs/PMEmo2019-both/fold1/model.keras --data ~/PMEmo2019 --leave-out-trained:
a fold's model on its test songs.

Tracks that the model was trained on are refused unless an option allows them or leaves them out.
A run's model is scored on its own segments, as in training, and an export on windows; with
--dynamic also the curve, against PMEmo's annotations over time."""


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="MODEL")]]
    """A run folder of adff-train, a model.keras in one, an export's saved_model or .tflite, or
    `pretrained`, the model that ships."""
    data: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="PATH")] = ()
    """A data set's folder or a CSV file (path,valence,arousal[,group]); once for each of several
    data sets."""
    kind: DataKind = "auto"
    """Layout of the data sets; auto recognises it."""
    label_range: tuple[float, float] | None = None
    """CSV only: lowest and highest value of the labels' scale, such as 1 9."""
    out: Path | None = None
    """Folder for the report; evaluations/NAME under the current folder if not given."""
    features: Path | None = None
    """Folder for computed log-mels, to share it among runs; OUT/features if not given."""
    skip_bad_audio: bool = False
    """Leave out recordings that do not decode; the report lists them."""
    leave_out_trained: bool = False
    """Score only tracks that the model was not trained on."""
    allow_trained: bool = False
    """Score all tracks, also those that the model was trained on; the report says so."""
    dynamic: bool = False
    """Also score the curve over time (a window every half second), where the data set has
    annotations over time."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, score, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments, "stopped. Give the command again.")


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-evaluate", DESCRIPTION, Options, arguments)
    if not options.data:
        raise InputError("`data` is missing: give the folder of a data set, or a CSV file")
    name = f"{_name(options.model)}-on-{name_data(options.data)}"
    folder = expand_user(options.out or Path("evaluations") / name)
    terminal = console.Terminal()
    terminal.log(f"folder: {folder}" + ("" if options.out else "  (choose another by --out)"))
    console.import_tensorflow()
    from .reports.markdown import render_evaluation_scores
    from .training.evaluation import evaluate

    done = evaluate(
        options.model,
        options.data,
        folder,
        kind=options.kind,
        label_range=options.label_range,
        features=options.features,
        skip_bad_audio=options.skip_bad_audio,
        allow_trained=options.allow_trained,
        leave_out_trained=options.leave_out_trained,
        dynamic=options.dynamic,
        reporter=terminal,
    )
    terminal.log(f"\n{render_evaluation_scores(done.experiment, done.metrics)}\n")
    terminal.log(f"report: {folder / 'report.md'}")


def _name(path: Path) -> str:
    """Return the name of a run, a run's fold or an export for the folder's name."""
    path = expand_user(path).resolve()
    if path.name == "model.keras":
        return f"{path.parent.parent.name}-{path.parent.name}"
    return path.stem


if __name__ == "__main__":
    main()
