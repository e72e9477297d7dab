"""A file's samples by libsndfile or FFmpeg, block by block, at its own rate; which decoder gives the whole of it, and whether
that is all that its header states. The rules are the package's docstring.
"""

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from ..litert import LONGEST_S, RIFF, bears_out, riff_s, states_its_length
from .samples import AudioError, full_scale, mono

Heard = Callable[[int], None]

BLOCK = 2**18  # samples decoded at once
LONG_S, LONG_BYTES = 900, 2**28  # what is longer or larger is decoded twice rather than held
# Containers that hold music. A playlist or a text with a music file's name would have FFmpeg open what it points to.
FFMPEG_FORMATS = "aac,ac3,aiff,ape,asf,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,tta,wav,w64,wv"


def opened(path: str) -> BinaryIO:
    """The file, unbuffered: libsndfile reads from its descriptor and must find it where Python left it."""
    if "\0" in path or not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for a writer
        raise AudioError(f"{path!r} is a folder or a device, not a file; give the path of one recording")
    return open(path, "rb", buffering=0)


def decoded(file: BinaryIO, name: str, heard: Heard) -> Iterator[tuple[int, np.ndarray]]:
    """The file's rate in Hz and mono float32 `(samples,)`, block by block; at least one block.

    Nothing is yielded before the decoder is chosen: a file of which libsndfile gives too little is decoded by both in advance.
    """
    head = file.read(16)
    if not head:
        raise AudioError(f"{name}: the file is empty (0 bytes)")

    def libsndfile() -> Iterator[tuple[int, np.ndarray]]:
        return _told(_libsndfile_blocks(file), heard)

    def ffmpeg() -> Iterator[tuple[int, np.ndarray]]:
        return _told(_ffmpeg_blocks(file, name), heard)

    if not _promised(file)[1]:  # libsndfile does not know it, so that there is nothing to choose, and nothing to hold
        blocks: Iterable[tuple[int, np.ndarray]] = ffmpeg()
    elif _is_short(file):
        ours = list(libsndfile())
        whole = _bears_out(file, _samples(ours))
        theirs = [] if whole else list(ffmpeg())
        blocks = theirs if _samples(theirs) > _samples(ours) else ours
    else:
        count = _samples(libsndfile())
        more = not _bears_out(file, count) and _samples(ffmpeg()) > count
        blocks = ffmpeg() if more else libsndfile()
    rate = samples = 0
    stated_s = _stated_s(file)
    for rate, block in blocks:
        if not 1000 <= rate <= 768_000:
            raise AudioError(f"{name}: states a sample rate of {rate} Hz; 1000 to 768000 can be used")
        samples += len(block)
        yield rate, block
    if not rate:
        raise AudioError(f"{name}: is no audio or damaged: neither libsndfile nor FFmpeg decodes it (it begins {head!r})")
    if samples and is_cut_off(samples / rate, stated_s):
        raise AudioError(
            f"{name}: states {stated_s:.1f} s and holds {samples / rate:.1f} s: it is cut off or damaged. Get it whole, or keep "
            "what is there as a file of its own: ffmpeg -i SONG PART.wav"
        )


def _told(blocks: Iterable[tuple[int, np.ndarray]], heard: Heard) -> Iterator[tuple[int, np.ndarray]]:
    for rate, block in blocks:
        heard(rate)
        yield rate, block


def _samples(blocks: Iterable[tuple[int, np.ndarray]]) -> int:
    return sum(len(block) for _, block in blocks)


class _Stream(sf.SoundFile):
    """A file read from its start to its end: soundfile seeks between two reads of a file that can seek, and after a seek a
    variable-bitrate mp3 is not sample-exact."""

    def seekable(self) -> bool:
        return False


def _libsndfile_blocks(file: BinaryIO) -> Iterator[tuple[int, np.ndarray]]:
    """The rate in Hz and mono float32 `(samples,)`, block by block; nothing where libsndfile does not know the file."""
    file.seek(0)
    try:
        with _Stream(handle(file), closefd=False) as sound:
            while True:
                block = sound.read(BLOCK, dtype="float32", always_2d=True)
                yield sound.samplerate, mono(block)
                if not len(block):  # the last one says that a file of no samples was read
                    return
    except sf.SoundFileError:  # FFmpeg is asked next
        return


def _promised(file: BinaryIO) -> tuple[int, int, bool]:
    """Samples and rate in Hz that libsndfile promises (0: it does not know the file), and whether it is an mp3."""
    file.seek(0)
    try:
        with _Stream(handle(file), closefd=False) as sound:
            return sound.frames, sound.samplerate, sound.format == "MP3"
    except sf.SoundFileError:
        return 0, 0, False


def is_cut_off(heard_s: float, stated_s: float) -> bool:
    return heard_s < 0.99 * stated_s - 0.1  # a damaged frame or a rounded length is no end


def _stated_s(file: BinaryIO) -> float:
    """Seconds that the file's header states; 0 where it states none."""
    file.seek(0)
    try:
        with _Stream(handle(file), closefd=False) as sound:
            kind, seconds = sound.format, sound.frames / sound.samplerate
    except sf.SoundFileError:
        return 0.0
    if kind in RIFF:  # libsndfile cuts its promise to the file's size
        return riff_s(file)
    is_stated = kind == "FLAC" or kind == "MP3" and states_its_length(file)
    return seconds if is_stated and seconds < LONGEST_S else 0.0


def _is_short(file: BinaryIO) -> bool:
    """Whether the whole recording may be held in memory, decoded: as far as its header and its size tell."""
    promised, rate, _ = _promised(file)
    return promised <= LONG_S * min(rate, 96_000) and file.seek(0, os.SEEK_END) <= LONG_BYTES


def _bears_out(file: BinaryIO, samples: int) -> bool:
    """Whether so many decoded samples are surely the whole file."""
    promised, _, is_mp3 = _promised(file)
    if is_mp3 and not states_its_length(file):
        return bears_out(promised, samples)
    return 0 < promised == samples


def handle(file: BinaryIO) -> Any:
    """A real file's descriptor (libsndfile then reads without the GIL, and sees no name to guess from), else the file."""
    return file if isinstance(file, io.BytesIO) else file.fileno()


def _ffmpeg_blocks(file: BinaryIO, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """The rate in Hz and mono float32 `(samples,)`, frame by frame; nothing where FFmpeg finds no audio in the file."""
    import av

    file.seek(0)
    try:
        # A file object, not a path: FFmpeg takes some paths for addresses. Titles need not be UTF-8.
        container = av.open(file, "r", options={"format_whitelist": FFMPEG_FORMATS}, metadata_errors="replace")
    except av.error.FFmpegError:  # the caller raises where no decoder knows the file
        return
    rates, damaged, packets = set(), 0, 0
    with container:
        try:
            for packet in container.demux(container.streams.audio[:1]) if container.streams.audio else ():
                packets += 1
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    damaged += 1
                    continue
                for frame in frames:
                    rates.add(frame.sample_rate)
                    yield frame.sample_rate, mono(_channels_last(frame))
        except av.error.FFmpegError as error:
            raise AudioError(f"{name}: cannot be decoded to its end ({error.strerror})") from error
    if damaged > packets / 2:
        raise AudioError(f"{name}: is damaged: {damaged} of {packets} packets do not decode")
    if len(rates) > 1:
        raise AudioError(f"{name}: changes its sample rate midway ({sorted(rates)} Hz); convert it to one rate")


def _channels_last(frame: Any) -> np.ndarray:
    """An FFmpeg audio frame as `(samples, channels)` float32."""
    samples = full_scale(frame.to_ndarray())
    return samples.T if frame.format.is_planar else samples.reshape(frame.samples, -1)
