"""TODO adff_tf.reports.plots."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..tasks import Task

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"


def make_axes(columns: int = 1, width: float = 5.0, height: float = 4.6) -> tuple[Figure, list]:
    """A figure of axes side by side, without a frame above and on the right; width and height of each, inches."""
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def learning_curves(folder: Path) -> Figure:
    figure, (axis,) = make_axes(width=6.5)
    held_out = False
    for file in sorted(folder.glob("*/history.csv")):
        history, name = pd.read_csv(file), file.parent.name.replace("fold", "fold ")
        (line,) = axis.plot(
            history["epoch"],
            history["loss"],
            label=f"{name}, training",
            marker="." if len(history) < 40 else None,
        )
        if "val_loss" in history:
            held_out = True
            axis.plot(
                history["epoch"],
                history["val_loss"],
                "--",
                color=line.get_color(),
                label=f"{name}, inner validation",
            )
    axis.set(
        xlabel="epoch",
        ylabel="loss",
        ylim=(0, None),
        title="Learning curves" + ("" if held_out else " (training loss)"),
    )
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False)
    return figure


def predicted_vs_true(task: Task, predictions: pd.DataFrame) -> Figure:
    figure, axes = make_axes(len(task.targets))
    for axis, target in zip(axes, task.targets, strict=True):
        axis.plot([-1, 1], [-1, 1], color=GREY, linewidth=1)
        axis.scatter(
            predictions[f"{target}_target"],
            predictions[f"{target}_prediction"],
            s=14,
            alpha=0.6,
            color=BLUE,
            linewidths=0,
        )
        low = min(-1.0, predictions[f"{target}_prediction"].min())
        high = max(1.0, predictions[f"{target}_prediction"].max())
        axis.set(
            xlabel=f"true {target}",
            ylabel=f"predicted {target}",
            xlim=(-1.05, 1.05),
            ylim=(low - 0.05, high + 0.05),
        )
        axis.set_title(f"{target}, {len(predictions)} songs")
    return figure


def dynamic_scores(task: Task, songs: pd.DataFrame) -> Figure:
    figure, axes = make_axes(len(task.targets))
    for axis, target in zip(axes, task.targets, strict=True):
        axis.axvline(0, color=GREY, linewidth=0.8)
        axis.scatter(
            songs[f"{target}_correlation"],
            songs[f"{target}_rmse"],
            s=16,
            alpha=0.6,
            color=BLUE,
            linewidths=0,
        )
        axis.set(
            xlabel="correlation",
            ylabel="RMSE",
            xlim=(-1.05, 1.05),
            ylim=(0, None),
            title=f"{target}, {len(songs)} songs",
        )
    return figure


def plane(predictions: pd.DataFrame) -> Figure:
    figure, (axis,) = make_axes(width=6.2, height=6.0)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(0, color=GREY, linewidth=0.8)
    for name, x, y in (
        ("Q1", 0.97, 0.97),
        ("Q2", -0.97, 0.97),
        ("Q3", -0.97, -0.97),
        ("Q4", 0.97, -0.97),
    ):
        axis.text(x, y, name, color=GREY, ha="center", va="center", fontsize=12)
    true = predictions[["valence_target", "arousal_target"]].to_numpy()
    ours = predictions[["valence_prediction", "arousal_prediction"]].to_numpy()
    for a, b in zip(true, ours, strict=True):
        axis.plot(*zip(a, b, strict=True), color=GREY, linewidth=0.5, alpha=0.5)
    axis.scatter(*true.T, s=16, facecolors="none", edgecolors=ORANGE, linewidths=0.9, label="label")
    axis.scatter(*ours.T, s=14, color=BLUE, alpha=0.8, linewidths=0, label="network")
    axis.set(
        xlabel="valence", ylabel="arousal", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal"
    )
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False
    )
    return figure


def confusion(task: Task, predictions: pd.DataFrame) -> Figure:
    counts = pd.crosstab(predictions["class_target"], predictions["class_prediction"])
    counts = counts.reindex(index=task.classes, columns=task.classes, fill_value=0).to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axis,) = make_axes(width=5.4, height=4.8)
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        axis.text(
            column,
            row,
            f"{count}\n{shares[row, column]:.0%}",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.55 else "black",
        )
    ticks = range(len(task.classes))
    axis.set_xticks(ticks, task.classes)
    axis.set_yticks(ticks, task.classes)
    axis.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, label="share of the true class")
    return figure
