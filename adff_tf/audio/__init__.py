"""A recording as one mono waveform: float32 `(samples,)` at the wanted rate.

    search.py      folders to recordings
    headers.py     lengths that wav and mp3 headers state
    decoding.py    a file to blocks at its own rate, by libsndfile or FFmpeg
    samples.py     integers, channels and impossible values to mono float32
    resampling.py  blocks to the wanted rate
    loading.py     `load`, `blocks`, `stream_blocks`: all of these together
    graph.py       `dataset`: many files in a tf.data graph

**Conventions.** Full scale is ±1: integer samples are divided by 2^(bits - 1), unsigned ones are
centred first, and floats are taken as they are. Samples beyond ±100, 64-bit integers and arrays
with more channels than samples are refused. Nothing is clipped, so a lossy file's peak may pass 1.
Mono is the mean over channels. soxr resamples at quality HQ: 20 bits, images and aliases below
-120 dB, which is under the log-mel's -100 dB floor. A clip of silence is valid; an empty clip, NaN
and infinity are not.

**Decoders.** The content decides, never the file's name. libsndfile reads mp3, wav, flac,
ogg/vorbis, opus, aiff and more; FFmpeg (in PyAV's wheel) reads the rest: m4a, aac, wma, webm.
libsndfile stops silently at a damaged mp3 frame, and cuts a variable-bitrate mp3 without a
Xing/Info tag at its estimated length. When its number of samples does not confirm the number it
stated, FFmpeg decodes the file too, without the damaged packets, and the longer waveform is taken.

**Alignment.** All decoders drop an mp3's encoder delay and padding where a LAME tag states them,
and keep them elsewhere. Samples stand at the same index from each decoder, and differ by less than
1e-5 (mp3), 1e-6 (vorbis) or nothing (wav, flac).

**tf.data.** `dataset` decodes by tensorflow-io's ops where they load. Elsewhere, and for formats
without an op, it calls `load` in `tf.numpy_function`; libsndfile and soxr release the GIL, so files
still decode in parallel. A bad file is an element with an error text, never an exception or a gap.
"""

from .decoding import open_recording
from .graph import GraphDecoder, dataset, graph_decoder
from .loading import Source, blocks, load, stream_blocks
from .samples import AudioError
from .search import SUFFIXES, find_recordings

__all__ = [
    "SUFFIXES", "AudioError", "GraphDecoder", "Source", "blocks", "dataset", "find_recordings",
    "graph_decoder", "load", "open_recording", "stream_blocks",
]  # fmt: skip
