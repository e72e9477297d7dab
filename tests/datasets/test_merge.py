"""MERGE: mistakes with its folder. Its real files were not at hand."""

import shutil

from adff_tf import datasets
from adff_tf.tasks import TASKS

from .examples import error, make_merge, make_merge_bimodal


def test_a_folder_of_lyrics(tmp_path):
    root = make_merge(tmp_path)
    for kind in ("metadata", "av_values"):
        file = root / f"merge_audio_complete_{kind}.csv"
        file.rename(root / f"merge_lyrics_complete_{kind}.csv")
    assert "MERGE's set of lyrics, without audio" in error(root)


def test_two_sets_in_one_folder(tmp_path):
    make_merge(tmp_path)
    assert "holds the tables of several sets of MERGE" in error(make_merge_bimodal(tmp_path))


def test_a_quadrant_that_cannot_be(tmp_path):
    file = make_merge(tmp_path) / "merge_audio_complete_metadata.csv"
    file.write_text(file.read_text().replace("MT1,Q3", "MT1,Q5"))
    message = error(tmp_path)
    assert "1 quadrants are not Q1 to Q4:\n  line 3: Quadrant is 'Q5'" in message


def test_without_its_split_files(tmp_path):
    root = make_merge(tmp_path)
    (root / "tvt_dataframes/tvt_70_15_15/tvt_70_15_15_test_audio_complete.csv").unlink()
    assert "There is no file" in error(root)
    shutil.rmtree(root / "tvt_dataframes")
    assert set(datasets.load(root).tracks["split"]) == {""}


def test_the_class_is_the_quadrant_of_valence_and_arousal(tmp_path):
    tracks = datasets.load(make_merge(tmp_path)).tracks  # (1, .5), (-.5, 0) and (0, -1)
    assert TASKS["quadrant"].labels(tracks)["probabilities"].tolist() == [0, 1, 3]
