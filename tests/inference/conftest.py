"""Runs and their exports, made once for all files of this folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adff_tf.inference.model import EmotionModel

from ..artifacts import flatbuffer, music, save_run, write, write_saved_model


@dataclass(frozen=True)
class Made:
    """A run and its exports."""

    run: Path
    model: EmotionModel  # of the run
    tflite: Path
    saved_model: Path
    flatbuffer: bytes  # within the .tflite
    description: dict


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> dict[str, Made]:
    """A regression and a classification."""
    folder, found = tmp_path_factory.mktemp("exports"), {}
    for task in ("both", "quadrant"):
        run = save_run(folder / task, task)
        content, description = flatbuffer(run)
        found[task] = Made(
            run, EmotionModel.load(run), write(folder / f"{task}.tflite", content, description),
            write_saved_model(run, folder / f"{task}-export" / "saved_model" / "1"),
            content, description,
        )  # fmt: skip
    return found


@pytest.fixture(scope="session")
def tflite(made) -> Path:
    return made["both"].tflite


@pytest.fixture(scope="session")
def song(tmp_path_factory) -> Path:
    """3.3 s in stereo at another rate."""
    path = tmp_path_factory.mktemp("songs") / "song.flac"
    soundfile.write(path, np.stack([music(3.3, 1), music(3.3, 2)], axis=1), 48000)
    return path
