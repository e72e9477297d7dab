"""`python recipes/corpus.py OUT`: gather music that anyone may have, for pre-training.

Sources, in this order: `debian`, recordings in Debian's packages; `midi`, MIDI files of those
packages, rendered; `emopia`, EMOPIA's piano clips, rendered; `composer`, adff-tf's own music.
OUT/sources.csv lists every file with its source, licence, length and hash.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from music import composer, debian, rendering
from music.table import Table

from adff_tf.errors import InputError
from adff_tf.support import console
from adff_tf.support.files import ensure_writable, expand_user
from adff_tf.support.locks import lock_folder

DESCRIPTION = """Gather music that anyone may have, for pre-training.

python recipes/corpus.py music --emopia ~/EMOPIA: every source.

python recipes/corpus.py music --sources debian: one of them.

The same command resumes a stopped run. Nothing is written outside OUT and the cache."""

Source = Literal["debian", "midi", "emopia", "composer"]


@dataclasses.dataclass(frozen=True)
class Options:
    """The program's options."""

    out: Annotated[Path, tyro.conf.Positional]
    """Folder for the corpus."""
    sources: tuple[Source, ...] = ("debian", "midi", "emopia", "composer")
    """Sources to gather."""
    emopia: Path | None = None
    """Folder with EMOPIA's MIDI files, at any depth."""
    packages: tuple[str, ...] = tuple(debian.PACKAGES)
    """Debian packages to take."""
    cache: Path | None = None
    """Folder that keeps the downloaded .deb files; without it each one is deleted after use."""
    sound_fonts: tuple[Path, ...] = rendering.SOUND_FONTS
    """SoundFonts, .sf2 or .sf3."""
    variants: int = 2
    """Renderings of each MIDI file."""
    clips: int = 240
    """Clips of 30 s by the composer."""
    seed: int = 20
    """Seed of the variants and of the composer."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, gather, print. Exits with 2 and one message for a user's mistake."""
    console.run(_main, arguments)


def _main(arguments: list[str]) -> None:
    options = console.parse("corpus.py", DESCRIPTION, Options, arguments)
    check(options)
    out, terminal = expand_user(options.out).absolute(), console.Terminal()
    ensure_writable(out, "the corpus")
    with lock_folder(out, "the corpus"):
        table = Table(out)
        gather(table, options, terminal)
    terminal.log(table.summary())


def gather(table: Table, options: Options, terminal: console.Terminal) -> None:
    """Gather the chosen sources. Raises InputError."""
    if "debian" in options.sources:
        cache = options.cache and expand_user(options.cache).absolute()
        debian.gather(table, cache, list(options.packages), terminal)
    kit = rendering.Kit(options.sound_fonts, options.variants, options.seed)
    if "midi" in options.sources:
        rendering.gather_debian(table, kit, terminal)
    if "emopia" in options.sources:
        rendering.gather_emopia(table, kit, expand_user(options.emopia or Path()), terminal)
    if "composer" in options.sources:
        composer.gather(table, options.clips, options.seed, terminal)


def check(options: Options) -> None:
    """Raise InputError for options that do not go together, before any work."""
    if "emopia" in options.sources and options.emopia is None:
        raise InputError(
            "`emopia` is missing; give the folder of EMOPIA's MIDI files, or leave emopia out of "
            "`sources`"
        )
    if options.variants < 1 or options.clips < 1:
        raise InputError(
            f"`variants` is {options.variants} and `clips` {options.clips}; both must be at least 1"
        )


if __name__ == "__main__":
    main()
