"""Scores of every way to learn four quadrants from few songs, on the same folds.

    python recipes/measure.py DATA OUT --start PRETRAINED --labelled PRETRAINED/labelled

Methods, each trained on the other four folds (by artist or song) and scored on the fifth:

    bands      logistic regression on mean and std of every mel band
    teacher    logistic regression on MusiCNN's features (mean, max, penultimate, tags)
    probe      logistic regression on the fused features E of the start
    scratch    ADFF from random weights, preset `fast`, with the start's front end and network
    finetune   ADFF from the start, preset `finetune`

With --labels also each method on that many songs, scored on all songs of other groups. --test IDS
is for a start that has heard all songs but some: it scores only the songs whose track_id stands in
the file IDS. Songs that the start has heard are never scored.

The penalty of a regression is chosen by cross-validation inside its training songs.
OUT/scores.csv has a row a method, fold, seed and number of labels; a repeated call adds the missing
rows.
"""

import argparse
import functools
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from adff_tf import datasets
from adff_tf.features.batches import evaluation_batches
from adff_tf.features.segments import segment_set
from adff_tf.features.tracks import Tracks, prepare_tracks
from adff_tf.model.model_file import load_network
from adff_tf.model.musicnn import DIMS
from adff_tf.presets import fast, finetune
from adff_tf.support.console import Terminal
from adff_tf.tasks import TASKS
from adff_tf.training import fit
from adff_tf.training.baselines import predict_linear
from adff_tf.training.metrics import score_task
from adff_tf.training.predictions import mean_by_song
from adff_tf.training.splits import split_tracks
from adff_tf.training.start import adopt, find_start, refuse_heard

TASK = TASKS["quadrant"]
FEATURES = ("bands", "teacher", "probe")
METHODS = (*FEATURES, "scratch", "finetune")


def probe_features(tracks: Tracks, start) -> np.ndarray:
    """Return the mean of E over each track's segments, `(tracks, features)`."""
    network = load_network(start.file)
    fused = keras.Model(network.input, network.get_layer("fusion").output)
    segments = segment_set(start.experiment, tracks, training=False)
    batches = evaluation_batches(segments, TASKS[start.experiment.task], 16)
    values = fused.predict(batches.map(lambda log_mel, *_: log_mel), verbose=0)
    return mean_by_song(segments.track_rows, {"e": values})["e"]


def teacher_features(tracks: Tracks, labelled: Path) -> np.ndarray:
    """Return the mean of the teacher's outputs over each track's patches, `(tracks, 1756)`."""
    keys = [name.removesuffix(".f32") for name in tracks.table["features"]]
    files = [labelled / f"{key}-0.targets.f16" for key in keys]
    return np.stack([np.fromfile(f, "<f2").reshape(-1, DIMS).mean(0, "float64") for f in files])


def split_by_labels(
    tracks: Tracks, labels: int, seed: int, may_test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of `labels` songs, as many a quadrant, and of songs to score.

    Args:
        may_test: which songs may be scored; with some that may not, all labels come from those.
    """
    rng, table = np.random.default_rng(seed), tracks.table
    quadrants = TASK.labels(table)["probabilities"]
    may_train = ~may_test if not may_test.all() else may_test
    order = rng.permutation(np.flatnonzero(may_train))
    chosen = np.concatenate([order[quadrants[order] == q][: labels // 4] for q in range(4)])
    is_other = ~table["group"].isin(table["group"].iloc[chosen]).to_numpy()
    return np.sort(chosen), np.flatnonzero(is_other & may_test)


def predict_by_network(method, tracks, train, test, start, seed: int, folder: Path) -> np.ndarray:
    """Return the probabilities of a network trained on some rows, `(test, 4)`."""
    base = (fast if method == "scratch" else finetune)()
    experiment = adopt(base, start.file).model_copy(update={"task": TASK.name})
    if method == "scratch":
        experiment = experiment.model_copy(update={"start": base.start})
    training = experiment.training.model_copy(update={"seed": seed})
    experiment = experiment.model_copy(update={"training": training})
    fitted = fit.fit(experiment, tracks.rows(train), folder, folder.name, Terminal())
    fit.discard_state(folder)
    rows, predictions = fit.predict_segments(fitted.model, experiment, tracks.rows(test))
    return mean_by_song(rows, predictions)["probabilities"]


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("data", type=Path)
    ask.add_argument("out", type=Path)
    ask.add_argument("--start", type=Path, required=True)
    ask.add_argument("--labelled", type=Path, help="of an adff-pretrain that has the songs")
    ask.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    ask.add_argument("--folds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    ask.add_argument("--test", type=Path, help="file of the track_ids to score")
    ask.add_argument("--labels", nargs="*", type=int, default=[])
    ask.add_argument("--seeds", nargs="+", type=int, default=[0])
    given = ask.parse_args()
    start = find_start(given.start)
    index, base = datasets.load_all([given.data]), finetune()
    tracks, _ = prepare_tracks(
        index.tracks, given.out / "features", start.experiment.frontend, reporter=Terminal()
    )
    y, groups = TASK.labels(tracks.table)["probabilities"], tracks.table["group"].to_numpy()

    @functools.cache
    def features(method: str) -> np.ndarray:
        if method == "bands":
            return np.hstack([tracks.mean, tracks.std])
        if method == "probe":
            return probe_features(tracks, start)
        return teacher_features(tracks, given.labelled)

    folds = split_tracks(tracks.table, TASK, base.validation, seed=0)
    may_test = np.ones(len(tracks), bool)
    if given.test:
        may_test = tracks.table["track_id"].isin(given.test.read_text().split()).to_numpy()
        folds, given.folds = np.where(may_test, 1, 2), [1]
    refuse_heard(start, tracks.table[may_test])
    splits = [(0, f, np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in given.folds]
    splits += [(n, seed, *split_by_labels(tracks, n, seed, may_test)) for n in given.labels
               for seed in given.seeds]  # fmt: skip
    file = given.out / "scores.csv"
    done = pd.read_csv(file) if file.exists() else pd.DataFrame()
    for method in given.methods:
        for labels, fold, train, test in splits:
            for seed in given.seeds if not labels and method in ("scratch", "finetune") else [0]:
                key = {"method": method, "labels": labels, "fold": fold, "seed": seed}
                if len(done) and (done[list(key)] == list(key.values())).all(axis=1).any():
                    continue
                if method in FEATURES:
                    x = features(method)
                    found = predict_linear(TASK, x[train], y[train], groups[train], x[test])
                else:
                    folder = given.out / f"{method}-{labels}-{fold}-{seed}"
                    found = predict_by_network(method, tracks, train, test, start, seed, folder)
                truth = {"probabilities": y[test]}
                scores = score_task(TASK, truth, {"probabilities": found})
                row = key | {name: value["accuracy"] for name, value in scores.items()}
                done = pd.concat([done, pd.DataFrame([row | {"songs": len(test)}])])
                done.to_csv(file, index=False)
                print(row, flush=True)
    columns = ["quadrant", "arousal", "valence"]
    print(done.groupby(["labels", "method"])[columns].agg(["mean", "std"]).round(3).to_string())


if __name__ == "__main__":
    main()
