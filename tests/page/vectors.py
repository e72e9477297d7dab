"""Numbers that the page's TypeScript and Python must agree on: web/tests/vectors.json.

    python -m tests.page.vectors

writes the file again; `test_vectors.py` compares it with what Python computes now, and
`web/tests/vectors.test.ts` with what the page computes.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from adff_tf.inference.calibration import Calibration
from adff_tf.inference.description import Description
from adff_tf.inference.emotion import Emotion
from adff_tf.inference.formats import make_format
from adff_tf.inference.windows import cut_windows, window_starts
from adff_tf.tasks import PROBABILITIES, TASKS

FILE = Path(__file__).parents[2] / "web" / "tests" / "vectors.json"
RATE, WINDOW, HOP = 100, 1000, 500  # of the small models here
TEN = tuple(k / 10 for k in range(1, 11))


def vectors() -> dict[str, Any]:
    """Return the content of the file."""
    answers = [answer(*case) for case in cases()]
    return {
        "windows": [windows(*case) for case in WINDOWS],
        "answers": [written for _, written in answers],
        "csv": make_csv(answers[0][0]),
        "resampling": [resampled(rate) for rate in (8000, 22050, 44100, 48000, 96000)],
    }


# === Windows ===

WINDOWS = [
    (1, 1000, 500), (999, 1000, 500), (1000, 1000, 500), (1001, 1000, 500), (1249, 1000, 500),
    (1250, 1000, 500), (1499, 1000, 500), (1500, 1000, 500), (1501, 1000, 500), (5000, 1000, 1000),
    (5499, 1000, 1000), (5500, 1000, 1000), (4321, 1000, 7), (160_000, 1000, 333),
]  # fmt: skip


def windows(total: int, window: int, hop: int) -> dict[str, Any]:
    """Return where the windows of a recording lie; the two rules of Python agree."""
    cut = list(cut_windows([np.ones(total, "float32")], window, hop))
    assert [found.start for found in cut] == window_starts(total, window, hop)
    ends = [found.end for found in cut]
    starts = [found.start for found in cut]
    return {"total": total, "window": window, "hop": hop, "starts": starts, "ends": ends}


# === Answers ===


def cases() -> list[tuple[str, int, Calibration | None]]:
    """Return task, windows and calibration of each answer."""
    both = {"valence": TEN, "arousal": tuple(k / 40 for k in range(1, 31))}
    far = tuple(0.5 + k / 20 for k in range(20))
    return [
        ("both", 7, Calibration(both, {"valence": 0.0, "arousal": 0.2}, far)),
        ("both", 1, Calibration(both, {"valence": 0.1, "arousal": 0.2}, far[:5])),
        ("both", 3, None),
        ("both", 4, Calibration(both | {"valence": TEN[:5]}, {"valence": 0.0, "arousal": 0.0})),
        ("valence", 5, Calibration({"valence": TEN}, {"valence": 0.3}, far)),
        ("quadrant", 6, Calibration({PROBABILITIES: TEN}, {}, far)),
        ("arousal2", 2, None),
    ]  # fmt: skip


def answer(name: str, count: int, calibration: Calibration | None) -> tuple[Emotion, dict]:
    """Return an emotion of random windows, and its inputs and JSON for the page."""
    rng, task = np.random.default_rng(count), TASKS[name]
    values = {}
    for output in task.outputs:
        if output == PROBABILITIES:
            drawn = rng.gamma(1, 1, (count, len(task.classes)))
            values[output] = (drawn / drawn.sum(1, keepdims=True)).astype("float32")
        else:
            values[output] = rng.normal(0.1, 0.4, count).astype("float32")
    distances = rng.uniform(0.8, 1.4, count).astype("float32")
    starts = np.arange(count) * HOP
    samples = int(starts[-1]) + (WINDOW if count > 1 else 700)
    ends = np.minimum(starts + WINDOW, samples)
    emotion = Emotion(
        task, "a song, \"loud\".wav", samples / RATE, WINDOW / RATE, HOP / RATE, starts / RATE,
        ends / RATE, values, calibration=calibration, distance=float(distances.mean()),
    )  # fmt: skip
    description = Description(task, RATE, WINDOW, has_distance=True, calibration=calibration)
    written = {
        "description": {
            "task": name, "outputs": description.outputs, "classes": task.classes,
            "scale": description.scale, "sample_rate_hz": RATE, "window": WINDOW,
            "calibration": calibration.as_dict() if calibration else None,
        },
        "name": emotion.path, "samples": samples, "hop": HOP,
        "starts": starts.tolist(), "ends": ends.tolist(),
        "windows": [
            {output: np.atleast_1d(of[k]).tolist() for output, of in values.items()}
            for k in range(count)
        ],
        "distances": distances.tolist(),
        "json": emotion.as_dict(),
    }  # fmt: skip
    return emotion, written


def make_csv(emotion: Emotion) -> str:
    return make_format("csv")(emotion)


# === Resampling ===

TO_HZ, SECONDS, EVERY = 16_000, 0.25, 41


def sweep(rate: int) -> np.ndarray:
    """Return a sweep from 50 Hz to .85 of the lower Nyquist frequency, `(samples,)`.

    It swells and fades: filters ring at an edge.
    """
    t = np.arange(int(SECONDS * rate)) / rate
    end = 0.85 * min(rate, TO_HZ) / 2
    phase = 2 * np.pi * (50 * t + (end - 50) * t**2 / (2 * SECONDS))
    swell = 0.7 * np.sin(np.pi * t / SECONDS) ** 2
    return (swell * np.sin(phase)).astype("float32")


def resampled(rate: int) -> dict[str, Any]:
    """Return every 41st sample of the sweep at 16 kHz, by soxr as in `audio.resampling`."""
    stream = soxr.ResampleStream(rate, TO_HZ, 1, dtype="float32", quality="HQ")
    found = stream.resample_chunk(sweep(rate), last=True)
    kept = [round(float(value), 6) for value in found[::EVERY]]
    return {"from_hz": rate, "to_hz": TO_HZ, "length": len(found), "every": EVERY, "samples": kept}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
