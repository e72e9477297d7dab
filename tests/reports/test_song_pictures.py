"""Pictures of answers that were made by hand: what stands in their files."""

import re

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from adff_tf.inference.emotion import Emotion
from adff_tf.reports import song_pictures
from adff_tf.tasks import TASKS


def emotion(name: str, valence: float = 0.3, arousal: float = 0.2) -> Emotion:
    """Three windows of 20 s that feel alike."""
    start = np.arange(3) * 10.0
    windows = {"valence": np.full(3, valence), "arousal": np.full(3, arousal)}
    return Emotion(TASKS["both"], name, 40.0, 20.0, 10.0, start, start + 20, windows)


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """A system whose fonts are a damaged file, one of boxes for every letter, and one that has 夜 (night) and nothing else."""

    def font(name: str, letters: str) -> None:
        pen = TTGlyphPen(None)
        pen.moveTo((100, 0))
        for corner in ((100, 700), (600, 700), (600, 0)):
            pen.lineTo(corner)
        pen.closePath()
        made = FontBuilder(1000)
        made.setupGlyphOrder([".notdef", "box"])
        made.setupCharacterMap(dict.fromkeys(map(ord, letters), "box"))
        made.setupGlyf(dict.fromkeys([".notdef", "box"], pen.glyph()))
        made.setupHorizontalMetrics(dict.fromkeys([".notdef", "box"], (700, 100)))
        made.setupHorizontalHeader(ascent=800, descent=-200)
        made.setupNameTable(
            {"familyName": name, "styleName": "Regular", "psName": name.replace(" ", "")}
        )
        made.setupOS2()
        made.setupPost()
        made.save(tmp_path / f"{name}.ttf")

    font("LastResort", "夜曲")
    font("Night Sans", "夜")
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    monkeypatch.setattr(
        font_manager, "findSystemFonts", lambda: [str(file) for file in tmp_path.glob("*.ttf")]
    )
    before = list(font_manager.fontManager.ttflist)
    yield
    font_manager.fontManager.ttflist[:] = before


@pytest.mark.filterwarnings("error")
def test_letters_that_the_own_font_lacks(fonts, tmp_path):
    """They come from the system's fonts; one that no font has is drawn as a box, without a word."""
    out = tmp_path / "out"
    out.mkdir()
    pictures = song_pictures.Pictures(out)
    for name in ("夜曲 night.mp3", "plain.mp3"):
        pictures.add(emotion(name))
    pictures.finish()
    for stem, is_night in (
        ("夜曲_night-curve", True),
        ("夜曲_night-path", True),
        ("songs", True),
        ("plain-curve", False),
    ):
        drawn = (out / f"{stem}.svg").read_text()
        fonts = set(re.findall(r'id="(\w+)-[0-9a-f]+"', drawn))
        assert {"DejaVuSans"} <= fonts and fonts - {"DejaVuSans"} == (
            {"NightSans"} if is_night else set()
        ), stem


def test_songs_at_one_place_share_a_label():
    places = {"a.mp3": (0.3, 0.2), "b.mp3": (-0.5, 0.1), "c.mp3": (0.31, 0.2), "d.mp3": (0.3, -0.2)}
    (axis,) = song_pictures.plane([emotion(name, *place) for name, place in places.items()]).axes
    labels = {
        text.get_text(): tuple(np.round(text.xy, 6))
        for text in axis.texts
        if text.get_text()[:1].isdigit()
    }
    names = labels.pop("\n".join(f"{k}  {name}" for k, name in enumerate(places, start=1)))
    assert names == (1.03, 1) and labels == {"1, 3": (0.3, 0.2), "2": (-0.5, 0.1), "4": (0.3, -0.2)}


def test_songs_apart_have_their_names():
    (axis,) = song_pictures.plane(
        [emotion("high.mp3", 0.2, 0.5), emotion("low.mp3", 0.2, -0.5)]
    ).axes
    assert {text.get_text() for text in axis.texts} >= {"high.mp3", "low.mp3"}
