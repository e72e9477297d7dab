"""Figures of reports: learning curves, predicted against true, the plane, a confusion matrix.

Each function returns a matplotlib figure. Valence and arousal are in [-1, 1].
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..tasks import Task

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"
UNIT = (-1.05, 1.05)  # limits of an axis from -1 to 1
CORNERS = {"Q1": (0.97, 0.97), "Q2": (-0.97, 0.97), "Q3": (-0.97, -0.97), "Q4": (0.97, -0.97)}


def make_axes(
    columns: int = 1, width: float = 5.0, height: float = 4.6
) -> tuple[Figure, list[Axes]]:
    """Return a figure of axes side by side. width, height: of each, inches."""
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def draw_learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the training loss, and the inner validation loss where there is one, by epoch.

    Args:
        histories: `history.csv` of each fit by its name.
    """
    figure, (axis,) = make_axes(width=6.5)
    for name, history in histories.items():
        marker = "." if len(history) < 40 else None
        label = f"{name}, training"
        (line,) = axis.plot(history["epoch"], history["loss"], label=label, marker=marker)
        if "val_loss" in history:
            label, color = f"{name}, inner validation", line.get_color()
            axis.plot(history["epoch"], history["val_loss"], "--", label=label, color=color)
    has_val = any("val_loss" in history for history in histories.values())
    title = "Learning curves" + ("" if has_val else " (training loss)")
    axis.set(xlabel="epoch", ylabel="loss", ylim=(0, None), title=title)
    axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axis.legend(frameon=False)
    return figure


def draw_predicted_vs_true(task: Task, predictions: pd.DataFrame) -> Figure:
    """Draw a point a song, axes a target. predictions: as of `predictions.csv`."""
    figure, axes = make_axes(len(task.targets))
    for axis, target in zip(axes, task.targets, strict=True):
        true, predicted = predictions[f"{target}_target"], predictions[f"{target}_prediction"]
        axis.plot([-1, 1], [-1, 1], color=GREY, linewidth=1)
        axis.scatter(true, predicted, s=14, alpha=0.6, color=BLUE, linewidths=0)
        low, high = min(-1.0, predicted.min()), max(1.0, predicted.max())
        axis.set(xlabel=f"true {target}", ylabel=f"predicted {target}")
        axis.set(xlim=UNIT, ylim=(low - 0.05, high + 0.05))
        axis.set_title(f"{target}, {len(predictions)} songs")
    return figure


def draw_curve_scores(task: Task, songs: pd.DataFrame) -> Figure:
    """Draw RMSE over correlation, a point a song. songs: as of `dynamic.csv`."""
    figure, axes = make_axes(len(task.targets))
    for axis, target in zip(axes, task.targets, strict=True):
        axis.axvline(0, color=GREY, linewidth=0.8)
        scores = songs[f"{target}_correlation"], songs[f"{target}_rmse"]
        axis.scatter(*scores, s=16, alpha=0.6, color=BLUE, linewidths=0)
        axis.set(xlabel="correlation", ylabel="RMSE", xlim=UNIT, ylim=(0, None))
        axis.set_title(f"{target}, {len(songs)} songs")
    return figure


def draw_label_plane(predictions: pd.DataFrame) -> Figure:
    """Draw label and prediction of each song on the valence-arousal plane, joined by a line."""
    figure, (axis,) = make_axes(width=6.2, height=6.0)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(0, color=GREY, linewidth=0.8)
    for name, corner in CORNERS.items():
        axis.text(*corner, name, color=GREY, ha="center", va="center", fontsize=12)
    true = predictions["valence_target"], predictions["arousal_target"]
    predicted = predictions["valence_prediction"], predictions["arousal_prediction"]
    for v1, a1, v2, a2 in zip(*true, *predicted, strict=True):
        axis.plot([v1, v2], [a1, a2], color=GREY, linewidth=0.5, alpha=0.5)
    axis.scatter(*true, s=16, facecolors="none", edgecolors=ORANGE, linewidths=0.9, label="label")
    axis.scatter(*predicted, s=14, color=BLUE, alpha=0.8, linewidths=0, label="network")
    axis.set(xlabel="valence", ylabel="arousal", xlim=UNIT, ylim=UNIT, aspect="equal")
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def draw_confusion(task: Task, predictions: pd.DataFrame) -> Figure:
    """Draw the confusion matrix: counts, and shares of the true class."""
    counts = pd.crosstab(predictions["class_target"], predictions["class_prediction"])
    counts = counts.reindex(index=task.classes, columns=task.classes, fill_value=0).to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axis,) = make_axes(width=5.4, height=4.8)
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        color = "white" if share > 0.55 else "black"
        axis.text(column, row, f"{count}\n{share:.0%}", ha="center", va="center", color=color)
    ticks = range(len(task.classes))
    axis.set_xticks(ticks, task.classes)
    axis.set_yticks(ticks, task.classes)
    axis.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, label="share of the true class")
    return figure
