"""The data set of the runs in miniature."""

import numpy as np
import pandas as pd
import pytest
import soundfile


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Ten noises of a second, louder with arousal, darker with valence; two a song."""
    folder, rng, rows = tmp_path_factory.mktemp("set"), np.random.default_rng(1), []
    for k in range(10):
        valence, arousal = np.linspace(-0.9, 0.9, 10)[[k, (k * 3) % 10]]
        noise = (
            np.cumsum(rng.uniform(-1, 1, 48000)) / 200 * (valence + 1)
            + rng.uniform(-1, 1, 48000) * (1 - valence) / 4
        )
        soundfile.write(folder / f"{k}.wav", 0.3 * 10**arousal / 10 * noise, 44100)
        rows.append((f"{k}.wav", valence, arousal, f"song{k // 2}"))
    pd.DataFrame(rows, columns=["path", "valence", "arousal", "group"]).to_csv(
        folder / "labels.csv", index=False
    )
    return folder / "labels.csv"
