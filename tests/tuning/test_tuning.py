"""The search: its space, the honesty of its split, failed trials and bugs, kills, chief and workers, and what is refused."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import soundfile
import tensorflow as tf
from sklearn.model_selection import GroupKFold

from adff_tf import train
from adff_tf.config import Data, Experiment
from adff_tf.errors import InputError
from adff_tf.features import tracks as track_features
from adff_tf.training import fit as fits
from adff_tf.tuning import __main__ as command
from adff_tf.tuning import oracles, report, search, trials
from adff_tf.tuning.search import Budget
from adff_tf.tuning.space import PAPER, Choice, Plan, Range, Space, experiment, narrowed

from .. import tiny

ROOT = Path(__file__).parents[2]
FIXED = [
    "seg_len=1",
    "dropout=0",
    "lstm_units=3",
    "se_ratio=2",
    "width=0.05",
    "level_end=norm-relu",
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Eighteen noises of a second, louder with arousal; two a song."""
    folder, rng = tmp_path_factory.mktemp("set"), np.random.default_rng(1)
    rows = []
    for k, arousal in enumerate(np.linspace(-0.9, 0.9, 18)):
        soundfile.write(folder / f"{k}.wav", 10 ** (arousal - 1) * rng.uniform(-1, 1, 48000), 44100)
        rows.append((f"{k}.wav", -arousal, arousal, f"song{k % 9}"))
    pd.DataFrame(rows, columns=["path", "valence", "arousal", "group"]).to_csv(
        folder / "labels.csv", index=False
    )
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def plan(manifest, *texts, algorithm="grid", folds=3, task="arousal", **training_settings):
    base = tiny.experiment(task=task, tflm=False, training=training_settings)
    base = base.model_copy(
        update={
            "data": Data(data=manifest, label_range=(-1, 1)),
            "validation": base.validation.model_copy(update={"folds": folds, "final_model": False}),
        }
    )
    named = {text.split("=")[0] for text in texts}
    texts = [*texts, *(text for text in FIXED if text.split("=")[0] not in named)]
    if "learning_rate" not in named:
        texts.append("learning_rate=0.001")
    return Plan(base, narrowed(PAPER, texts, base), algorithm)


@pytest.fixture
def quick(monkeypatch):
    """Trials that cost nothing: arousal's R² is 1 / seg_num, less for other learning rates. No plots. The settings of each."""
    seen = []

    def scores(settings, songs, folder, label, reporter):
        seen.append(settings)
        r2 = 1 / settings.segments.seg_num - abs(np.log10(settings.training.learning_rate) + 3)
        return {"arousal": {"r2": float(r2), "rmse": 0.5}}

    monkeypatch.setattr(trials, "_scores", scores)
    monkeypatch.setattr(report, "_figures", lambda *args: {})
    return seen


# === Space ===


def test_the_space_is_the_papers():
    assert PAPER.parameters["seg_num"].values == (1, 2, 4, 6, 8, 10, 12, 14, 16)
    assert PAPER.parameters["seg_len"].values == (5, 10, 15, 20, 25, 30)


def test_values_reach_the_data_pipeline_and_the_network():
    base = Experiment()
    values = {"seg_num": 4, "seg_len": 10.0, "learning_rate": 3.14159e-4, "dropout": 0.25, "lstm_units": 16, "se_ratio": 8,
              "width": 0.5, "level_end": "norm-relu"}  # fmt: skip
    found = experiment(base, PAPER, values)
    assert (
        found.frames == 1000
        and found.segments.seg_num == 4
        and found.network.level_end == "norm-relu"
    )
    assert found.training.learning_rate == 3.14e-4 and found.network.dropout == 0.25
    assert (
        found.model_copy(update={n: getattr(base, n) for n in ("segments", "training", "network")})
        == base
    )


@pytest.mark.parametrize(
    "text, expected",
    [
        ("seg_num=6", Choice((6,))),
        ("seg_num=16,1,6,1", Choice((1, 6, 16))),
        ("seg-num=3:10", Choice((4, 6, 8, 10))),
        ("seg_len=5:8:1.5", Choice((5.0, 6.5, 8.0))),
        ("seg_len=7.5", Choice((7.5,))),
        ("dropout=0.1", Choice((0.1,))),
        ("dropout=0:0.3:0.1", Choice((0.0, 0.1, 0.2, 0.3))),
        ("learning_rate=1e-5:1e-4", Range(1e-5, 1e-4, log=True)),
        ("level_end=norm-relu", Choice(("norm-relu",))),
    ],
)
def test_narrowing(text, expected):
    name = text.split("=")[0].replace("-", "_")
    assert narrowed(PAPER, [text], Experiment()).parameters[name] == expected


@pytest.mark.parametrize(
    "texts, message",
    [
        (["tempo=3"], "tempo is no hyperparameter; those that can be searched are seg_num, seg_len"),
        (["seg_num"], "says no values; give NAME=VALUE"),
        (["seg_num=65"], "allowed is a whole number at least 1 and at most 64"),
        (["seg_num=2.5"], "allowed is a whole number"),
        (["dropout=0:1"], "allowed is a number at least 0 and below 1"),
        (["learning_rate=0:1"], "allowed is a number above 0"),
        (["level_end=relu"], "allowed is pool-relu-norm or norm-relu"),
        (["level_end=a:b"], "no number"),
        (["seg_num=9:9"], "leaves no value of seg_num, so the space is empty"),
        (["seg_num="], "leaves no value of seg_num"),
        (["seg_num=8:2"], "ends before it begins; give the lower value first: seg_num=2:8"),
        (["seg_len=5:30:0"], "a step is above 0"),
        (["seg_num=1", "seg-num=2"], "names seg_num twice"),
        (["seg_num=16", "seg_len=5"], "no configuration in it can work: seg_num 16 cuts 500 frames into parts of 31"),
        ([f"{name}={getattr(getattr(Experiment(), section), name)}" for name, section in search.report.SECTIONS.items()],
         "every hyperparameter is fixed"),
    ],
)  # fmt: skip
def test_what_is_no_space(texts, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        narrowed(PAPER, texts, Experiment())


def test_a_plan_survives_json(manifest):
    before = plan(manifest, "seg_num=1,2", "learning_rate=1e-4:1e-2")
    assert Plan.from_json(before.to_json()) == before


# === A search ===


@pytest.fixture(scope="module")
def searched(manifest, features, tmp_path_factory):
    """A real grid of seg_num 1, 2 and 4, of which 4 cannot work on a second; and the songs that its fits and scores saw."""
    saw = {"fit": set(), "predict_segments": set()}

    def spy(name):
        before = getattr(fits, name)

        def spied(*args, **kwargs):
            tracks = next(a for a in args if isinstance(a, track_features.Tracks))
            saw[name] |= set(tracks.table["track_id"])
            return before(*args, **kwargs)

        return spied

    folder = tmp_path_factory.mktemp("searches") / "grid"
    with pytest.MonkeyPatch.context() as patch:
        for name in saw:
            patch.setattr(fits, name, spy(name))
        found = search.search(plan(manifest, "seg_num=1,2,4"), folder, Budget(), features)
    return found, saw


def test_the_tables_are_as_designed(searched):
    found, _ = searched
    table = pd.read_csv(found.folder / "trials.csv")
    assert list(table.columns[:4]) == ["trial", "status", "score", "seconds"] and {
        "seg_num",
        "seg_len",
    } <= set(table.columns)
    assert table.set_index("seg_num")["status"].to_dict() == {
        1: "completed",
        2: "completed",
        4: "failed",
    }
    completed = table[table["status"] == "completed"]
    assert (
        (completed["seconds"] > 0).all()
        and (completed["memory_mib"] > 50).all()
        and (completed["epochs"] == 2).all()
    )
    assert "seg_num 4 cuts 100 frames into parts of 25" in table.set_index("seg_num")["reason"][4]
    text = (found.folder / "report.md").read_text()
    assert "seg_num 4 cuts 100 frames" in text and "2 completed, 1 failed" in text
    assert {file.name for file in (found.folder / "plots").iterdir()} == {
        "seg_num.png",
        "heat_map.png",
    }


def test_no_trial_sees_a_song_of_the_test_fold(searched, manifest):
    found, saw = searched
    index = pd.read_csv(found.folder / "index.csv", dtype={"track_id": str})
    folds = [
        set(index["track_id"].iloc[test])
        for _, test in GroupKFold(3, shuffle=True, random_state=0).split(
            index, groups=index["group"]
        )
    ]
    assert saw["fit"] == folds[2] and saw["predict_segments"] == folds[1]
    assert set(index.loc[index["role"] == "test", "track_id"]) == folds[0]
    assert (index.groupby("group")["role"].nunique() == 1).all()


def test_the_score_is_r2_by_song(searched, manifest, features, tmp_path):
    found, _ = searched
    best = Experiment.from_json((found.folder / "best.json").read_text())
    index = pd.read_csv(found.folder / "index.csv", dtype={"track_id": str})
    tracks, _ = track_features.prepare_tracks(
        index.drop(columns=["features"]), features, best.frontend
    )
    learn, score = (
        tracks.rows(np.flatnonzero(tracks.table["role"] == role)) for role in ("learn", "score")
    )
    model = fits.fit(best, learn, tmp_path / "fit").model
    track_rows, predictions = fits.predict_segments(model, best, score)
    songs = pd.Series(predictions["arousal"]).groupby(track_rows).mean()
    expected = sklearn.metrics.r2_score(score.table["arousal"], songs)
    assert found.trials["score"].max() == pytest.approx(expected, abs=1e-4)
    tried = found.trials.loc[found.trials["score"].idxmax()]
    assert (
        tried["seg_num"] == best.segments.seg_num
        and tried["learning_rate"] == best.training.learning_rate
    )


def test_the_winner_trains_unchanged_and_is_scored_on_the_test_fold(searched, features, tmp_path):
    found, saw = searched
    train.main(
        [
            "--config",
            str(found.folder / "best.json"),
            "--out",
            str(tmp_path / "run"),
            "--features",
            str(features),
        ]
    )
    scored = set(
        pd.read_csv(tmp_path / "run" / "fold1" / "predictions.csv", dtype={"track_id": str})[
            "track_id"
        ]
    )
    assert scored and not scored & (saw["fit"] | saw["predict_segments"])
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == json.loads(
        (found.folder / "best.json").read_text()
    )


def test_objectives():
    r2 = {"valence": {"r2": 0.5, "rmse": 1.0}, "arousal": {"r2": -0.1, "rmse": 1.0}}
    assert trials.objective(trials.TASKS["both"], r2) == pytest.approx(0.2)
    signs = {
        "quadrant": {"accuracy": 0.6},
        "arousal": {"accuracy": 0.9},
        "valence": {"accuracy": 0.7},
    }
    assert trials.objective(trials.TASKS["quadrant"], signs) == 0.6
    assert trials.objective(trials.TASKS["arousal2"], {"arousal": {"accuracy": 0.9}}) == 0.9


@pytest.mark.parametrize(
    "algorithm, wanted_trials", [("bayesian", 6), ("random", 10), ("hyperband", 11)]
)
def test_algorithms_find_the_maximum_and_keep_the_budget(
    algorithm, wanted_trials, manifest, features, tmp_path, quick
):
    # the most is 1, at seg_num 1 and a learning rate of 1e-3
    wanted = plan(
        manifest, "seg_num=1,2,3", "learning_rate=1e-4:1e-2", algorithm=algorithm, epochs=9
    )
    found = search.search(wanted, tmp_path / "s", Budget(trials=wanted_trials), features)
    assert (
        len(found.trials) == len(quick) == wanted_trials
        and (found.trials["status"] == "completed").all()
    )
    best = Experiment.from_json((tmp_path / "s" / "best.json").read_text())
    assert best.segments.seg_num == 1 and found.trials["score"].max() > 0.3
    epochs = {settings.training.epochs for settings in quick}
    assert (
        epochs == ({1, 3} if algorithm == "hyperband" else {9}) and best.training.epochs in epochs
    )


def test_bayesian_does_not_propose_what_has_failed_again_and_again(
    manifest, features, tmp_path, quick
):
    wanted = plan(
        manifest, "seg_num=1,2,3,4,5,6,7,8", algorithm="bayesian"
    )  # 4 and above cannot work
    found = search.search(wanted, tmp_path / "s", Budget(trials=8), features)
    assert sorted(found.trials["seg_num"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (found.trials["status"] == "failed").sum() == 5


def test_hours_are_a_budget(manifest, features, tmp_path, monkeypatch, quick):
    spent = iter([0.0, 1799.0, 1800.0])  # when a first, a second and a third trial are asked for
    monkeypatch.setattr(oracles.Lasting, "get_state", oracles.kt.Oracle.get_state)
    monkeypatch.setattr(oracles.Lasting, "spent_s", property(lambda self: next(spent)))
    found = search.search(
        plan(manifest, "seg_num=1,2,3", algorithm="random"),
        tmp_path / "s",
        Budget(hours=0.5),
        features,
    )
    assert len(found.trials) == 2


# === What goes wrong in a trial ===


def fails(monkeypatch, error):
    before = trials._scores

    def scores(settings, *args):
        if settings.segments.seg_num == 2:
            raise error
        return before(settings, *args)

    monkeypatch.setattr(trials, "_scores", scores)


def test_a_bug_stops_the_search_with_its_own_error(
    manifest, features, tmp_path, monkeypatch, quick
):
    fails(monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError, match="ours"):
        search.search(plan(manifest, "seg_num=1,2,3"), tmp_path / "s", Budget(), features)


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")]
)
def test_out_of_memory_is_a_failed_trial(error, manifest, features, tmp_path, monkeypatch):
    def fit(settings, *args):
        if settings.segments.seg_num == 1:
            raise error
        return fits.Fit(None, pd.DataFrame())

    monkeypatch.setattr(fits, "fit", fit)
    answers = iter([{"arousal": np.full(6, 0.1)}])

    def predict(*args):
        for answer in answers:
            return np.arange(6), answer
        raise fits.DivergedError("no number")

    monkeypatch.setattr(fits, "predict_segments", predict)
    found = search.search(plan(manifest, "seg_num=1,2,3"), tmp_path / "s", Budget(), features)
    by = found.trials.set_index("seg_num")
    assert by["status"].to_dict() == {1: "failed", 2: "completed", 3: "failed"}
    assert by["reason"][1].startswith("out of memory") and "diverged" in by["reason"][3]


def test_nothing_completed(manifest, features, tmp_path, monkeypatch, quick):
    fails(monkeypatch, trials.kt.errors.FailedTrialError("no luck"))
    with pytest.raises(
        InputError,
        match="no trial of 2 could be completed:\n  trial 0: no luck\n  trial 1: seg_num 4 cuts",
    ):
        search.search(plan(manifest, "seg_num=2,4"), tmp_path / "s", Budget(), features)


def test_a_trial_that_kills_its_process_is_given_up(tmp_path):
    never_left = [trials._counted_kills(tmp_path) for _ in range(trials.KILLS)]  # as by a kill
    for block in never_left:
        block.__enter__()
    with pytest.raises(
        trials.kt.errors.FailedTrialError,
        match="killed 2 times in this trial without finishing an epoch",
    ):
        trials._counted_kills(tmp_path).__enter__()


def test_a_trial_that_is_interrupted_or_moves_on_is_not_given_up(tmp_path):
    (tmp_path / "fit").mkdir()
    never_left = [trials._counted_kills(tmp_path) for _ in range(4)]
    for epochs, block in enumerate(never_left):
        pd.DataFrame({"epoch": range(epochs), "seconds": 1.0}).to_csv(
            tmp_path / "fit" / "history.csv"
        )
        block.__enter__()
    for _ in range(4):
        (tmp_path / "begun.json").unlink(missing_ok=True)
        with pytest.raises(KeyboardInterrupt), trials._counted_kills(tmp_path):
            raise KeyboardInterrupt


# === Resuming ===


class Killed(BaseException):
    """What no one catches."""


@pytest.mark.parametrize("algorithm", ["grid", "bayesian", "random", "hyperband"])
def test_a_killed_search_goes_on(algorithm, manifest, features, tmp_path, monkeypatch, quick):
    before, when = trials._scores, iter(itertools.count(1))

    def scores(*args):
        if next(when) in (1, 4):  # in the very first trial too
            raise Killed
        return before(*args)

    monkeypatch.setattr(trials, "_scores", scores)
    wanted = plan(manifest, "seg_num=1,2,3", "lstm_units=2,3,4", algorithm=algorithm, epochs=3)
    for _ in range(2):
        with pytest.raises(Killed):
            search.search(wanted, tmp_path / "s", Budget(trials=4), features)
    found = search.search(wanted, tmp_path / "s", Budget(trials=6), features)
    assert (found.trials["status"] == "completed").all() and len(quick) == len(found.trials)
    tried = {(s.segments.seg_num, s.network.lstm_units, s.training.epochs) for s in quick}
    assert len(tried) == len(quick)
    assert len(found.trials) == 6 or algorithm == "hyperband"
    again = search.search(wanted, tmp_path / "s", Budget(trials=6), features)
    pd.testing.assert_frame_equal(again.trials, found.trials)


def test_another_search_is_refused_and_names_the_difference(manifest, features, tmp_path, quick):
    search.search(plan(manifest, "seg_num=1,2"), tmp_path / "s", Budget(), features)
    for other, difference in (
        (plan(manifest, "seg_num=1,2,3"), r"space.seg_num: \[1, 2\] there, \[1, 2, 3\] now"),
        (plan(manifest, "seg_num=1,2", epochs=7), "training.epochs: 2 there, 7 now"),
        (plan(manifest, "seg_num=1,2", algorithm="random"), "algorithm: grid there, random now"),
    ):
        with pytest.raises(
            InputError,
            match=f"holds a search with other settings:\n  {difference}\nGive another folder by --out",
        ):
            search.search(other, tmp_path / "s", Budget(), features)
    assert len(quick) == 2


def test_a_search_of_another_version_is_refused_and_kept(manifest, features, tmp_path, quick):
    wanted = plan(manifest, "seg_num=1,2")
    before = search.search(wanted, tmp_path / "s", Budget(), features).trials
    record = tmp_path / "s" / "search.json"
    for change, message in (
        (
            lambda text: text.replace('"keras_tuner": "', '"keras_tuner": "0.'),
            "versions.keras_tuner: 0.1.* there, 1.* now",
        ),
        (lambda text: text[:100], "search.json is damaged"),
    ):
        whole = record.read_text()
        record.write_text(change(whole))
        with pytest.raises(InputError, match=message):
            search.search(wanted, tmp_path / "s", Budget(), features)
        record.write_text(whole)
    pd.testing.assert_frame_equal(report.collect(tmp_path / "s"), before)
    assert len(quick) == 2


def test_data_that_changed_are_refused(manifest, features, tmp_path, quick):
    here = manifest.parent / "changing.csv"
    here.write_text(manifest.read_text())
    search.search(plan(here, "seg_num=1,2"), tmp_path / "s", Budget(), features)
    here.write_text(manifest.read_text().replace("song8", "song7"))
    with pytest.raises(InputError, match="The data changed since the search in"):
        search.search(plan(here, "seg_num=1,2"), tmp_path / "s", Budget(), features)


def test_the_state_on_disk_is_whole_after_any_write(
    manifest, features, tmp_path, quick, monkeypatch
):
    """A trial that was written and is in no list is found again; one that has ended is not run again."""
    wanted = plan(manifest, "seg_num=1,2,3")
    save = oracles.Lasting.save

    def killed_on_the_second_trial(self):
        if len(self.trials) == 2:
            raise Killed
        save(self)

    monkeypatch.setattr(oracles.Lasting, "save", killed_on_the_second_trial)
    with pytest.raises(Killed):
        search.search(wanted, tmp_path / "s", Budget(), features)
    monkeypatch.setattr(oracles.Lasting, "save", save)
    found = search.search(wanted, tmp_path / "s", Budget(), features)
    assert (
        sorted(found.trials["seg_num"])
        == [1, 2, 3]
        == sorted(settings.segments.seg_num for settings in quick)
    )


# === Chief and workers ===

PROCESS = """
import sys, time
from adff_tf.support import console
console.quiet_tensorflow(); console.import_tensorflow()
from pathlib import Path
from adff_tf.tuning import search, trials
from adff_tf.tuning.space import Plan

def scores(settings, songs, folder, label, reporter):
    time.sleep(1.0)
    return {"arousal": {"r2": 1 / settings.segments.seg_num, "rmse": 0.5}}

trials._scores = scores
folder, name, address, features = sys.argv[1:]
plan = Plan.from_json(Path(folder + ".plan.json").read_text())
place = search.place_from(name == "chief", None if name == "chief" else name, address)
reporter = console.Terminal()
search.search(plan, folder, search.Budget(trials=8), features, place, reporter, lease_s=4.0)
"""


def test_chief_and_workers_share_the_trials_and_lose_none_when_one_is_killed(
    manifest, features, tmp_path
):
    wanted = plan(manifest, "seg_num=1,2,3", "lstm_units=1,2,3", algorithm="random")
    track_features.prepare_tracks(
        search.validation.load_index(wanted.base, tmp_path).tracks, features, wanted.base.frontend
    )
    folder, address = tmp_path / "s", f"127.0.0.1:{free_port()}"
    Path(f"{folder}.plan.json").write_text(wanted.to_json())
    processes = {}
    for name in ("chief", "a", "b"):
        arguments = [sys.executable, "-c", PROCESS, folder, name, address, features]
        with open(tmp_path / f"{name}.log", "w") as log:
            processes[name] = subprocess.Popen(
                arguments, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT
            )
    try:
        killed = None
        while killed is None:
            assert processes["b"].poll() is None, (tmp_path / "b.log").read_text()
            lines = (tmp_path / "b.log").read_text().splitlines()
            begun = [
                line.split(":")[0]
                for line in lines
                if line.startswith("trial") and "seg_num" in line
            ]
            done = [line.split(":")[0] for line in lines if line.endswith(": done")]
            if done and len(begun) > len(done):
                os.kill(processes["b"].pid, signal.SIGKILL)
                killed = int(begun[-1].removeprefix("trial"))
            time.sleep(0.05)
        for name in ("a", "chief"):
            assert processes[name].wait(timeout=120) == 0, (tmp_path / f"{name}.log").read_text()
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    table = pd.read_csv(folder / "trials.csv")
    assert list(table["trial"]) == list(range(8)) and (table["status"] == "completed").all()
    assert set(table["worker"]) == {"a", "b"}
    assert table.set_index("trial")["worker"][killed] == "a"
    np.testing.assert_allclose(table["score"], 1 / table["seg_num"])
    assert (folder / "report.md").exists() and Experiment.from_json(
        (folder / "best.json").read_text()
    ).segments.seg_num == 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_environment_names_the_place_as_in_keras_tuner(monkeypatch):
    for name, value in (("TUNER_ID", "chief"), ("ORACLE_IP", "10.0.0.1"), ("ORACLE_PORT", "8000")):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    place = search.place_from(False, None, "127.0.0.1:7077")
    assert place.is_chief and place.address == "10.0.0.1:8000"
    assert search.place_from(False, "w1", "127.0.0.1:7077").address == "127.0.0.1:7077"
    monkeypatch.delenv("KERASTUNER_ORACLE_PORT")
    with pytest.raises(InputError, match="KERASTUNER_ORACLE_PORT is not; set all three"):
        search.place_from(False, None, "127.0.0.1:7077")


# === The command line ===


def test_a_setting_given_by_its_own_option_is_fixed(manifest):
    _, found = command.parse(
        [
            "--data",
            str(manifest),
            "--label-range",
            "-1",
            "1",
            "--seg-num",
            "4",
            "--space",
            "seg_len=5,10",
        ]
    )
    assert found.space.fixed == {"seg_num": 4} and found.space.parameters["seg_len"] == Choice(
        (5.0, 10.0)
    )
    assert found.base.training.early_stopping >= 3 and found.base.data.data.is_absolute()


def test_without_arguments_the_space_is_small_and_the_budget_set():
    options, found = command.parse([])
    assert found.base.data.data is None and set(found.space.free) == {
        "seg_num",
        "seg_len",
        "learning_rate",
    }
    assert command.budget(options, found).trials == command.DEMO_TRIALS


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--space tempo=3", "tempo is no hyperparameter"),
        ("--space dropout=2", "allowed is a number at least 0 and below 1"),
        ("--space seg_num=16 seg_len=5", "the space is empty"),
        ("--trials 0", "a budget of 0 trials leaves nothing to try"),
        ("--hours 0", "a budget of 0 hours leaves nothing to try"),
        ("--folds 2", "a search needs three folds or more, given are 2"),
        (
            "--folds 12",
            "12 folds need at least 12 songs or artists that stay apart; here are 9. Use --folds 9",
        ),
        ("--out {occupied}", "is not empty and holds no search"),
        (
            "--worker 1 --wait 0.5 --address 127.0.0.1:9",
            "no chief answers at 127.0.0.1:9 after 0.5 s",
        ),
        ("--worker chief2", "cannot be a worker's name"),
        ("--chief --worker 1", "a process is one of them"),
        ("--chief --address here", "'here' is no address; give HOST:PORT"),
        ("--chief --address 203.0.113.1:7077", "the chief cannot listen at 203.0.113.1:7077"),
        ("--task tempo", "invalid choice"),
    ],
)
def test_bad_input_is_one_message(arguments, message, manifest, tmp_path, capsys):
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "letter.txt").touch()
    arguments = arguments.format(occupied=tmp_path / "occupied").split()
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "s")]
    with pytest.raises(SystemExit) as caught:
        command.main(["--data", str(manifest), "--label-range", "-1", "1", *out, *arguments])
    said = capsys.readouterr()
    assert caught.value.code == 2 and message in " ".join(
        (said.out + said.err).replace("│", " ").split()
    )
    assert "Traceback" not in said.err


def test_a_task_that_the_data_cannot_give(tmp_path, capsys):
    for quadrant, k in itertools.product(("Q1", "Q2", "Q3", "Q4"), range(3)):
        (tmp_path / "set" / quadrant).mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "set" / quadrant / f"{quadrant}-{k}.wav", np.zeros(4410), 44100)
    with pytest.raises(SystemExit) as caught:
        command.main(
            ["--data", str(tmp_path / "set"), "--task", "both", "--out", str(tmp_path / "s")]
        )
    assert (
        caught.value.code == 2
        and "use --task quadrant, arousal2 or valence2" in capsys.readouterr().err
    )


def test_ctrl_c_leaves_a_report_and_says_how_to_go_on(
    manifest, features, tmp_path, monkeypatch, capsys, quick
):
    before = trials._scores

    def scores(settings, *args):
        if len(quick) == 1:
            raise KeyboardInterrupt
        return before(settings, *args)

    arguments = ["--data", str(manifest), "--label-range", "-1", "1", "--task", "arousal", "--out", str(tmp_path / "s"),
                 "--features", str(features), "--trials", "3", "--algorithm", "random"]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(trials, "_scores", scores)
        with pytest.raises(SystemExit) as caught:
            command.main(arguments)
    assert (
        caught.value.code == 130 and "The same command goes on from here" in capsys.readouterr().err
    )
    assert "1 completed, 1 unfinished" in (tmp_path / "s" / "report.md").read_text()
    command.main(arguments)
    said = capsys.readouterr().out
    assert (
        len(report.collect(tmp_path / "s")) == 3
        and f"--config {tmp_path / 's' / 'best.json'}" in said
    )


def test_loads_no_tensorflow():
    code = """
    import adff_tf.tuning, adff_tf.tuning.__main__, adff_tf.tuning.space, sys
    adff_tf.tuning.__main__.parse([])
    print({"tensorflow", "keras", "keras_tuner"} & set(sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "set()"


def test_importance_names_what_matters():
    rng = np.random.default_rng(0)
    space = Space(
        {
            "seg_num": Choice((1, 2, 3, 4)),
            "dropout": Range(0.0, 0.5),
            "level_end": Choice(("norm-relu", "pool-relu-norm")),
        }
    )
    table = pd.DataFrame({"seg_num": rng.integers(1, 5, 60), "dropout": rng.uniform(0, 0.5, 60),
                          "level_end": rng.choice(["norm-relu", "pool-relu-norm"], 60)})  # fmt: skip
    found = report.importance(Plan(Experiment(), space), table.assign(score=1.0 * table["seg_num"]))
    assert report._importance(found).axes
    assert found.index[0] == "seg_num" and found["seg_num"] > 1 and abs(found["level_end"]) < 0.05
