"""Pictures of emotions that were made by hand: the text in their files."""

import re

import numpy as np
import pytest

from adff_tf.inference.emotion import Emotion
from adff_tf.reports import picture_files, song_pictures
from adff_tf.tasks import TASKS


def emotion(name: str, valence: float = 0.3, arousal: float = 0.2) -> Emotion:
    """Three equal windows of 20 s."""
    start = np.arange(3) * 10.0
    windows = {"valence": np.full(3, valence), "arousal": np.full(3, arousal)}
    return Emotion(TASKS["both"], name, 40.0, 20.0, 10.0, start, start + 20, windows)


@pytest.mark.filterwarnings("error")
def test_letters_that_the_font_lacks_print_no_warning(tmp_path, capfd):
    pictures = picture_files.Pictures(tmp_path)
    for name in ("夜曲 night.mp3", "שיר.mp3", "plain.mp3"):
        pictures.add(emotion(name))
    pictures.finish()
    assert capfd.readouterr() == ("", "")
    for stem in ("夜曲_night-curve", "夜曲_night-path", "שיר-curve", "songs", "plain-curve"):
        drawn = (tmp_path / f"{stem}.svg").read_text()
        assert set(re.findall(r'id="(\w+)-[0-9a-f]+"', drawn)) == {"DejaVuSans"}, stem


def test_songs_of_one_name_have_their_own_files(tmp_path):
    pictures = picture_files.Pictures(tmp_path)
    for name in ("x/a.mp3", "y/a.mp3", "a.wav", "-", "?.wav"):
        pictures.add(emotion(name))
    stems = {file.name.removesuffix("-path.svg") for file in tmp_path.glob("*-path.svg")}
    assert stems == {"a", "a-2", "a-3", "stdin", "_"}


def test_songs_at_one_place_share_a_label():
    places = {"a.mp3": (0.3, 0.2), "b.mp3": (-0.5, 0.1), "c.mp3": (0.31, 0.2), "d.mp3": (0.3, -0.2)}
    emotions = [emotion(name, *place) for name, place in places.items()]
    (axis,) = song_pictures.draw_plane(emotions).axes
    labels = {
        text.get_text(): tuple(np.round(text.xy, 6))
        for text in axis.texts
        if text.get_text()[:1].isdigit()
    }
    names = labels.pop("\n".join(f"{k}  {name}" for k, name in enumerate(places, start=1)))
    assert names == (1.03, 1) and labels == {"1, 3": (0.3, 0.2), "2": (-0.5, 0.1), "4": (0.3, -0.2)}


def test_songs_apart_have_their_names():
    emotions = [emotion("high.mp3", 0.2, 0.5), emotion("low.mp3", 0.2, -0.5)]
    (axis,) = song_pictures.draw_plane(emotions).axes
    assert {text.get_text() for text in axis.texts} >= {"high.mp3", "low.mp3"}
