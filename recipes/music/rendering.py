"""MIDI files to FLAC, mono, 16 bit, 32 kHz: variants by midi.py, sound by FluidSynth.

A variant depends on the file's name, the variant's number and the seed alone.
"""

import dataclasses
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
import soundfile

from adff_tf.errors import InputError, format_list
from adff_tf.support.console import Reporter
from adff_tf.support.files import atomic_write

from .debian import MIDI, summarize_licences
from .table import RATE_HZ, Table

SOUND_FONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
    Path("/usr/share/sounds/sf2/sf_GMbank.sf2"),
)  # no .sf3: FluidSynth decodes all of its samples for every file, which takes 2 s
FONT_PACKAGES = "fluid-soundfont-gm timgm6mb-soundfont csound-soundfont"
EMOPIA_LICENCE = "CC-BY-NC-SA-4.0"
SHORTEST_S = 15
TIMEOUT_S = 90
PEAK_RANGE_DB = (-9.0, -0.5)


@dataclasses.dataclass(frozen=True)
class Kit:
    """How MIDI files are rendered: SoundFonts, renderings of each file, and the seed."""

    sound_fonts: tuple[Path, ...]
    variants: int
    seed: int


def gather_emopia(table: Table, kit: Kit, folder: Path, reporter: Reporter) -> None:
    """Render EMOPIA's MIDI files to OUT/emopia. Raises InputError."""
    files = find_midi(folder)
    if not files:
        raise InputError(
            f"{folder} holds no .mid files; give the folder of EMOPIA's MIDI files by `emopia`"
        )
    pieces = [Piece(file, "emopia", "emopia", EMOPIA_LICENCE) for file in files]
    gather(table, kit, pieces, "EMOPIA rendered", reporter)


def gather_debian(table: Table, kit: Kit, reporter: Reporter) -> None:
    """Render the MIDI files below OUT/debian to OUT/midi. Raises InputError."""
    pieces = []
    for file in find_midi(table.out / "debian"):
        text = (file.parent / "copyright").read_text(errors="replace")
        package = file.parent.name
        licence = summarize_licences(text)
        pieces.append(Piece(file, f"midi/{package}", f"midi/{package}", licence))
    gather(table, kit, pieces, "Debian's MIDI files rendered", reporter)


def find_midi(folder: Path) -> list[Path]:
    """Return the MIDI files below a folder, in order."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in MIDI)


@dataclasses.dataclass(frozen=True)
class Piece:
    """A MIDI file, the folder below OUT for its renderings, and their source and licence."""

    file: Path
    folder: str
    source: str
    licence: str


def gather(table: Table, kit: Kit, pieces: list[Piece], label: str, reporter: Reporter) -> None:
    """Render every variant of every piece that is missing, a variant after the other.

    Raises InputError where FluidSynth or the SoundFonts are missing.
    """
    check(kit)
    unreadable = []
    with reporter.bar(label, kit.variants * len(pieces), minutely=True) as advance:
        for variant in range(kit.variants):
            for piece in pieces:
                flac = table.out / piece.folder / f"{piece.file.stem}.{variant}.flac"
                if flac not in table:
                    table.check_space()
                    seconds = render_variant(piece.file, variant, kit, flac)
                    if seconds:
                        table.add(flac, piece.source, piece.licence, seconds)
                    elif variant == 0:
                        unreadable.append(piece.file)
                advance(note=piece.file.stem)
    if unreadable:
        reporter.log(
            f"{len(unreadable)} MIDI files are damaged, silent, endless or shorter than "
            f"{SHORTEST_S} s, and were left out:\n{format_list(unreadable)}"
        )


def check(kit: Kit) -> None:
    """Raise InputError where FluidSynth, mido or a SoundFont is missing."""
    if shutil.which("fluidsynth") is None:
        raise InputError("fluidsynth is not installed: apt-get install fluidsynth")
    try:
        import mido  # noqa: F401
    except ModuleNotFoundError:
        raise InputError("mido is not installed: pip install mido") from None
    missing = [font for font in kit.sound_fonts if not font.is_file()]
    if missing or not kit.sound_fonts:
        raise InputError(
            f"SoundFonts are missing:\n{format_list(missing)}\nRun apt-get install "
            f"{FONT_PACKAGES}, or give others by `sound_fonts`"
        )


def render_variant(file: Path, variant: int, kit: Kit, flac: Path) -> float:
    """Render one variant of a MIDI file to `flac`.

    Returns:
        Its length in seconds; 0 where nothing was written, for a file without music.
    """
    from . import midi

    rng = np.random.default_rng([kit.seed, variant, zlib.crc32(file.stem.encode())])
    changed = midi.vary(file, rng)
    if changed is None:
        return 0.0
    font = kit.sound_fonts[rng.integers(len(kit.sound_fonts))]
    with tempfile.TemporaryDirectory() as folder:
        changed.save(Path(folder) / "variant.mid")
        samples = synthesize(Path(folder) / "variant.mid", font)
    peak = np.abs(samples).max(initial=0)
    if peak < 1e-3 or len(samples) < SHORTEST_S * RATE_HZ:
        return 0.0
    samples *= 10 ** (rng.uniform(*PEAK_RANGE_DB) / 20) / peak
    with atomic_write(flac) as temporary:
        soundfile.write(temporary, samples, RATE_HZ, subtype="PCM_16")
    return len(samples) / RATE_HZ


def synthesize(file: Path, font: Path) -> np.ndarray:
    """Return a MIDI file played by a SoundFont, `(samples,)` float32 at `RATE_HZ`.

    Empty where FluidSynth finds no end. Raises InputError where it fails.
    """
    wav = file.with_suffix(".wav")
    command = [
        "fluidsynth", "-n", "-i", "-q", "-r", str(RATE_HZ), "-g", "0.4", "-O", "float",
        "-T", "wav", "-o", "synth.dynamic-sample-loading=1", "-F", wav, font, file,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return np.zeros(0, np.float32)
    if done.returncode or not wav.exists():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise InputError(
            f"fluidsynth cannot play {font}: {lines[-1]}; give others by `sound_fonts`"
        )
    samples, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    return samples.mean(axis=1)
