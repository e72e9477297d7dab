"""What a run was made with: versions, machine and command, as `environment.json`."""

import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

from .. import __version__
from .files import atomic_write

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "librosa",
    "soundfile",
    "soxr",
    "av",
    "tensorflow-io",
    "scikit-learn",
    "pandas",
)


def describe(decoder: str) -> dict:
    """Return package versions, processor, accelerators, audio decoder and command line."""
    import tensorflow as tf

    return {
        "adff_tf": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "gpus": [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ],
        "decoder": decoder,
        "command": sys.argv,
    }


def write(file: Path, decoder: str) -> None:
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps(describe(decoder), indent=2) + "\n")


def summarize(described: dict) -> str:
    """One line of what `describe` gave, or of what `write` wrote: versions and machine."""
    packages = ", ".join(
        f"{name} {version}" for name, version in described["packages"].items() if version
    )
    machine = f"{described['cores']} cores, {', '.join(described['gpus']) or 'no GPU'}, {described['system']}"
    return f"adff-tf {described['adff_tf']}, Python {described['python']}, {packages}; {machine}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
