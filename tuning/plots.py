"""The plots of a search: score and seconds over `seg_num`, `seg_num` × `seg_len`, importance."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from adff_tf.reports.markdown import SCORE_NAMES
from adff_tf.reports.plots import BLUE, GREY, ORANGE, make_axes

from .plan import Plan
from .results import TrialStatus, score_columns, select

MIN_FOR_IMPORTANCE = 10  # completed trials
DARK = 0.55  # above this share of the colour scale, text is white


def make_figures(plan: Plan, trials: pd.DataFrame) -> dict[str, tuple[Figure, str]]:
    """Return the plots of trials, some of them completed, by name with captions."""
    completed = select(trials, TrialStatus.COMPLETED)
    figures = {
        "seg_num": (
            plot_seg_num(completed),
            "Scores and seconds over seg_num: a dot a trial, the line through the best (left) or "
            "the mean (right).",
        ),
        "heat_map": (
            plot_heat_map(plan, trials),
            "The best score of each seg_num and seg_len; × where every trial failed, empty where "
            "none was tried.",
        ),
    }
    if len(completed) >= MIN_FOR_IMPORTANCE:
        figures["importance"] = (
            plot_importance(compute_importance(plan, completed)),
            "Share of the score's variation that each hyperparameter explains: a random forest's "
            f"error with that column shuffled. From {len(completed)} trials; an indication, no "
            "proof.",
        )
    return figures


def plot_seg_num(completed: pd.DataFrame) -> Figure:
    """Return score and seconds over seg_num: the form of the paper's Figure 3 and Table 2."""
    figure, (left, right) = make_axes(2)
    x, groups = completed["seg_num"], completed.groupby("seg_num")
    dots: Any = {"s": 14, "alpha": 0.5, "linewidths": 0}
    for name, color in zip(score_columns(completed), (BLUE, ORANGE, GREY), strict=False):
        target, score = name.rsplit("_", 1)
        best = groups[name].max()
        left.scatter(x, completed[name], color=color, **dots)
        left.plot(best.index, best, marker="o", color=color, label=f"{target} {SCORE_NAMES[score]}")
    seconds, mean = completed["seconds"], groups["seconds"].mean()
    right.scatter(x, seconds, color=BLUE, **dots)
    right.plot(mean.index, mean, marker="o", color=BLUE)
    left.set(xlabel="seg_num", ylabel="score on songs not trained on")
    right.set(xlabel="seg_num", ylabel="seconds a trial", ylim=(0, 1.05 * seconds.max()))
    for axis in (left, right):
        axis.set_xticks(sorted(x.unique()))
    left.legend(frameon=False)
    return figure


def plot_heat_map(plan: Plan, trials: pd.DataFrame) -> Figure:
    """Return the best score of each seg_num and seg_len in the space."""
    searched = plan.space.as_dict()
    best = trials.pivot_table(index="seg_len", columns="seg_num", values="score", aggfunc="max")
    best = best.reindex(index=searched["seg_len"], columns=searched["seg_num"])
    failed = select(trials, TrialStatus.FAILED)
    failed_pairs = set(zip(failed["seg_len"], failed["seg_num"], strict=True))
    scores = best.to_numpy("float64")
    low, high = np.nanmin(scores), np.nanmax(scores)
    figure, (axis,) = make_axes(width=2.4 + 0.62 * best.shape[1], height=1.8 + 0.5 * best.shape[0])
    image = axis.imshow(scores, cmap="Blues", aspect="auto", origin="lower")
    for (row, column), score in np.ndenumerate(scores):
        is_failed = (best.index[row], best.columns[column]) in failed_pairs
        text = f"{score:.2f}" if np.isfinite(score) else "×" * is_failed
        color = "white" if score > low + DARK * (high - low) else "black"
        axis.text(column, row, text, ha="center", va="center", color=color, fontsize=9)
    axis.set_xticks(range(best.shape[1]), [str(value) for value in best.columns])
    axis.set_yticks(range(best.shape[0]), [f"{value:g}" for value in best.index])
    axis.set(xlabel="seg_num", ylabel="seg_len, s")
    figure.colorbar(image, label="best score")
    return figure


def compute_importance(plan: Plan, completed: pd.DataFrame) -> pd.Series:
    """Return the permutation importance of free hyperparameters in a random forest, highest first.

    1 and above: the forest's predictions are useless once the column is shuffled. 0: the forest
    does not use it.
    """
    names = list(plan.space.free)
    x = completed[names].apply(
        lambda column: column if column.dtype.kind in "if" else column.astype("category").cat.codes
    )
    if "learning_rate" in names:
        x = x.assign(learning_rate=np.log(x["learning_rate"].astype("float64")))
    forest = RandomForestRegressor(n_estimators=100, random_state=0).fit(x, completed["score"])
    found = permutation_importance(forest, x, completed["score"], n_repeats=10, random_state=0)
    return pd.Series(found.importances_mean, index=names).sort_values(ascending=False)


def plot_importance(importance: pd.Series) -> Figure:
    """Return a bar a hyperparameter, the most important on top."""
    figure, (axis,) = make_axes(height=1.4 + 0.4 * len(importance))
    axis.barh(importance.index[::-1], importance.to_numpy()[::-1], color=BLUE)
    axis.set(xlabel="importance (drop of the forest's R²)")
    return figure
