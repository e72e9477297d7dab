"""Lengths that wav and mp3 headers state.

libsndfile trims the stated length of a RIFF file to the file's size, and estimates the length of
an mp3 without a Xing tag. These functions read the headers themselves, so that a cut-off recording
is noticed.
"""

from typing import BinaryIO

SLACK = 2304  # samples: two mp3 frames
LONGEST_S = 7 * 86400.0  # a longer stated length is damage, or means "unknown"
RIFF = ("WAV", "WAVEX", "RF64")  # libsndfile's names of the RIFF formats
UNKNOWN_SIZE = 0x7FFF0000  # encoders write this or more when they stream to a pipe
PCM_TAGS = (1, 3, 0xFFFE)  # integer, float, extensible


def riff_seconds(file: BinaryIO) -> float:
    """Return the seconds of audio that a wav's chunks state, 0 when the header leaves them open."""
    file.seek(12)
    bytes_per_second = long_size = 0
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if size == 0xFFFFFFFF:
                size = long_size
            is_known = bytes_per_second and (long_size or size < UNKNOWN_SIZE)
            return size / bytes_per_second if is_known else 0.0
        start = file.tell()
        if name == b"fmt ":
            bytes_per_second = _bytes_per_second(file.read(16))
        elif name == b"ds64":  # RF64: files of more than 4 GB
            long_size = int.from_bytes(file.read(16)[8:], "little")
        file.seek(start + size + size % 2)
    return 0.0


def _bytes_per_second(fmt: bytes) -> int:
    """Return the byte rate of a `fmt ` chunk.

    For PCM it is sample rate × block size, because the header's field is often wrong; for
    compressed formats it is the field.
    """
    fields = ((0, 2), (4, 4), (8, 4), (12, 2))
    tag, rate, average, block = (int.from_bytes(fmt[at : at + n], "little") for at, n in fields)
    return rate * block if tag in PCM_TAGS else average


def has_xing_length(file: BinaryIO) -> bool:
    """Return whether an mp3's first frame is a Xing/Info tag with the number of frames."""
    file.seek(0)
    head = file.read(10)
    skip = 0
    if head[:3] == b"ID3":  # the size is four bytes of seven bits
        skip = 10 + sum(byte << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    file.seek(skip)
    frame = file.read(256)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    return at >= 0 and bool(int.from_bytes(frame[at + 4 : at + 8], "big") & 1)


def confirms_estimate(estimate: int, samples: int) -> bool:
    """Return whether `samples` decoded from an mp3 of estimated length are surely the whole file.

    They are when decoding ended shortly before the estimate.
    """
    return 0 < estimate - samples <= max(SLACK, estimate // 100)
