"""Recordings and labels on disk: found, named, resumed, and the same in every run."""

import numpy as np
import pytest
import soundfile

from adff_tf import audio
from adff_tf.errors import InputError
from adff_tf.features.store import FeatureStore
from adff_tf.model import musicnn
from adff_tf.model.numpy_log_mel import track_log_mel
from adff_tf.pretraining.labelling import label
from adff_tf.pretraining.recordings import find

from .small import RATE_HZ, TinyTeacher, make_music, make_plan

FRONTEND = make_plan().frontend


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = make_music(tmp_path_factory.mktemp("music"))
    soundfile.write(folder / "short.wav", np.full(3 * RATE_HZ, 0.1), RATE_HZ)
    (folder / "words.mp3").write_text("not music")
    (folder / "copy.wav").write_bytes((folder / "0.wav").read_bytes())
    return folder


def search(*sources, hold_out=None, fraction=0.3, seed=0):
    return find(list(map(str, sources)), hold_out, fraction, seed, FRONTEND)


def test_recordings_are_named_as_in_the_feature_store(music, tmp_path):
    store = FeatureStore(tmp_path, FRONTEND)
    files, _ = store.build([str(music / "0.wav"), str(music / "1.wav")])
    keys = {recording.key for recording in search(music / "0.wav", music / "1.wav")}
    assert keys == {file.stem for file in files.values()}


def test_a_content_counts_once_and_a_third_is_held_out(music):
    found = search(music)
    assert len(found) == 6 and [r.key for r in found] == sorted(r.key for r in found)
    held_out = {r.key for r in found if r.is_held_out}
    assert len(held_out) == 2
    assert held_out != {r.key for r in search(music, seed=1) if r.is_held_out}
    found = search(music, hold_out=music / "0.wav")
    assert [r.path for r in found if r.is_held_out] == [str(music / "0.wav")]


def test_mistakes_in_the_sources(music, tmp_path):
    for source in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="holds no recording"):
            search(source)
    with pytest.raises(InputError, match="1 different recordings were found.*two or more"):
        search(music / "0.wav", music / "copy.wav")
    with pytest.raises(InputError, match="6 different recordings were found, 6 of them held out"):
        search(music / "0.wav", hold_out=music)


def test_labels_are_those_of_the_recording(music, tmp_path):
    tiny = TinyTeacher()
    copies, left_out = label(search(music), tmp_path, make_plan(copies=1), tiny)
    reasons = {path.rsplit("/")[-1]: reason for path, reason in left_out.items()}
    assert reasons.keys() == {"short.wav", "words.mp3"}
    assert "is 3.00 s long, and 3.44 s are needed" in reasons["short.wav"]
    by_number = [copy.number for copy in copies if not copy.recording.is_held_out]
    assert by_number.count(0) == by_number.count(1) > 0
    assert {copy.number for copy in copies if copy.recording.is_held_out} == {0}

    copy = next(copy for copy in copies if copy.number == 0)
    waveform = audio.load(copy.recording.path, RATE_HZ)
    np.testing.assert_allclose(copy.log_mel(128), track_log_mel(waveform, FRONTEND), atol=0.04)
    patches = musicnn.log_mel(waveform)[: 2 * 187].reshape(2, 187, 96)
    expected = np.concatenate([*tiny.predict(patches).values()], axis=1)
    np.testing.assert_allclose(copy.targets(), expected, rtol=1e-3, atol=0.01)


def test_a_killed_labelling_goes_on_and_a_rerun_is_the_same(music, tmp_path):
    plan, recordings = make_plan(copies=2), search(music)
    copies, _ = label(recordings, tmp_path / "a", plan, TinyTeacher())
    content = {f.name: f.read_bytes() for f in (tmp_path / "a").iterdir()}
    lost = next(copy for copy in copies if copy.number == 2)
    lost.targets_file.unlink()  # as after a kill between the two files
    again = TinyTeacher()
    assert label(recordings, tmp_path / "a", plan, again)[0] == copies and again.calls == 1
    label(recordings[::-1], tmp_path / "b", plan, TinyTeacher())
    for folder in ("a", "b"):
        assert content == {f.name: f.read_bytes() for f in (tmp_path / folder).iterdir()}


def test_other_labels_and_damaged_ones_are_refused(music, tmp_path):
    recordings = search(music / "0.wav", music / "1.wav")
    copies, _ = label(recordings, tmp_path, make_plan(copies=0), TinyTeacher())
    with pytest.raises(InputError, match="labels of another front end or seed"):
        label(recordings, tmp_path, make_plan(copies=0, seed=1), TinyTeacher())
    copies[0].targets_file.write_bytes(b"123")
    with pytest.raises(InputError, match="targets.f16 is damaged"):
        copies[0].targets()
