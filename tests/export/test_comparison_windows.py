"""Windows that artifacts are compared on."""

import numpy as np
import pytest
import soundfile

from adff_tf.export.comparison_windows import music_windows, stress_windows

from ..inference.test_model import RATE, WINDOW


def test_stress_windows():
    found = stress_windows(WINDOW, RATE)
    assert len(found) == 8
    assert all(window.shape == (WINDOW,) for window in found.values())
    assert all(np.isfinite(window).all() for window in found.values())
    assert not found["silence"].any()
    assert set(np.unique(found["full-scale square wave"])) == {-1.0, 1.0}
    assert np.count_nonzero(found["impulse"]) == 1
    assert found["noise at -90 dB"].std() == pytest.approx(10 ** (-90 / 20), rel=0.1)


def test_music_is_the_runs_own_where_it_exists(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(2 * WINDOW, 0.25), RATE)
    rows = f"a,{tmp_path / 'a.wav'}\nb,{tmp_path / 'gone.wav'}\n"
    (tmp_path / "index.csv").write_text(f"track_id,path\n{rows}")
    source, found = music_windows(tmp_path, 4, WINDOW, RATE, 0)
    assert source == "the run's recordings" and len(found) == 4
    np.testing.assert_allclose(found, 0.25, atol=1e-4)


def test_synthetic_music_otherwise(tmp_path):
    source, found = music_windows(tmp_path, 2, WINDOW, RATE, 0)
    assert source == "synthetic music" and len(found) == 2 and found[0].std() > 1e-3
    assert not np.array_equal(found[0], music_windows(tmp_path, 2, WINDOW, RATE, 1)[1][0])
