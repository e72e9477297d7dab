"""The model that ships inside the package, and its name on a command line."""

import json
from pathlib import Path

from ..support.files import expand_user

NAME = "pretrained"
FOLDER = Path(__file__).parents[1] / NAME
QUICK = FOLDER / "adff_float16.tflite"  # answers without TensorFlow
SMALL = FOLDER / "adff_int8.tflite"  # for a browser


def resolve_model(path: str | Path) -> Path:
    """Return the absolute path of a model; the word `pretrained` names the shipped one.

    A folder of one's own with that name is given by its absolute path.
    """
    return FOLDER if str(path) == NAME else expand_user(path).absolute()


def describe() -> str:
    """Return a line on the shipped model: its terms, its scores on songs new to it."""
    metrics = json.loads((FOLDER / "metrics.json").read_text())
    scores = ", ".join(
        f"{found['arousal']['sign']:.0%} and {found['valence']['sign']:.0%} ({name})"
        for name, found in metrics["sources"].items()
    )
    terms = metrics["terms"].split(":")[0]
    return (
        f"model: the one that ships; {terms}. It finds the signs of arousal and valence of songs "
        f"new to it: {scores}"
    )
