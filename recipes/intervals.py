"""How often the intervals of runs hold the truth, on songs that calibrated nothing.

    python recipes/intervals.py OUT RUN …

The held-out songs of each RUN, predicted by their fold's model, are split in two at random, by
group; one half calibrates the intervals, the other is scored, and the other way round; 50 splits.
OUT/coverage.csv has a row a run, source, target and level: the share of songs whose interval holds
the label (of a quadrant: a value of its sign), the mean half-width, that of intervals of constant
width, the share of intervals on one side of zero, and the share of the splits whose intervals
follow the curve's spread. A run on several data sets has rows for each alone and for `all`.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from adff_tf.config import Experiment
from adff_tf.inference.calibration import Calibration
from adff_tf.tasks import TASKS
from adff_tf.training.calibration import calibrate_songs
from adff_tf.training.predictions import read_predictions, read_segments

LEVELS, SPLITS = (0.8, 0.9, 0.95), 50


def score(run: Path) -> list[pd.DataFrame]:
    """Return the tables of a run with targets: of all its songs, and of each of several sources."""
    experiment = Experiment.from_json((run / "config.json").read_text(), str(run))
    task = TASKS[experiment.task]
    index = pd.read_csv(run / "index.csv", dtype={"track_id": str, "split": str})
    places = [run / f"fold{fold}" for fold in experiment.validation.scored_folds]
    songs = pd.concat([read_predictions(place, index) for place in places], ignore_index=True)
    segments = pd.concat([read_segments(place, index) for place in places], ignore_index=True)
    known = index.set_index("track_id").loc[songs["track_id"]]
    groups, sources = known["group"].to_numpy(), known["source"].to_numpy()
    parts = {"all": np.ones(len(songs), bool)}
    if len(set(sources)) > 1:
        parts |= {Path(source).name: sources == source for source in dict.fromkeys(sources)}
    return [
        _score_songs(task, songs[part], segments, groups[part]).assign(run=run.name, source=source)
        for source, part in parts.items()
    ]


def _score_songs(task, songs, segments, groups) -> pd.DataFrame:
    rng, rows = np.random.default_rng(0), []
    for _ in range(SPLITS):
        chosen = rng.random(len(np.unique(groups))) < 0.5
        is_first = chosen[np.unique(groups, return_inverse=True)[1]]
        for mask in (is_first, ~is_first):
            calibration = calibrate_songs(task, songs[mask], segments)
            constant = Calibration(
                calibrate_songs(task, songs[mask], segments.head(0)).scores,
                dict.fromkeys(task.targets, 0.0),
            )
            rows += _coverage(task, songs[~mask], segments, calibration, constant)
    table = pd.DataFrame(rows).groupby(["target", "level"], sort=False).mean().reset_index()
    return table.assign(songs=len(songs))


def _coverage(task, songs, segments, calibration, constant) -> list[dict]:
    rows = []
    for name in task.targets:
        std = segments.groupby("track_id")[f"{name}_prediction"].std(ddof=1)
        std = std.reindex(songs["track_id"]).to_numpy()
        values, labels = (songs[f"{name}_{k}"].to_numpy() for k in ("prediction", "target"))
        is_sign = (songs["labels"] == "quadrant").to_numpy()
        for level in LEVELS:
            ends = np.array([
                calibration.interval(name, v, s, level) for v, s in zip(values, std, strict=True)
            ])  # fmt: skip
            low, high = ends.T
            holds = np.where(labels > 0, high >= 0, low <= 0)
            inside = np.where(is_sign, holds, (low <= labels) & (labels <= high))
            rows.append({
                "target": name, "level": level, "covered": inside.mean(),
                "half_width": np.mean(high - low) / 2,
                "constant_half_width": constant.quantile(name, level),
                "clear": np.mean((low > 0) | (high < 0)),
                "follows": float(calibration.spread[name] > 0),
            })  # fmt: skip
    return rows


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("out", type=Path)
    ask.add_argument("runs", type=Path, nargs="+")
    given = ask.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    table = pd.concat([part for run in given.runs for part in score(run)], ignore_index=True)
    table.round(3).to_csv(given.out / "coverage.csv", index=False)
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
