"""The program on a `.tflite` without TensorFlow, Keras, pandas, librosa and scikit-learn."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from adff_tf.inference.model import EmotionModel

from ..artifacts import flatbuffer, write

MISSING = ("tensorflow", "keras", "pandas", "librosa", "sklearn", "psutil", "ray", "matplotlib")


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """An environment, for decoding processes too, in which the modules cannot be imported."""
    folder = tmp_path / "missing"
    folder.mkdir()
    for name in MISSING:
        error = f"ModuleNotFoundError('No module named {name}', name={name!r})"
        (folder / f"{name}.py").write_text(f"raise {error}\n")
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    return os.environ | {"PYTHONPATH": path}


def test_a_tflite_needs_none_of_them(model, songs, tmp_path, environment):
    file = write(tmp_path / "model.tflite", *flatbuffer(model))
    command = [sys.executable, "-m", "adff_tf.score", str(file), str(songs), "--out"]
    command = [*command, str(tmp_path / "out")]
    for _ in range(2):  # the second one resumes
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    read = pd.read_parquet(tmp_path / "out" / "songs").set_index("path")
    assert set(read["status"]) == {"ok"} and len(read) == len(list(songs.iterdir()))
    song = songs / "03.flac"
    alone = EmotionModel.load(file).predict(song)
    assert read.loc[str(song), "valence"] == pytest.approx(alone.valence, abs=1e-5)
    done = subprocess.run(
        [*command, "--hop", "0.25"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2 and "hop_s: 0.5 there, 0.25 now" in done.stderr


def test_help_loads_no_table_library():
    code = "import adff_tf.score, sys; print({'pyarrow', 'tensorflow', 'pandas'} & {*sys.modules})"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "set()\n"
