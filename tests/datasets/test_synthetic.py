"""The synthetic set: its files, its labels, and whether the music is what its factors say (asked of librosa)."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile

from adff_tf.datasets import synthetic
from adff_tf.datasets.synthetic import composer
from adff_tf.errors import InputError

RATE = 22050  # enough for what is asked of librosa here, at half the time
PLAIN = synthetic.Factors(
    tempo_bpm=120.0,
    density_hz=4.0,
    loudness_db=-24.0,
    brightness_db_per_octave=0.0,
    articulation=0.8,
    mode="major",
    consonance=1.0,
    register_semitones=0.0,
)


def changed(**factors) -> synthetic.Factors:
    return synthetic.Factors(**{**vars(PLAIN), **factors})


def render(factors: synthetic.Factors, seed: int, seconds: float = 6.0) -> np.ndarray:
    return composer.render(factors, seconds, RATE, np.random.default_rng(seed))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return synthetic.make(
        tmp_path_factory.mktemp("set") / "small", clips=4, seconds=2.0, seed=3, workers=1
    )


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """The factors of 4000 clips, each scaled to [-1, 1]."""
    rows = [synthetic.draw(np.random.default_rng([0, number])) for number in range(4000)]
    return pd.DataFrame(
        [{name: row.scaled(name) for name in vars(row)} | {"labels": row} for row in rows]
    )


# === Labels ===


def test_labels_by_hand():
    factors = synthetic.Factors(
        tempo_bpm=85.0,  # a quarter up 60 to 160: -0.5
        density_hz=7.0,  # 1
        loudness_db=-26.0,  # 0
        brightness_db_per_octave=1.5,  # 0.5
        articulation=0.4,  # a quarter up 0.2 to 1: -0.5
        mode="minor",  # -1
        consonance=0.6,
        register_semitones=4.5,  # 0.5
    )
    assert factors.arousal == pytest.approx(
        1.25 * (0.04 * -0.5 + 0.2 * 1 + 0.36 * 0 + 0.22 * 0.5 - 0.28 * -0.5)
    )
    assert factors.valence == pytest.approx(0.15 * -1 + 0.5 * 0.6 + 0.35 * 0.5)


def test_extremes_reach_the_ends_of_the_scale():
    ends = {name: high for name, (_, high) in synthetic.RANGES.items()} | {"articulation": 0.2}
    assert changed(**ends).arousal == 1.0
    assert changed(**ends).valence == pytest.approx(1.0)


def test_factors_are_independent_and_fill_their_ranges(drawn):
    names = [name for name in drawn.columns if name != "labels"]
    correlation = drawn[names].corr().to_numpy() - np.eye(len(names))
    assert np.abs(correlation).max() < 0.06  # 4000 rows: four deviations of chance
    assert set(drawn["mode"]) == {-1.0, 1.0}
    for name in set(names) - {"mode"}:
        assert np.histogram(drawn[name], 10, (-1, 1))[0].min() > 300


def test_labels_fill_the_plane(drawn):
    valence, arousal = np.array([(row.valence, row.arousal) for row in drawn["labels"]]).T
    for label in (valence, arousal):
        assert 0.33 < label.std() < 0.45 and label.min() < -0.85 and label.max() > 0.85
    assert abs(np.corrcoef(valence, arousal)[0, 1]) < 0.06
    assert np.mean(np.abs(arousal) == 1) < 0.03  # clipped


# === Files ===


def test_the_set_is_what_the_module_says(small):
    table = pd.read_csv(small / "labels.csv", dtype={"track_id": str})
    assert list(table.columns[:5]) == ["track_id", "path", "valence", "arousal", "group"]
    assert list(table.columns[5:]) == list(vars(PLAIN))
    assert sorted(files(small)) == sorted(["labels.csv", "synthetic.json", *table["path"]])
    for path in table["path"]:
        info = soundfile.info(small / path)
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (
            44100,
            1,
            88200,
            "PCM_16",
        )


def test_index(small):
    index = synthetic.index(small)
    table = pd.read_csv(small / "labels.csv")
    assert index.labels == "continuous" and len(index.tracks) == 4
    np.testing.assert_allclose(index.tracks[["valence", "arousal"]], table[["valence", "arousal"]])
    assert (index.tracks["group"] == index.tracks["track_id"]).all()
    assert all(Path(path).is_file() for path in index.tracks["path"])


def test_clips_do_not_depend_on_the_number_of_processes(small, tmp_path):
    again = synthetic.make(tmp_path / "again", clips=4, seconds=2.0, seed=3, workers=2)
    assert files(again) == files(small)


def test_clips_are_the_same_in_a_fresh_process_and_differ_by_seed(small):
    code = "from adff_tf.datasets import synthetic as s; import sys; sys.stdout.buffer.write(s.clip(3, 1, 2.0)[1].tobytes())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert there == synthetic.clip(3, 1, 2.0)[1].tobytes()
    assert there != synthetic.clip(4, 1, 2.0)[1].tobytes()


def test_progress_counts_every_clip(small):
    calls = []
    synthetic.make(small, clips=4, seconds=2.0, seed=3, progress=lambda: calls.append(1))
    assert len(calls) == 4


def test_goes_on_after_a_kill(small, tmp_path):
    before = files(small)
    folder, calls = tmp_path / "set", []

    def stop_at_two():
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthetic.make(folder, clips=4, seconds=2.0, seed=3, progress=stop_at_two, workers=1)
    assert not (folder / "labels.csv").exists() and len(list((folder / "audio").iterdir())) == 2
    with pytest.raises(InputError, match="no finished"):
        synthetic.index(folder)
    kept = folder / "audio" / "0.flac"
    (folder / "audio" / "2.flac.77.part").write_bytes(b"half a clip")
    stamp = kept.stat().st_mtime_ns
    synthetic.make(folder, clips=4, seconds=2.0, seed=3, workers=1)
    assert kept.stat().st_mtime_ns == stamp
    assert files(folder) == before


# === What users do wrong ===


@pytest.mark.parametrize(
    "other", [{"clips": 5}, {"seconds": 3.0}, {"seed": 4}, {"sample_rate_hz": 22050}]
)
def test_another_recipe_is_refused(small, other):
    before = files(small)
    with pytest.raises(InputError, match=f"another recipe: {next(iter(other))}"):
        synthetic.make(small, **{"clips": 4, "seconds": 2.0, "seed": 3, **other})
    assert files(small) == before


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        synthetic.make(tmp_path, clips=1, seconds=2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        synthetic.make(tmp_path / "file", clips=1, seconds=2.0)


def test_a_damaged_recipe(tmp_path):
    (tmp_path / "synthetic.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        synthetic.make(tmp_path, clips=1, seconds=2.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clips": 0},
        {"clips": 2.5},
        {"seconds": 1.0},
        {"seconds": float("nan")},
        {"seed": -1},
        {"sample_rate_hz": 100},
    ],
)
def test_arguments_out_of_range(tmp_path, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        synthetic.make(tmp_path / "set", **{"clips": 1, "seconds": 2.0, **wrong})
    assert not (tmp_path / "set").exists()


def test_a_full_disk_loses_nothing(small, tmp_path, monkeypatch):
    folder, write = tmp_path / "set", Path.write_bytes

    def full(path, content):
        if path.name.startswith("2.flac"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        synthetic.make(folder, clips=4, seconds=2.0, seed=3, workers=1)
    monkeypatch.undo()
    assert json.loads((folder / "synthetic.json").read_text())["clips"] == 4
    assert sorted(path.name for path in (folder / "audio").iterdir()) == ["0.flac", "1.flac"]
    assert files(synthetic.make(folder, clips=4, seconds=2.0, seed=3, workers=1)) == files(small)


# === The music is what its factors say ===


def test_finite_level_and_no_clipping():
    loud = {**vars(PLAIN), "loudness_db": -16.0, "density_hz": 7.0}
    for seed in range(6):
        wave = render(synthetic.Factors(**loud), seed, 3.0)
        assert np.isfinite(wave).all() and np.abs(wave).max() < 0.99 and wave.dtype == np.float32
        assert 10 * np.log10(np.mean(wave.astype(float) ** 2)) == pytest.approx(-16, abs=0.1)


def test_one_onset_is_composed_for_each_that_is_asked_for():
    for seed, (tempo, density) in enumerate(
        [(60.0, 7.0), (111.9, 7.0), (112.1, 7.0), (160.0, 2.0), (90.0, 3.3)]
    ):
        notes, _ = composer.compose(
            changed(tempo_bpm=tempo, density_hz=density), 12.0, np.random.default_rng(seed)
        )
        assert len({note.start_s for note in notes}) == round(density * 12)
        assert max(note.start_s for note in notes) < 12


def onsets(wave: np.ndarray) -> int:
    return len(librosa.onset.onset_detect(y=wave, sr=RATE))


def centroid(wave: np.ndarray) -> float:
    return float(librosa.feature.spectral_centroid(y=wave, sr=RATE).mean())


def pitch(wave: np.ndarray) -> float:
    """Centre of the tonal spectrum from 200 to 2000 Hz, in octaves."""
    power = np.abs(librosa.stft(wave, n_fft=4096)).mean(1)
    at = librosa.fft_frequencies(sr=RATE, n_fft=4096)
    tonal = (at > 200) & (at < 2000)
    return float(np.average(np.log2(at[tonal]), weights=power[tonal]))


def clash(wave: np.ndarray) -> float:
    """How much of the chroma's energy has energy a semitone beside it."""
    chroma = librosa.feature.chroma_stft(y=wave, sr=RATE, n_fft=8192, tuning=0.0)
    return float((chroma * np.roll(chroma, 1, axis=0)).sum(0).mean())


def gaps(wave: np.ndarray) -> float:
    """Share of the frames that lie 12 dB under the loud ones."""
    level = librosa.amplitude_to_db(
        librosa.feature.rms(y=wave, frame_length=1024, hop_length=256)[0]
    )
    return float(np.mean(level < np.percentile(level, 90) - 12))


@pytest.mark.parametrize(
    ("name", "low", "high", "heard"),
    [
        ("articulation", 1.0, 0.2, gaps),
        ("density_hz", 2.0, 7.0, onsets),
        ("brightness_db_per_octave", -3.0, 3.0, centroid),
        ("register_semitones", -9.0, 9.0, pitch),
        ("consonance", 1.0, -1.0, clash),
    ],
)
def test_librosa_hears_each_factor(name, low, high, heard):
    pairs = [
        (heard(render(changed(**{name: low}), seed)), heard(render(changed(**{name: high}), seed)))
        for seed in range(6)
    ]
    assert sum(one < other for one, other in pairs) >= 5, pairs


def test_librosa_hears_the_tempo():
    right = 0
    for seed, tempo in enumerate([70.0, 90.0, 110.0, 130.0, 150.0, 80.0]):
        heard = float(
            librosa.feature.tempo(y=render(changed(tempo_bpm=tempo), seed, 10.0), sr=RATE)[0]
        )
        octaves = np.log2(heard / tempo)
        right += (
            abs(octaves - round(octaves)) < 0.06
        )  # a reporter too may tap at half or twice the beat
    assert right >= 5


def test_librosa_hears_the_mode():
    """Over the tonic, a major piece has more of the major third, a minor piece more of the minor one."""
    right = 0
    for seed in range(8):
        for mode in ("major", "minor"):
            factors = changed(mode=mode)
            key = composer.compose(factors, 8.0, np.random.default_rng(seed))[1].key
            chroma = librosa.feature.chroma_stft(
                y=render(factors, seed, 8.0), sr=RATE, n_fft=8192, tuning=0.0
            ).mean(1)
            major_third, minor_third = chroma[(key + 4) % 12], chroma[(key + 3) % 12]
            right += (major_third > minor_third) == (mode == "major")
    assert right >= 14


@pytest.fixture(scope="module")
def best_single_feature():
    """The greatest R² of arousal and of valence that the level or one band's mean or std over time has alone."""
    features, targets = [], []
    for number in range(80):
        factors, wave = synthetic.clip(5, number, 3.0, RATE)
        power = librosa.feature.melspectrogram(
            y=wave, sr=RATE, n_fft=2048, hop_length=882, n_mels=128
        )
        log_mel = 10 * np.log10(np.maximum(power, 1e-10))
        features.append([*log_mel.mean(1), *log_mel.std(1), np.log10(np.mean(wave**2))])
        targets.append([factors.arousal, factors.valence])
    correlation = np.corrcoef(np.array(features).T, np.array(targets).T)[:-2, -2:]
    return np.nanmax(correlation**2, axis=0)


def test_no_single_feature_gives_valence_away(best_single_feature):
    assert 0.03 < best_single_feature[1] < 0.35


def test_no_single_feature_gives_arousal_away(best_single_feature):
    assert 0.1 < best_single_feature[0] < 0.6
