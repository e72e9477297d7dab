"""Versions, machine and command of a run, as `environment.json`; the cores at hand."""

import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

from .. import __version__
from .files import atomic_write

FILE = "environment.json"
PACKAGES = (
    "tensorflow", "keras", "numpy", "librosa", "soundfile", "soxr", "av", "tensorflow-io",
    "scikit-learn", "pandas",
)  # fmt: skip


def describe(decoder: str) -> dict:
    """Return package versions, processor, accelerators and the command line.

    decoder: name of the audio decoder (`audio.graph_decoder`).
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details
    return {
        "adff_tf": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "gpus": [details(gpu).get("device_name", gpu.name) for gpu in gpus],
        "decoder": decoder,
        "command": sys.argv,
    }


def write(folder: Path, decoder: str) -> None:
    """Write `environment.json` into a folder."""
    with atomic_write(folder / FILE) as temporary:
        temporary.write_text(json.dumps(describe(decoder), indent=2) + "\n")


def made_by(folder: Path) -> str | None:
    """Return the adff-tf version in a folder's `environment.json`, None where it states none."""
    try:
        return json.loads((folder / FILE).read_text())["adff_tf"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def summarize(described: dict) -> str:
    """Return versions and machine of a description in one line."""
    versions = described["packages"].items()
    packages = ", ".join(f"{name} {version}" for name, version in versions if version)
    gpus = ", ".join(described["gpus"]) or "no GPU"
    machine = f"{described['cores']} cores, {gpus}, {described['system']}"
    python = f"Python {described['python']}"
    return f"adff-tf {described['adff_tf']}, {python}, {packages}; {machine}"


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
