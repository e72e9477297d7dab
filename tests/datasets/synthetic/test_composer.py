"""The music has the properties that its factors state, measured by librosa."""

import librosa
import numpy as np
import pytest

from adff_tf.datasets import synthetic
from adff_tf.datasets.synthetic import composer

from .pieces import PLAIN, RATE, changed, render


def test_finite_level_and_no_clipping():
    loud = {**vars(PLAIN), "loudness_db": -16.0, "density_hz": 7.0}
    for seed in range(6):
        wave = render(synthetic.Factors(**loud), seed, 3.0)
        assert np.isfinite(wave).all() and np.abs(wave).max() < 0.99 and wave.dtype == np.float32
        assert 10 * np.log10(np.mean(wave.astype(float) ** 2)) == pytest.approx(-16, abs=0.1)


def test_number_of_onsets():
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
    """Chroma energy times the energy a semitone beside it, mean over time."""
    chroma = librosa.feature.chroma_stft(y=wave, sr=RATE, n_fft=8192, tuning=0.0)
    return float((chroma * np.roll(chroma, 1, axis=0)).sum(0).mean())


def gaps(wave: np.ndarray) -> float:
    """Share of the frames more than 12 dB below the loud frames."""
    level = librosa.amplitude_to_db(
        librosa.feature.rms(y=wave, frame_length=1024, hop_length=256)[0]
    )
    return float(np.mean(level < np.percentile(level, 90) - 12))


@pytest.mark.parametrize(
    ("name", "low", "high", "measure"),
    [
        ("articulation", 1.0, 0.2, gaps),
        ("density_hz", 2.0, 7.0, onsets),
        ("brightness_db_per_octave", -3.0, 3.0, centroid),
        ("register_semitones", -9.0, 9.0, pitch),
        ("consonance", 1.0, -1.0, clash),
    ],
)
def test_librosa_measures_each_factor(name, low, high, measure):
    pairs = [
        (
            measure(render(changed(**{name: low}), seed)),
            measure(render(changed(**{name: high}), seed)),
        )
        for seed in range(6)
    ]
    assert sum(one < other for one, other in pairs) >= 5, pairs


def test_librosa_measures_the_tempo():
    right = 0
    for seed, tempo in enumerate([70.0, 90.0, 110.0, 130.0, 150.0, 80.0]):
        measured = float(
            librosa.feature.tempo(y=render(changed(tempo_bpm=tempo), seed, 10.0), sr=RATE)[0]
        )
        octaves = np.log2(measured / tempo)
        # Half or twice the tempo counts: listeners too may tap at either.
        right += abs(octaves - round(octaves)) < 0.06
    assert right >= 5


def test_librosa_measures_the_mode():
    """A major piece has more of the major third over the tonic, a minor piece of the minor."""
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
    """The greatest R² of arousal and of valence by one feature: level, or a band's mean or std."""
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
