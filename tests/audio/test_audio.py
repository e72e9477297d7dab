"""The audio package against the chirp of each file, against FFmpeg, and against worked numbers."""

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
import soxr

from adff_tf import audio
from adff_tf.audio import AudioError
from adff_tf.audio.samples import to_mono
from adff_tf.errors import InputError

from ..real_data import needs_real_data, real_data

RATE = 44100
REAL = sorted(real_data("pmemo", "chorus").glob("*.mp3"))


def chirp(rate_hz: int, seconds: float = 2.0, channels: int = 2) -> np.ndarray:
    """Return `(samples, channels)`, a sweep from 200 to 1500 Hz, each channel quieter."""
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    sweep = 0.5 * np.sin(2 * np.pi * (200 * t + 1300 / (2 * seconds) * t**2))
    return np.stack([sweep / (1 + c) for c in range(channels)], axis=1).astype(np.float32)


def lag(reference: np.ndarray, other: np.ndarray) -> int:
    """How many samples later `other` comes, from the peak of the cross-correlation."""
    n = 2 ** int(np.ceil(np.log2(len(reference) + len(other))))
    correlation = np.fft.irfft(np.conj(np.fft.rfft(reference, n)) * np.fft.rfft(other, n))
    peak = int(correlation.argmax())
    return peak if peak < n // 2 else peak - n


def encode(path: Path, codec: str, samples: np.ndarray, rate_hz: int, **options: str) -> Path:
    """Write a file by FFmpeg; options are the container's (`write_xing`) and the codec's."""
    layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz, options=options)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts = (
            rate_hz,
            0,
        )  # from 0 on, so that the container states the encoder's delay
        resampler = av.AudioResampler(
            format=stream.format, layout=layout, rate=rate_hz, frame_size=stream.frame_size or 0
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE, **options) -> Path:
    sf.write(path, samples, rate_hz, **options)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """Good files of every kind, all from `chirp` at their own rate."""
    folder = tmp_path_factory.mktemp("made")
    stereo = chirp(RATE)
    files = {
        name: write(folder / name, stereo, subtype=subtype)
        for name, subtype in {
            "u8.wav": "PCM_U8",
            "16.wav": "PCM_16",
            "24.wav": "PCM_24",
            "32.wav": "PCM_32",
            "float.wav": "FLOAT",
            "double.wav": "DOUBLE",
            "16.flac": "PCM_16",
            "24.flac": "PCM_24",
            "cbr.mp3": None,
            "vorbis.ogg": None,
            "16.aiff": "PCM_16",
        }.items()
    }
    files["vbr.mp3"] = write(
        folder / "vbr.mp3", stereo, bitrate_mode="VARIABLE", compression_level=0.5
    )
    files["mono.mp3"] = write(folder / "mono.mp3", chirp(RATE, channels=1))
    files["8k.mp3"] = write(folder / "8k.mp3", chirp(8000), 8000)
    files["8k.wav"] = write(folder / "8k.wav", chirp(8000), 8000)
    files["96k.flac"] = write(folder / "96k.flac", chirp(96000), 96000, subtype="PCM_24")
    files["six.wav"] = write(folder / "six.wav", chirp(RATE, channels=6))
    files["six.ogg"] = write(folder / "six.ogg", chirp(RATE, channels=6))
    files["sound.opus"] = write(
        folder / "sound.opus", chirp(48000), 48000, format="OGG", subtype="OPUS"
    )
    files["aac.m4a"] = encode(folder / "aac.m4a", "aac", stereo, RATE)
    files["alac.m4a"] = encode(folder / "alac.m4a", "alac", stereo, RATE)
    files["opus.webm"] = encode(folder / "opus.webm", "libopus", chirp(48000), 48000)
    size = 900_000  # a tag with a large picture before the sound
    tag = b"ID3\x03\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    files["art.mp3"] = folder / "art.mp3"
    files["art.mp3"].write_bytes(
        tag + b"\xff\xfb\x90" * (size // 3) + files["cbr.mp3"].read_bytes()
    )
    files["mp3 named.vox"] = folder / "mp3 named.vox"
    files["mp3 named.vox"].write_bytes(files["cbr.mp3"].read_bytes())
    return files


@pytest.fixture(scope="module")
def bad(made, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bad")
    contents = {
        "empty.mp3": b"",
        "text.mp3": b"these are words, not sound\n" * 3000,
        "text.vox": b"these are words, not sound\n"
        * 3000,  # a headerless format, were the name believed
        "zeros.mp3": bytes(50_000),
        "noise.raw": np.random.default_rng(1).bytes(50_000),
        "header.wav": made["16.wav"].read_bytes()[:44],
        "cut.m4a": made["aac.m4a"].read_bytes()[:9000],
        # A list of segments, as FFmpeg plays it: the file it names is real, and must not be opened.
        "list.mp3": "\n".join(
            ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", f"{made['cbr.mp3']}"]
        ).encode(),
    }
    files = {}
    for name, content in contents.items():
        files[name] = folder / name
        files[name].write_bytes(content)
    nan = chirp(RATE)
    nan[1000] = np.nan
    files["nan.wav"] = write(folder / "nan.wav", nan, subtype="FLOAT")
    files["unscaled.wav"] = write(folder / "unscaled.wav", chirp(RATE) * 32768, subtype="FLOAT")
    files["missing.mp3"] = folder / "missing.mp3"
    files["folder.mp3"] = folder / "folder.mp3"
    files["folder.mp3"].mkdir()
    return files


EXACT = (
    "u8.wav 16.wav 24.wav 32.wav float.wav double.wav 16.flac 24.flac 16.aiff 8k.wav 96k.flac "
    "six.wav alac.m4a"
)
LOSSY = "cbr.mp3 vbr.mp3 mono.mp3 8k.mp3 art.mp3 vorbis.ogg six.ogg sound.opus aac.m4a opus.webm"
GOOD = [*EXACT.split(), *LOSSY.split(), "mp3 named.vox"]
BAD = {
    "empty.mp3": "empty",
    "text.mp3": "neither libsndfile nor FFmpeg",
    "text.vox": "neither libsndfile nor FFmpeg",
    "zeros.mp3": "neither libsndfile nor FFmpeg",
    "noise.raw": "neither libsndfile nor FFmpeg",
    "header.wav": "no samples",
    "cut.m4a": "neither libsndfile nor FFmpeg",
    "list.mp3": "neither libsndfile nor FFmpeg",
    "nan.wav": "NaN",
    "unscaled.wav": "full scale",
    "missing.mp3": "No such file",
    "folder.mp3": "folder",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_the_chirp_it_was_made_from(made, name):
    waveform = audio.load(made[name], RATE)
    channels = {"six": 6, "mon": 1}.get(name[:3], 2)
    wanted = chirp(RATE, channels=channels).mean(axis=1)
    assert waveform.dtype == np.float32 and waveform.ndim == 1
    assert lag(wanted, waveform) == 0
    padded = (
        1024 if name == "aac.m4a" else 961 if name == "opus.webm" else 0
    )  # a last frame's padding, not trimmed there
    assert 0 <= len(waveform) - len(wanted) <= padded
    inside = slice(2000, len(wanted) - 2000)
    error = (waveform[: len(wanted)] - wanted)[inside].std() / wanted[inside].std()
    assert error < (0.01 if name == "u8.wav" else 1e-3 if name in EXACT.split() else 0.1)


@pytest.mark.parametrize("name", ["cbr.mp3", "24.flac", "aac.m4a"])
def test_bytes_are_read_as_the_file_is(made, name):
    np.testing.assert_array_equal(audio.load(made[name].read_bytes()), audio.load(str(made[name])))


@pytest.mark.parametrize(
    ("given_hz", "wanted_hz"), [(96000, 44100), (8000, 44100), (44100, 22050), (48000, 16000)]
)
def test_resampling_keeps_a_tone_and_removes_what_does_not_fit(given_hz, wanted_hz):
    def tone(hertz: float, rate_hz: int) -> np.ndarray:
        return 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate_hz) / rate_hz).astype(np.float32)

    given = audio.load(tone(1000, given_hz), wanted_hz, source_rate_hz=given_hz)
    middle = slice(wanted_hz // 10, -wanted_hz // 10)
    assert len(given) == wanted_hz
    assert np.abs(given - tone(1000, wanted_hz))[middle].max() < 0.5 * 10 ** (-110 / 20)
    if given_hz > wanted_hz:
        alias = audio.load(tone(0.52 * wanted_hz, given_hz), wanted_hz, source_rate_hz=given_hz)
        assert np.abs(alias)[middle].max() < 0.5 * 10 ** (-110 / 20)


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1, 0.5]),
        (np.array([-128, 64], np.int8), [-1, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([1.5, -0.25]), [1.5, -0.25]),
        (np.array([[1.0, 0.0], [-1.0, 0.5]]), [0.5, -0.25]),
        (np.array([[16384, 0], [-32768, -32768]], np.int16), [0.25, -1]),
        (np.zeros((5, 1), np.float32), [0, 0, 0, 0, 0]),
    ],
)
def test_arrays_by_hand(samples, wanted):
    waveform = audio.load(samples, source_rate_hz=RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, np.array(wanted, np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [2, 3])
def test_mono_is_the_mean_over_channels_to_the_bit(dtype, channels):
    samples = np.random.default_rng(0).normal(0, 0.3, (9999, channels)).astype(dtype)
    expected = samples.mean(axis=1, dtype="float32")
    np.testing.assert_array_equal(to_mono(samples), expected)


def test_an_array_is_left_as_it_was():
    samples = np.linspace(-1, 1, 1000, dtype=np.float32)
    before = samples.copy()
    audio.load(samples, 8000, source_rate_hz=16000)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((2, 3, 4)), r"\(2, 3, 4\).*\(samples, channels\)"),
        (np.array(0.5), r"shape \(\).*\(samples,\)"),
        (np.zeros((2, 44100)), "transpose"),
        (np.zeros(0), "no samples"),
        (np.zeros((0, 2)), "no samples"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([0.0, -np.inf]), "infinite"),
        (np.array([0.0, 20000.0]), "full scale"),
        (np.zeros(9, np.int64), "int64.*int16"),
        (np.zeros(9, complex), "complex"),
        (np.zeros(9, bool), "bool"),
        (np.array(["a"]), "<U1"),
    ],
)
def test_a_wrong_array_is_named(samples, words):
    with pytest.raises(InputError, match=words):
        audio.load(samples, source_rate_hz=RATE)


@pytest.mark.parametrize("rate", [0, -1, 44.1, 44100.0, "44100", None, 10**9])
def test_a_wrong_rate_is_named(rate):
    with pytest.raises(InputError, match="sample_rate_hz=.*1000 to 768000"):
        audio.load(np.zeros(9), rate, source_rate_hz=RATE)
    with pytest.raises(InputError, match="source_rate_hz"):
        audio.load(np.zeros(9), RATE, source_rate_hz=rate)


def test_a_rate_belongs_to_arrays_alone(made):
    with pytest.raises(InputError, match="states its own"):
        audio.load(made["16.wav"], source_rate_hz=RATE)
    with pytest.raises(InputError, match="list.*path"):
        audio.load([0.0, 0.1])


def test_silence_is_sound(tmp_path):
    path = write(tmp_path / "silence.mp3", np.zeros(RATE))
    np.testing.assert_array_equal(audio.load(path), np.zeros(RATE, np.float32))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_the_reason(bad, name):
    with pytest.raises(AudioError, match=BAD[name]) as caught:
        audio.load(bad[name])
    assert name in str(caught.value)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
)
def test_no_permission(tmp_path):
    path = write(tmp_path / "locked.wav", np.zeros(100))
    path.chmod(0)
    with pytest.raises(AudioError, match="Permission denied"):
        audio.load(path)


def test_bytes_that_are_no_audio():
    with pytest.raises(AudioError, match="<bytes>"):
        audio.load(b"no audio at all")
    with pytest.raises(AudioError, match="empty"):
        audio.load(b"")


def test_a_variable_bitrate_mp3_without_a_tag_is_read_to_its_end(tmp_path):
    """Loud first frames: at their bitrate the file would be short, and libsndfile stops there."""
    seconds = 6
    samples = np.zeros((seconds * RATE, 1), np.float32)
    samples[: 3 * RATE, 0] = np.random.default_rng(0).normal(0, 0.2, 3 * RATE)
    path = encode(
        tmp_path / "vbr.mp3",
        "libmp3lame",
        samples,
        RATE,
        write_xing="0",
        flags="+qscale",
        global_quality="472",
    )
    with sf.SoundFile(path) as sound:
        assert sound.frames < 0.6 * len(samples)
    assert abs(len(audio.load(path)) - len(samples)) < 3 * 1152


def test_a_damaged_frame_costs_that_frame(made, tmp_path):
    content = bytearray(made["cbr.mp3"].read_bytes())
    half = len(content) // 2
    content[half : half + 600] = np.random.default_rng(2).bytes(600)
    path = tmp_path / "damaged.mp3"
    path.write_bytes(content)
    waveform, whole = audio.load(path), audio.load(made["cbr.mp3"])
    assert len(whole) - 6 * 1152 <= len(waveform) <= len(whole)
    np.testing.assert_allclose(waveform[:20000], whole[:20000], atol=1e-5)


def test_a_tag_in_another_encoding(made):
    content = made["aac.m4a"].read_bytes()
    assert content.count(b"Lavf") == 1  # the tag that names the encoder
    waveform = audio.load(content.replace(b"Lavf", b"L\xe9vf"))
    np.testing.assert_array_equal(waveform, audio.load(made["aac.m4a"]))


def test_a_header_may_promise_more_than_memory_holds(made, tmp_path):
    content = bytearray(made["16.flac"].read_bytes())
    content[21] |= 0x0F  # the high bits of STREAMINFO's 36-bit count of samples
    content[22:26] = b"\xff" * 4
    path = tmp_path / "long.flac"
    path.write_bytes(content)
    np.testing.assert_array_equal(audio.load(path), audio.load(made["16.flac"]))


def test_memory_is_twice_the_mono_samples(tmp_path):
    samples = RATE * 30
    path = write(tmp_path / "long.wav", np.zeros((samples, 2), np.int16))
    tracemalloc.start()
    audio.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.2 * 4 * samples


def test_pieces_of_an_hour_take_the_memory_of_two_minutes(tmp_path):
    path = tmp_path / "hour.flac"
    with sf.SoundFile(path, "w", 8000, 1, subtype="PCM_16") as sound:
        for _ in range(60):
            sound.write(np.zeros(60 * 8000, np.int16))
    tracemalloc.start()
    samples = sum(len(block) for block in audio.blocks(path, 44100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples == 3600 * 44100 and peak < 2 * 60 * 44100 * 4


def test_a_long_recording_is_the_same_in_pieces(made, monkeypatch):
    """Every file, decoded twice as one too long to be held is, at two rates."""
    for name, path in made.items():
        for rate in (44100, 16000):
            whole = audio.load(path, rate)
            with monkeypatch.context() as patch:
                patch.setattr(audio.decoding, "LONG_S", 0.5)
                patch.setattr(audio.decoding, "BLOCK", 10_007)
                pieces = list(audio.blocks(path, rate))
            assert len(pieces) > 1 and all(piece.size for piece in pieces), name
            np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6, err_msg=name)


def test_resampling_in_pieces_is_soxrs_in_one(monkeypatch):
    monkeypatch.setattr(audio.decoding, "BLOCK", 10_007)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE).astype("float32")
    content = io.BytesIO()
    sf.write(content, samples, RATE, format="WAV", subtype="FLOAT")
    pieces = np.concatenate(list(audio.blocks(content.getvalue(), 22050)))
    np.testing.assert_allclose(pieces, soxr.resample(samples, RATE, 22050, quality="HQ"), atol=1e-6)


# === tf.data ===


@pytest.fixture(params=["tensorflow-io", "libsndfile"])
def decoder(request) -> str:
    if request.param == "tensorflow-io" and audio.graph_decoder() != request.param:
        pytest.skip("tensorflow-io's ops do not load here")
    return request.param


def test_dataset_gives_what_load_gives_in_order(made, decoder):
    names = GOOD[::-1]
    elements = list(
        audio.dataset(
            [str(made[name]) for name in names], decoder=decoder, parallel=3
        ).as_numpy_iterator()
    )
    assert [position for position, _, _ in elements] == list(range(len(names)))
    for name, (_, waveform, error) in zip(names, elements, strict=True):
        assert error == b"", name
        np.testing.assert_allclose(
            waveform, audio.load(made[name]), atol=1e-5 if "mp3" in name else 1e-6, err_msg=name
        )


def test_dataset_lists_every_bad_file(made, bad, decoder):
    paths = [str(made["cbr.mp3"]), *map(str, bad.values()), str(made["16.wav"])]
    elements = list(audio.dataset(paths, decoder=decoder).as_numpy_iterator())
    assert len(elements) == len(paths)
    assert [bool(error) for _, _, error in elements] == [False, *[True] * len(bad), False]
    for name, (_, waveform, error) in zip(bad, elements[1:-1], strict=True):
        assert waveform.shape == (0,) and BAD[name] in error.decode()
        assert "\n" not in error.decode()


def test_dataset_spec_and_edges(made, decoder):
    import tensorflow as tf

    ds = audio.dataset([], 16000, decoder=decoder)
    assert list(ds) == []
    assert ds.element_spec == (
        tf.TensorSpec((), tf.int64),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((), tf.string),
    )
    [(_, waveform, error)] = audio.dataset(
        [made["cbr.mp3"]], 16000, decoder=decoder
    ).as_numpy_iterator()
    assert error == b"" and len(waveform) == 32000
    with pytest.raises(InputError, match="list of paths"):
        audio.dataset("song.mp3")
    with pytest.raises(InputError, match="ffmpeg.*tensorflow-io, libsndfile"):
        audio.dataset([], decoder="ffmpeg")
    with pytest.raises(InputError, match="parallel=0"):
        audio.dataset([], parallel=0)


def test_a_file_name_in_no_encoding(made, tmp_path, decoder):
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.wav")
    with contextlib.suppress(
        OSError
    ):  # some file systems take UTF-8 alone; then the file is missing, and named
        Path(name).write_bytes(made["16.wav"].read_bytes())
    [(_, waveform, error)] = audio.dataset([name], decoder=decoder).as_numpy_iterator()
    assert len(waveform) == 2 * RATE if Path(name).exists() else b"caf\xe9.wav" in error


@needs_real_data
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_mp3_is_the_same_from_every_decoder(path, decoder):
    """FFmpeg's decoder is the independent third."""
    [(_, waveform, error)] = audio.dataset([str(path)], decoder=decoder).as_numpy_iterator()
    with av.open(str(path)) as container:
        ffmpeg = np.concatenate(
            [frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)]
        )
    assert error == b"" and waveform.shape == ffmpeg.shape
    assert lag(ffmpeg[: 10 * RATE], waveform[: 10 * RATE]) == 0
    np.testing.assert_allclose(waveform, ffmpeg, atol=1e-5)
    np.testing.assert_allclose(waveform, audio.load(path), atol=1e-5)


def test_importing_loads_no_tensorflow_and_the_probe_says_nothing():
    code = (
        "import sys\nfrom adff_tf import audio\nassert 'tensorflow' not in sys.modules\n"
        "import tensorflow\n"
        "print('FROM HERE', file=sys.stderr, flush=True)\nprint(audio.graph_decoder())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("tensorflow-io", "libsndfile")
    assert done.stderr.endswith("FROM HERE\n")


def test_a_tensorflow_io_that_does_not_load_is_passed_over_in_silence(tmp_path, monkeypatch, capfd):
    (tmp_path / "tensorflow_io.py").write_text(
        "import os, warnings\nwarnings.warn('unable to load')\nos.write(2, b'undefined symbol')\n"
        "def __getattr__(name):\n"
        "    raise NotImplementedError('unable to open file: libtensorflow_io.so')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for module in [name for name in sys.modules if name.split(".")[0] == "tensorflow_io"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(audio.graph, "_tensorflow_io", audio.graph._tensorflow_io.__wrapped__)
    assert audio.graph_decoder() == "libsndfile"
    with pytest.raises(InputError, match="TensorFlow 2.17"):
        audio.dataset([], decoder="tensorflow-io")
    assert capfd.readouterr() == ("", "")
    sys.modules.pop("tensorflow_io", None)


def test_tensorflow_io_is_used_where_it_loads():
    import tensorflow as tf

    if importlib.util.find_spec("tensorflow_io") is None or not tf.__version__.startswith("2.17."):
        pytest.skip("needs tensorflow-io on TensorFlow 2.17")
    assert audio.graph_decoder() == "tensorflow-io"


@pytest.mark.parametrize(
    "form", [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")]
)
def test_a_recording_that_is_cut_off_says_so(tmp_path, form):
    """Where the header states how long it should be."""
    whole = tmp_path / f"whole.{form[0].lower()}"
    sf.write(
        whole,
        np.random.default_rng(0).normal(0, 0.1, 3 * 44100),
        44100,
        format=form[0],
        subtype=form[1],
    )
    assert len(audio.load(whole)) >= 3 * 44100
    content = whole.read_bytes()
    (tmp_path / whole.name).write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"states 3\.\d s and holds [012]\.\d s: it is cut off"):
        audio.load(tmp_path / whole.name)
    dataset = audio.dataset([str(tmp_path / whole.name)])
    ((_, waveform, reason),) = dataset.as_numpy_iterator()
    assert not len(waveform) and b"cut off" in reason


def test_a_wav_from_a_pipe_states_no_length():
    file = io.BytesIO()
    sf.write(file, np.full(44100, 0.25), 44100, format="WAV", subtype="PCM_16")
    content = bytearray(file.getvalue())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(audio.load(bytes(content))) == 44100


def test_what_only_ffmpeg_knows_is_not_held_decoded(tmp_path):
    """A small file may hold ten hours."""
    file = encode(tmp_path / "long.m4a", "aac", np.tile(chirp(RATE), (20, 1)), RATE)
    heard: list[int] = []
    pieces = audio.blocks(file, RATE, on_block=heard.append)
    next(pieces)
    early = len(heard)
    assert set(heard) == {RATE} and sum(1 for _ in pieces) > 10 * early and len(heard) > 10 * early
