"""The description that every artifact carries: its task, and the waveform that it takes.

`describe` makes it from a run's settings, and the export writes it as `adff.json` into every
artifact. `Description.parse` reads it back. Fields of `adff.json`, format 1:

    format          number of this layout; a reader refuses another one
    adff_tf         version that made the artifact
    task            name in `adff_tf.tasks`
    outputs         names of the outputs: targets, or `probabilities`; some of `tasks.BESIDE`
    classes         names of the classes in the order of `probabilities`; empty for regression
    scale           [-1, 1], the scale of the targets
    sample_rate_hz  rate of the waveform, which is mono, full scale ±1
    window          samples of one window
    frames, mels    size of one window's log-mel
    terms           licence and citation of the training data
    calibration     of `inference.calibration`; null or absent where the run has none
    size, sha256    of the FlatBuffer, in .tflite files alone
    made_from       SHA-256 of the model.keras, in a run's model.tflite alone
    concepts        names of the mid-level features of the output `effects`; absent without it
    input           `log_mel` in adff_log_mel_float32.tflite, otherwise absent
    experiment      all settings of the training, as in config.json; needed for an evaluation
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from ..tasks import BESIDE, DISTANCE, EFFECTS, TASKS, Task
from .calibration import Calibration

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
        has_distance: whether the model has the output `distance`.
        calibration: of intervals; None where the run has none.
        concepts: names of the mid-level features whose effects the model has as an output.
    """

    task: Task
    sample_rate_hz: int
    window: int
    scale: tuple[float, float] = (-1.0, 1.0)
    terms: str = ""
    settings: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    has_distance: bool = False
    calibration: Calibration | None = field(default=None, repr=False)
    concepts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        experiment: "Experiment",
        terms: str = "",
        has_distance: bool = False,
        calibration: Calibration | None = None,
    ) -> "Description":
        """Return the description of a run's model."""
        frontend = experiment.frontend
        return cls(
            TASKS[experiment.task],
            frontend.sample_rate_hz,
            experiment.frames * frontend.hop_length,
            terms=terms,
            has_distance=has_distance,
            calibration=calibration,
            concepts=experiment.concepts,
        )

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
        has_distance = DISTANCE in content["outputs"]
        concepts = tuple(content.get("concepts") or ())
        outputs = tuple(name for name in content["outputs"] if name not in BESIDE)
        stated = outputs, tuple(content["classes"]), EFFECTS in content["outputs"]
        known = task and (task.outputs, task.classes, bool(concepts))
        if task is None or stated != known or len(content["scale"]) != 2:
            raise InputError(
                f"{source}: its description contradicts itself (task {content['task']!r}, outputs "
                f"{content['outputs']}, classes {content['classes']}); {AGAIN}"
            )
        low, high = content["scale"]
        terms, settings = str(content.get("terms", "")), content.get("experiment") or {}
        rate, window = content["sample_rate_hz"], content["window"]
        given = content.get("calibration")
        calibration = Calibration.parse(given, source) if given else None
        if calibration and not set(task.outputs) <= set(calibration.scores):
            raise InputError(f"{source}: its calibration lacks {task.outputs}; {AGAIN}")
        scale = (low, high)
        return cls(
            task, rate, window, scale, terms, settings, has_distance, calibration, concepts
        )  # fmt: skip

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        beside = {DISTANCE: self.has_distance, EFFECTS: self.concepts}
        return (*self.task.outputs, *(name for name in BESIDE if beside[name]))

    @property
    def window_s(self) -> float:
        """Seconds of one window."""
        return self.window / self.sample_rate_hz


def append(model: bytes, description: dict[str, Any]) -> bytes:
    """Return a TFLite model with its description, size and hash in a zip archive behind it."""
    content = description | {"size": len(model), "sha256": hashlib.sha256(model).hexdigest()}
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        # ZipInfo is dated 1980, so that the bytes are the same every time
        archive.writestr(zipfile.ZipInfo(FILE), json.dumps(content, indent=2))
    return file.getvalue()


def describe(
    experiment: "Experiment",
    terms: str,
    has_distance: bool = False,
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """Return the content of `adff.json` for a run's model; see the module's docstring."""
    description = Description.of(experiment, has_distance=has_distance)
    concepts = {"concepts": list(description.concepts)} if description.concepts else {}
    return concepts | {
        "format": FORMAT,
        "adff_tf": __version__,
        "task": description.task.name,
        "outputs": list(description.outputs),
        "classes": list(description.task.classes),
        "scale": list(description.scale),
        "sample_rate_hz": description.sample_rate_hz,
        "window": description.window,
        "frames": experiment.frames,
        "mels": experiment.frontend.mels,
        "terms": terms,
        "calibration": calibration.as_dict() if calibration else None,
        "experiment": experiment.model_dump(mode="json"),
    }
