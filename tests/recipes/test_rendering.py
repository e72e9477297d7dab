"""MIDI to FLAC. FluidSynth is replaced by a program that writes noise, except in one test."""

import shutil
import sys

import numpy as np
import pytest
import soundfile

from adff_tf.errors import InputError
from adff_tf.support.console import SILENT
from recipes.music import rendering
from recipes.music.table import Table

from .making import scale

pytest.importorskip("mido")

FLUIDSYNTH = f"""#!{sys.executable}
import sys, numpy, soundfile
font, midi, wav = sys.argv[-2], sys.argv[-1], sys.argv[sys.argv.index("-F") + 1]
seed = sum(open(midi, "rb").read())
if "broken" in font:
    sys.exit("not a SoundFont")
noise = numpy.random.default_rng(seed).normal(0, .1, (20 * 32000, 2))
soundfile.write(wav, noise, 32000, subtype="FLOAT")
"""


@pytest.fixture
def fake_fluidsynth(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text(FLUIDSYNTH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def make_kit(folder, *names, variants=2):
    fonts = tuple(folder / name for name in names)
    for font in fonts:
        font.touch()
    return rendering.Kit(fonts, variants, seed=1)


def make_table(folder):
    (folder / "out").mkdir(exist_ok=True)
    return Table(folder / "out")


def test_every_variant_of_every_file_is_rendered_once(tmp_path, fake_fluidsynth, monkeypatch):
    for name in ("a", "b"):
        scale(tmp_path / "midis" / f"{name}.mid")
    (tmp_path / "midis" / "damaged.mid").write_bytes(b"no MIDI")
    kit = make_kit(tmp_path, "one.sf2", "two.sf2")
    rendering.gather_emopia(make_table(tmp_path), kit, tmp_path / "midis", SILENT)
    rows = list(make_table(tmp_path).rows.values())
    wanted = [f"emopia/{name}.{variant}.flac" for variant in (0, 1) for name in "ab"]
    assert [row.file for row in rows] == wanted
    assert {(row.seconds, row.licence) for row in rows} == {(20, "CC-BY-NC-SA-4.0")}
    info = soundfile.info(tmp_path / "out" / wanted[0])
    assert (info.samplerate, info.channels, info.subtype) == (32000, 1, "PCM_16")
    peak_db = 20 * np.log10(np.abs(soundfile.read(tmp_path / "out" / wanted[0])[0]).max())
    assert -9.1 <= peak_db <= -0.4

    (tmp_path / "out" / wanted[2]).unlink()
    rendered = []
    render = rendering.render_variant
    monkeypatch.setattr(
        rendering, "render_variant", lambda *a: rendered.append(a[3].name) or render(*a)
    )
    rendering.gather_emopia(make_table(tmp_path), kit, tmp_path / "midis", SILENT)
    assert rendered == ["damaged.0.flac", "a.1.flac", "damaged.1.flac"]


def test_midi_files_of_packages_carry_their_licence(tmp_path, fake_fluidsynth):
    folder = tmp_path / "out" / "debian" / "game"
    scale(folder / "a.mid")
    (folder / "copyright").write_text("License: GPL-2\n")
    table = make_table(tmp_path)
    rendering.gather_debian(table, make_kit(tmp_path, "one.sf2", variants=1), SILENT)
    row = table.rows["midi/game/a.0.flac"]
    assert (row.source, row.licence) == ("midi/game", "GPL-2")


def test_a_folder_without_midi(tmp_path):
    with pytest.raises(InputError, match=r"holds no \.mid files"):
        rendering.gather_emopia(make_table(tmp_path), make_kit(tmp_path, "a"), tmp_path, SILENT)


def test_no_fluidsynth(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="fluidsynth is not installed"):
        rendering.check(make_kit(tmp_path, "one.sf2"))


def test_no_sound_font(tmp_path, fake_fluidsynth):
    with pytest.raises(InputError, match=r"(?s)missing\.sf2.*sound_fonts"):
        rendering.check(rendering.Kit((tmp_path / "missing.sf2",), 1, 1))


def test_a_sound_font_that_fluidsynth_refuses(tmp_path, fake_fluidsynth):
    midi = scale(tmp_path / "a.mid")
    make_kit(tmp_path, "broken.sf2")
    with pytest.raises(InputError, match="not a SoundFont"):
        rendering.synthesize(midi, tmp_path / "broken.sf2")


def test_fluidsynth_without_end(tmp_path, fake_fluidsynth, monkeypatch):
    (tmp_path / "bin" / "fluidsynth").write_text(f"#!{sys.executable}\nimport time; time.sleep(9)")
    monkeypatch.setattr(rendering, "TIMEOUT_S", 0.1)
    assert len(rendering.synthesize(scale(tmp_path / "a.mid"), tmp_path / "one.sf2")) == 0


@pytest.mark.skipif(
    not (shutil.which("fluidsynth") and rendering.SOUND_FONTS[1].exists()),
    reason="needs fluidsynth and timgm6mb-soundfont",
)
def test_fluidsynth_plays_the_pitch(tmp_path):
    """The strongest frequency of a held A4 is 440 Hz."""
    import mido

    track = mido.MidiTrack(
        [
            mido.Message("program_change", program=73),  # flute
            mido.Message("note_on", note=69, velocity=100),
            mido.Message("note_off", note=69, time=1920),
        ]
    )
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    samples = rendering.synthesize(tmp_path / "a.mid", rendering.SOUND_FONTS[1])[:32000]
    assert np.abs(np.fft.rfft(samples)).argmax() == pytest.approx(440, abs=5)
