"""Stems by a stand-in separator: what is written, what goes on, and what fails."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from adff_tf import train
from adff_tf.errors import InputError
from adff_tf.features.separation import separate_missing
from adff_tf.networks import STEMS


@pytest.fixture
def songs(tmp_path):
    rows = []
    for name in ("a", "b", "c"):
        sf.write(tmp_path / f"{name}.wav", np.full(800, 0.1), 8000)
        rows.append({"track_id": name, "path": str(tmp_path / f"{name}.wav")})
    return pd.DataFrame(rows)


class Part(np.ndarray):
    """An array with the methods of a tensor that the separator calls."""

    def cpu(self):
        return self

    def numpy(self):
        return np.asarray(self)


class Separator:
    """Stands in for Demucs: stem k is the recording times k + 1, in two channels."""

    samplerate = 8000

    def __init__(self, model):
        assert model == "htdemucs"

    def separate_audio_file(self, path):
        if path.stem == "b":
            raise RuntimeError("cannot be loaded\nby any backend")
        waveform, _ = sf.read(path, dtype="float32")
        mix = np.stack([waveform, waveform]).view(Part)
        return mix, {stem: mix * (k + 1) for k, stem in enumerate(STEMS)}


@pytest.fixture
def demucs(monkeypatch):
    module = types.ModuleType("demucs")
    module.api = types.SimpleNamespace(Separator=Separator)
    monkeypatch.setitem(sys.modules, "demucs", module)
    return module


def test_a_song_that_fails_is_named_and_the_others_are_kept(songs, demucs, tmp_path):
    stems = tmp_path / "stems"
    with pytest.raises(InputError, match=r"(?s)1 of 3 recordings .*b: cannot be loaded\n.*others"):
        separate_missing(songs, stems)
    assert sorted(folder.name for folder in stems.iterdir()) == ["a", "c"]
    for k, stem in enumerate(STEMS):
        samples, rate = sf.read(stems / "c" / f"{stem}.flac")
        assert rate == 8000 and samples.shape == (800, 2)
        np.testing.assert_allclose(samples, 0.1 * (k + 1), atol=2e-4)


def test_songs_with_stems_are_not_separated_again(songs, tmp_path):
    for name in songs["track_id"]:
        (tmp_path / "stems" / name).mkdir(parents=True)
    separate_missing(songs, tmp_path / "stems", separate=None)  # no Demucs is needed


def test_weights_that_do_not_load_are_one_line(songs, demucs, tmp_path):
    def refuse(model):
        raise OSError("no route to host")

    demucs.api.Separator = refuse
    with pytest.raises(InputError, match=r"downloads at its first use: no route to host"):
        separate_missing(songs, tmp_path / "stems")


def test_without_demucs_the_extra_is_named(songs, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "demucs", None)
    songs.assign(valence=0.5, arousal=[-0.5, 0, 0.5])[["path", "valence", "arousal"]].to_csv(
        tmp_path / "songs.csv", index=False
    )
    command = "--model emomucs --source-model c1d --fusion late --separate --folds 2 --hold-out"
    places = ["--data", f"{tmp_path}/songs.csv", "--label-range", "-1", "1"]
    places += ["--stems", f"{tmp_path}/stems", "--out", f"{tmp_path}/run"]
    with pytest.raises(SystemExit) as stop:
        train.main([*command.split(), *places, "--seg-len", "1"])
    assert stop.value.code == 2
    assert 'pip install "adff-tf[stems]"' in capsys.readouterr().err
