"""The built page: `static/`, which the wheel carries and a checkout builds."""

from pathlib import Path

from ..errors import InputError

STATIC = Path(__file__).parent / "static"
MODEL = "model.tflite"  # the model's name on the page, beside index.html
BUILD = "cd web && npm ci && npm run build"


def find_static() -> Path:
    """Return the folder of the built page. Raises InputError in a checkout without it."""
    if not (STATIC / "index.html").is_file():
        raise InputError(f"the page is not built; build it from the checkout: {BUILD}")
    return STATIC
