"""The search: the honesty of its split, its score, bugs, folders of other searches, progress."""

import json
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.model_selection import GroupKFold

from adff_tf import train
from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.features.tracks import prepare_tracks
from adff_tf.training.fit import fit, predict_segments
from adff_tf.tuning import search as searching
from adff_tf.tuning import trials
from adff_tf.tuning.plan import Budget
from adff_tf.tuning.results import TrialResult, read_trials
from adff_tf.tuning.search import search

from .plans import make_plan, raise_at_seg_num_2


def read_ids(file):
    return pd.read_csv(file, dtype={"track_id": str})


def test_no_trial_uses_a_song_of_the_test_fold(searched):
    found, used = searched
    index = read_ids(found.folder / "index.csv")
    splitter = GroupKFold(3, shuffle=True, random_state=0)
    splits = splitter.split(index, groups=index["group"])
    folds = [set(index["track_id"].iloc[test]) for _, test in splits]
    assert used["fit"] == folds[2] and used["predict_segments"] == folds[1]
    roles = {role: set(rows["track_id"]) for role, rows in index.groupby("role")}
    assert roles == {"test": folds[0], "val": folds[1], "train": folds[2]}
    assert (index.groupby("group")["role"].nunique() == 1).all()


def test_the_score_is_r2_by_song(searched, features, tmp_path):
    found, _ = searched
    best = Experiment.from_json((found.folder / "best.json").read_text())
    index = read_ids(found.folder / "index.csv").drop(columns=["features"])
    tracks, _ = prepare_tracks(index, features, best.frontend)
    train_tracks, val_tracks = (
        tracks.rows(np.flatnonzero(tracks.table["role"] == role)) for role in ("train", "val")
    )
    model = fit(best, train_tracks, tmp_path / "fit").model
    track_rows, predictions = predict_segments(model, best, val_tracks)
    songs = pd.Series(predictions["arousal"]).groupby(track_rows).mean()
    expected = sklearn.metrics.r2_score(val_tracks.table["arousal"], songs)
    assert found.trials["score"].max() == pytest.approx(expected, abs=1e-4)
    tried = found.trials.loc[found.trials["score"].idxmax()]
    assert tried["seg_num"] == best.segments.seg_num
    assert tried["learning_rate"] == best.training.learning_rate


def test_the_winner_trains_unchanged_and_is_scored_on_the_test_fold(searched, features, tmp_path):
    found, used = searched
    run, best = tmp_path / "run", found.folder / "best.json"
    train.main(["--config", str(best), "--out", str(run), "--features", str(features)])
    scored = set(read_ids(run / "fold1" / "predictions.csv")["track_id"])
    assert scored and not scored & (used["fit"] | used["predict_segments"])
    assert json.loads((run / "config.json").read_text()) == json.loads(best.read_text())


def test_a_bug_stops_the_search_with_its_own_error(
    manifest, features, tmp_path, monkeypatch, quick
):
    raise_at_seg_num_2(monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError, match="ours"):
        search(make_plan(manifest, "seg_num=1,2,3"), tmp_path / "s", Budget(), features)


def test_nothing_completed(manifest, features, tmp_path, monkeypatch, quick):
    raise_at_seg_num_2(monkeypatch, trials.kt.errors.FailedTrialError("no luck"))
    message = "no trial of 2 could be completed:\n  trial 0: no luck\n  trial 1: seg_num 4 cuts"
    with pytest.raises(InputError, match=message):
        search(make_plan(manifest, "seg_num=2,4"), tmp_path / "s", Budget(), features)


# === Folders of other searches ===


def test_another_search_is_refused_and_names_the_difference(manifest, features, tmp_path, quick):
    search(make_plan(manifest, "seg_num=1,2"), tmp_path / "s", Budget(), features)
    for other, difference in (
        (
            make_plan(manifest, "seg_num=1,2,3"),
            r"space.seg_num: \[1, 2\] there, \[1, 2, 3\] now",
        ),
        (make_plan(manifest, "seg_num=1,2", epochs=7), "training.epochs: 2 there, 7 now"),
        (
            make_plan(manifest, "seg_num=1,2", algorithm="random"),
            "algorithm: grid there, random now",
        ),
    ):
        message = (
            f"holds a search with other settings:\n  {difference}\nGive another folder by `out`"
        )
        with pytest.raises(InputError, match=message):
            search(other, tmp_path / "s", Budget(), features)
    assert len(quick) == 2


def test_a_search_of_another_version_is_refused_and_kept(manifest, features, tmp_path, quick):
    wanted = make_plan(manifest, "seg_num=1,2")
    before = search(wanted, tmp_path / "s", Budget(), features).trials
    record = tmp_path / "s" / "search.json"
    whole = record.read_text()
    older = whole.replace('"keras_tuner": "', '"keras_tuner": "0.')
    for text, message in (
        (older, r"made by adff_tf .* and keras_tuner 0.1\..*, which adff_tf .* cannot resume"),
        (whole[:100], "search.json is damaged"),
    ):
        record.write_text(text)
        with pytest.raises(InputError, match=message):
            search(wanted, tmp_path / "s", Budget(), features)
    record.write_text(whole)
    pd.testing.assert_frame_equal(read_trials(tmp_path / "s"), before)
    assert len(quick) == 2


def test_data_that_changed_are_refused(manifest, features, tmp_path, quick):
    here = manifest.parent / "changing.csv"
    here.write_text(manifest.read_text())
    search(make_plan(here, "seg_num=1,2"), tmp_path / "s", Budget(), features)
    here.write_text(manifest.read_text().replace("song8", "song7"))
    with pytest.raises(InputError, match="The data changed since the search in"):
        search(make_plan(here, "seg_num=1,2"), tmp_path / "s", Budget(), features)


# === Progress ===


class Lines:
    """A reporter that keeps its lines."""

    def __init__(self):
        self.lines = []

    def log(self, text):
        self.lines.append(text)

    def bar(self, *args, **kwargs):
        return nullcontext(lambda steps=1, note="": None)


def test_the_progress_line_counts_only_trials_that_have_ended(manifest, tmp_path):
    (tmp_path / "search.json").write_text(make_plan(manifest, "seg_num=1,2,3").to_json())
    states = [("COMPLETED", 0.5), ("FAILED", None), ("RUNNING", None)]
    for index, (status, score) in enumerate(states):
        folder = tmp_path / "project-0" / f"trial_{index}"
        folder.mkdir(parents=True)
        values = {"values": {"seg_num": index + 1}}
        state = {"status": status, "score": score, "hyperparameters": values}
        (folder / "trial.json").write_text(json.dumps(state))
        if status != "RUNNING":
            reason = "no luck" if score is None else None
            TrialResult(str(index), "w", 1.0, reason=reason).write(folder)
    reporter = Lines()
    for trial in ("0", "1"):
        searching._log_trial_end(tmp_path, trial, Budget(trials=3), reporter)
    assert reporter.lines == [
        "trial 0: score 0.5000  1 s  (2 of 3, best 0.5000)",
        "trial 1: failed: no luck  1 s  (2 of 3, best 0.5000)",
    ]
