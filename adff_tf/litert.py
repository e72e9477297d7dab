"""Valence and arousal (or the emotion class) of recordings, or of a microphone, by an exported `.tflite`; without TensorFlow.

This one file and what `REQUIREMENTS` names are all that a device needs beside the model; an export lays it there under the name
`adff_litert.py`.

    python adff_litert.py adff_int8.tflite song.mp3

    runner = EmotionRunner.load("adff_int8.tflite")
    runner.predict("song.mp3")["valence"]
    for window in runner.stream(blocks, 48000): ...

**The model.** Signature `serving_default`: `waveform` float32 (1, window), mono, full scale ±1, at `sample_rate_hz`, in; `valence`
and `arousal` (1,), or `probabilities` (1, classes), out. A zip archive after the model's own bytes holds `adff.json`, which says
what the model is (`EmotionRunner.about`), and the size and SHA-256 of those bytes. A damaged model may answer nonsense or end the
process, so LiteRT is shown none that is not as it was exported. That guards against accidents, not against forgery.

**Windows.** A window starts every `hop_s` seconds, half a window unless given. What is left behind the last whole one, if half a
hop or more, is covered by a window taken from further forward; a recording shorter than a window is padded with silence. The
song's values are means over windows, `std` their sample std. Valence and arousal are in units of [-1, 1],
linear outputs: a value may lie a little outside. One window and one block of sound are held, whatever the length.

**Sound.** libsndfile decodes wav, flac, ogg, opus, mp3, aiff; the content decides, not the name. Integers are divided by
2^(bits - 1), floats taken as they are; mono is the mean over channels; soxr at quality HQ changes the rate. m4a, aac and wma are
refused, and so is a file that holds less than it states, and one of which libsndfile reads a part alone: it stops without a word
where an mp3 is damaged, and in an mp3 of variable bitrate without a Xing tag.

The rules for windows, for samples and for the form of an answer are those of `adff_tf.inference` and `adff_tf.audio`, said again
here because this file must stand alone; tests hold the two together. What a wav or mp3 states of its length, and how a name is
printed, is said here alone, and the rest of adff_tf takes it from here.
"""

import argparse
import contextlib
import hashlib
import io
import json
import numbers
import operator
import os
import re
import stat
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

REQUIREMENTS = ("numpy>=1.26", "soundfile>=0.12.1", "soxr>=0.5", "ai-edge-litert>=1.4")


def _missing(error: Exception) -> str:
    quoted = " ".join(f'"{requirement}"' for requirement in REQUIREMENTS)
    return f"{error}; install what this runs on: pip install {quoted}"


try:
    import numpy as np
    import soundfile as sf
    import soxr
except (
    ImportError,
    OSError,
) as error:  # OSError: soundfile is there, and the libsndfile that it wraps is not
    if __name__ == "__main__":
        sys.exit(f"error: {_missing(error)}")
    raise ImportError(_missing(error)) from error

FORMAT = 1  # of adff.json
DESCRIPTION = "adff.json"
FIELDS = {
    "task": str,
    "outputs": list,
    "classes": list,
    "scale": list,
    "sample_rate_hz": int,
    "window": int,
    "size": int,
    "sha256": str,
}
BLOCK = 2**18  # samples decoded at once
SLACK = 2304  # samples: two frames of an mp3, whose stated length is an estimate
LONGEST_S = 7 * 86400.0  # a header that states more is damaged itself, or does not know
RIFF = ("WAV", "WAVEX", "RF64")
MOST = 100.0  # a lossy file's peak may pass full scale, but not so far
Decoded = tuple[int, np.ndarray]  # a rate in Hz, and samples


class InputError(ValueError):
    """Something that was given cannot be used; the message says what, and what to do next."""


# === The model ===


class EmotionRunner:
    """An exported model. Load it once and ask it about as many recordings as you like, from any thread; it answers one window
    after the other."""

    def __init__(self, about: dict[str, Any], run: Callable[..., dict[str, np.ndarray]]):
        """about: `adff.json`. run: from `waveform=` (1, window) float32 to the model's outputs by name."""
        self.about, self._run, self._lock = about, run, threading.Lock()

    @classmethod
    def load(cls, path: str | Path, threads: int = 2) -> "EmotionRunner":
        """The model in an exported `.tflite` that takes a waveform. threads: processors to use, 1 to 64. Raises InputError."""
        if not isinstance(threads, int) or not 1 <= threads <= 64:
            raise InputError(f"threads={threads!r} was given; give a whole number, 1 to 64")
        content = _read(path)
        about = _described(content, path)
        return cls(about, _signature(content, about, path, threads))

    @property
    def sample_rate_hz(self) -> int:
        return self.about["sample_rate_hz"]

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.about["window"]

    def answer(self, window: np.ndarray) -> dict[str, np.ndarray]:
        """The model's outputs for one whole window.

        window: `(samples,)` at the model's rate, full scale ±1. Returns `()` a target, or `probabilities` `(classes,)`, float32.
        """
        if np.shape(window) != (self.window,):
            raise InputError(
                f"a window of shape {np.shape(window)} was given; give ({self.window},), at {self.sample_rate_hz} Hz"
            )
        waveform = np.ascontiguousarray(_mono(window), "float32")
        _check(waveform, "the window")
        with self._lock:
            outputs = self._run(waveform=waveform[None])
        return {name: outputs[name][0] for name in self.about["outputs"]}

    def predict(
        self,
        source: str | Path | bytes | np.ndarray,
        source_rate_hz: int | None = None,
        hop_s: float | None = None,
        name: str = "",
    ) -> dict[str, Any]:
        """The emotion of one recording, of any length, ready for JSON; docs/on-device.md lists its fields.

        source: a path, a file's content as bytes, or samples `(samples,)` or `(samples, channels)` with `source_rate_hz`.
        hop_s: seconds from one window to the next. name: what to call it where it has no path. Raises InputError.
        """
        hop = self.hop_samples(hop_s)
        name = name or (
            str(source) if isinstance(source, str | Path) else f"<{type(source).__name__}>"
        )
        cut = _Windows(
            _at_rate(_decoded(source, source_rate_hz, name), self.sample_rate_hz, name),
            self.window,
            hop,
        )
        spans, answers = [], []
        for start, end, samples in cut:
            spans.append((start, end))
            answers.append(self._number(samples))
        if not spans:
            raise InputError(
                f"{name}: holds no samples; give a recording that is longer than nothing"
            )
        return {
            "path": name,
            "seconds": round(cut.samples / self.sample_rate_hz, 3),
            **self._whole(
                {
                    output: np.stack([answer[output] for answer in answers])
                    for output in self.about["outputs"]
                }
            ),
            "window_s": self.window / self.sample_rate_hz,
            "hop_s": hop / self.sample_rate_hz,
            "padded": cut.samples < self.window,
            "curve": [
                self._row(*span, answer) for span, answer in zip(spans, answers, strict=True)
            ],
        }

    def stream(
        self, blocks: Iterable[np.ndarray], source_rate_hz: int, hop_s: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """A row of `predict`'s `curve` each time a window is complete: `start`, `end` in seconds from the first sample, and values.

        blocks: `(samples,)` or `(samples, channels)` of any size, such as a microphone's. Where they end, what is left is answered
        as the end of a recording is. Raises InputError.
        """
        hop, rate = self.hop_samples(hop_s), _checked_rate(source_rate_hz, "source_rate_hz")
        whole = [blocks] if isinstance(blocks, np.ndarray) else blocks
        decoded = ((rate, piece) for block in whole for piece in _pieces(block))
        cut = _Windows(_at_rate(decoded, self.sample_rate_hz, "the stream"), self.window, hop)
        return (self._row(start, end, self._number(samples)) for start, end, samples in cut)

    def hop_samples(self, hop_s: float | None) -> int:
        """A hop in samples, half a window for None. Raises InputError unless it is above 0 and at most a window."""
        if hop_s is None:
            return self.window // 2
        longest = self.window / self.sample_rate_hz
        if not (
            isinstance(hop_s, numbers.Real) and 1 / self.sample_rate_hz <= hop_s <= longest
        ):  # NaN too
            raise InputError(
                f"a hop of {hop_s!r} s was given; give a number above 0 and at most a window, {longest:g} s"
            )
        return round(hop_s * self.sample_rate_hz)

    def _number(self, window: np.ndarray) -> dict[str, np.ndarray]:
        """`answer`, once it is one. Raises InputError."""
        answer = self.answer(window)
        if not all(np.isfinite(value).all() for value in answer.values()):
            raise InputError(
                "the model answers NaN or infinity for finite samples: it is damaged, or this LiteRT is too old for it. "
                "See parity.json of its export, or pip install -U ai-edge-litert"
            )
        return answer

    def _row(self, start: int, end: int, answer: dict[str, np.ndarray]) -> dict[str, Any]:
        """A window's row of the curve; start, end: samples."""
        span = {
            "start": round(start / self.sample_rate_hz, 3),
            "end": round(end / self.sample_rate_hz, 3),
        }
        if self.about["classes"]:
            return span | self._classes(answer["probabilities"])
        return span | {name: float(value) for name, value in answer.items()}

    def _whole(self, windows: dict[str, np.ndarray]) -> dict[str, Any]:
        """The song's values; windows: by output, `(windows,)` or `(windows, classes)`."""
        if self.about["classes"]:
            found = self._classes(windows["probabilities"].mean(axis=0))
            return (
                {"quadrant": found["label"]} if self.about["task"] == "quadrant" else {}
            ) | found
        values = {name: float(value.mean()) for name, value in windows.items()}
        std = {
            name: float(value.std(ddof=1)) if len(value) > 1 else None
            for name, value in windows.items()
        }
        return values | self._quadrant(values) | {"std": std, "scale": self.about["scale"]}

    def _classes(self, probabilities: np.ndarray) -> dict[str, Any]:
        by_class = dict(zip(self.about["classes"], probabilities.tolist(), strict=True))
        return {"label": max(by_class, key=by_class.__getitem__), "probabilities": by_class}

    def _quadrant(self, values: dict[str, float]) -> dict[str, str]:
        """Russell's: Q1 (+V +A), Q2 (-V +A), Q3 (-V -A), Q4 (+V -A); nothing where the task does not tell it."""
        if not {"valence", "arousal"} <= set(values):
            return {}
        middle = sum(self.about["scale"]) / 2
        signs = values["valence"] >= middle, values["arousal"] >= middle
        return {
            "quadrant": {
                (True, True): "Q1",
                (False, True): "Q2",
                (False, False): "Q3",
                (True, False): "Q4",
            }[signs]
        }


def _read(path: str | Path) -> bytes:
    """A model file, the whole of it in memory: one that is replaced while it is in use does no harm."""
    asked = "give one of an export's .tflite files, such as adff_int8.tflite"
    file = os.path.expanduser(path)
    try:
        if "\0" in str(path) or not stat.S_ISREG(os.stat(file).st_mode):
            raise InputError(f"{path} is a folder or a device, not a file; {asked}")
        content = Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {asked}") from None
    if content[4:8] != b"TFL3":
        begins = f"it begins {content[:8]!r}" if content else "it is empty"
        raise InputError(f"{path} is no .tflite file ({begins}); {asked}")
    return content


def _described(content: bytes, path: str | Path) -> dict[str, Any]:
    """The description in a model file, once it agrees with the model's bytes. Raises InputError."""
    again = "Copy it from the export again, or export again"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(DESCRIPTION) as member:
            about = json.loads(member.read(2**20))
    except Exception:  # zipfile and zlib raise whatever the damage leads to
        raise InputError(
            f"{path} has no readable {DESCRIPTION} at its end: it was cut off or damaged, or is no export of adff_tf. {again}"
        ) from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else type(about).__name__
        raise InputError(
            f"{path} is of format {found!r}, and this reads {FORMAT}; use the adff_litert.py of the same export"
        )
    wrong = [name for name, kind in FIELDS.items() if not isinstance(about.get(name), kind)]
    if wrong:
        raise InputError(f"{path}: its {DESCRIPTION} does not say {', '.join(wrong)}. {again}")
    if hashlib.sha256(memoryview(content)[: about["size"]]).hexdigest() != about["sha256"]:
        raise InputError(
            f"{path} is damaged: its content is not what was exported (SHA-256). {again}"
        )
    return about


def _signature(
    content: bytes, about: dict[str, Any], path: str | Path, threads: int
) -> Callable[..., dict[str, np.ndarray]]:
    """LiteRT's function for a model's content, ready to run. Raises InputError."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise InputError(_missing(error)) from None
    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        run = interpreter.get_signature_runner("serving_default")
    except (RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"{path} does not load: {reason}. Try a newer LiteRT: pip install -U ai-edge-litert"
        ) from None
    inputs = {
        name: tuple(detail["shape"].tolist()) for name, detail in run.get_input_details().items()
    }
    if "log_mel" in inputs:
        raise InputError(
            f"{path} takes log-mels, which your own program has to compute, and no sound; "
            "give the export's adff_int8.tflite, adff_float16.tflite or adff_float32.tflite"
        )
    outputs = set(run.get_output_details())
    if inputs != {"waveform": (1, about["window"])} or outputs != set(about["outputs"]):
        raise InputError(
            f"{path} takes {inputs} and gives {outputs}, and its {DESCRIPTION} says otherwise. Export it again"
        )
    return run


# === Windows ===


class _Windows:
    """The windows of a waveform that comes in blocks: (first sample, end, `(length,)` float32); see the module's conventions.

    Holds the last `length` samples, in a ring, and one block. samples: how many came so far.
    """

    def __init__(self, blocks: Iterable[np.ndarray], length: int, hop: int):
        """hop: samples, at most `length`."""
        self._blocks, self._hop, self._ring = blocks, hop, np.zeros(length, "float32")
        self.samples = 0

    def __iter__(self) -> Iterator[tuple[int, int, np.ndarray]]:
        length, hop = len(self._ring), self._hop
        due = length
        for block in self._blocks:
            while len(block):
                block = self._take(block, due - self.samples)
                if self.samples == due:
                    yield due - length, due, self._last
                    due += hop
        left = self.samples - (due - hop)
        if 0 < self.samples < length:
            yield 0, self.samples, self._ring
        elif left > 0 and left >= hop / 2:
            yield self.samples - length, self.samples, self._last

    def _take(self, block: np.ndarray, most: int) -> np.ndarray:
        """Write at most `most` samples of a block into the ring; returns the others."""
        taken, rest = block[:most], block[most:]
        at = self.samples % len(self._ring)
        first = taken[: len(self._ring) - at]
        self._ring[at : at + len(first)] = first
        self._ring[: len(taken) - len(first)] = taken[len(first) :]
        self.samples += len(taken)
        return rest

    @property
    def _last(self) -> np.ndarray:
        return np.roll(self._ring, -self.samples % len(self._ring))


# === Sound ===


def _decoded(
    source: str | Path | bytes | np.ndarray, source_rate_hz: int | None, name: str
) -> Iterator[Decoded]:
    """A source's rate in Hz and its samples as mono float32 `(samples,)`, block by block."""
    if isinstance(source, np.ndarray):
        if source_rate_hz is None:
            raise InputError(
                "an array of samples was given without its rate; pass source_rate_hz, for example 44100"
            )
        rate = _checked_rate(source_rate_hz, "source_rate_hz")
        yield from ((rate, piece) for piece in _pieces(source))
        return
    if not isinstance(source, str | Path | bytes):
        raise InputError(
            f"audio was given as {type(source).__name__}; give a path (str or Path), bytes or a NumPy array"
        )
    if source_rate_hz is not None:
        raise InputError(
            f"source_rate_hz={source_rate_hz} was given for a file, which states its own rate; leave it out"
        )
    try:
        with (
            io.BytesIO(source)
            if isinstance(source, bytes)
            else _opened(os.path.expanduser(source)) as file
        ):
            yield from _by_libsndfile(file, name)
    except OSError as error:
        raise InputError(
            f"{name}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from None


def _opened(path: str) -> BinaryIO:
    """The file, unbuffered: libsndfile reads from its descriptor and must find it where Python left it."""
    if "\0" in path or not stat.S_ISREG(
        os.stat(path).st_mode
    ):  # opening a pipe would wait for a writer
        raise InputError(
            f"{path!r} is a folder or a device, not a file; give the path of one recording"
        )
    return open(path, "rb", buffering=0)


class _Sound(sf.SoundFile):
    """A file read from its start to its end: soundfile seeks between two reads of a file that can seek, and after a seek a
    variable-bitrate mp3 is not sample-exact."""

    def seekable(self) -> bool:
        return False


def _by_libsndfile(file: BinaryIO, name: str) -> Iterator[Decoded]:
    begins = file.read(16)
    file.seek(0)
    if not begins:
        raise InputError(f"{name}: the file is empty (0 bytes)")
    samples, kind = 0, ""
    try:
        with _Sound(
            file if isinstance(file, io.BytesIO) else file.fileno(), closefd=False
        ) as sound:
            stated, rate, kind = sound.frames, sound.samplerate, sound.format
            if not 1000 <= rate <= 768_000:
                raise InputError(
                    f"{name}: states a sample rate of {rate} Hz; 1000 to 768000 can be used"
                )
            while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
                samples += len(block)
                yield rate, _mono(block)
    except sf.SoundFileError:
        raise InputError(
            f"{name}: is damaged, or no audio that libsndfile reads (it begins {begins!r}); convert m4a, aac or wma first, "
            "for instance: ffmpeg -i song.m4a song.wav"
        ) from None
    if kind in RIFF:  # libsndfile cuts what it states to the file's size
        stated = max(stated, round(rate * riff_s(file)))
    if stated > LONGEST_S * rate:  # a flac from a pipe
        stated = 0
    is_estimate = kind == "MP3" and not states_its_length(file)  # from the first frames' bitrate
    if is_estimate and not bears_out(stated, samples):
        raise InputError(
            f"{name}: libsndfile reads its first {samples / rate:.1f} s and may leave out the rest: an mp3 of variable "
            "bitrate that does not state its length, or a damaged one; convert it, for instance: ffmpeg -i song.mp3 song.wav"
        )
    if samples < 0.99 * stated - SLACK:
        raise InputError(
            f"{name}: states {stated / rate:.1f} s and holds {samples / rate:.1f} s: it is cut off or damaged. Get it whole, or "
            "keep what is there as a file of its own: ffmpeg -i SONG PART.wav"
        )


def riff_s(file: BinaryIO) -> float:
    """Seconds that a wav's chunks state; 0 where a pipe left them open."""
    file.seek(12)
    bytes_a_second = long = 0
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            size = long if size == 0xFFFFFFFF else size
            return size / bytes_a_second if bytes_a_second and (long or size < 0x7FFF0000) else 0.0
        start = file.tell()
        if name == b"fmt ":
            form = file.read(16)
            tag, rate, average, block = (
                int.from_bytes(form[at : at + n], "little")
                for at, n in ((0, 2), (4, 4), (8, 4), (12, 2))
            )
            # of samples in blocks the header's own average; it may be wrong where a block is a sample, which counts itself
            bytes_a_second = rate * block if tag in (1, 3, 0xFFFE) else average
        elif name == b"ds64":  # of more than 4 GB
            long = int.from_bytes(file.read(16)[8:], "little")
        file.seek(start + size + size % 2)
    return 0.0


def states_its_length(file: BinaryIO) -> bool:
    """Whether an mp3's first frame is a Xing/Info tag that states the number of frames."""
    file.seek(0)
    head = file.read(10)
    skip = (
        10 + sum(byte << 7 * place for place, byte in enumerate(reversed(head[6:10])))
        if head[:3] == b"ID3"
        else 0
    )
    file.seek(skip)
    frame = file.read(256)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    return at >= 0 and bool(int.from_bytes(frame[at + 4 : at + 8], "big") & 1)


def bears_out(estimate: int, samples: int) -> bool:
    """Whether so many decoded samples are the whole of an mp3 whose length is an estimate: reading ended before it, and near it."""
    return 0 < estimate - samples <= max(SLACK, estimate // 100)


def _pieces(samples: np.ndarray) -> Iterator[np.ndarray]:
    """An array as mono float32 `(samples,)` of at most BLOCK samples each."""
    if not isinstance(samples, np.ndarray) or samples.ndim not in (1, 2):
        given = (
            f"an array of shape {samples.shape}"
            if isinstance(samples, np.ndarray)
            else type(samples).__name__
        )
        raise InputError(f"{given} was given; give a NumPy array (samples,) or (samples, channels)")
    if samples.ndim == 2 and samples.shape[1] > max(
        8, len(samples)
    ):  # a stream's block may be as short as it likes
        raise InputError(
            f"an array of shape {samples.shape} was given, more channels than samples; "
            "give (samples, channels): transpose it with .T"
        )
    for at in range(0, len(samples), BLOCK):
        yield _mono(samples[at : at + BLOCK])


def _mono(samples: np.ndarray) -> np.ndarray:
    """`(samples,)` or `(samples, channels)` of an audio type -> float32 `(samples,)`, full scale ±1, the mean over channels."""
    samples = np.asarray(samples)
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, which is refused
            samples = samples.astype(np.float32, copy=False)
    elif samples.dtype.newbyteorder("=") in (np.int8, np.int16, np.int32, np.uint8):
        full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
        centre = full_scale if samples.dtype == np.uint8 else np.float32(0)
        samples = (samples.astype(np.float32) - centre) / full_scale
    else:
        raise InputError(
            f"samples of type {samples.dtype} were given; give float32, float64, int8, int16, int32 or uint8"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)


def _at_rate(decoded: Iterable[Decoded], wanted_hz: int, name: str) -> Iterator[np.ndarray]:
    """Mono blocks of one rate, checked, as blocks `(samples,)` float32 at the wanted rate."""
    resampler = None
    for rate, block in decoded:
        _check(block, name)
        if rate != wanted_hz:
            resampler = resampler or soxr.ResampleStream(
                rate, wanted_hz, 1, dtype="float32", quality="HQ"
            )
            block = resampler.resample_chunk(np.ascontiguousarray(block))
        yield block
    if resampler:
        yield resampler.resample_chunk(np.zeros(0, "float32"), last=True)


def _check(samples: np.ndarray, name: str) -> None:
    """Raise InputError unless all samples are numbers within bounds."""
    peak = max(samples.max(), -samples.min()) if samples.size else 0  # two reductions, no copy
    if not np.isfinite(peak):
        raise InputError(f"{name}: holds NaN or infinite samples; every sample must be a number")
    if peak > MOST:
        raise InputError(
            f"{name}: reaches {peak:g}, and full scale is 1; divide float samples by the full scale of the integers "
            "they came from (32768 for 16 bits), or give the integers themselves"
        )


def _checked_rate(rate_hz: Any, name: str) -> int:
    try:
        rate = operator.index(rate_hz)
    except TypeError:
        rate = 0
    if not 1000 <= rate <= 768_000:
        raise InputError(
            f"{name}={rate_hz!r} was given; give a whole number of samples a second, 1000 to 768000"
        )
    return rate


# === The command line ===


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, ask, print. Exits with 2 for a user's mistake and where a song could not be used, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as where a daemon closed it
            stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # a file's name may hold any bytes
    try:
        sys.exit(_ask(_parser().parse_args(arguments)))
    except InputError as error:
        sys.exit(_say(f"error: {error}", 2))
    except KeyboardInterrupt:
        sys.exit(_say("stopped. What was printed holds.", 130))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="What an exported model hears in songs. A song that cannot be used is named on standard error, the others go "
        "on, and the exit status is 2."
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="an export's .tflite that takes a waveform, such as adff_int8.tflite",
    )
    parser.add_argument(
        "songs", metavar="SONG", nargs="+", help="a recording, or - for one from standard input"
    )
    parser.add_argument(
        "--hop",
        metavar="S",
        type=float,
        help="seconds from one window to the next; half a window if not given",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json"),
        default="table",
        help="json: an object a line, with the curve",
    )
    parser.add_argument(
        "--threads", metavar="N", type=int, default=2, help="processors to use (default: 2)"
    )
    return parser


def _ask(options: argparse.Namespace) -> int:
    """Print what the model answers for each song; the exit status."""
    with _silenced_stderr():
        runner = EmotionRunner.load(options.model, options.threads)
    runner.hop_samples(options.hop)
    status, is_first = 0, True
    for song in options.songs:
        try:
            if not song:
                raise InputError(
                    "a song's name is empty; leave it out, or see what the shell's variable holds"
                )
            found = runner.predict(
                _standard_input() if song == "-" else song, hop_s=options.hop, name=song
            )
        except InputError as error:
            status = _say(f"error: {error}", 2)
            continue
        _print(
            json.dumps(found, allow_nan=False)
            if options.format == "json"
            else _table(found, is_first)
        )
        is_first = False
    return status


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise InputError(
            "- was given, and standard input is closed; give a recording by it: … | adff_litert.py MODEL -"
        )
    return sys.stdin.buffer.read()


def _print(text: str) -> None:
    """A line of results. Ends the program where it cannot be written."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what it holds back would fail once more at the end
        if isinstance(
            error, BrokenPipeError
        ):  # whoever read the results wants no more of them, as `| head`
            sys.exit(141)
        sys.exit(_say(f"error: what was answered cannot be written: {error.strerror}", 2))


def _table(found: dict[str, Any], with_head: bool) -> str:
    """A song's line for reading, under the names of its columns if it is the first."""
    cells: dict[str, Any] = {
        name: found[name] for name in ("seconds", "valence", "arousal") if name in found
    }
    cells |= {f"{name} ±": value for name, value in found.get("std", {}).items()}
    if "label" in found:  # the quadrant too, where that is the task
        cells |= {"label": found["label"]} | {
            f"p_{name}": value for name, value in found["probabilities"].items()
        }
    elif "quadrant" in found:
        cells["quadrant"] = found["quadrant"]
    head = "  ".join(f"{name:>9}" for name in cells) + "  song\n"
    note = (
        f"  (shorter than a window of {found['window_s']:g} s: padded with silence)"
        if found["padded"]
        else ""
    )
    return (
        (head if with_head else "")
        + "  ".join(f"{_cell(value):>9}" for value in cells.values())
        + f"  {printable(found['path'])}{note}"
    )


def printable(name: str) -> str:
    """A file's name on one line: line breaks and other control characters as Python writes them."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda found: repr(found[0])[1:-1], name)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return status


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Nothing reaches the terminal, not even from C++, which writes to the descriptor: LiteRT announces its delegate there."""
    if sys.stderr is None:  # closed
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


if __name__ == "__main__":
    main()
