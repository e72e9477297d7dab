"""How often recordings that a model has no business with are marked `unfamiliar`.

    python recipes/familiarity.py RUN OUT [--music NAME=FOLDER …]

The model is that of RUN's first fold, so that its test songs are unheard music of the same kind.
Its bound is calibrated on every second test song, and the others are scored. Against them stand
speech (espeak-ng, twelve languages, two pitches), noise, tones, sounds like a field's (wind, rain,
engine, birds) and silence, made here, and each folder of --music. OUT/familiarity.csv has a row a
kind: how many recordings, the share that is marked, and the AUROC of the distance against the test
songs.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from adff_tf import audio
from adff_tf.inference.calibration import Calibration
from adff_tf.inference.model import EmotionModel
from adff_tf.model.model_file import find_model, load_network

SECONDS, RATE_HZ = 30, 16_000
VOICES = ("en-us", "en-gb", "de", "fr", "es", "it", "pt", "pl", "cmn", "ru", "hi", "tr")
TEXT = (
    "The committee met on Tuesday to discuss the new rules. Several members asked about the cost, "
    "and a vote was put off until the spring. Heavy rain is expected over the weekend, with winds "
    "of up to sixty miles an hour along the coast. Trains may be late, so please check before you "
    "travel, and allow more time for your journey than usual."
)
MOST = 120  # recordings of a folder of music


def speech() -> list[np.ndarray]:
    """Return 24 recordings of text read by espeak-ng, `(samples,)` float32."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        for voice in VOICES:
            for pitch in ("30", "60"):
                command = ["espeak-ng", "-v", voice, "-p", pitch, "-w", str(file), TEXT]
                subprocess.run(command, check=True)
                made.append(audio.load(file, RATE_HZ)[: SECONDS * RATE_HZ])
    return made


def noises(rng: np.random.Generator) -> list[np.ndarray]:
    """Return white, pink and brown noise at four levels."""
    made = []
    for gain in (0.5, 0.15, 0.05, 0.015):
        for slope in (0, 0.5, 1):
            y = _coloured(rng, slope)
            made.append(gain * y / np.abs(y).max())
    return made


def tones() -> list[np.ndarray]:
    """Return sines and square waves."""
    t = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    sines = [0.3 * np.sin(2 * np.pi * hz * t) for hz in (60, 110, 220, 440, 1000, 3000, 6000)]
    return sines + [0.3 * np.sign(np.sin(2 * np.pi * hz * t)) for hz in (55, 100, 330, 700, 1500)]


def field(rng: np.random.Generator) -> list[np.ndarray]:
    """Return twelve recordings like wind, rain, an engine and birds, three each."""
    makers = (_wind, _rain, _engine, _birds)
    made = [maker(rng) for maker in makers for _ in range(3)]
    return [rng.uniform(0.1, 0.8) * y / np.abs(y).max() for y in made]


def _coloured(rng: np.random.Generator, slope: float) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(SECONDS * RATE_HZ))
    return np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 1) ** slope)


def _wind(rng: np.random.Generator) -> np.ndarray:
    gusts = np.interp(np.linspace(0, 15, SECONDS * RATE_HZ), range(16), rng.uniform(0.1, 1, 16))
    return gusts * _coloured(rng, 0.8)


def _rain(rng: np.random.Generator) -> np.ndarray:
    drops = (rng.random(SECONDS * RATE_HZ) < 0.02) * rng.uniform(0.1, 1, SECONDS * RATE_HZ)
    drop = np.exp(-np.arange(300) / 40) * rng.standard_normal(300)
    return np.convolve(drops, drop)[: SECONDS * RATE_HZ]


def _engine(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    hz = rng.uniform(30, 80) * (1 + 0.2 * np.sin(2 * np.pi * t / rng.uniform(4, 9)))
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    return sum(np.sin(h * phase + rng.uniform(0, 6)) / h for h in range(1, 30)) + 3 * _coloured(
        rng, 0
    ) / np.sqrt(len(t))


def _birds(rng: np.random.Generator) -> np.ndarray:
    y = 0.01 * rng.standard_normal(SECONDS * RATE_HZ)
    for _ in range(60):
        start, length = rng.integers(0, (SECONDS - 1) * RATE_HZ), rng.integers(800, 4000)
        t, hz, sweep = np.arange(length) / RATE_HZ, rng.uniform(2000, 6000), rng.uniform(-6, 6)
        chirp = np.sin(2 * np.pi * (hz * t + 1000 * sweep * t * t))
        y[start : start + length] += np.hanning(length) * chirp
    return y


def music(folder: Path) -> list[np.ndarray]:
    """Return the beginnings of at most MOST recordings of a folder, spread over its names."""
    files = sorted(Path(file) for file in audio.find_recordings(folder, []))
    return [_beginning(file) for file in files[:: max(1, len(files) // MOST)][:MOST]]


def _beginning(file: str | Path) -> np.ndarray:
    return audio.load(file, RATE_HZ)[: SECONDS * RATE_HZ]


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("run", type=Path)
    ask.add_argument("out", type=Path)
    ask.add_argument("--music", nargs="*", default=[], metavar="NAME=FOLDER")
    given = ask.parse_args()
    file, experiment = find_model(given.run / "fold1")
    model = EmotionModel.from_network(load_network(file), experiment)
    songs = pd.read_csv(given.run / "index.csv", dtype={"track_id": str}).query("fold == 1")

    def distances(recordings) -> np.ndarray:
        return np.array([model.predict(y, RATE_HZ).distance for y in recordings])

    of_songs = distances(_beginning(path) for path in songs["path"])
    held_out, scored = np.sort(of_songs[::2]), of_songs[1::2]
    calibration = Calibration({}, {}, tuple(held_out.tolist()))
    rng = np.random.default_rng(0)
    sounds = {
        "music, same data sets, unheard": None,
        "speech": speech(),
        "noise": noises(rng),
        "tones": tones(),
        "field": field(rng),
        "silence": [np.zeros(SECONDS * RATE_HZ, "float32")],
    }
    sounds |= {name: music(Path(folder)) for name, folder in (m.split("=", 1) for m in given.music)}
    rows = []
    for name, recordings in sounds.items():
        found = scored if recordings is None else distances(y.astype("float32") for y in recordings)
        truth = np.repeat([0, 1], [len(scored), len(found)])
        rows.append({
            "recordings": name,
            "count": len(found),
            "marked": np.mean([bool(calibration.is_unfamiliar(d)) for d in found]),
            "auroc": roc_auc_score(truth, np.concatenate([scored, found])),
        })  # fmt: skip
        print(rows[-1], flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).round(3).to_csv(given.out / "familiarity.csv", index=False)


if __name__ == "__main__":
    main()
