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

from .decoding import opened
from .graph import Backend, backend, dataset
from .loading import blocks, load
from .samples import AudioError
from .search import SUFFIXES, recordings

__all__ = ["SUFFIXES", "AudioError", "Backend", "backend", "blocks", "dataset", "load", "opened", "recordings"]
