"""The description that every artifact carries: its task, and the waveform that it takes.

`describe` makes it from a run's settings, and the export writes it as `adff.json` into every
artifact. `Description.parse` reads it back. Fields of `adff.json`, format 1:

    format          number of this layout; a reader refuses another one
    adff_tf         version that made the artifact
    task            name in `adff_tf.tasks`
    outputs         names of the outputs: targets, or `probabilities`
    classes         names of the classes in the order of `probabilities`; empty for regression
    scale           [-1, 1], the scale of the targets
    sample_rate_hz  rate of the waveform, which is mono, full scale ±1
    window          samples of one window
    frames, mels    size of one window's log-mel
    terms           licence and citation of the training data
    size, sha256    of the FlatBuffer, in .tflite files alone
    input           `log_mel` in adff_log_mel_float32.tflite, otherwise absent
    experiment      all settings of the training, as in config.json; needed for an evaluation
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from ..tasks import TASKS, Task

if TYPE_CHECKING:
    from ..config import Experiment

FORMAT = 1
FILE = "adff.json"  # name inside and beside artifacts
FIELDS = {
    "task": str, "outputs": list, "classes": list, "scale": list, "sample_rate_hz": int,
    "window": int,
}  # fmt: skip
AGAIN = "export the run again"


@dataclass(frozen=True)
class Description:
    """A model's task, and the waveform that it takes.

    Attributes:
        task: the targets or classes.
        sample_rate_hz: rate of the waveform.
        window: samples of one window.
        scale: lowest and highest value of the targets.
        terms: licence and citation of the training data.
        settings: of the training, as in config.json; empty where the artifact states none.
    """

    task: Task
    sample_rate_hz: int
    window: int
    scale: tuple[float, float] = (-1.0, 1.0)
    terms: str = ""
    settings: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, experiment: "Experiment", terms: str = "") -> "Description":
        """Return the description of a run's model."""
        frontend = experiment.frontend
        window = experiment.frames * frontend.hop_length
        return cls(TASKS[experiment.task], frontend.sample_rate_hz, window, terms=terms)

    @classmethod
    def parse(cls, content: Any, source: str) -> "Description":
        """Return the description in the content of an `adff.json`.

        Args:
            content: parsed JSON.
            source: names the artifact in errors.

        Raises:
            InputError: another format, or missing or contradictory fields.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise InputError(
                f"{source} has a description of format {found!r}, and adff-tf {__version__} reads "
                f"{FORMAT}: use the adff-tf that made it, or {AGAIN}"
            )
        wrong = [name for name, kind in FIELDS.items() if not isinstance(content.get(name), kind)]
        if wrong:
            raise InputError(f"{source}: its description lacks {', '.join(wrong)}; {AGAIN}")
        task = TASKS.get(content["task"])
        stated = tuple(content["outputs"]), tuple(content["classes"])
        if task is None or stated != (task.outputs, task.classes) or len(content["scale"]) != 2:
            raise InputError(
                f"{source}: its description contradicts itself (task {content['task']!r}, outputs "
                f"{content['outputs']}, classes {content['classes']}); {AGAIN}"
            )
        low, high = content["scale"]
        terms, settings = str(content.get("terms", "")), content.get("experiment") or {}
        rate, window = content["sample_rate_hz"], content["window"]
        return cls(task, rate, window, (low, high), terms, settings)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        return self.task.outputs

    @property
    def window_s(self) -> float:
        """Seconds of one window."""
        return self.window / self.sample_rate_hz


def describe(experiment: "Experiment", terms: str) -> dict[str, Any]:
    """Return the content of `adff.json` for a run's model; see the module's docstring."""
    description = Description.of(experiment)
    return {
        "format": FORMAT,
        "adff_tf": __version__,
        "task": description.task.name,
        "outputs": list(description.task.outputs),
        "classes": list(description.task.classes),
        "scale": list(description.scale),
        "sample_rate_hz": description.sample_rate_hz,
        "window": description.window,
        "frames": experiment.frames,
        "mels": experiment.frontend.mels,
        "terms": terms,
        "experiment": experiment.model_dump(mode="json"),
    }
