"""The feature store: values, damage, kills and folders that cannot be used."""

import errno
import hashlib
import os

import librosa
import numpy as np
import pytest
import soundfile

from adff_tf.config import Frontend
from adff_tf.errors import InputError
from adff_tf.features import store
from adff_tf.features.store import FeatureStore, read_log_mel
from adff_tf.features.tracks import prepare_tracks
from adff_tf.model.numpy_log_mel import track_log_mel
from adff_tf.support import files

from .conftest import RATE


def test_store_holds_librosas_log_mel(songs, tracks):
    waveform, _ = soundfile.read(songs["path"][3], dtype="float32")
    mel = librosa.feature.melspectrogram(
        y=waveform, sr=RATE, n_fft=4096, win_length=2646, hop_length=441, pad_mode="reflect"
    )
    np.testing.assert_allclose(
        tracks.log_mel(3), 10 * np.log10(np.maximum(mel, 1e-10)).T, atol=0.01
    )


def test_values_read_back_are_bit_equal(tmp_path):
    waveform = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype("float32")
    FeatureStore(tmp_path, Frontend())._write(tmp_path / "a.f32", waveform)
    written, read = track_log_mel(waveform, Frontend()), read_log_mel(tmp_path / "a.f32", 128)
    assert read.dtype == written.dtype == np.float32 and read.shape == written.shape == (201, 128)
    np.testing.assert_array_equal(read.view("uint32"), written.view("uint32"))
    assert isinstance(read, np.memmap) and not read.flags.writeable


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", "cut", "longer"])
def test_a_damaged_log_mel_is_named(songs, tmp_path, content):
    (file,) = FeatureStore(tmp_path, Frontend()).build([songs["path"][0]])[0].values()
    whole = file.read_bytes()
    assert len(whole) == 51 * 128 * 4
    file.write_bytes({"cut": whole[:-1], "longer": whole + bytes(4)}.get(content, content))
    with pytest.raises(InputError, match=f"{file.name} is damaged; remove it and begin again"):
        prepare_tracks(songs[:1], tmp_path, Frontend())
    file.unlink()
    assert prepare_tracks(songs[:1], tmp_path, Frontend())[0].frames[0] == 51
    assert file.read_bytes() == whole


def test_store_computes_each_content_once(songs, tmp_path):
    store = FeatureStore(tmp_path, Frontend())
    first, bad = store.build(list(songs["path"]))
    assert not bad and len(set(first.values())) == 6
    before = {path: os.stat(path).st_mtime_ns for path in first.values()}
    again, _ = store.build(list(songs["path"]))
    assert again == first and {path: os.stat(path).st_mtime_ns for path in again.values()} == before


def test_every_copy_of_a_bad_recording_is_named(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.mp3").write_text("these are words\n" * 50)
    good, bad = FeatureStore(tmp_path / "f", Frontend()).build(
        [str(tmp_path / f"{name}.mp3") for name in "ab"]
    )
    assert not good and len(bad) == 2


def test_a_store_at_the_path_of_a_file(songs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError,
        match="file cannot hold the log-mels: File exists; give another folder .* by `features`",
    ):
        prepare_tracks(songs, tmp_path / "file", Frontend())


def test_a_store_that_may_not_be_written(songs, tmp_path, monkeypatch):
    """Log-mels that are there are read; a missing one is an error."""
    first = prepare_tracks(songs, tmp_path, Frontend())[0]

    def refused(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(store, "atomic_write", refused)
    assert prepare_tracks(songs, tmp_path, Frontend())[0].files == first.files
    with pytest.raises(
        InputError,
        match=f"{tmp_path} cannot hold the log-mels: Read-only file system; give another folder",
    ):
        prepare_tracks(songs, tmp_path, Frontend(hop_length_s=0.02))


def test_keys_are_those_of_the_settings_before_the_octave_filterbank():
    """So that stores, and lists of heard recordings, stay good."""
    settings = (
        '{"sample_rate_hz":44100,"mels":128,"win_length_s":0.06,"hop_length_s":0.01,"n_fft":4096,'
        '"floor_db":-100.0}'
    )
    key = hashlib.blake2b(f"content {settings}".encode(), digest_size=16).hexdigest()
    assert store.feature_key("content", Frontend()) == key
    octave = Frontend(sample_rate_hz=22050, n_fft=2048, mels=149, filterbank="octave")
    mel = Frontend(sample_rate_hz=22050, n_fft=2048, mels=149)
    assert store.feature_key("content", octave) != store.feature_key("content", mel)


def test_store_knows_changed_audio_and_changed_settings(songs, tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    folder = tmp_path / "store"
    (silence,) = FeatureStore(folder, Frontend()).build([str(path)])[0].values()
    soundfile.write(path, np.full(RATE, 0.5), RATE)
    os.utime(path, ns=(1, 1))
    (louder,) = FeatureStore(folder, Frontend()).build([str(path)])[0].values()
    (coarser,) = FeatureStore(folder, Frontend(mels=64)).build([str(path)])[0].values()
    assert len({silence, louder, coarser}) == 3
    assert read_log_mel(coarser, 64).shape == (101, 64)


def test_a_killed_build_goes_on(songs, tmp_path, monkeypatch):
    store, writes = FeatureStore(tmp_path, Frontend()), []
    write = FeatureStore._write

    def killed(self, file, waveform):
        if len(writes) == 2:
            raise KeyboardInterrupt
        writes.append(file)
        write(self, file, waveform)

    monkeypatch.setattr(FeatureStore, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        store.build(list(songs["path"]))
    assert not list(tmp_path.glob(".*"))
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.f32")}
    assert kept
    monkeypatch.setattr(FeatureStore, "_write", write)
    done, _ = store.build(list(songs["path"]))
    assert len(done) == 6 and all(file.stat().st_mtime_ns == time for file, time in kept.items())


def test_full_disk_is_one_message_and_leaves_no_half_file(tmp_path):
    def fail():
        with files.atomic_write(tmp_path / "x.f32") as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        InputError,
        match="The disk is full: .*x.f32 cannot be written.*it resumes, finished parts are kept",
    ):
        fail()
    assert not list(tmp_path.iterdir())
