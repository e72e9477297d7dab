"""Music out of Debian's packages."""

import shutil
import zipfile

import pytest

from adff_tf.errors import InputError
from adff_tf.support.console import SILENT
from recipes.music import debian
from recipes.music.table import Table

from .making import package, recording

needs_dpkg = pytest.mark.skipif(
    not all(map(shutil.which, ("apt-get", "dpkg-deb", "ffmpeg"))), reason="needs Debian and ffmpeg"
)


@pytest.mark.parametrize(
    ("path", "effect"),
    [
        ("usr/share/games/x/music/rain.ogg", False),
        ("usr/share/games/x/sounds/bgm1.ogg", False),
        ("usr/share/games/x/themes/training.ogg", False),
        ("usr/share/games/x/sounds/Rain_Loop.ogg", True),
        ("usr/share/games/x/sounds/ambient/forest.ogg", True),
        ("usr/share/games/x/soundfx/anvil.ogg", True),
        ("usr/share/games/x/tilesets/winter/sounds/day.ogg", True),
        ("usr/share/games/x/voice/hello.ogg", True),
    ],
)
def test_effects_are_known_by_their_paths(path, effect):
    assert debian.is_effect(path) == effect


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("Files: *\nLicense: GPL-2+\n\nLicense: GPL-2+\n full text", "GPL-2+"),
        ("License: CC0-1.0\nLicense: GPL-3\n", "CC0-1.0; GPL-3"),
        ("License: a\nLicense: b\nLicense: c\nLicense: d\n", "4 licences: see file"),
        ("This package was debianized by somebody.", "see file"),
    ],
)
def test_licences_of_a_copyright_file(text, summary):
    assert debian.summarize_licences(text) == summary


@needs_dpkg
def test_a_package_gives_its_music(tmp_path, monkeypatch):
    """Kept: long recordings, also in a zip and of one name. Left out: short, twice, effects."""
    game = tmp_path / "tree" / "usr" / "share" / "games" / "game"
    recording(game / "music" / "one.ogg", 21, 1)
    recording(game / "music" / "more" / "one.ogg", 22, 2)
    recording(game / "music" / "short.ogg", 19, 3)
    recording(game / "sfx" / "wind.ogg", 30, 4)
    recording(game / "two.wav", 20.5, 5)
    shutil.copy(game / "two.wav", game / "two-again.wav")
    (game / "music" / "damaged.ogg").write_bytes(b"OggS" + bytes(3000))
    zipped = recording(tmp_path / "three.flac", 25, 6)
    with zipfile.ZipFile(game / "data.pk3", "w") as archive:
        archive.write(zipped, "music/three.flac")
        archive.writestr("textures/wall.txt", "no music")
    cache = tmp_path / "cache"
    cache.mkdir()
    package(cache, "game", tmp_path / "tree", ["CC0-1.0"])

    out = tmp_path / "out"
    out.mkdir()
    table = Table(out)
    debian.gather(table, cache, ["game"], SILENT)
    lengths = {row.file: row.seconds for row in table.rows.values()}
    folder = "debian/game"
    assert lengths.pop(f"{folder}/three.flac") == 25
    assert lengths.pop(f"{folder}/two.wav", None) or lengths.pop(f"{folder}/two-again.wav") == 20.5
    assert sorted(lengths.values()) == [21, 22]
    assert {row.licence for row in table.rows.values()} == {"CC0-1.0"}
    assert "CC0-1.0" in (out / folder / "copyright").read_text()
    assert len(list((out / folder).iterdir())) == len(table.rows) + 1
    assert not list(out.glob(".deb*"))

    monkeypatch.setattr(debian, "unpack", lambda *_: pytest.fail("unpacked again"))
    debian.gather(Table(out), cache, ["game"], SILENT)


@needs_dpkg
def test_a_damaged_package_is_one_line(tmp_path):
    (tmp_path / "game_1_all.deb").write_bytes(b"!<arch>\ndebian-binary")
    with pytest.raises(InputError, match=r"game_1_all\.deb is damaged"):
        debian.gather(Table(tmp_path), tmp_path, ["game"], SILENT)


def test_a_machine_without_apt_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get is not installed"):
        debian.gather(Table(tmp_path), None, ["game"], SILENT)


def test_packages_that_no_mirror_has(tmp_path, monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda program: program)
    monkeypatch.setattr(debian, "download", lambda package, folder: None)
    with pytest.raises(InputError, match="apt-get update"):
        debian.gather(Table(tmp_path), None, ["game"], SILENT)


def test_every_package_stands_once_in_the_list():
    assert len(set(debian.PACKAGES)) == len(debian.PACKAGES)
