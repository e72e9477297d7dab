"""Stems of tracks: side by side in their order, cached, and what is wrong with them."""

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from adff_tf.config import Frontend
from adff_tf.errors import InputError
from adff_tf.features.stems import with_stems
from adff_tf.features.tracks import prepare_tracks
from adff_tf.model.numpy_log_mel import track_log_mel
from adff_tf.networks import STEMS

FRONTEND = Frontend(sample_rate_hz=16000, n_fft=1024, mels=32)


@pytest.fixture
def songs(tmp_path):
    """Two songs of 2 s with stems of four formats and levels."""
    rng, rows = np.random.default_rng(0), []
    for track in ("a", "b"):
        parts = rng.normal(0, 0.1, (4, 32000)) * np.array([[1], [0.5], [0.1], [0.02]])
        sf.write(tmp_path / f"{track}.wav", parts.sum(axis=0), 16000)
        (tmp_path / "stems" / track).mkdir(parents=True)
        for stem, part, suffix in zip(STEMS, parts, ("wav", "flac", "ogg", "wav"), strict=True):
            sf.write(tmp_path / "stems" / track / f"{stem}.{suffix}", part, 16000)
        rows.append({"track_id": track, "path": str(tmp_path / f"{track}.wav"), "group": track})
    return prepare_tracks(pd.DataFrame(rows), tmp_path / "store", FRONTEND)[0]


def test_the_log_mels_of_the_stems_lie_side_by_side(songs, tmp_path):
    found = with_stems(songs, tmp_path / "stems", tmp_path / "store", FRONTEND)
    assert found.mels == 4 * 32 and list(found.table["track_id"]) == ["a", "b"]
    joined = found.log_mel(1)
    for k, name in enumerate(("vocals.wav", "bass.flac", "drums.ogg", "other.wav")):
        waveform, _ = sf.read(tmp_path / "stems" / "b" / name, dtype="float32")
        wanted = track_log_mel(waveform, FRONTEND)
        np.testing.assert_allclose(joined[:, 32 * k : 32 * (k + 1)], wanted, atol=0.05)
    mean, _ = found.standardisation()
    assert np.all(np.diff(mean.reshape(4, 32).mean(axis=1)) < 0)  # each stem is softer
    before = found.files[0].stat().st_mtime_ns
    again = with_stems(songs, tmp_path / "stems", tmp_path / "store", FRONTEND)
    assert again.files == found.files and again.files[0].stat().st_mtime_ns == before


def test_missing_stems_are_listed(songs, tmp_path):
    (tmp_path / "stems" / "b" / "bass.flac").unlink()
    with pytest.raises(InputError, match=r"(?s)1 of 2 tracks have no stems in .*b: no bass"):
        with_stems(songs, tmp_path / "stems", tmp_path / "store", FRONTEND)
    with pytest.raises(InputError, match="2 of 2 tracks"):
        with_stems(songs, tmp_path / "nothing", tmp_path / "store", FRONTEND)


def test_stems_of_other_lengths_are_refused(songs, tmp_path):
    sf.write(tmp_path / "stems" / "a" / "other.wav", np.zeros(24000), 16000)
    with pytest.raises(InputError, match=r"stems of a differ in length .*vocals 201, .*other 151"):
        with_stems(songs, tmp_path / "stems", tmp_path / "store", FRONTEND)


def test_a_stem_that_does_not_decode_is_named(songs, tmp_path):
    (tmp_path / "stems" / "a" / "vocals.wav").write_text("no music")
    with pytest.raises(InputError, match=r"(?s)1 stems cannot be used:.*vocals.wav"):
        with_stems(songs, tmp_path / "stems", tmp_path / "store", FRONTEND)
