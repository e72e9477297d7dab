"""The feature store, the simple and full sets, and the batches."""

import errno
import os
import resource
import shutil
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from adff_tf.config import Frontend, Segments
from adff_tf.errors import InputError
from adff_tf.features import batches, store
from adff_tf.features import segments as segmenting
from adff_tf.features import tracks as track_features
from adff_tf.features.store import FeatureStore
from adff_tf.support import console, files
from adff_tf.tasks import TASKS

RATE = 44100


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six recordings of different lengths and loudness, as an index table."""
    folder, rng, rows = tmp_path_factory.mktemp("songs"), np.random.default_rng(0), []
    for k, seconds in enumerate((0.5, 1.0, 1.7, 2.4, 3.0, 3.3)):
        path = folder / f"{k}.wav"
        soundfile.write(path, 0.1 * (k + 1) * rng.uniform(-1, 1, int(seconds * RATE)), RATE)
        rows.append((str(k), str(path), k / 5 - 0.5, 0.5 - k / 5, f"g{k // 2}"))
    return pd.DataFrame(rows, columns=["track_id", "path", "valence", "arousal", "group"])


@pytest.fixture(scope="module")
def tracks(songs, tmp_path_factory):
    return track_features.prepare_tracks(songs, tmp_path_factory.mktemp("features"), Frontend())[0]


# === Feature store ===


def test_store_holds_librosas_log_mel(songs, tracks):
    waveform, _ = soundfile.read(songs["path"][3], dtype="float32")
    mel = librosa.feature.melspectrogram(
        y=waveform, sr=RATE, n_fft=4096, win_length=2646, hop_length=441, pad_mode="reflect"
    )
    np.testing.assert_allclose(
        tracks.log_mel(3), 10 * np.log10(np.maximum(mel, 1e-10)).T, atol=0.01
    )


def test_store_is_read_as_numpy_reads_it_without_the_compiler(tracks, monkeypatch):
    """Python 3.11's compiler of text fails now and then in threads (CPython issue 106905), and NumPy's reading with it."""
    expected = [np.load(file) for file in tracks.files]
    with monkeypatch.context() as without:
        without.setattr("ast.parse", lambda *args, **kwargs: pytest.fail("compiled", pytrace=False))
        found = [tracks.log_mel(row) for row in range(len(expected))]
    for read, log_mel in zip(found, expected, strict=True):
        assert read.dtype == log_mel.dtype and not read.flags.writeable
        np.testing.assert_array_equal(read, log_mel)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", "cut", "double"])
def test_a_damaged_log_mel_is_named(songs, tmp_path, content):
    (file,) = FeatureStore(tmp_path, Frontend()).build([songs["path"][0]])[0].values()
    whole = file.read_bytes()
    np.save(tmp_path / "double.npy", np.zeros((9, 9)))
    file.write_bytes(
        {"cut": whole[:-1], "double": (tmp_path / "double.npy").read_bytes()}.get(content, content)
    )
    with pytest.raises(InputError, match=f"{file.name} is damaged; remove it and begin again"):
        track_features.prepare_tracks(songs[:1], tmp_path, Frontend())
    file.unlink()
    assert track_features.prepare_tracks(songs[:1], tmp_path, Frontend())[0].frames[0] == len(
        np.load(file)
    )


def test_store_computes_each_content_once(songs, tmp_path):
    store = FeatureStore(tmp_path, Frontend())
    first, bad = store.build(list(songs["path"]))
    assert not bad and len(set(first.values())) == 6
    before = {path: os.stat(path).st_mtime_ns for path in first.values()}
    again, _ = store.build(list(songs["path"]))
    assert again == first and {path: os.stat(path).st_mtime_ns for path in again.values()} == before


def test_copies_are_computed_once_and_stay_together(songs, tmp_path, monkeypatch):
    """Song 3 is there four times, in the groups g1, x and y; y has song 5 too, so that g2 belongs to them."""
    for name in "abc":
        shutil.copyfile(songs["path"][3], tmp_path / f"{name}.wav")
    (tmp_path / "d.wav").symlink_to(songs["path"][5])
    more = [
        (name, str(tmp_path / f"{name}.wav"), 0.0, 0.0, group)
        for name, group in zip("abcd", "xxyy", strict=True)
    ]
    table = pd.concat([songs, pd.DataFrame(more, columns=songs.columns)], ignore_index=True)
    written, whole, said = [], FeatureStore._write, []
    monkeypatch.setattr(
        FeatureStore, "_write", lambda self, file, x: (written.append(file), whole(self, file, x))
    )
    reporter = console.Silent()
    reporter.log = said.append
    tracks, _ = track_features.prepare_tracks(table, tmp_path / "f", Frontend(), reporter=reporter)
    assert len(written) == len(set(written)) == 6
    assert list(tracks.table["group"]) == ["g0", "g0", *["g1"] * 8]
    assert said == [
        "  note: 2 recordings are there more than once, and their groups are one:\n  3, a, b, c\n  5, d"
    ]


def test_every_copy_of_a_bad_recording_is_named(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.mp3").write_text("these are words\n" * 50)
    good, bad = FeatureStore(tmp_path / "f", Frontend()).build(
        [str(tmp_path / f"{name}.mp3") for name in "ab"]
    )
    assert not good and len(bad) == 2


def test_more_tracks_than_files_may_be_open(tmp_path):
    """A system's limit for a process, here 24 more than there are, with 60 tracks and as many segments a batch."""
    names = [str(k) for k in range(60)]
    for k in range(60):
        soundfile.write(tmp_path / f"{k}.wav", np.full(RATE // 10, k / 100), RATE)
    paths = [str(tmp_path / f"{name}.wav") for name in names]
    table = pd.DataFrame(
        {"track_id": names, "path": paths, "valence": 0.0, "arousal": 0.0, "group": names}
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    track_features.prepare_tracks(table[:1], tmp_path / "f", Frontend())  # whatever is loaded once
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 24, hard)
    )
    try:
        tracks, _ = track_features.prepare_tracks(table, tmp_path / "f", Frontend())
        batch = segmenting.SegmentSet(tracks, 10, Segments(seg_len=0.1), -100.0).read(0, range(60))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert batch.shape == (60, 10, 128)


def test_a_place_for_log_mels_that_is_none(songs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError,
        match="file cannot hold the log-mels: File exists; give another folder for them by --features",
    ):
        track_features.prepare_tracks(songs, tmp_path / "file", Frontend())


def test_a_store_that_may_not_be_written(songs, tmp_path, monkeypatch):
    """What is all there is read from it; what is not is told."""
    first = track_features.prepare_tracks(songs, tmp_path, Frontend())[0]

    def refused(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(store, "atomic_write", refused)
    assert track_features.prepare_tracks(songs, tmp_path, Frontend())[0].files == first.files
    with pytest.raises(
        InputError,
        match=f"{tmp_path} cannot hold the log-mels: Read-only file system; give another folder",
    ):
        track_features.prepare_tracks(songs, tmp_path, Frontend(hop_length_s=0.02))


def test_copies_that_cannot_be_used_go_by_their_own_names(songs, tmp_path):
    names = [str(tmp_path / f"{name}.wav") for name in "abc"]
    for name in names:
        Path(name).touch()
    with pytest.raises(InputError) as caught:
        track_features.prepare_tracks(
            songs[:3].assign(path=names), tmp_path / "features", Frontend()
        )
    assert [line for line in str(caught.value).splitlines() if "empty" in line] == [
        f"  {name}: the file is empty (0 bytes)" for name in names
    ]


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
    assert np.load(coarser).shape == (101, 64)


def test_a_killed_build_goes_on(songs, tmp_path, monkeypatch):
    store, writes = FeatureStore(tmp_path, Frontend()), []
    whole = FeatureStore._write

    def killed(self, file, waveform):
        if len(writes) == 2:
            raise KeyboardInterrupt
        writes.append(file)
        whole(self, file, waveform)

    monkeypatch.setattr(FeatureStore, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        store.build(list(songs["path"]))
    assert not list(tmp_path.glob(".*"))
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.npy")}
    assert kept
    monkeypatch.setattr(FeatureStore, "_write", whole)
    done, _ = store.build(list(songs["path"]))
    assert len(done) == 6 and all(file.stat().st_mtime_ns == time for file, time in kept.items())


def test_full_disk_is_one_message_and_leaves_no_half_file(tmp_path):
    def fail():
        with files.atomic_write(tmp_path / "x.npy") as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        InputError, match="The disk is full: .*x.npy cannot be written.*what is done is kept"
    ):
        fail()
    assert not list(tmp_path.iterdir())


# === Bad recordings ===


@pytest.fixture
def with_bad_files(songs, tmp_path):
    (tmp_path / "text.mp3").write_text("these are words\n" * 50)
    (tmp_path / "empty.wav").touch()
    bad = [
        (name, str(tmp_path / name), 0.0, 0.0, name)
        for name in ("text.mp3", "empty.wav", "missing.flac")
    ]
    return pd.concat([songs, pd.DataFrame(bad, columns=songs.columns)], ignore_index=True)


def test_bad_recordings_are_all_listed_at_once(with_bad_files, tmp_path):
    with pytest.raises(InputError, match="3 of 9 recordings cannot be used") as caught:
        track_features.prepare_tracks(with_bad_files, tmp_path / "f", Frontend())
    assert all(
        name in str(caught.value)
        for name in ("text.mp3", "empty.wav", "missing.flac", "--skip-bad-audio")
    )


def test_bad_recordings_can_be_left_out(with_bad_files, tmp_path):
    tracks, bad = track_features.prepare_tracks(
        with_bad_files, tmp_path / "f", Frontend(), skip_bad_audio=True
    )
    assert list(tracks.table["track_id"]) == ["0", "1", "2", "3", "4", "5"]
    assert (
        set(bad) == {"text.mp3", "empty.wav", "missing.flac"}
        and "missing.flac" in bad["missing.flac"]
    )


def test_no_good_recording_is_an_error_even_when_skipping(with_bad_files, tmp_path):
    with pytest.raises(InputError, match="None is left"):
        track_features.prepare_tracks(
            with_bad_files.iloc[6:].reset_index(drop=True),
            tmp_path / "f",
            Frontend(),
            skip_bad_audio=True,
        )


# === Segments ===


@pytest.mark.parametrize(
    ("frames", "starts"),
    [
        (60, [0]),  # shorter than a segment: one, padded
        (100, [0]),
        (149, [0]),  # the last 49 are under half a segment: dropped
        (150, [0, 50]),  # 50 are half: taken from further forward
        (199, [0, 99]),
        (200, [0, 100]),
        (260, [0, 100, 160]),
    ],
)
def test_full_set_by_hand(frames, starts):
    assert segmenting.segment_starts(frames, 100, "full", np.random.default_rng(0)) == starts


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(1, 500), segment=st.integers(1, 120), seed=st.integers(0, 99))
def test_segments_lie_inside_the_track(frames, segment, seed):
    for sampling in ("simple", "full"):
        starts = segmenting.segment_starts(frames, segment, sampling, np.random.default_rng(seed))
        assert (
            starts == sorted(starts) and starts[0] >= 0 and starts[-1] <= max(0, frames - segment)
        )
        if sampling == "full":
            left_out = frames - (starts[-1] + segment)
            assert left_out < segment / 2 and all(
                b - a <= segment for a, b in zip(starts, starts[1:], strict=False)
            )


def test_short_track_is_padded_with_silence(tracks):
    padded = segmenting.read_segment(tracks.log_mel(0), 0, 100, -100.0)
    assert padded.shape == (100, 128) and (padded[51:] == -100).all() and (padded[:51] > -100).all()


def segments(tracks, **options):
    return segmenting.SegmentSet(
        tracks,
        100,
        Segments(**{"seg_len": 1.0, "seg_num": 2, "sampling": "simple", **options}),
        -100.0,
        seed=3,
    )


def test_simple_set_draws_once_or_afresh(tracks):
    once, fresh = segments(tracks), segments(tracks, fresh=True)
    numbers = np.arange(6)
    np.testing.assert_array_equal(once.read(0, numbers), once.read(5, numbers))
    assert (fresh.read(0, numbers) != fresh.read(5, numbers)).any()
    np.testing.assert_array_equal(
        fresh.read(5, numbers), segments(tracks, fresh=True).read(5, numbers)
    )


def test_fresh_changes_training_and_not_scoring(tracks):
    from .. import tiny

    experiment = tiny.experiment()
    experiment = experiment.model_copy(
        update={"segments": Segments(seg_len=1.0, seg_num=2, sampling="full", fresh=True)}
    )
    training, scoring = (
        segmenting.segment_set(experiment, tracks, training) for training in (True, False)
    )
    assert list(training.track_rows) == [0, 1, 2, 3, 4, 5] and len(scoring) == 12
    numbers = np.arange(6)
    assert (training.read(0, numbers) != training.read(1, numbers)).any()
    np.testing.assert_array_equal(scoring.read(0, numbers), scoring.read(1, numbers))


def test_full_set_covers_every_track_in_order(tracks):
    assert list(segments(tracks, sampling="full").track_rows) == [
        0,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
        4,
        5,
        5,
        5,
    ]


# === Batches ===


def test_batches_are_as_declared(tracks):
    task = TASKS["both"]
    target = tf.TensorSpec((None, 1), tf.float32)
    expected = (tf.TensorSpec((None, 100, 128), tf.float32), {"valence": target, "arousal": target})
    assert batches.training_batches(segments(tracks), task, 4).element_spec == expected


def test_wrong_spec_says_got_and_expected(tracks):
    dataset = tf.data.Dataset.from_tensors(np.zeros((1, 99, 128), "float32"))
    with pytest.raises(
        ValueError, match=r"yields\s+TensorSpec\(shape=\(1, 99, 128\).*\s+but the network expects"
    ):
        batches.check_spec(dataset, batches.batch_spec(100, 128, TASKS["both"]))


def test_labels_stay_with_their_segments(tracks):
    data = segments(tracks, sampling="full")
    for log_mel, targets in batches.evaluation_batches(data, TASKS["both"], 5):
        for x, valence in zip(log_mel.numpy(), targets["valence"].numpy()[:, 0], strict=True):
            (row,) = np.flatnonzero(np.isclose(tracks.table["valence"], valence))
            assert (x[40] == np.asarray(tracks.log_mel(row))).all(axis=1).any()


def test_an_epoch_has_each_segment_at_most_once_and_resumes(tracks):
    data, task = segments(tracks), TASKS["arousal"]
    steps = batches.steps_per_epoch(data, 2)
    stream = [
        y["arousal"].numpy().ravel().tolist()
        for _, y in batches.training_batches(data, task, 2).take(2 * steps)
    ]
    first, second = sum(stream[:steps], []), sum(stream[steps:], [])
    assert (
        sorted(first)
        == sorted(second)
        == sorted(tracks.table["arousal"].astype("float32").tolist())
        and first != second
    )
    resumed = [
        y["arousal"].numpy().ravel().tolist()
        for _, y in batches.training_batches(data, task, 2, first_epoch=1).take(steps)
    ]
    assert sum(resumed, []) == second


def test_a_set_smaller_than_a_batch_is_one_batch(tracks):
    (batch,) = batches.training_batches(segments(tracks), TASKS["both"], 32).take(1)
    assert batch[0].shape == (6, 100, 128)


def test_standardisation_is_over_all_frames(tracks):
    pooled = np.concatenate(
        [np.asarray(log_mel, "float64") for log_mel in map(tracks.log_mel, range(6))]
    )
    mean, std = tracks.standardisation()
    np.testing.assert_allclose(mean, pooled.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(std, np.maximum(pooled.std(axis=0), 1), rtol=1e-6)


def test_cut_and_stack_runs_on_the_gpu():
    if not tf.config.list_logical_devices("GPU"):
        pytest.skip("TensorFlow sees no GPU: where cut-and-stack is placed was not checked")
    from adff_tf.model.layers import CutAndStack

    with tf.device("/GPU:0"):
        assert "GPU" in CutAndStack(2)(tf.zeros((1, 100, 128))).device
