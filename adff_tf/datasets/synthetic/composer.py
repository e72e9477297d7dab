"""A piece of music for given factors: chords, melody, bass and drums, then its waveform.

Units: pitches are MIDI numbers (60 is middle C), times seconds, levels linear.

A piece is in 4/4, one chord a bar, in a random key. `compose` chooses the onsets (exactly
`density_hz` a second, on a grid set by the tempo, strong beats first) and the parts that play on
each; `render` turns the notes into a waveform.

The order in which the generator draws is part of the music: another order gives other clips.
"""

import dataclasses

import numpy as np

from . import instruments
from .factors import Factors

# A chord is its root in semitones over the tonic, and whether the triad is major.
PROGRESSIONS = {
    "major": (
        ((0, True), (5, True), (7, True), (0, True)),
        ((0, True), (7, True), (5, True), (7, True)),
        ((0, True), (9, False), (5, True), (7, True)),
        ((0, True), (10, True), (5, True), (0, True)),
        ((5, True), (7, True), (0, True), (0, True)),
        ((0, True), (5, True), (0, True), (2, False), (7, True), (5, True), (7, True), (0, True)),
    ),
    "minor": (
        ((0, False), (5, False), (7, False), (0, False)),
        ((0, False), (8, True), (5, False), (0, False)),
        ((0, False), (5, False), (0, False), (7, True)),
        ((0, False), (7, False), (5, False), (7, False)),
        ((5, False), (7, False), (0, False), (0, False)),
        (
            (0, False),
            (5, False),
            (0, False),
            (10, True),
            (5, False),
            (0, False),
            (7, False),
            (0, False),
        ),
    ),
}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
CHORD_CENTRE, MELODY_CENTRE, BASS_CENTRE = 70, 81, 40
PARTS = ("melody", "bass", "drums", "chords")
DETUNE_CENTS = 45  # between the strings of a note in the roughest piece


@dataclasses.dataclass(frozen=True)
class Note:
    """A note; `pitch` is a MIDI number, or the name of a drum."""

    part: str
    pitch: int | str
    start_s: float
    length_s: float
    level: float


@dataclasses.dataclass(frozen=True)
class Onsets:
    """The moments at which something sounds; arrays of shape `(onsets,)`.

    Attributes:
        times_s: start of each onset.
        beats: index of its beat in the piece.
        bars: index of its bar.
        on_beat: whether it falls on a beat.
        seconds: length of the piece.
    """

    times_s: np.ndarray
    beats: np.ndarray
    bars: np.ndarray
    on_beat: np.ndarray
    seconds: float

    def lengths(self, chosen: np.ndarray, share: float) -> np.ndarray:
        """Return the length of a note on each `chosen` onset: `share` of the time to the next."""
        gaps = np.diff(self.times_s[chosen], append=self.seconds)
        return np.minimum(gaps * share, instruments.NOTE_S)


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """The style of a piece; no label depends on it."""

    key: int
    progression: tuple[tuple[int, bool], ...]
    drums: bool
    bass: bool
    melody_share: float
    comping: str
    swing: float
    levels: dict[str, float]


def arrange(mode: str, rng: np.random.Generator) -> Arrangement:
    """Draw an arrangement in `mode`."""
    progressions = PROGRESSIONS[mode]
    return Arrangement(
        key=int(rng.integers(12)),
        progression=progressions[rng.integers(len(progressions))],
        drums=bool(rng.random() < 0.8),
        bass=bool(rng.random() < 0.9),
        melody_share=rng.uniform(0.4, 0.9),
        comping=str(rng.choice(["bars", "beats", "onsets", "arpeggio"])),
        swing=float(rng.choice([0.0, 0.0, rng.uniform(0.1, 0.3)])),
        levels={
            part: 10 ** (rng.uniform(-3, 3) / 20) for part in ("chords", "melody", "bass", "drums")
        },
    )


def choose_steps(
    tempo_bpm: float, density_hz: float, seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return the steps of the grid on which something sounds, in order, and the steps in a beat.

    The `round(density_hz * seconds)` strongest steps are chosen: bars before beats before eighths;
    equals by a pattern that repeats every two bars.
    """
    # Sixteenths, or thirty-seconds where sixteenths are too slow for the density.
    division = 4 if tempo_bpm >= 112 else 8
    steps = np.arange(int(seconds * tempo_bpm / 60 * division))
    strength = sum((steps % (division * beats) == 0) * 1.0 for beats in (4, 2, 1, 0.5, 0.25))
    pattern = rng.uniform(0, 1.5, 8 * division)[steps % (8 * division)]
    rank = strength + pattern + rng.uniform(0, 0.3, len(steps))
    rank[0] = np.inf
    count = min(len(steps), round(density_hz * seconds))
    return np.sort(np.argsort(-rank)[:count]), division


def voice_triad(root: int, major: bool, centre: float) -> list[int]:
    """Return the four notes of a triad nearest to `centre`, low to high."""
    wanted = {root % 12, (root + (4 if major else 3)) % 12, (root + 7) % 12}
    near = sorted(range(int(centre) - 9, int(centre) + 11), key=lambda pitch: abs(pitch - centre))
    return sorted([pitch for pitch in near if pitch % 12 in wanted][:4])


def draw_clashes(chord: list[int], roughness: float, rng: np.random.Generator) -> list[int]:
    """Draw notes a semitone beside those of the chord: none at roughness 0, three at 1."""
    count = int(3 * roughness + rng.random())
    return [chord[i] + int(rng.choice([-1, 1])) for i in rng.permutation(len(chord))[:count]]


def compose(
    factors: Factors, seconds: float, rng: np.random.Generator
) -> tuple[list[Note], Arrangement]:
    """Compose a piece of `seconds` with these factors: its notes and its arrangement."""
    style = arrange(factors.mode, rng)
    steps, division = choose_steps(factors.tempo_bpm, factors.density_hz, seconds, rng)
    onsets = _place_onsets(steps, division, factors.tempo_bpm, style.swing, seconds)
    parts = _assign_parts(style, onsets, rng)
    notes = [
        *_compose_chords_and_bass(factors, style, onsets, parts, rng),
        *_compose_melody(factors, style, onsets, parts, rng),
    ]
    if style.drums:
        notes += _compose_drums(onsets, parts, rng)
    return notes, style


def _place_onsets(
    steps: np.ndarray, division: int, tempo_bpm: float, swing: float, seconds: float
) -> Onsets:
    """Return the onsets on these steps of the grid; swing delays every second eighth."""
    step_s = 60 / tempo_bpm / division
    late = swing * 60 / tempo_bpm / 4 * (steps % (division // 2) == division // 4)
    return Onsets(
        times_s=steps * step_s + late,
        beats=steps // division,
        bars=steps // (4 * division),
        on_beat=steps % division == 0,
        seconds=seconds,
    )


def _assign_parts(
    style: Arrangement, onsets: Onsets, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return a mask of the onsets for each part; chords or melody play on every onset."""
    count, on_beat = len(onsets.times_s), onsets.on_beat
    new_bar = np.diff(onsets.bars, prepend=-1) > 0
    chords = {
        "bars": new_bar,
        "beats": new_bar | on_beat,
        "onsets": new_bar | (rng.random(count) < 0.45),
        "arpeggio": np.ones(count, bool),
    }[style.comping]
    melody = rng.random(count) < style.melody_share
    hat = style.drums & (rng.random(count) < rng.uniform(0.3, 1.0))
    melody |= ~(chords | melody)
    bass = style.bass & (new_bar | on_beat & (rng.random(count) < 0.85))
    return {"chords": chords, "melody": melody, "hat": hat, "bass": bass}


def _roughness(factors: Factors) -> float:
    """Return the roughness: 0 at consonance 1, 1 at consonance -1."""
    return (1 - factors.consonance) / 2


def _chord(style: Arrangement, bar: int) -> tuple[int, bool]:
    """Return the root of a bar's chord in semitones over C, and whether it is major."""
    root, major = style.progression[bar % len(style.progression)]
    return style.key + root, major


def _compose_chords_and_bass(
    factors: Factors,
    style: Arrangement,
    onsets: Onsets,
    parts: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> list[Note]:
    """Compose block or broken chords with their clashing notes, and the bass."""
    chords = {}
    for bar in np.unique(onsets.bars):
        chord = voice_triad(*_chord(style, bar), CHORD_CENTRE + factors.register_semitones)
        chords[bar] = chord + draw_clashes(chord, _roughness(factors), rng)
    notes = []
    chosen = np.flatnonzero(parts["chords"])
    lengths = onsets.lengths(chosen, factors.articulation)
    for turn, (i, length) in enumerate(zip(chosen, lengths, strict=True)):
        chord = chords[onsets.bars[i]]
        if style.comping == "arpeggio":
            # Two notes of a broken chord at a time: clashing notes must sound together.
            chord = [chord[turn % len(chord)], chord[(turn + len(chord) // 2) % len(chord)]]
        level = 0.8 / np.sqrt(len(chord))
        notes += [Note("chords", pitch, onsets.times_s[i], length, level) for pitch in chord]
    chosen = np.flatnonzero(parts["bass"])
    lengths = onsets.lengths(chosen, factors.articulation)
    for i, length in zip(chosen, lengths, strict=True):
        root, _ = _chord(style, onsets.bars[i])
        pitch = BASS_CENTRE - 6 + (root - BASS_CENTRE + 6) % 12
        notes.append(Note("bass", pitch, onsets.times_s[i], length, 0.9))
    return notes


def _compose_melody(
    factors: Factors,
    style: Arrangement,
    onsets: Onsets,
    parts: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> list[Note]:
    """Compose a walk near the middle of the melody's register.

    Chord notes fall on the beats and notes of the scale between; roughness adds wrong notes.
    """
    centre = MELODY_CENTRE + factors.register_semitones
    scale = {(style.key + step) % 12 for step in SCALES[factors.mode]}
    pitch, notes = centre, []
    chosen = np.flatnonzero(parts["melody"])
    lengths = onsets.lengths(chosen, factors.articulation)
    for i, length in zip(chosen, lengths, strict=True):
        root, major = _chord(style, onsets.bars[i])
        triad = {(root + step) % 12 for step in (0, 4 if major else 3, 7)}
        target = pitch + 0.3 * (centre - pitch) + rng.normal(0, 2.5)
        wanted = triad if onsets.on_beat[i] or rng.random() < 0.4 else scale
        pitch = min(
            (p for p in range(int(target) - 6, int(target) + 8) if p % 12 in wanted),
            key=lambda p: abs(p - target),
        )
        clash = int(rng.choice([-1, 1])) if rng.random() < 0.5 * _roughness(factors) else 0
        level = rng.uniform(0.6, 0.9)
        notes.append(Note("melody", pitch + clash, onsets.times_s[i], length, level))
    return notes


def _compose_drums(
    onsets: Onsets, parts: dict[str, np.ndarray], rng: np.random.Generator
) -> list[Note]:
    """Compose the drums.

    Kick on beats 1 and 3 or on all four, snare on 2 and 4, hat on its own onsets.
    """
    times, even = onsets.times_s, onsets.beats % 2 == 0
    every = rng.random() < 0.4
    notes = [Note("drums", "hat", time, 0.2, rng.uniform(0.3, 0.6)) for time in times[parts["hat"]]]
    kicks, snares = times[onsets.on_beat & (even | every)], times[onsets.on_beat & ~even]
    notes += [Note("drums", "kick", time, 0.35, 1.3) for time in kicks]
    notes += [Note("drums", "snare", time, 0.35, 0.8) for time in snares]
    return notes


def render(
    factors: Factors, seconds: float, sample_rate_hz: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a piece of `seconds` with these factors, `(samples,)` float32 within ±1."""
    return render_parts(factors, seconds, sample_rate_hz, rng)[0]


def render_parts(
    factors: Factors, seconds: float, sample_rate_hz: int, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return a piece as of `render`, and its four parts by name, `(samples,)` float32 each.

    The parts have the piece's room, equaliser and gain, and neither its noise floor nor the
    limiter: their sum is the piece but for these.
    """
    notes, style = compose(factors, seconds, rng)
    detune = DETUNE_CENTS * _roughness(factors)
    band = {}
    for part, timbres, cents in (
        ("chords", instruments.CHORD_TIMBRES, detune),
        ("melody", instruments.MELODY_TIMBRES, detune),
        ("bass", instruments.BASS_TIMBRES, 0.0),
    ):
        timbre = instruments.vary(timbres[rng.integers(len(timbres))], rng)
        band[part] = instruments.Instrument(timbre, sample_rate_hz, cents, rng)
    kit = instruments.make_drums(sample_rate_hz, rng)
    mix = np.zeros(round(seconds * sample_rate_hz), np.float32)
    parts = {part: np.zeros_like(mix) for part in PARTS}
    fade = np.linspace(1, 0, int(0.02 * sample_rate_hz), dtype=np.float32)
    for note in notes:
        sound = kit[note.pitch] if isinstance(note.pitch, str) else band[note.part].note(note.pitch)
        start = int(note.start_s * sample_rate_hz)
        length = min(len(sound), len(mix) - start, int(note.length_s * sample_rate_hz) + len(fade))
        played = sound[:length] * np.float32(note.level * style.levels[note.part])
        if len(fade) < length < len(sound):
            played[-len(fade) :] *= fade
        mix[start : start + length] += played
        parts[note.part][start : start + length] += played
    return instruments.master(
        mix, sample_rate_hz, factors.brightness_db_per_octave, factors.loudness_db, rng, parts
    )
