"""A recording as one mono waveform: file, bytes or array in; float32 `(samples,)` at the wanted rate out.

**Conventions.** Full scale is ±1: integer samples are divided by 2^(bits - 1) (unsigned ones are centred first), float
samples are taken as they are, and a lossy file's peak may pass 1, for nothing is clipped. Mono is the mean over channels.
The rate is changed by soxr at its quality HQ (20 bits, images and aliases below -120 dB): more than 16-bit music carries,
and under the -100 dB floor of the log-mel, so that VHQ would cost time and change nothing. A clip of silence is valid; no
samples, a NaN or an infinity is not.

**Decoders.** Content decides, never the file's name. libsndfile (through soundfile) reads mp3, wav, flac, ogg/vorbis, opus,
aiff, …; what it refuses, FFmpeg (inside PyAV's wheel) reads: m4a, aac, wma, webm. libsndfile stops without a word at a
damaged mp3 frame, and cuts a variable-bitrate mp3 that has no Xing/Info tag where its first frames' bitrate would end the
file; so where the number of samples it gave does not bear out the number it promised, FFmpeg decodes the file too, leaving
out damaged packets as players do, and the longer of the two waveforms is taken.

**Alignment.** Where an mp3 has a LAME tag all decoders leave out the encoder's delay and padding; where it has none all keep
them. Samples stand at the same index from each, and differ by less than 1e-5 (mp3), 1e-6 (vorbis) or nothing (wav, flac).

**Two backends of `dataset`.** With "tensorflow-io" its ops decode in the tf.data graph; with "libsndfile" `load` does, in
`tf.numpy_function` (libsndfile and soxr release the GIL, so tracks decode in parallel all the same). Formats without an op (m4a,
opus, other sample formats) go through `load` in the same graph. A graph has no try/except: a file that an op cannot read is left
out of it, and comes in its place through `load` as well, which says in words what is wrong: a bad file is an element with an error
text, never an exception or a gap.
"""

import functools
import io
import operator
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast, get_args

import numpy as np
import soundfile as sf
import soxr

from .console import silenced_stderr
from .errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

Backend = Literal["tensorflow-io", "libsndfile"]
Heard = Callable[[int], None]

SUFFIXES = (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aac", ".opus")  # what is looked for in folders
MOST = 100.0  # a lossy file's peak may pass full scale, but not so far
MP3_FRAME = 1152  # samples a channel
BLOCK = 2**18  # samples decoded at once
LONGEST_S = 7 * 86400.0  # a header that states more is damaged itself
LONG_S, LONG_BYTES = 900, 2**28  # what is longer or larger is decoded twice rather than held
# Containers that hold music. A playlist or a text with a music file's name would have FFmpeg open what it points to.
FFMPEG_FORMATS = "aac,ac3,aiff,ape,asf,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,tta,wav,w64,wv"
# (libsndfile's format, subtype): the tensorflow-io op that decodes it to the same samples, and its dtype (None: float32).
# Its wav op reads 32-bit integers as floats and swaps nothing for 8 bits: those are left to libsndfile.
GRAPH_DECODERS = {
    ("MP3", "MPEG_LAYER_III"): ("decode_mp3", None),
    ("OGG", "VORBIS"): ("decode_vorbis", None),
    ("WAV", "PCM_16"): ("decode_wav", "int16"),
    ("WAV", "PCM_24"): ("decode_wav", "int32"),
    ("WAV", "FLOAT"): ("decode_wav", "float32"),
    ("FLAC", "PCM_16"): ("decode_flac", "int16"),
    ("FLAC", "PCM_24"): ("decode_flac", "int32"),
}


def recordings(folder: str | Path, unread: list[str]) -> Iterator[str]:
    """The recordings in a folder and those in it, by their suffix, in order of name. What cannot be searched is added to `unread`.

    What is hidden is passed over, such as the `._song.mp3` that macOS lays beside a song on a foreign disk. Links to folders are
    followed, and each folder is searched once.
    """
    searched = set()

    def not_read(error: OSError) -> None:
        unread.append(f"{error.filename} cannot be read: {error.strerror}; what is in it is left out")

    for place, folders, names in os.walk(folder, onerror=not_read, followlinks=True):
        stat = os.stat(place)
        is_new = (stat.st_dev, stat.st_ino) not in searched
        searched.add((stat.st_dev, stat.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if is_new else []
        for name in sorted(names) if is_new else ():
            if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("."):
                yield os.path.join(place, name)


class AudioError(InputError):
    """A recording that cannot be used; the message names the file and the reason."""


def load(source: str | Path | bytes | np.ndarray, sample_rate_hz: int = 44100, *, source_rate_hz: int | None = None) -> np.ndarray:
    """The recording as a mono waveform, `(samples,)` float32, full scale ±1.

    Args:
        source: a file's path, a file's content as bytes, or samples as an array `(samples,)` or `(samples, channels)`
            of float, int8, int16, int32 or uint8.
        sample_rate_hz: the wanted rate, in samples a second.
        source_rate_hz: the rate of an array's samples; a file states its own.

    Raises:
        AudioError: the file is missing or unreadable or holds no audio that can be decoded; no samples, NaN or infinity.
        InputError: an argument of the wrong type, shape or range. (AudioError is an InputError.)
    """
    return np.concatenate(list(blocks(source, sample_rate_hz, source_rate_hz=source_rate_hz)))


def blocks(
    source: str | Path | bytes | np.ndarray,
    sample_rate_hz: int = 44100,
    *,
    source_rate_hz: int | None = None,
    name: str = "",
    heard: Heard | None = None,
) -> Iterator[np.ndarray]:
    """The waveform of `load` in pieces `(samples,)`, at least one, none of them empty; a recording of hours takes no more memory
    than one of minutes.

    Arguments and errors as in `load`, the errors when the first piece is asked for; damage further on, when it is reached.
    name: what errors call it, its path by default. heard: told the source's own rate in Hz with each block that is decoded of a
    file, also where it is decoded ahead of the first piece, which takes long for a long one.
    """
    wanted = _checked_rate(sample_rate_hz, "sample_rate_hz")
    if isinstance(source, np.ndarray):
        if source_rate_hz is None:
            raise InputError("an array of samples was given without its rate; pass source_rate_hz, for example 44100")
        rate, name = _checked_rate(source_rate_hz, "source_rate_hz"), f"the array of shape {source.shape}"
        yield from _finished([(rate, _from_array(source))], wanted, name)
        return
    if not isinstance(source, str | Path | bytes):
        raise InputError(f"audio was given as {type(source).__name__}; give a path (str or Path), bytes or a NumPy array")
    if source_rate_hz is not None:
        raise InputError(f"source_rate_hz={source_rate_hz} was given for a file, which states its own rate; leave it out")
    name = name or ("<bytes>" if isinstance(source, bytes) else str(source))
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else opened(str(source)) as file:
            yield from _finished(_decoded(file, name, heard or (lambda rate_hz: None)), wanted, name)
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); check the path and its permissions") from error


def backend() -> Backend:
    """The decoder that `dataset` uses here: "tensorflow-io" where its ops load (TensorFlow 2.17), else "libsndfile"."""
    return "libsndfile" if _tensorflow_io() is None else "tensorflow-io"


def dataset(
    paths: Sequence[str], sample_rate_hz: int = 44100, *, backend: Backend | None = None, parallel: int | None = None
) -> "tf.data.Dataset":
    """The files decoded in parallel, in order, one element each; a bad file is an element too.

    Args:
        paths: the files.
        sample_rate_hz: the wanted rate, in samples a second.
        backend: "tensorflow-io" or "libsndfile"; None takes what `backend()` names.
        parallel: files decoded at once, each held in memory; None takes the number of cores, at most 8.

    Returns:
        A dataset of `(position, waveform, error)`: int64 `()`, the index in `paths`; float32 `(samples,)` as from `load`;
        string `()`, empty where all is well. A bad file has an empty waveform and one line that names file and reason.

    Raises:
        InputError: an unknown or unavailable backend, a rate or a `parallel` out of range.
    """
    import tensorflow as tf

    if isinstance(paths, str | bytes | Path):
        raise InputError(f"paths={paths!r} was given; give a list of paths, [{paths!r}]")
    wanted = _checked_rate(sample_rate_hz, "sample_rate_hz")
    chosen = _checked_backend(backend)
    parallel = min(os.cpu_count() or 1, 8) if parallel is None else parallel
    if parallel < 1:
        raise InputError(f"parallel={parallel} was given; give the number of files to decode at once, 1 or more")

    def by_load(path: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        return tuple(tf.numpy_function(lambda path: _waveform_or_reason(path, wanted), [path], (tf.float32, tf.string)))

    def one(position: "tf.Tensor", path: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
        waveform, error = _by_ops(path, wanted, by_load) if chosen == "tensorflow-io" else by_load(path)
        return position, tf.ensure_shape(waveform, (None,)), tf.ensure_shape(error, ())

    names = tf.constant([os.fsencode(path) for path in paths], tf.string, shape=(len(paths),))
    decoded = tf.data.Dataset.from_tensor_slices(names).enumerate().map(one, num_parallel_calls=parallel, deterministic=True)
    if chosen == "libsndfile":
        return decoded
    decoded = decoded.ignore_errors()

    def all_of_them() -> Iterator[tuple[int, np.ndarray, bytes]]:
        at = 0
        for position, waveform, error in decoded.as_numpy_iterator():
            for left_out in range(at, position):
                yield left_out, *_waveform_or_reason(os.fsencode(paths[left_out]), wanted)
            yield position, waveform, error
            at = position + 1
        for left_out in range(at, len(paths)):
            yield left_out, *_waveform_or_reason(os.fsencode(paths[left_out]), wanted)

    whole = tf.data.Dataset.from_generator(all_of_them, output_signature=decoded.element_spec)
    return whole.apply(tf.data.experimental.assert_cardinality(len(paths)))


# --- checks ---------------------------------------------------------------------------------------------------------


def _checked_rate(rate_hz: Any, name: str) -> int:
    try:
        rate = operator.index(rate_hz)
    except TypeError:
        rate = 0
    if not 1000 <= rate <= 768_000:
        raise InputError(f"{name}={rate_hz!r} was given; give a whole number of samples a second, 1000 to 768000")
    return rate


def _checked_backend(name: str | None) -> Backend:
    if name is None:
        return backend()
    if name not in get_args(Backend):
        raise InputError(f"backend={name!r} was given; give one of {', '.join(get_args(Backend))}, or None")
    if name == "tensorflow-io" and backend() != name:
        raise InputError(
            "backend='tensorflow-io' was given, but its ops do not load here; they need tensorflow-io 0.37.1 and "
            'TensorFlow 2.17 (pip install "adff-tf[io]"); or leave the backend out'
        )
    return cast(Backend, name)


def _finished(decoded: Iterable[tuple[int, np.ndarray]], wanted_hz: int, name: str) -> Iterator[np.ndarray]:
    """Blocks of one rate in Hz and mono samples, checked and at the wanted rate, without the empty ones."""
    resampler, empty = None, True
    for rate, block, is_last in _with_last(decoded):
        _check(block, name)
        if rate != wanted_hz:
            resampler = resampler or soxr.ResampleStream(rate, wanted_hz, 1, dtype="float32", quality="HQ")
            block = resampler.resample_chunk(np.ascontiguousarray(block, np.float32), last=is_last)
        if block.size:
            empty = False
            yield np.ascontiguousarray(block, np.float32)
    if empty:
        raise AudioError(f"{name}: holds no samples; give a recording that is longer than nothing")


def _with_last(decoded: Iterable[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Each block with whether it is the last one."""
    before = None
    for item in decoded:
        if before:
            yield *before, False
        before = item
    if before:
        yield *before, True


def _check(samples: np.ndarray, name: str) -> None:
    """Raise AudioError unless all samples are numbers within bounds."""
    if not samples.size:
        return
    peak = max(samples.max(), -samples.min())  # two reductions, no copy
    if not np.isfinite(peak):
        raise AudioError(f"{name}: holds NaN or infinite samples; every sample must be a number")
    if peak > MOST:
        raise AudioError(
            f"{name}: reaches {peak:g}, and full scale is 1; divide float samples by the full scale of the integers "
            "they came from (32768 for 16 bits), or give the integers themselves"
        )


# --- arrays ---------------------------------------------------------------------------------------------------------


def _from_array(samples: np.ndarray) -> np.ndarray:
    """`(samples,)` or `(samples, channels)` of any allowed type -> mono float32 `(samples,)`."""
    if samples.ndim not in (1, 2):
        raise InputError(f"an array of shape {samples.shape} was given; give (samples,) or (samples, channels)")
    if samples.ndim == 2 and samples.size and samples.shape[1] > samples.shape[0]:
        raise InputError(
            f"an array of shape {samples.shape} was given, more channels than samples; "
            "give (samples, channels): transpose it with .T"
        )
    return _mono(_full_scale(samples))


def _full_scale(samples: np.ndarray) -> np.ndarray:
    """Samples of an audio type as float32, full scale ±1, in the same shape."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    if samples.dtype.newbyteorder("=") not in (np.int8, np.int16, np.int32, np.uint8):
        raise InputError(f"samples of type {samples.dtype} were given; give float32, float64, int8, int16, int32 or uint8")
    full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    scaled = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        scaled -= full_scale
    scaled /= full_scale
    return scaled


def _mono(samples: np.ndarray) -> np.ndarray:
    """`(samples,)` or `(samples, channels)` -> `(samples,)`, the mean over channels."""
    if samples.ndim == 1:
        return samples
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


# --- files ----------------------------------------------------------------------------------------------------------


def opened(path: str) -> BinaryIO:
    """The file, unbuffered: libsndfile reads from its descriptor and must find it where Python left it."""
    if "\0" in path or not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for a writer
        raise AudioError(f"{path!r} is a folder or a device, not a file; give the path of one recording")
    return open(path, "rb", buffering=0)


def _decoded(file: BinaryIO, name: str, heard: Heard) -> Iterator[tuple[int, np.ndarray]]:
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
    if samples and _is_cut_off(samples / rate, stated_s):
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
        with _Stream(_handle(file), closefd=False) as sound:
            while True:
                block = sound.read(BLOCK, dtype="float32", always_2d=True)
                yield sound.samplerate, _mono(block)
                if not len(block):  # the last one says that a file of no samples was read
                    return
    except sf.SoundFileError:  # FFmpeg is asked next
        return


def _promised(file: BinaryIO) -> tuple[int, int, bool]:
    """Samples and rate in Hz that libsndfile promises (0: it does not know the file), and whether it is an mp3."""
    file.seek(0)
    try:
        with _Stream(_handle(file), closefd=False) as sound:
            return sound.frames, sound.samplerate, sound.format == "MP3"
    except sf.SoundFileError:
        return 0, 0, False


def _is_cut_off(heard_s: float, stated_s: float) -> bool:
    return heard_s < 0.99 * stated_s - 0.1  # a damaged frame or a rounded length is no end


def _stated_s(file: BinaryIO) -> float:
    """Seconds that the file's header states; 0 where it states none."""
    file.seek(0)
    try:
        with _Stream(_handle(file), closefd=False) as sound:
            kind, seconds = sound.format, sound.frames / sound.samplerate
    except sf.SoundFileError:
        return 0.0
    if kind in ("WAV", "WAVEX"):  # libsndfile cuts its promise to the file's size
        return _riff_s(file)
    is_stated = kind == "FLAC" or kind == "MP3" and _states_its_length(file)
    return seconds if is_stated and seconds < LONGEST_S else 0.0


def _riff_s(file: BinaryIO) -> float:
    """Seconds that a wav's chunks state; 0 where a pipe left them open."""
    file.seek(12)
    bytes_a_second = 0
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            return size / bytes_a_second if bytes_a_second and size < 0x7FFF0000 else 0.0
        start = file.tell()
        if name == b"fmt ":
            form = file.read(16)
            bytes_a_second = int.from_bytes(form[4:8], "little") * int.from_bytes(form[12:14], "little")
        file.seek(start + size + size % 2)
    return 0.0


def _is_short(file: BinaryIO) -> bool:
    """Whether the whole recording may be held in memory, decoded: as far as its header and its size tell."""
    promised, rate, _ = _promised(file)
    return promised <= LONG_S * min(rate, 96_000) and file.seek(0, os.SEEK_END) <= LONG_BYTES


def _bears_out(file: BinaryIO, samples: int) -> bool:
    """Whether so many decoded samples are surely the whole file."""
    promised, _, is_mp3 = _promised(file)
    if is_mp3 and not _states_its_length(file):
        # An estimate from the first frames' bitrate: reading must have ended before it, and near it.
        missing = promised - samples
        return 0 < missing <= max(2 * MP3_FRAME, promised // 100)
    return 0 < promised == samples


def _handle(file: BinaryIO) -> Any:
    """A real file's descriptor (libsndfile then reads without the GIL, and sees no name to guess from), else the file."""
    return file if isinstance(file, io.BytesIO) else file.fileno()


def _states_its_length(file: BinaryIO) -> bool:
    """Whether an mp3's first frame is a Xing/Info tag that states the number of frames."""
    file.seek(0)
    head = file.read(10)
    skip = 10 + functools.reduce(lambda size, byte: size << 7 | byte, head[6:10]) if head[:3] == b"ID3" else 0
    file.seek(skip)
    frame = file.read(256)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    return at >= 0 and bool(int.from_bytes(frame[at + 4 : at + 8], "big") & 1)


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
                    yield frame.sample_rate, _mono(_channels_last(frame))
        except av.error.FFmpegError as error:
            raise AudioError(f"{name}: cannot be decoded to its end ({error.strerror})") from error
    if damaged > packets / 2:
        raise AudioError(f"{name}: is damaged: {damaged} of {packets} packets do not decode")
    if len(rates) > 1:
        raise AudioError(f"{name}: changes its sample rate midway ({sorted(rates)} Hz); convert it to one rate")


def _channels_last(frame: Any) -> np.ndarray:
    """An FFmpeg audio frame as `(samples, channels)` float32."""
    samples = _full_scale(frame.to_ndarray())
    return samples.T if frame.format.is_planar else samples.reshape(frame.samples, -1)


# --- tf.data --------------------------------------------------------------------------------------------------------


@functools.cache
def _tensorflow_io() -> Any:
    """The module tensorflow_io where its ops load, else None: on other TensorFlow versions it warns, logs and raises."""
    import tensorflow as tf

    silence = io.BytesIO()
    sf.write(silence, np.zeros(4, np.int16), 8000, format="WAV", subtype="PCM_16")
    with silenced_stderr():
        try:
            import tensorflow_io as tfio

            tfio.audio.decode_wav(tf.constant(silence.getvalue()), dtype=tf.int16)
        except (ImportError, AttributeError, NotImplementedError, tf.errors.OpError):
            return None
    return tfio


def _waveform_or_reason(path: bytes, wanted_hz: int) -> tuple[np.ndarray, bytes]:
    try:
        return load(os.fsdecode(path), wanted_hz), b""
    except InputError as error:
        return np.zeros(0, np.float32), os.fsencode(" ".join(str(error).split()))


def _graph_decoder(path: bytes) -> tuple[np.int64, np.int64]:
    """The position in GRAPH_DECODERS that reads this file (-1: none) and its rate in Hz; only the header is read."""
    try:
        with opened(os.fsdecode(path)) as file, sf.SoundFile(_handle(file), closefd=False) as sound:
            kind, rate, seconds = (sound.format, sound.subtype), sound.samplerate, sound.frames / sound.samplerate
            is_whole = kind[0] != "WAV" or not _is_cut_off(seconds, _riff_s(file))
            return np.int64([*GRAPH_DECODERS].index(kind) if is_whole and kind in GRAPH_DECODERS else -1), np.int64(rate)
    except (AudioError, OSError, sf.SoundFileError):  # `load`, which comes next, says what is wrong
        return np.int64(-1), np.int64(0)


def _by_ops(path: "tf.Tensor", wanted_hz: int, otherwise: Callable) -> tuple["tf.Tensor", "tf.Tensor"]:
    """A path -> `(waveform, "")` decoded by tensorflow-io's op for its format; by `otherwise` where there is none.

    In a graph, where a file that the op cannot read is an error of the element.
    """
    import tensorflow as tf

    decoder, rate = tf.numpy_function(_graph_decoder, [path], (tf.int64, tf.int64))

    def finish(waveform: np.ndarray, rate: np.int64, path: bytes) -> np.ndarray:
        return np.concatenate(list(_finished([(int(rate), waveform)], wanted_hz, os.fsdecode(path))))

    def decode(op: str, dtype: str | None) -> tuple["tf.Tensor", "tf.Tensor"]:
        waveform = _run_op(tf.io.read_file(path), op, dtype)
        return tf.numpy_function(finish, [waveform, rate, path], tf.float32), tf.constant("")

    branches = [functools.partial(decode, *op) for op in GRAPH_DECODERS.values()]
    return tf.switch_case(tf.cast(decoder, tf.int32), branches, default=lambda: otherwise(path))


def _run_op(content: "tf.Tensor", op: str, dtype: str | None) -> "tf.Tensor":
    """A file's content -> mono float32 `(samples,)`, full scale ±1, by a tensorflow-io op."""
    import tensorflow as tf

    decode = getattr(_tensorflow_io().audio, op)
    samples = decode(content) if dtype is None else decode(content, dtype=tf.as_dtype(dtype))
    mono = tf.reduce_mean(tf.cast(samples, tf.float32), axis=1)
    return mono if samples.dtype.is_floating else mono / float(2 ** (8 * samples.dtype.size - 1))
