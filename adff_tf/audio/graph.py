"""Files decoded in parallel in a tf.data graph.

tensorflow-io's ops decode where they load, and `load` elsewhere.
"""

import functools
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import soundfile as sf

from ..errors import InputError
from ..support.console import silence_stderr
from .decoding import is_cut_off, libsndfile_handle, open_recording
from .headers import riff_seconds
from .loading import load
from .resampling import check_rate, resample
from .samples import AudioError

if TYPE_CHECKING:
    import tensorflow as tf

GraphDecoder = Literal["tensorflow-io", "libsndfile"]

# (libsndfile's format, subtype): the tensorflow-io op with the same samples, and its dtype (None:
# float32). The wav op reads 32-bit integers as floats and 8 bits wrongly: libsndfile decodes those.
GRAPH_OPS = {
    ("MP3", "MPEG_LAYER_III"): ("decode_mp3", None),
    ("OGG", "VORBIS"): ("decode_vorbis", None),
    ("WAV", "PCM_16"): ("decode_wav", "int16"),
    ("WAV", "PCM_24"): ("decode_wav", "int32"),
    ("WAV", "FLOAT"): ("decode_wav", "float32"),
    ("FLAC", "PCM_16"): ("decode_flac", "int16"),
    ("FLAC", "PCM_24"): ("decode_flac", "int32"),
}


def graph_decoder() -> GraphDecoder:
    """Return the decoder that `dataset` uses here.

    It is "tensorflow-io" where its ops load (TensorFlow 2.17), else "libsndfile".
    """
    return "libsndfile" if _tensorflow_io() is None else "tensorflow-io"


def dataset(
    paths: Sequence[str],
    sample_rate_hz: int = 44100,
    *,
    decoder: GraphDecoder | None = None,
    parallel: int | None = None,
) -> "tf.data.Dataset":
    """Return a dataset of the files' waveforms, decoded in parallel, in order, one element a file.

    Args:
        paths: the files.
        sample_rate_hz: the wanted rate, samples a second.
        decoder: "tensorflow-io" or "libsndfile"; None takes `graph_decoder()`.
        parallel: files decoded at once, each held in memory; None takes the number of cores, at
            most 8.

    Returns:
        Elements `(index, waveform, error)`: int64 `()`, the index in `paths`; float32 `(samples,)`
        as from `load`; string `()`, empty for a good file. A bad file has an empty waveform and
        one line with the reason, without the file's name.

    Raises:
        InputError: an unknown or unavailable decoder, a rate or `parallel` out of range.
    """
    import tensorflow as tf

    if isinstance(paths, str | bytes | Path):
        raise InputError(f"paths={paths!r} was given; give a list of paths, [{paths!r}]")
    wanted_hz = check_rate(sample_rate_hz, "sample_rate_hz")
    chosen = _check_decoder(decoder)
    parallel = min(os.cpu_count() or 1, 8) if parallel is None else parallel
    if parallel < 1:
        raise InputError(
            f"parallel={parallel} was given; give the number of files to decode at once, 1 or more"
        )

    def by_load(path: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        def decode(path: bytes) -> tuple[np.ndarray, bytes]:
            return _waveform_or_reason(path, wanted_hz)

        return tuple(tf.numpy_function(decode, [path], (tf.float32, tf.string)))

    def element(index: "tf.Tensor", path: "tf.Tensor") -> tuple:
        use_ops = chosen == "tensorflow-io"
        waveform, error = _by_ops(path, wanted_hz, by_load) if use_ops else by_load(path)
        return index, tf.ensure_shape(waveform, (None,)), tf.ensure_shape(error, ())

    names = tf.constant([os.fsencode(path) for path in paths], tf.string, shape=(len(paths),))
    files = tf.data.Dataset.from_tensor_slices(names).enumerate()
    decoded = files.map(element, num_parallel_calls=parallel, deterministic=True)
    if chosen == "libsndfile":
        return decoded
    return _with_failed_files(decoded.ignore_errors(), paths, wanted_hz)


def _with_failed_files(
    decoded: "tf.data.Dataset", paths: Sequence[str], wanted_hz: int
) -> "tf.data.Dataset":
    """Return the dataset with each file that an op could not read decoded by `load`, in place.

    A graph has no try/except: `ignore_errors` leaves out elements whose op failed.
    """
    import tensorflow as tf

    def elements() -> Iterator[tuple[int, np.ndarray, bytes]]:
        due = 0
        for index, waveform, error in decoded.as_numpy_iterator():
            for missing in range(due, index):
                yield missing, *_waveform_or_reason(os.fsencode(paths[missing]), wanted_hz)
            yield index, waveform, error
            due = index + 1
        for missing in range(due, len(paths)):
            yield missing, *_waveform_or_reason(os.fsencode(paths[missing]), wanted_hz)

    whole = tf.data.Dataset.from_generator(elements, output_signature=decoded.element_spec)
    return whole.apply(tf.data.experimental.assert_cardinality(len(paths)))


def _check_decoder(name: str | None) -> GraphDecoder:
    if name is None:
        return graph_decoder()
    if name not in get_args(GraphDecoder):
        raise InputError(
            f"decoder={name!r} was given; give one of {', '.join(get_args(GraphDecoder))}, or None"
        )
    if name == "tensorflow-io" and graph_decoder() != name:
        raise InputError(
            "decoder='tensorflow-io' was given, but its ops do not load here; they need "
            'tensorflow-io 0.37.1 and TensorFlow 2.17 (pip install "adff-tf[io]"); '
            "or leave the decoder out"
        )
    return cast(GraphDecoder, name)


@functools.cache
def _tensorflow_io() -> Any:
    """Return the module tensorflow_io, or None where its ops do not load.

    On other TensorFlow versions than its own it warns, logs and raises.
    """
    import tensorflow as tf

    silence = io.BytesIO()
    sf.write(silence, np.zeros(4, np.int16), 8000, format="WAV", subtype="PCM_16")
    with silence_stderr():
        try:
            import tensorflow_io as tfio

            tfio.audio.decode_wav(tf.constant(silence.getvalue()), dtype=tf.int16)
        except (ImportError, AttributeError, NotImplementedError, tf.errors.OpError):
            return None
    return tfio


def _waveform_or_reason(path: bytes, wanted_hz: int) -> tuple[np.ndarray, bytes]:
    """Return the waveform and b"", or no samples and the reason in one line."""
    try:
        return load(os.fsdecode(path), wanted_hz), b""
    except AudioError as error:
        return np.zeros(0, np.float32), os.fsencode(" ".join(error.reason.split()))


def _find_op(path: bytes) -> tuple[np.int64, np.int64]:
    """Return the index in GRAPH_OPS of a file's op (-1: none) and its rate in Hz, by its header."""
    try:
        with open_recording(os.fsdecode(path)) as file:
            with sf.SoundFile(libsndfile_handle(file), closefd=False) as sound:
                form, rate = (sound.format, sound.subtype), sound.samplerate
                seconds = sound.frames / rate
            is_whole = form[0] != "WAV" or not is_cut_off(seconds, riff_seconds(file))
    except (AudioError, OSError, sf.SoundFileError):  # `load`, which comes next, gives the reason
        return np.int64(-1), np.int64(0)
    index = [*GRAPH_OPS].index(form) if is_whole and form in GRAPH_OPS else -1
    return np.int64(index), np.int64(rate)


def _by_ops(path: "tf.Tensor", wanted_hz: int, otherwise: Callable) -> tuple:
    """Return `(waveform, "")` of a path by the tensorflow-io op of its format.

    `otherwise` decodes formats without an op. A file that its op cannot read is an error of the
    element.
    """
    import tensorflow as tf

    op_index, rate = tf.numpy_function(_find_op, [path], (tf.int64, tf.int64))

    def finish(waveform: np.ndarray, rate: np.int64, path: bytes) -> np.ndarray:
        return np.concatenate(list(resample([(int(rate), waveform)], wanted_hz, os.fsdecode(path))))

    def decode(op: str, dtype: str | None) -> tuple["tf.Tensor", "tf.Tensor"]:
        waveform = _run_op(tf.io.read_file(path), op, dtype)
        return tf.numpy_function(finish, [waveform, rate, path], tf.float32), tf.constant("")

    branches = [functools.partial(decode, *op) for op in GRAPH_OPS.values()]
    return tf.switch_case(tf.cast(op_index, tf.int32), branches, default=lambda: otherwise(path))


def _run_op(content: "tf.Tensor", op: str, dtype: str | None) -> "tf.Tensor":
    """Return a file's content as mono float32 `(samples,)`, full scale ±1."""
    import tensorflow as tf

    decode = getattr(_tensorflow_io().audio, op)
    samples = decode(content) if dtype is None else decode(content, dtype=tf.as_dtype(dtype))
    mono = tf.reduce_mean(tf.cast(samples, tf.float32), axis=1)
    return mono if samples.dtype.is_floating else mono / float(2 ** (8 * samples.dtype.size - 1))
