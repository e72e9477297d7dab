"""DEAM: how its archives unpack, and the real labels against emoMusic's."""

import shutil

import pytest

from adff_tf import datasets
from adff_tf.datasets import deam, emomusic

from ..real_data import needs_real_data, real_data
from .examples import DEAM_LABELS, error, make_deam


@pytest.mark.parametrize("audio", ["MEMD_audio", "DEAM_audio/MEMD_audio"])
@pytest.mark.parametrize("top", ["DEAM_Annotations", "."])
def test_deam_as_its_archives_unpack(tmp_path, audio, top):
    made = make_deam(tmp_path / "made")
    root = tmp_path / "deam"
    (root / top).mkdir(parents=True)
    shutil.move(made / "DEAM_Annotations/annotations", root / top / "annotations")
    (root / audio).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made / "DEAM_audio/MEMD_audio", root / audio)
    assert datasets.load(root).tracks["track_id"].tolist() == ["2", "1000", "1001", "2001"]


def test_a_folder_instead_of_the_file(tmp_path):
    make_deam(tmp_path)
    file = tmp_path / f"{DEAM_LABELS}2000_2058.csv"
    file.unlink()
    assert f"There is no file {file}" in error(tmp_path)
    file.mkdir()
    assert f"{file} cannot be read" in error(tmp_path)


@needs_real_data
def test_deam_agrees_with_emomusic_once_its_columns_are_set_right():
    """emoMusic has the same 744 songs, unrounded.

    DEAM's labels have one decimal: half a tenth on 1..9 is 0.0125 on [-1, 1].
    """
    labels = deam.labels(real_data("deam"))
    assert len(labels) == 1802
    shared = labels.merge(
        emomusic.labels(real_data("emomusic")), on="track_id", suffixes=("", "_emomusic")
    )
    assert len(shared) == 744
    for name in ("valence", "arousal"):
        equal = (shared[name] - shared[f"{name}_emomusic"]).abs() <= 0.0125 + 1e-9
        assert equal.mean() >= 0.99
