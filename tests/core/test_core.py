"""The core alone: prediction by an exported `.tflite`, and one line for a missing extra.

`.ci/run` also runs this folder in an environment that has nothing but the core.
"""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "regression" / "adff_int8.tflite"
SONG = ROOT / "tests" / "regression" / "waveform.wav"
GOLDEN = json.loads((ROOT / "tests" / "regression" / "answers.json").read_text())["both"]
INT8 = 0.08  # bound of an int8 file


def run(module: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.core.without_extras", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_table():
    done = run("adff_tf.predict", MODEL, SONG)
    assert done.returncode == 0, done.stderr
    header, values = done.stdout.splitlines()
    assert header.split()[:3] == ["seconds", "valence", "arousal"] and header.endswith("song")
    assert float(values.split()[1]) == pytest.approx(GOLDEN["valence"], abs=INT8)
    assert values.endswith(str(SONG))


def test_the_shipped_model():
    done = run("adff_tf.predict", SONG)
    assert done.returncode == 0, done.stderr
    assert "CC BY-NC-SA 4.0" in done.stderr
    valence, arousal = map(float, done.stdout.splitlines()[1].split()[1:3])
    assert -1.5 < valence < 1.5 and -1.5 < arousal < 1.5


def test_json():
    done = run("adff_tf.predict", MODEL, SONG, "--format", "json", "--hop", "0.25")
    assert done.returncode == 0, done.stderr
    (found,) = map(json.loads, done.stdout.splitlines())
    assert list(found) == list(GOLDEN) and found["quadrant"] == GOLDEN["quadrant"]
    for window, golden in zip(found["curve"], GOLDEN["curve"], strict=True):
        assert (window["start"], window["end"]) == (golden["start"], golden["end"])
        for target in ("valence", "arousal"):
            assert window[target] == pytest.approx(golden[target], abs=INT8)


def test_csv_of_windows():
    done = run("adff_tf.predict", MODEL, SONG, "--format", "csv", "--curve", "--hop", "0.25")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [float(row["start"]) for row in rows] == [row["start"] for row in GOLDEN["curve"]]


def test_python():
    code = (
        "from adff_tf import EmotionModel; import sys\n"
        f"song = EmotionModel.load({str(MODEL)!r}).predict({str(SONG)!r})\n"
        "print(song.valence)\n"
        "print(set(sys.modules) & {'tensorflow', 'keras', 'librosa', 'sklearn', 'pandas'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    value, loaded = done.stdout.splitlines()
    assert float(value) == pytest.approx(GOLDEN["valence"], abs=INT8) and loaded == "set()"


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("adff_tf.train", [], "train"),
        ("adff_tf.evaluate", [MODEL, "--data", SONG], "train"),
        ("adff_tf.reproduce", ["table1", "--scale", "tiny"], "train"),
        ("adff_tf.tuning", [], "train"),
        ("adff_tf.export", [MODEL, "--out", "nowhere"], "train"),
        ("adff_tf.export.client", ["localhost", SONG], "serve"),
        ("adff_tf.score", [MODEL, SONG, "--out", "nowhere"], "score"),
        ("adff_tf.predict", [MODEL, SONG, "--plot"], "plot"),
        ("adff_tf.predict", ["hf://user/name", SONG], "hub"),
    ],
)
def test_a_missing_extra_is_one_line(module, arguments, extra):
    done = run(module, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and f'pip install "adff-tf[{extra}]"' in done.stderr
    assert not Path(ROOT, "nowhere").exists()
