"""`dataset`: files decoded in parallel in a tf.data graph, by tensorflow-io's ops where they load and by `load` elsewhere."""

import functools
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import soundfile as sf

from ..errors import InputError
from ..litert import riff_s
from ..support.console import silenced_stderr
from .decoding import handle, is_cut_off, opened
from .loading import checked_rate, finished, load
from .samples import AudioError

if TYPE_CHECKING:
    import tensorflow as tf

Backend = Literal["tensorflow-io", "libsndfile"]

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
    wanted = checked_rate(sample_rate_hz, "sample_rate_hz")
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
        with opened(os.fsdecode(path)) as file, sf.SoundFile(handle(file), closefd=False) as sound:
            kind, rate, seconds = (sound.format, sound.subtype), sound.samplerate, sound.frames / sound.samplerate
            is_whole = kind[0] != "WAV" or not is_cut_off(seconds, riff_s(file))
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
        return np.concatenate(list(finished([(int(rate), waveform)], wanted_hz, os.fsdecode(path))))

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
