"""The loaders on the data sets' own files, against other readers, other files and published counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.datasets import deam, emomusic, pmemo, quadrants

from ..real_data import needs_real_data, real_data

ROOT = real_data()
pytestmark = needs_real_data


def test_pmemo_has_767_labels_27_unlabelled_and_4_choruses():
    labels = pmemo.labels(ROOT / "pmemo")
    published = pd.read_csv(ROOT / "pmemo/annotations/static_annotations.csv").set_index("musicId")
    assert len(labels) == 767
    expected = published.loc[labels["track_id"].astype(int)]
    np.testing.assert_allclose(labels["valence"], 2 * expected["Valence(mean)"] - 1, atol=1e-12)
    np.testing.assert_allclose(labels["arousal"], 2 * expected["Arousal(mean)"] - 1, atol=1e-12)

    found = datasets.load(ROOT / "pmemo")
    assert found.tracks["track_id"].tolist() == ["108", "372", "634", "683"]
    assert all(Path(path).is_file() for path in found.tracks["path"])
    songs = set(pd.read_csv(ROOT / "pmemo/metadata.csv")["musicId"])
    unlabelled = sorted(songs - set(published.index))
    assert len(unlabelled) == 27
    assert (
        f"27 of the 794 songs in metadata.csv have no static label and are left out: {', '.join(map(str, unlabelled))}."
        in found.notes
    )
    assert "763 of the 767 labelled tracks have no audio in chorus/: 4 are used." in found.notes


def test_pmemo_static_labels_go_with_its_dynamic_ones():
    dynamic = (
        pd.read_csv(ROOT / "pmemo/annotations/dynamic_annotations.csv").groupby("musicId").mean()
    )
    labels = pmemo.labels(ROOT / "pmemo").set_index("track_id")
    labels.index = labels.index.astype(int)
    both = labels.join(dynamic, how="inner")
    assert len(both) > 700
    same = both["valence"].corr(both["Valence(mean)"]), both["arousal"].corr(both["Arousal(mean)"])
    assert min(same) > 0.8


def test_emomusic_has_744_songs_of_411_artists():
    labels = emomusic.labels(ROOT / "emomusic")
    published = (
        pd.read_csv(ROOT / "emomusic/static_annotations.csv")
        .set_index("song_id")
        .loc[labels["track_id"].astype(int)]
    )
    assert len(labels) == 744 and labels["group"].nunique() == 411
    np.testing.assert_allclose(labels["valence"], (published["mean_valence"] - 5) / 4, atol=1e-12)
    np.testing.assert_allclose(labels["arousal"], (published["mean_arousal"] - 5) / 4, atol=1e-12)


def test_deam_agrees_with_emomusic_once_its_columns_are_set_right():
    """emoMusic has the same 744 songs, unrounded; DEAM's labels have one decimal: half a tenth on 1..9 is 0.0125 here."""
    labels = deam.labels(ROOT / "deam")
    assert len(labels) == 1802
    shared = labels.merge(
        emomusic.labels(ROOT / "emomusic"), on="track_id", suffixes=("", "_emomusic")
    )
    assert len(shared) == 744
    for name in ("valence", "arousal"):
        equal = (shared[name] - shared[f"{name}_emomusic"]).abs() <= 0.0125 + 1e-9
        assert equal.mean() >= 0.99


def emopia_audio(folder: Path) -> Path:
    """EMOPIA's table with an empty recording a clip."""
    (folder / "audio").mkdir()
    (folder / "label.csv").write_bytes((ROOT / "emopia/label.csv").read_bytes())
    for name in pd.read_csv(folder / "label.csv")["ID"]:
        (folder / "audio" / f"{name}.wav").touch()
    return folder


def test_emopia_has_1078_clips_of_387_songs(tmp_path):
    found = datasets.load(emopia_audio(tmp_path))
    tracks = found.tracks
    assert found.labels == "quadrant" and found.notes == () and len(tracks) == 1078
    clips = tracks.groupby(["valence", "arousal"]).size()
    assert [clips[signs] for signs in ((1, 1), (-1, 1), (-1, -1), (1, -1))] == [250, 265, 253, 310]
    assert tracks["group"].nunique() == 387


def test_emopia_songs_are_those_of_its_own_table_by_song():
    published = pd.read_csv(ROOT / "emopia/metadata_by_song.csv").set_index("songID")
    labels = quadrants.labels(ROOT / "emopia")
    quadrant = [
        {(1, 1): 1, (-1, 1): 2, (-1, -1): 3, (1, -1): 4}[signs]
        for signs in zip(labels["valence"], labels["arousal"], strict=True)
    ]
    counts = pd.crosstab(labels["group"], np.array(quadrant))
    assert set(counts.index) == set(published.index)
    assert (
        counts.loc[published.index].to_numpy()
        == published[[f"num_Q{number}" for number in (1, 2, 3, 4)]].to_numpy()
    ).all()


def test_pmemos_annotations_over_time():
    """Counted in the published file: 36,434 rows of 767 songs, from 15.5 s in steps of half a second to the chorus's end."""
    table = pmemo.dynamic(real_data("pmemo"))
    assert (
        len(table) == 36434 and table["track_id"].nunique() == 767 and table["time_s"].min() == 15.5
    )
    song = table[table["track_id"] == "108"]
    assert (
        len(song) == 68
        and song["time_s"].iloc[-1] == 49.0
        and set(np.diff(song["time_s"])) == {0.5}
    )
    assert song["arousal"].iloc[0] == pytest.approx(2 * 0.859475 - 1, abs=1e-6)
    assert song["valence"].iloc[0] == pytest.approx(2 * 0.783438 - 1, abs=1e-5)
