"""The parts of a built-in clip: they sum to the clip, and each plays its own notes."""

import numpy as np
import pytest
import soundfile

from adff_tf.datasets import synthetic
from adff_tf.datasets.synthetic import composer

from .pieces import RATE, changed


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_parts_sum_to_the_clip(seed):
    factors = changed(loudness_db=-24.0)
    clip, parts = composer.render_parts(factors, 4.0, RATE, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        clip, composer.render(factors, 4.0, RATE, np.random.default_rng(seed))
    )
    whole, level = sum(parts.values()), np.sqrt(np.mean(clip**2))
    assert np.corrcoef(clip, whole)[0, 1] > 0.98  # the limiter rounds peaks off
    soft = np.abs(whole) < level  # it leaves these; the noise floor lies 50 to 65 dB below
    assert np.sqrt(np.mean((clip - whole)[soft] ** 2)) < 0.02 * level


def test_the_set_has_a_folder_of_stems(tmp_path):
    root = synthetic.make(tmp_path / "set", clips=2, seconds=3.0, workers=1, stems=True)
    for track in ("0", "1"):
        clip, rate = soundfile.read(root / "audio" / f"{track}.flac")
        place = root / "stems" / track
        assert {file.stem for file in place.iterdir()} == {"vocals", "bass", "drums", "other"}
        stems = [soundfile.read(file)[0] for file in place.iterdir()]
        assert {len(stem) for stem in stems} == {len(clip)}
        assert np.corrcoef(clip, sum(stems))[0, 1] > 0.98
    without = synthetic.make(tmp_path / "other", clips=2, seconds=3.0, workers=1)
    assert not (without / "stems").exists()
    kept = (without / "audio" / "1.flac").read_bytes()
    assert kept == (root / "audio" / "1.flac").read_bytes()
    synthetic.make(
        without, clips=2, seconds=3.0, workers=1, stems=True
    )  # made when asked for later
    assert (without / "stems" / "1" / "other.flac").is_file()
    assert (without / "audio" / "1.flac").read_bytes() == kept
