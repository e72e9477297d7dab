"""A piece of music for given factors: chords, melody, bass and drums, then its sound.

Pitches are MIDI numbers (60 is middle C), times seconds, levels linear. A piece is in 4/4, one chord a bar, in a random
key. `compose` decides when something sounds (exactly `density_hz` onsets a second, on a grid that the tempo sets, strong
beats first) and which part plays there; `render` turns the notes into a waveform.
"""

import dataclasses
from typing import Protocol

import numpy as np

from . import instruments

# Root in semitones over the tonic, and whether the triad is major.
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
DETUNE_CENTS = 45  # between the strings of a note in the roughest piece


class Factors(Protocol):
    """What a piece must have; `synthetic.Factors` says what each one means."""

    @property
    def tempo_bpm(self) -> float: ...
    @property
    def density_hz(self) -> float: ...
    @property
    def loudness_db(self) -> float: ...
    @property
    def brightness_db_per_octave(self) -> float: ...
    @property
    def articulation(self) -> float: ...
    @property
    def mode(self) -> str: ...
    @property
    def consonance(self) -> float: ...
    @property
    def register_semitones(self) -> float: ...


@dataclasses.dataclass(frozen=True)
class Note:
    """`pitch` is a MIDI number, or the name of a drum."""

    part: str
    pitch: int | str
    start_s: float
    length_s: float
    level: float


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """What a reporter hears as style and no label depends on."""

    key: int
    progression: tuple[tuple[int, bool], ...]
    drums: bool
    bass: bool
    melody_share: float
    comping: str
    swing: float
    levels: dict[str, float]


def arrange(mode: str, rng: np.random.Generator) -> Arrangement:
    """A random arrangement in `mode`."""
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


def grid(
    tempo_bpm: float, density_hz: float, seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """The steps on which something sounds, in order, and the number of steps in a beat.

    The `round(density_hz * seconds)` strongest steps are taken: bars before beats before eighths, and among equals as a
    pattern of two bars that comes again.
    """
    division = (
        4 if tempo_bpm >= 112 else 8
    )  # sixteenths, or thirty-seconds where sixteenths are too slow for the density
    steps = np.arange(int(seconds * tempo_bpm / 60 * division))
    strength = sum((steps % (division * beats) == 0) * 1.0 for beats in (4, 2, 1, 0.5, 0.25))
    pattern = rng.uniform(0, 1.5, 8 * division)[steps % (8 * division)]
    rank = strength + pattern + rng.uniform(0, 0.3, len(steps))
    rank[0] = np.inf
    count = min(len(steps), round(density_hz * seconds))
    return np.sort(np.argsort(-rank)[:count]), division


def voicing(root: int, major: bool, centre: float) -> list[int]:
    """The four notes of a triad that lie nearest to `centre`, low to high."""
    wanted = {root % 12, (root + (4 if major else 3)) % 12, (root + 7) % 12}
    near = sorted(range(int(centre) - 9, int(centre) + 11), key=lambda pitch: abs(pitch - centre))
    return sorted([pitch for pitch in near if pitch % 12 in wanted][:4])


def clashes(chord: list[int], roughness: float, rng: np.random.Generator) -> list[int]:
    """Notes a semitone beside those of the chord: none at roughness 0, three at 1."""
    count = int(3 * roughness + rng.random())
    return [chord[i] + int(rng.choice([-1, 1])) for i in rng.permutation(len(chord))[:count]]


def compose(
    factors: Factors, seconds: float, rng: np.random.Generator
) -> tuple[list[Note], Arrangement]:
    """The notes of a piece of `seconds` with these factors, and its arrangement."""
    style = arrange(factors.mode, rng)
    steps, division = grid(factors.tempo_bpm, factors.density_hz, seconds, rng)
    step_s = 60 / factors.tempo_bpm / division
    late = style.swing * 60 / factors.tempo_bpm / 4 * (steps % (division // 2) == division // 4)
    times = steps * step_s + late
    bars, on_beat = steps // (4 * division), steps % division == 0
    new_bar = np.diff(bars, prepend=-1) > 0
    parts = _parts(style, on_beat, new_bar, rng)
    roughness = (1 - factors.consonance) / 2
    notes = [
        *_harmony(factors, style, times, bars, parts, roughness, seconds, rng),
        *_melody(factors, style, times, bars, on_beat, parts, roughness, seconds, rng),
    ]
    if style.drums:
        notes += _drums(steps, division, times, parts, rng)
    return notes, style


def _parts(
    style: Arrangement, on_beat: np.ndarray, new_bar: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Which part plays on which onset, as masks; no onset is left to the drums alone."""
    count = len(on_beat)
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
    return {"chords": chords, "melody": melody, "hat": hat, "bass": bass, "beat": on_beat}


def _lengths(times: np.ndarray, seconds: float, share: float) -> np.ndarray:
    """How long each note sounds: that share of the time to the next one."""
    return np.minimum(np.diff(times, append=seconds) * share, instruments.NOTE_S)


def _harmony(factors, style, times, bars, parts, roughness, seconds, rng) -> list[Note]:
    """Chords as block chords or broken, with the notes that clash, and the bass under them."""
    notes = []
    chords, clashing = {}, {}
    for bar in np.unique(bars):
        root, major = style.progression[bar % len(style.progression)]
        chords[bar] = voicing(style.key + root, major, CHORD_CENTRE + factors.register_semitones)
        clashing[bar] = clashes(chords[bar], roughness, rng)
    at = np.flatnonzero(parts["chords"])
    broken = style.comping == "arpeggio"
    for turn, (i, length) in enumerate(
        zip(at, _lengths(times[at], seconds, factors.articulation), strict=True)
    ):
        chord = chords[bars[i]] + clashing[bars[i]]
        # A broken chord's notes come two at a time, so that what clashes is heard together.
        sounding = (
            [chord[turn % len(chord)], chord[(turn + len(chord) // 2) % len(chord)]]
            if broken
            else chord
        )
        level = 0.8 / np.sqrt(len(sounding))
        notes += [Note("chords", pitch, times[i], length, level) for pitch in sounding]
    at = np.flatnonzero(parts["bass"])
    for i, length in zip(at, _lengths(times[at], seconds, factors.articulation), strict=True):
        root = style.key + style.progression[bars[i] % len(style.progression)][0]
        notes.append(
            Note("bass", BASS_CENTRE - 6 + (root - BASS_CENTRE + 6) % 12, times[i], length, 0.9)
        )
    return notes


def _melody(factors, style, times, bars, on_beat, parts, roughness, seconds, rng) -> list[Note]:
    """A walk near the middle of its register: chord notes on the beats, the scale between, wrong notes where it is rough."""
    centre = MELODY_CENTRE + factors.register_semitones
    pitch, notes = centre, []
    at = np.flatnonzero(parts["melody"])
    for i, length in zip(at, _lengths(times[at], seconds, factors.articulation), strict=True):
        root, major = style.progression[bars[i] % len(style.progression)]
        triad = {(style.key + root + step) % 12 for step in (0, 4 if major else 3, 7)}
        scale = {(style.key + step) % 12 for step in SCALES[factors.mode]}
        target = pitch + 0.3 * (centre - pitch) + rng.normal(0, 2.5)
        wanted = triad if on_beat[i] or rng.random() < 0.4 else scale
        pitch = min(
            (p for p in range(int(target) - 6, int(target) + 8) if p % 12 in wanted),
            key=lambda p: abs(p - target),
        )
        clash = int(rng.choice([-1, 1])) if rng.random() < 0.5 * roughness else 0
        notes.append(Note("melody", pitch + clash, times[i], length, rng.uniform(0.6, 0.9)))
    return notes


def _drums(steps, division, times, parts, rng) -> list[Note]:
    """Kick on the first and third beat or on all four, snare on the second and fourth, hats on the onsets drawn for them."""
    beat, every = steps // division % 4, rng.random() < 0.4
    notes = [Note("drums", "hat", time, 0.2, rng.uniform(0.3, 0.6)) for time in times[parts["hat"]]]
    strong = parts["beat"]
    notes += [
        Note("drums", "kick", time, 0.35, 1.3) for time in times[strong & ((beat % 2 == 0) | every)]
    ]
    notes += [Note("drums", "snare", time, 0.35, 0.8) for time in times[strong & (beat % 2 == 1)]]
    return notes


def render(
    factors: Factors, seconds: float, sample_rate_hz: int, rng: np.random.Generator
) -> np.ndarray:
    """`(samples,)` float32 within ±1: a piece with these factors, `seconds` long."""
    notes, style = compose(factors, seconds, rng)
    detune = DETUNE_CENTS * (1 - factors.consonance) / 2
    band = {}
    for part, timbres, cents in (
        ("chords", instruments.CHORD_TIMBRES, detune),
        ("melody", instruments.MELODY_TIMBRES, detune),
        ("bass", instruments.BASS_TIMBRES, 0.0),
    ):
        timbre = instruments.varied(timbres[rng.integers(len(timbres))], rng)
        band[part] = instruments.Instrument(timbre, sample_rate_hz, cents, rng)
    kit = instruments.drum_kit(sample_rate_hz, rng)
    mix = np.zeros(round(seconds * sample_rate_hz), np.float32)
    fade = np.linspace(1, 0, int(0.02 * sample_rate_hz), dtype=np.float32)
    for note in notes:
        sound = kit[note.pitch] if isinstance(note.pitch, str) else band[note.part].note(note.pitch)
        start = int(note.start_s * sample_rate_hz)
        length = min(len(sound), len(mix) - start, int(note.length_s * sample_rate_hz) + len(fade))
        heard = sound[:length] * np.float32(note.level * style.levels[note.part])
        if len(fade) < length < len(sound):
            heard[-len(fade) :] *= fade
        mix[start : start + length] += heard
    return instruments.master(
        mix, sample_rate_hz, factors.brightness_db_per_octave, factors.loudness_db, rng
    )
