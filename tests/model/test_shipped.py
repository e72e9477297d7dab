"""The model that ships: name, files, licence, agreement, list of heard recordings."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from adff_tf import EmotionModel
from adff_tf.inference.backends import locate
from adff_tf.model.model_file import find_model
from adff_tf.model.shipped import FOLDER, NAME, QUICK, resolve_model
from adff_tf.training.start import find_start

from ..real_data import needs_real_data, real_data

LARGEST_BYTES = 16_000_000
RATE_HZ = 44_100


def test_the_word_names_it_and_a_path_names_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir()
    assert resolve_model(NAME) == FOLDER
    assert resolve_model(tmp_path / NAME) == tmp_path / NAME
    assert resolve_model("runs/demo") == tmp_path / "runs/demo"
    assert locate(NAME).path == QUICK and not locate(NAME).needs_tensorflow
    assert find_model(NAME)[0] == FOLDER / "model.keras"


def test_it_is_whole_and_small():
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert set(files) == {
        "LICENSE", "adff_float16.tflite", "adff_int8.tflite", "calibration.json", "config.json",
        "heard.csv", "metrics.json", "model.keras", "model_card.md",
    }  # fmt: skip
    weights = sum(size for name, size in files.items() if name.endswith((".keras", ".tflite")))
    assert weights <= LARGEST_BYTES


def test_its_licence_is_told_everywhere():
    licence = (FOLDER / "LICENSE").read_text()
    assert "Attribution-NonCommercial-ShareAlike 4.0 International" in licence
    for text in (find_start(NAME).terms, (FOLDER / "model_card.md").read_text()):
        assert "CC BY-NC-SA 4.0" in text and "MusiCNN" in text


def test_the_card_has_the_scores_of_the_run():
    card = (FOLDER / "model_card.md").read_text()
    metrics = json.loads((FOLDER / "metrics.json").read_text())
    for source, found in metrics["sources"].items():
        scores = (found["quadrant"]["accuracy"], found["arousal"]["sign"], found["valence"]["sign"])
        assert f"| {source} | {' | '.join(f'{score:.3f}' for score in scores)} |" in card


def test_nothing_in_it_names_a_place_on_a_machine():
    for name in ("config.json", "metrics.json", "heard.csv", "model_card.md"):
        assert not re.search(r'(?:^|[\s"(,])/\w', (FOLDER / name).read_text()), name


def test_it_knows_what_it_has_heard():
    keys = pd.read_csv(FOLDER / "heard.csv")["features"]
    assert keys.is_unique and len(keys) > 1000
    assert keys.str.fullmatch(r"[0-9a-f]{32}.*").all()
    assert find_start(NAME).heard() == set(keys)


@needs_real_data
def test_two_loud_choruses_that_it_never_heard_have_more_arousal_than_two_soft_ones():
    """By the annotators of PMEmo: .86 and .83, against .23 and .24."""
    model, folder = EmotionModel.load(NAME), real_data("pmemo", "chorus")
    loud, soft = ([model.predict(folder / f"{n}.mp3").arousal for n in pair]
                  for pair in ((108, 372), (634, 683)))  # fmt: skip
    assert min(loud) > max(soft)


@pytest.mark.parametrize("file", ["adff_float16.tflite", "adff_int8.tflite"])
def test_the_small_files_answer_as_the_network(file):
    network, small = EmotionModel.load(FOLDER), EmotionModel.load(FOLDER / file)
    bound = 0.01 if "float16" in file else 0.1
    time = np.arange(12 * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(0)
    chord = sum(np.sin(2 * np.pi * f * time) for f in (220, 277.2, 329.6)) / 6
    pulse = chord * (1 + np.sign(np.sin(2 * np.pi * 2 * time))) / 2
    for waveform in (chord, pulse, 0.1 * rng.standard_normal(len(time))):
        answer = network.predict(waveform.astype("float32"), RATE_HZ)
        other = small.predict(waveform.astype("float32"), RATE_HZ)
        assert other.valence == pytest.approx(answer.valence, abs=bound)
        assert other.arousal == pytest.approx(answer.arousal, abs=bound)
        assert -1.5 < answer.valence < 1.5 and -1.5 < answer.arousal < 1.5
        assert other.interval["valence"] == pytest.approx(answer.interval["valence"], abs=3 * bound)
        assert other.distance == pytest.approx(answer.distance, rel=0.2)
