"""Variants of MIDI files, read back with mido alone."""

import numpy as np
import pytest

from .making import scale

mido = pytest.importorskip("mido")

from recipes.music import midi  # noqa: E402

SEEDS = range(12)


def notes(file) -> list[tuple[float, int, int]]:
    """Return start, channel and pitch of every note of a file."""
    found, time_s = [], 0.0
    for message in file:
        time_s += message.time
        if message.type == "note_on" and message.velocity:
            found.append((time_s, message.channel, message.note))
    return found


def melody(file) -> list[tuple[float, int]]:
    return [
        (s, pitch) for s, channel, pitch in notes(file) if channel not in (midi.DRUMS, midi.BASS)
    ]


def test_one_seed_one_variant_and_others_differ(tmp_path):
    path = scale(tmp_path / "a.mid")

    def variant(seed):
        return notes(midi.vary(path, np.random.default_rng(seed)))

    assert variant(1) == variant(1)
    assert len({str(variant(seed)) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_tempo_and_key_move_together_and_within_their_ranges(tmp_path, seed):
    path = scale(tmp_path / "a.mid")
    before = melody(mido.MidiFile(path))
    after = melody(midi.vary(path, np.random.default_rng(seed)))
    assert len(after) == len(before)
    times, pitches = np.array(after).T
    factors = np.array(before)[1:, 0] / times[1:]
    assert factors.min() >= 0.8 - 1e-3 and factors.max() <= 1.2 + 1e-3
    assert np.ptp(factors) < 5e-3
    steps = pitches - np.array(before)[:, 1]
    assert np.ptp(steps) == 0 and abs(steps[0]) <= 6


def test_every_kind_of_variant_is_drawn(tmp_path):
    path = scale(tmp_path / "a.mid")
    channels = [
        {channel for _, channel, _ in notes(midi.vary(path, np.random.default_rng(seed)))}
        for seed in range(30)
    ]
    for part in (1, midi.BASS, midi.DRUMS):
        assert any(part in found for found in channels)
        assert any(part not in found for found in channels)


def test_drums_keep_their_notes(tmp_path):
    path = scale(tmp_path / "drums.mid", channel=midi.DRUMS)
    after = notes(midi.vary(path, np.random.default_rng(0)))
    assert [n for _, _, n in after] == [n for _, _, n in notes(mido.MidiFile(path))]


def test_a_piece_for_several_keeps_the_families(tmp_path):
    file = mido.MidiFile()
    for channel, program in enumerate((40, 73)):
        track = mido.MidiTrack()
        track.append(mido.Message("program_change", channel=channel, program=program))
        track.append(mido.Message("note_on", channel=channel, note=60))
        track.append(mido.Message("note_off", channel=channel, note=60, time=480))
        file.tracks.append(track)
    file.save(tmp_path / "two.mid")
    for seed in SEEDS:
        after = midi.vary(tmp_path / "two.mid", np.random.default_rng(seed))
        programs = {m.channel: m.program for m in after if m.type == "program_change"}
        assert programs[0] in range(40, 48)
        assert programs[1] in range(72, 80)


@pytest.mark.parametrize("bpm", [80, 97, 120])
def test_the_beat_of_onsets_on_a_grid(bpm):
    rng = np.random.default_rng(0)
    eighth_s = 30 / bpm
    on_grid = rng.choice(np.arange(100), 60, replace=False)
    beat_s, start_s = midi.estimate_beat(0.1 + on_grid * eighth_s + rng.normal(0, 0.01, 60))
    assert beat_s == pytest.approx(60 / bpm, rel=0.01)
    assert start_s == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("seconds", [30, 250])
def test_every_note_and_pedal_ends(tmp_path, seconds):
    """FluidSynth never ends otherwise. The longer file is cut inside its notes."""
    track = mido.MidiTrack()
    for pitch in (60, 64):
        track.append(mido.Message("control_change", control=64, value=100))
        track.append(mido.Message("note_on", note=pitch, time=round(seconds * 480)))
        track.append(mido.Message("note_on", note=pitch + 1))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    sounding, pedals = set(), {}
    for message in midi.vary(tmp_path / "a.mid", np.random.default_rng(0)):
        if message.type in ("note_on", "note_off"):
            edit = sounding.add if message.type == "note_on" else sounding.discard
            edit((message.channel, message.note))
        elif message.type == "control_change":
            pedals[message.channel] = message.value
    assert not sounding
    assert set(pedals.values()) == {0}


@pytest.mark.parametrize("content", [b"", b"no MIDI", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\xff"])
def test_a_damaged_file_gives_nothing(tmp_path, content):
    (tmp_path / "a.mid").write_bytes(content)
    assert midi.vary(tmp_path / "a.mid", np.random.default_rng(0)) is None


def test_a_file_without_notes_gives_nothing(tmp_path):
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([mido.Message("program_change", program=3)]))
    file.save(tmp_path / "a.mid")
    assert midi.vary(tmp_path / "a.mid", np.random.default_rng(0)) is None
