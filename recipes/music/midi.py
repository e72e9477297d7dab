"""A MIDI file to another: tempo, key, instruments and accompaniment drawn from a generator.

Notes stand on one time line in seconds. Tempo is scaled by ±20 %, pitch moved by up to six
semitones, drums excepted. A piece for one instrument receives another one, or two that share its
pitch range; a piece for several keeps each instrument or receives another of its family. Half of
the pieces without drums receive a drum pattern and half a bass, on a beat estimated from the
onsets.
"""

import dataclasses
from pathlib import Path

import mido
import numpy as np

DRUMS = 9  # the channel of General MIDI's percussion, counted from 0
BASS = 8  # a channel for the added bass
LONGEST_S, LONGEST_TAIL_S = 180, 2
PEDALS = (64, 66)  # controllers: sustain, sostenuto
TICKS_PER_S = 960  # 480 ticks a beat at 120 beats a minute
TEMPO_RANGE, SEMITONES = (0.8, 1.2), 6
FAMILY = 8  # programs in a family of General MIDI
SOLO = np.r_[0:32, 40:55, 56:80, 80:96, 104:112]  # programs that can carry a piece alone
BASSES = np.r_[32:40]
BEATS_BPM = np.arange(70, 151)
KICK, SNARE, CLOSED_HAT, OPEN_HAT, RIDE, CRASH = 36, 38, 42, 46, 51, 49
PATTERNS = (  # by eighths: kick, snare, cymbal
    ("x...x...", "..x...x.", "xxxxxxxx"),
    ("x..xx...", "..x...x.", "xxxxxxxx"),
    ("x.x.x.x.", "..x...x.", ".x.x.x.x"),
    ("x....x..", "....x...", "x.x.x.x."),
    ("x..x..x.", "....x..x", "xxxxxxxx"),
    ("x...x...", "........", "x.xxx.xx"),
)


@dataclasses.dataclass(frozen=True)
class Event:
    """A message at a time in seconds."""

    time_s: float
    message: mido.Message


def vary(path: Path, rng: np.random.Generator) -> mido.MidiFile | None:
    """Return a variant of a MIDI file, or None for a file that cannot be read or has no notes."""
    events = read(path)
    if not events:
        return None
    events = change_key_and_tempo(events, rng)
    has_drums = any(event.message.channel == DRUMS for event in events)
    events = change_instruments(events, rng)
    if not has_drums:
        events = accompany(events, rng)
    return write(events)


def read(path: Path) -> list[Event]:
    """Return the channel messages of a MIDI file up to `LONGEST_S`; empty without any note."""
    events, time_s = [], 0.0
    try:
        for message in mido.MidiFile(path, clip=True):
            time_s += message.time
            if time_s > LONGEST_S:
                break
            if not message.is_meta and hasattr(message, "channel"):
                events.append(Event(time_s, message))
        events += _releases(events)
    except (OSError, EOFError, ValueError, KeyError, IndexError):  # mido's, for damaged files
        return []
    return events if any(_sounds(event) for event in events) else []


def change_key_and_tempo(events: list[Event], rng: np.random.Generator) -> list[Event]:
    """Scale the times and move the pitches, both drawn."""
    factor = rng.uniform(*TEMPO_RANGE)
    semitones = int(rng.integers(-SEMITONES, SEMITONES + 1))
    changed = []
    for event in events:
        message = event.message
        if hasattr(message, "note") and message.channel != DRUMS:
            message = message.copy(note=min(127, max(0, message.note + semitones)))
        changed.append(Event(event.time_s / factor, message))
    return changed


def change_instruments(events: list[Event], rng: np.random.Generator) -> list[Event]:
    """Replace the programs of the channels; a single one may become two, split by pitch."""
    programs = {event.message.channel: 0 for event in events if _sounds(event)}
    for event in reversed(events):  # the first change of each channel counts
        if event.message.type == "program_change" and event.message.channel in programs:
            programs[event.message.channel] = event.message.program
    melodic = sorted(set(programs) - {DRUMS})
    kept = [event for event in events if event.message.type != "program_change"]
    if len({programs[channel] for channel in melodic}) == 1:
        chosen = {channel: int(rng.choice(SOLO)) for channel in melodic}
        if rng.random() < 0.5:
            kept = split(kept)
            chosen = {channel: int(rng.choice(SOLO)) for channel in (0, 1)}
    else:
        chosen = {channel: _relative(programs[channel], rng) for channel in melodic}
    first = [
        Event(0.0, mido.Message("program_change", channel=channel, program=program))
        for channel, program in chosen.items()
    ]
    return first + kept


def split(events: list[Event]) -> list[Event]:
    """Move notes below the median pitch to channel 0 and others to 1; other messages to both."""
    middle = np.median([e.message.note for e in events if _sounds(e) and not _is_drum(e)])
    parts = []
    for event in events:
        if _is_drum(event):
            parts.append(event)
        elif hasattr(event.message, "note"):
            channel = int(event.message.note >= middle)
            parts.append(Event(event.time_s, event.message.copy(channel=channel)))
        else:
            parts += [
                Event(event.time_s, event.message.copy(channel=channel)) for channel in (0, 1)
            ]
    return parts


def accompany(events: list[Event], rng: np.random.Generator) -> list[Event]:
    """Add a drum pattern, a bass, both or none, on the estimated beat."""
    notes = [event for event in events if _sounds(event)]
    beat_s, start_s = estimate_beat(np.array([event.time_s for event in notes]))
    end_s = max(event.time_s for event in notes)
    eighths = np.arange(start_s, end_s, beat_s / 2)
    if not len(eighths):  # one chord
        return events
    added = []
    if rng.random() < 0.5:
        added += _drums(eighths, rng)
    if rng.random() < 0.5:
        program = int(rng.choice(BASSES))
        added.append(Event(0.0, mido.Message("program_change", channel=BASS, program=program)))
        for beat in eighths[::2]:
            near = [e.message.note for e in notes if abs(e.time_s - beat) < beat_s / 2]
            if near:
                added += _note(BASS, 28 + (min(near) - 28) % 12, 90, beat, beat_s * 0.9)
    return events + added


def _drums(eighths_s: np.ndarray, rng: np.random.Generator) -> list[Event]:
    """Return a drum pattern on these eighths, `(eighths,)`, after a crash."""
    kick, snare, cymbal = PATTERNS[rng.integers(len(PATTERNS))]
    sound = int(rng.choice([CLOSED_HAT, CLOSED_HAT, OPEN_HAT, RIDE]))
    level = rng.uniform(0.5, 1)
    events = _note(DRUMS, CRASH, int(90 * level), eighths_s[0], 0.5)
    lines = ((kick, KICK, 110), (snare, SNARE, 100), (cymbal, sound, 70))
    for i, time_s in enumerate(eighths_s):
        for line, note, velocity in lines:
            if line[i % 8] == "x":
                loud = int(velocity * level * rng.uniform(0.85, 1))
                events += _note(DRUMS, note, loud, time_s, 0.1)
    return events


def estimate_beat(onsets_s: np.ndarray) -> tuple[float, float]:
    """Return the beat and its first start, in seconds, from onsets of shape `(notes,)`.

    The beat is the one in `BEATS_BPM` whose eighths the onsets fall on best: the largest Fourier
    coefficient of the onsets at that frequency. Its phase gives the start.
    """
    eighths_hz = BEATS_BPM / 60 * 2
    coefficients = np.exp(-2j * np.pi * np.outer(eighths_hz, onsets_s)).sum(1)
    best = np.abs(coefficients).argmax()
    period_s = 1 / eighths_hz[best]
    start_s = (-np.angle(coefficients[best]) / (2 * np.pi) * period_s) % period_s
    return 2 * period_s, float(start_s)


def write(events: list[Event]) -> mido.MidiFile:
    """Return a MIDI file of one track with these events."""
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_S // 2)
    track = mido.MidiTrack()
    file.tracks.append(track)
    ticks = 0
    # at one time: programs, note-offs, then the rest
    order = {"program_change": 0, "note_off": 1}
    for event in sorted(events, key=lambda e: (e.time_s, order.get(e.message.type, 2))):
        now = round(event.time_s * TICKS_PER_S)
        track.append(event.message.copy(time=now - ticks))
        ticks = now
    return file


def _releases(events: list[Event]) -> list[Event]:
    """Return the ends of notes and pedals left on; FluidSynth plays those for ever."""
    held: dict[tuple[str, int, int], mido.Message] = {}
    for event in events:
        message = event.message
        if message.type in ("note_on", "note_off"):
            key = ("note", message.channel, message.note)
            end = mido.Message("note_off", channel=message.channel, note=message.note)
            is_on = _sounds(event)
        elif message.type == "control_change" and message.control in PEDALS:
            key = ("pedal", message.channel, message.control)
            end, is_on = message.copy(value=0), message.value > 0
        else:
            continue
        if is_on:
            held[key] = end
        else:
            held.pop(key, None)
    last_s = min(LONGEST_S, events[-1].time_s + LONGEST_TAIL_S) if events else 0.0
    return [Event(last_s, end) for end in held.values()]


def _sounds(event: Event) -> bool:
    """Return whether an event starts a note."""
    return event.message.type == "note_on" and event.message.velocity > 0


def _is_drum(event: Event) -> bool:
    return event.message.channel == DRUMS


def _relative(program: int, rng: np.random.Generator) -> int:
    """Return the program itself, or as often another of its family."""
    family = program // FAMILY * FAMILY
    return program if rng.random() < 0.5 else family + int(rng.integers(FAMILY))


def _note(channel: int, note: int, velocity: int, start_s: float, length_s: float) -> list[Event]:
    on = mido.Message("note_on", channel=channel, note=note, velocity=velocity)
    off = mido.Message("note_off", channel=channel, note=note)
    return [Event(float(start_s), on), Event(float(start_s + length_s), off)]
