"""A file's samples by libsndfile or FFmpeg, block by block, at the file's own rate.

This file chooses the decoder that gives the whole recording, and refuses a recording that is
shorter than its header states. The rules are in the package's docstring.
"""

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from .headers import LONGEST_S, RIFF, confirms_estimate, has_xing_length, riff_seconds
from .samples import AudioError, to_full_scale, to_mono

OnBlock = Callable[[int], None]  # called with the rate in Hz of each decoded block
Blocks = Iterable[tuple[int, np.ndarray]]  # (rate in Hz, mono float32 `(samples,)`)

UNCOMPRESSED = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # libsndfile's names
BLOCK = 2**18  # samples decoded at once
LONG_S, LONG_BYTES = 900, 2**28  # longer or larger recordings are decoded twice instead of held
# Containers of music. FFmpeg would open what a playlist with a music file's name points to.
FFMPEG_FORMATS = "aac,ac3,aiff,ape,asf,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,tta,wav,w64,wv"


def open_recording(path: str) -> BinaryIO:
    """Open a file unbuffered: libsndfile reads from its descriptor, where Python left it."""
    if "\0" in path or not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would block
        raise AudioError(
            repr(path), "is a folder or a device, not a file; give the path of one recording"
        )
    return open(path, "rb", buffering=0)


def decode(file: BinaryIO, name: str, on_block: OnBlock) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (rate in Hz, mono float32 `(samples,)`) of each block; at least one.

    Nothing is yielded before the decoder is chosen: a file of which libsndfile reads too little is
    first decoded by both decoders.

    Raises:
        AudioError: empty, cut off, damaged, or no audio.
    """
    head = file.read(16)
    if not head:
        raise AudioError(name, "the file is empty (0 bytes)")
    rate = samples = 0
    stated_s = _stated_seconds(file)
    for rate, block in _choose_decoder(file, name, on_block):
        if not 1000 <= rate <= 768_000:
            raise AudioError(name, f"states a sample rate of {rate} Hz; 1000 to 768000 can be used")
        samples += len(block)
        yield rate, block
    if not rate:
        reason = "is no audio or damaged: neither libsndfile nor FFmpeg decodes it"
        raise AudioError(name, f"{reason} (it begins {head!r})")
    if samples and is_cut_off(samples / rate, stated_s):
        raise AudioError(
            name,
            f"states {stated_s:.1f} s and holds {samples / rate:.1f} s: it is cut off or damaged. "
            "Get it whole, or save the part that is there: ffmpeg -i SONG PART.wav",
        )


def _choose_decoder(file: BinaryIO, name: str, on_block: OnBlock) -> Blocks:
    """Return the blocks of the decoder that gives the longer waveform.

    An uncompressed wav is decoded once and never held: its header and size confirm its length.
    """

    def libsndfile() -> Blocks:
        return _report_blocks(_libsndfile_blocks(file), on_block)

    def ffmpeg() -> Blocks:
        return _report_blocks(_ffmpeg_blocks(file, name), on_block)

    frames, rate, form, subtype = _libsndfile_info(file)
    if not rate:  # unknown to libsndfile
        return ffmpeg()
    if frames and form in RIFF and subtype in UNCOMPRESSED:
        return libsndfile()
    if _is_short(file):
        ours = list(libsndfile())
        if _is_whole(file, _count_samples(ours)):
            return ours
        theirs = list(ffmpeg())
        return theirs if _count_samples(theirs) > _count_samples(ours) else ours
    count = _count_samples(libsndfile())
    is_longer = not _is_whole(file, count) and _count_samples(ffmpeg()) > count
    return ffmpeg() if is_longer else libsndfile()


def _report_blocks(blocks: Blocks, on_block: OnBlock) -> Iterator[tuple[int, np.ndarray]]:
    for rate, block in blocks:
        on_block(rate)
        yield rate, block


def _count_samples(blocks: Blocks) -> int:
    return sum(len(block) for _, block in blocks)


def is_cut_off(decoded_s: float, stated_s: float) -> bool:
    """Return whether a recording lacks more than a damaged frame or a rounded length explains."""
    return decoded_s < 0.99 * stated_s - 0.1


# === libsndfile ===


class _Stream(sf.SoundFile):
    """A file read from start to end without seeking.

    soundfile seeks between two reads of a seekable file, and after a seek a variable-bitrate mp3
    is not sample-exact.
    """

    def seekable(self) -> bool:
        return False


def libsndfile_handle(file: BinaryIO) -> Any:
    """Return what libsndfile opens: a real file's descriptor, or the object itself.

    With a descriptor libsndfile reads without the GIL, and has no name to guess a format from.
    """
    return file if isinstance(file, io.BytesIO) else file.fileno()


def _libsndfile_blocks(file: BinaryIO) -> Iterator[tuple[int, np.ndarray]]:
    """Yield libsndfile's blocks; nothing for a file that libsndfile does not know."""
    file.seek(0)
    try:
        with _Stream(libsndfile_handle(file), closefd=False) as sound:
            while True:
                block = sound.read(BLOCK, dtype="float32", always_2d=True)
                yield sound.samplerate, to_mono(block)
                if not len(block):  # the empty block marks a readable file of no samples
                    return
    except sf.SoundFileError:  # FFmpeg tries next
        return


def _libsndfile_info(file: BinaryIO) -> tuple[int, int, str, str]:
    """Return samples, rate in Hz, format and subtype that libsndfile states.

    Zeros and empty strings mean that libsndfile does not open the file.
    """
    file.seek(0)
    try:
        with _Stream(libsndfile_handle(file), closefd=False) as sound:
            return sound.frames, sound.samplerate, sound.format, sound.subtype
    except sf.SoundFileError:
        return 0, 0, "", ""


def _stated_seconds(file: BinaryIO) -> float:
    """Return the seconds that the file's header states, 0 where it states none."""
    frames, rate, form, _ = _libsndfile_info(file)
    if not rate:
        return 0.0
    if form in RIFF:  # libsndfile trims the length to the file's size
        return riff_seconds(file)
    is_stated = form == "FLAC" or form == "MP3" and has_xing_length(file)
    return frames / rate if is_stated and frames / rate < LONGEST_S else 0.0


def _is_short(file: BinaryIO) -> bool:
    """Return whether the decoded recording may be held in memory, by its header and size."""
    frames, rate, *_ = _libsndfile_info(file)
    return frames <= LONG_S * min(rate, 96_000) and file.seek(0, os.SEEK_END) <= LONG_BYTES


def _is_whole(file: BinaryIO, samples: int) -> bool:
    """Return whether `samples` decoded by libsndfile are surely the whole file."""
    frames, _, form, _ = _libsndfile_info(file)
    if form == "MP3" and not has_xing_length(file):
        return confirms_estimate(frames, samples)
    return 0 < frames == samples


# === FFmpeg ===


def _ffmpeg_blocks(file: BinaryIO, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield FFmpeg's frames; nothing for a file in which FFmpeg finds no audio."""
    import av

    file.seek(0)
    try:
        # A file object, not a path: FFmpeg takes some paths for addresses. Titles may be any bytes.
        options = {"format_whitelist": FFMPEG_FORMATS}
        container = av.open(file, "r", options=options, metadata_errors="replace")
    except av.error.FFmpegError:  # `decode` raises when no decoder knows the file
        return
    rates, damaged, packets = set(), 0, 0
    with container:
        try:
            streams = container.streams.audio[:1]
            for packet in container.demux(streams) if streams else ():
                packets += 1
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    damaged += 1
                    continue
                for frame in frames:
                    rates.add(frame.sample_rate)
                    yield frame.sample_rate, to_mono(_channels_last(frame))
        except av.error.FFmpegError as error:
            raise AudioError(name, f"cannot be decoded to its end ({error.strerror})") from error
    if damaged > packets / 2:
        raise AudioError(name, f"is damaged: {damaged} of {packets} packets do not decode")
    if len(rates) > 1:
        raise AudioError(
            name, f"changes its sample rate midway ({sorted(rates)} Hz); convert it to one rate"
        )


def _channels_last(frame: Any) -> np.ndarray:
    """Return an FFmpeg audio frame as `(samples, channels)` float32."""
    samples = to_full_scale(frame.to_ndarray())
    return samples.T if frame.format.is_planar else samples.reshape(frame.samples, -1)
