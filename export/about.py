"""What an artifact has to tell about itself: the one description that every artifact carries and every runner reads.

JSON, `about(experiment, terms)`. Its fields, `FORMAT` 1:

    format          this layout's number; a reader refuses one that it does not know
    adff_tf         version that made it
    task            what is predicted (`adff_tf.tasks`)
    outputs         names of the outputs: targets, or `probabilities`
    classes         names of the classes in the order of `probabilities`; empty for numbers
    scale           [-1, 1], the scale of the targets
    sample_rate_hz  of the waveform, mono, full scale ±1
    window          samples of one window
    frames, mels    of one window's log-mel
    terms           licence and citation of the data that the model is made from
    experiment      every setting, as config.json
"""

from .. import __version__
from ..config import Experiment
from ..tasks import TASKS

FORMAT = 1
FILE = "adff.json"  # its name inside and beside artifacts


def about(experiment: Experiment, terms: str) -> dict:
    """The description of a model's artifacts, ready for JSON. terms: licence and citation of the data."""
    task, frontend = TASKS[experiment.task], experiment.frontend
    return {
        "format": FORMAT,
        "adff_tf": __version__,
        "task": task.name,
        "outputs": list(task.outputs),
        "classes": list(task.classes),
        "scale": [-1.0, 1.0],
        "sample_rate_hz": frontend.sample_rate_hz,
        "window": experiment.frames * frontend.hop_length,
        "frames": experiment.frames,
        "mels": frontend.mels,
        "terms": terms,
        "experiment": experiment.model_dump(mode="json"),
    }
