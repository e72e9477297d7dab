"""Recordings that are cut off, damaged, or whole without a header that states their length.

The headers are written by libsndfile and FFmpeg and then changed by hand.
"""

import io

import numpy as np
import pytest
import soundfile

from adff_tf import audio
from adff_tf.audio import AudioError

from .test_audio import encode

RATE = 44100
VARIABLE = {"flags": "+qscale", "global_quality": "472"}


def music(seconds: float, seed: int = 0, loudness: float = 0.1) -> np.ndarray:
    """Return mono noise, `(samples, 1)` float32."""
    noise = np.random.default_rng(seed).normal(0, loudness, (int(seconds * RATE), 1))
    return noise.astype("float32").clip(-1, 1)


def faded(seconds: float) -> np.ndarray:
    """Return stereo whose first third is loud: an mp3's first frames misjudge its length."""
    samples = np.concatenate([music(seconds / 3, 1, 0.2), music(seconds * 2 / 3, 2, 1e-4)])
    return samples.repeat(2, 1)


def seconds_of(source) -> float:
    return len(audio.load(source, RATE)) / RATE


# === Cut off ===

FORMS = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAV", "IMA_ADPCM"),
    ("WAV", "ULAW"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("MP3", None),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form[0]} {form[1]}")
def test_a_recording_that_is_cut_off(tmp_path, form, capfd):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    soundfile.write(whole, music(6.0).repeat(2, 1), RATE, format=form[0], subtype=form[1])
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    for half in (cut, cut.read_bytes()):
        with pytest.raises(AudioError, match=r"states 6\.\d s and holds [23]\.\d s: it is cut off"):
            audio.load(half, RATE)
    assert seconds_of(whole) == pytest.approx(6, abs=0.05)
    capfd.readouterr()  # mpg123's notes


@pytest.mark.parametrize("form", FORMS[:6], ids=lambda form: f"{form[0]} {form[1]}")
def test_a_wav_that_lacks_a_few_samples_is_good(tmp_path, form):
    soundfile.write(tmp_path / "whole", music(6.0), RATE, format=form[0], subtype=form[1])
    content = (tmp_path / "whole").read_bytes()
    assert seconds_of(content[:-500]) == pytest.approx(6, abs=0.05)


# === Whole, by a header that states no length ===


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFF0000, 0])
def test_a_wav_from_a_pipe(size):
    file = io.BytesIO()
    soundfile.write(file, music(6.0), RATE, format="WAV", subtype="PCM_16")
    content = bytearray(file.getvalue())
    at = content.index(b"data") + 4
    content[at : at + 4] = size.to_bytes(4, "little")
    assert seconds_of(bytes(content)) == pytest.approx(6, abs=0.001)


def test_a_flac_from_a_pipe():
    file = io.BytesIO()
    soundfile.write(file, music(6.0), RATE, format="FLAC", subtype="PCM_16")
    content = bytearray(file.getvalue())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of the number of samples: 0, unknown
    content[22:26] = bytes(4)
    assert len(audio.load(bytes(content), RATE)) == 6 * RATE


# === mp3 ===


@pytest.mark.parametrize("tag", ["0", "1"])
@pytest.mark.parametrize("kind", ["constant", "variable"])
@pytest.mark.parametrize("end", [b"", b"TAG" + bytes(125)], ids=["", "id3v1"])
def test_an_mp3_is_read_to_its_end(tmp_path, tag, kind, end, capfd):
    """With and without a Xing tag in front, with and without an ID3v1 tag behind."""
    options = VARIABLE if kind == "variable" else {}
    samples = faded(12.0)
    path = encode(tmp_path / "a.mp3", "libmp3lame", samples, RATE, write_xing=tag, **options)
    content = path.read_bytes() + end
    path.write_bytes(content)
    for source in (path, content):
        assert seconds_of(source) == pytest.approx(12, abs=0.1)
    capfd.readouterr()


def damaged(content: bytes, size: int) -> bytes:
    """Return a file with random bytes in its middle."""
    middle, noise = len(content) // 2, np.random.default_rng(0).bytes(size)
    return content[:middle] + noise + content[middle + size :]


@pytest.mark.parametrize("tag", ["0", "1"])
@pytest.mark.parametrize("kind", ["constant", "variable"])
def test_a_damaged_mp3_is_read_beyond_the_damage(tmp_path, tag, kind, capfd):
    """libsndfile stops at the damage, and FFmpeg goes on."""
    options = VARIABLE if kind == "variable" else {}
    samples = faded(12.0)
    path = encode(tmp_path / "a.mp3", "libmp3lame", samples, RATE, write_xing=tag, **options)
    whole, content = audio.load(path, RATE), path.read_bytes()
    found = audio.load(damaged(content, 600), RATE)
    assert len(whole) - 6 * 1152 <= len(found) <= len(whole) + 3 * 1152
    np.testing.assert_allclose(found[:20_000], whole[:20_000], atol=1e-4)
    capfd.readouterr()


def test_damage_that_costs_more_than_a_hundredth_of_the_stated_length(tmp_path, capfd):
    """Where no length is stated, the same damage leaves a shorter recording."""
    for tag in "01":
        path = tmp_path / f"{tag}.mp3"
        encode(path, "libmp3lame", faded(12.0), RATE, write_xing=tag, **VARIABLE)
        content = damaged(path.read_bytes(), 3000)
        if tag == "1":
            with pytest.raises(AudioError, match="states 12.0 s and holds 11.7 s"):
                audio.load(content, RATE)
        else:
            assert 11.5 < seconds_of(content) < 12
    capfd.readouterr()


@pytest.mark.parametrize("quality", [2, 5, 8])
@pytest.mark.parametrize("seconds", [3, 7])
def test_a_short_mp3_of_variable_bitrate_without_tag(tmp_path, quality, seconds, capfd):
    """libsndfile reads ahead in it to its end, wherever decoding stops."""
    options = {"flags": "+qscale", "global_quality": str(118 * quality), "write_xing": "0"}
    path = encode(tmp_path / "song.mp3", "libmp3lame", faded(seconds), RATE, **options)
    assert seconds_of(path) == pytest.approx(seconds, abs=0.1)
    capfd.readouterr()


# === Others ===


def test_an_m4a_is_decoded(tmp_path):
    path = encode(tmp_path / "song.m4a", "aac", music(2.0), RATE)
    assert seconds_of(path) == seconds_of(path.read_bytes()) == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_an_uncompressed_wav_is_decoded_once_and_as_it_comes(tmp_path, form, subtype):
    """Its header and size confirm its length, so that no decoder is chosen by decoding."""
    path = tmp_path / "song.wav"
    soundfile.write(path, music(30.0), RATE, format=form, subtype=subtype)
    decoded: list[int] = []
    blocks = audio.blocks(path, RATE, on_block=decoded.append)
    assert len(next(blocks)) == audio.decoding.BLOCK and len(decoded) == 1
    assert len(list(blocks)) == 5 and len(decoded) == 7  # 30 s and the empty block at the end
