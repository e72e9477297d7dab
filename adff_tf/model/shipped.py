"""The model that ships inside the package, and its name on a command line."""

from pathlib import Path

from ..support.files import expand_user

NAME = "pretrained"
FOLDER = Path(__file__).parents[1] / NAME
QUICK = FOLDER / "adff_float16.tflite"  # answers without TensorFlow


def resolve_model(path: str | Path) -> Path:
    """Return the absolute path of a model; the word `pretrained` names the shipped one.

    A folder of one's own with that name is given by its absolute path.
    """
    return FOLDER if str(path) == NAME else expand_user(path).absolute()
