"""What a run or an evaluation shows: `report.md` and its plots, made from its folder's files alone, so that it can be made again.

Plots: learning curves; predicted against true and the valence-arousal plane for numbers; a confusion matrix for classes.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import datasets
from ..config import Experiment
from ..support import environment
from ..support.files import replaced
from ..tasks import TASKS, Task
from ..training import baselines

SCORES = {"r2": "R²", "rmse": "RMSE", "accuracy": "accuracy"}
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"


def write(folder: Path, experiment: Experiment) -> Path:
    """Write `report.md`, `plots/*.png` and `model_card.md` of a finished run; returns the report's path."""
    task = TASKS[experiment.task]
    metrics = json.loads((folder / "metrics.json").read_text())
    figures = {"learning_curves": (_learning_curves(folder), "Training loss by epoch, a line a fit.")}
    figures |= _figures(task, _predictions(folder, len(metrics["folds"])))
    with replaced(folder / "model_card.md") as file:
        file.write_text(_model_card(folder, experiment, task, metrics))
    return _finish(folder, figures, lambda captions: _markdown(folder, experiment, task, metrics, captions))


def write_evaluation(folder: Path, experiment: Experiment) -> Path:
    """Write `report.md` and `plots/*.png` of a model scored on a data set; returns the report's path."""
    task = TASKS[experiment.task]
    metrics = json.loads((folder / "metrics.json").read_text())
    figures = _figures(task, pd.read_csv(folder / "predictions.csv"))
    if metrics["dynamic"]:
        caption = "Predicted against annotated over time, by song: the correlation and the RMSE of each."
        figures["dynamic"] = (_dynamic(task, pd.read_csv(folder / "dynamic.csv")), caption)
    return _finish(folder, figures, lambda captions: _evaluation_markdown(folder, experiment, task, metrics, captions))


def _figures(task: Task, predictions: pd.DataFrame) -> dict[str, tuple[Figure, str]]:
    """The plots of a table of predictions, by name, with their captions."""
    if not task.is_regression:
        return {"confusion": (_confusion(task, predictions), "Songs by their true class and the class predicted.")}
    caption = "Predicted against true, a point a song; on the line they are equal."
    figures = {"predicted_vs_true": (_predicted_against_true(task, predictions), caption)}
    if task.targets == ("valence", "arousal"):
        caption = "The valence-arousal plane: each song's label and where the network puts it."
        figures["plane"] = (_plane(predictions), caption)
    return figures


def _finish(folder: Path, figures: dict[str, tuple[Figure, str]], text: Callable[[dict[str, str]], str]) -> Path:
    """Write the figures, and report.md with the text made from their captions."""
    for name, (figure, _) in figures.items():
        with replaced(folder / "plots" / f"{name}.png") as file:
            figure.savefig(file, dpi=130)
    with replaced(folder / "report.md") as file:
        file.write_text(text({name: caption for name, (_, caption) in figures.items()}))
    return folder / "report.md"


def scores_in_words(scores: dict[str, dict]) -> str:
    """One line: `valence R² 0.51, RMSE 0.21; arousal …`."""
    return "; ".join(
        f"{target} " + ", ".join(f"{SCORES[name]} {_number(value)}" for name, value in by.items()) for target, by in scores.items()
    )


def _number(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.4f}"


def _predictions(folder: Path, folds: int) -> pd.DataFrame:
    return pd.concat(
        [pd.read_csv(folder / f"fold{n}" / "predictions.csv").assign(fold=n) for n in range(1, folds + 1)], ignore_index=True
    )


# === Text ===


def _markdown(folder: Path, experiment: Experiment, task: Task, metrics: dict, captions: dict[str, str]) -> str:
    lines = [
        f"# {folder.resolve().name}", "",
        f"ADFF on {metrics['source']}: {metrics['tracks']} tracks of {metrics['groups']} groups, task `{task.name}`.", "",
        _how_scored(experiment), "", "## Scores", "", *_score_table(task, metrics), "",
        "Mean: what predicting the training tracks' mean (or commonest class) scores. "
        f"{baselines.linear_name(task).capitalize()} regression sees the mean and deviation of every mel band over the track.",
        "", *_verdict(task, metrics), "", "## Each fold", "", *_fold_table(metrics), "",
    ]  # fmt: skip
    return "\n".join([*lines, *_pictures(captions), *_about_data(metrics), *_made_with(folder, metrics)])


def _evaluation_markdown(folder: Path, experiment: Experiment, task: Task, metrics: dict, captions: dict[str, str]) -> str:
    trained = metrics["trained_on"]
    lines = [
        f"# {folder.resolve().name}", "",
        f"`{metrics['model']}` scored on {metrics['source']}: {metrics['tracks']} tracks of {metrics['groups']} groups, "
        f"task `{task.name}`. {_what_is_scored(experiment)}", "",
        f"**{trained} of these tracks were trained on: the scores do not show how the model does on new music.**"
        if trained else "None of these tracks was trained on.", "",
        "## Scores", "", *_score_table(task, metrics), "",
    ]  # fmt: skip
    if metrics["dynamic"]:
        lines += [
            "## Over time", "",
            f"Predicted curve against annotations over time, {metrics['dynamic']['songs']} songs: mean ± sample deviation over "
            "songs. The value at a time is the curve's between the middles of the windows about it; before the first and after the "
            "last middle it is theirs.", "", *_dynamic_table(metrics["dynamic"]), "",
        ]  # fmt: skip
    return "\n".join([*lines, *_pictures(captions), *_about_data(metrics), *_made_with(folder, metrics)])


def _model_card(folder: Path, experiment: Experiment, task: Task, metrics: dict) -> str:
    """What someone should know who is given `model.keras` alone."""
    network, segments, name = experiment.network, experiment.segments, folder.resolve().name
    outputs = " and ".join(task.targets) + " in [-1, 1]" if task.is_regression else "the classes " + ", ".join(task.classes)
    is_final = experiment.validation.final_model
    whose = (
        "a model of the same settings, trained on all tracks after the scores were taken" if is_final else "fold 1's model itself"
    )
    built_in = [
        "It was trained on music made in code, whose labels follow a formula: it shows that the program works, and says nothing "
        "about what people feel.", "",
    ]  # fmt: skip
    lines = [
        f"# Model card: {name}", "",
        f"ADFF (Huang et al., Interspeech 2022) by adff-tf: {segments.seg_len:g} s of music to {outputs}. "
        f"Width {network.width:g} of the paper's, seg_num {segments.seg_num}{'' if network.se else ', without SE'}"
        f"{'' if network.tflm else ', without TFLM'}.", "",
        "## Made from", "",
        f"{metrics['tracks']} tracks of {metrics['groups']} groups: {datasets.terms(metrics['source'])} "
        "A model is made from its data: see to it that your use of it agrees with their terms.", "",
        *(built_in if metrics["source"].startswith("synthetic") else []),
        "## Scores", "", *_score_table(task, metrics), "", *_verdict(task, metrics), "",
        f"{_how_scored(experiment)} `model.keras` is {whose}.", "",
        "## Use it for", "",
        "music like that of the data set, by listeners like its annotators, heard as the mean of many: sorting, searching, curves "
        "over time. The numbers are what an average annotator would have said, on the data set's scale mapped to [-1, 1].", "",
        "## Do not use it for", "",
        "- what one person feels, or anything decided about a person;",
        "- speech, noise, or music of kinds that the data set has not: it answers all the same, and nothing warns of it;",
        "- small differences: two songs nearer to each other than the RMSE above are not told apart.", "",
        *_made_with(folder, metrics),
    ]  # fmt: skip
    return "\n".join(lines)


def _pictures(captions: dict[str, str]) -> list[str]:
    return [line for name, caption in captions.items() for line in (f"![{caption}](plots/{name}.png)", "", caption, "")]


def _about_data(metrics: dict) -> list[str]:
    notes = [f"- {note}" for note in metrics["notes"]]
    notes += [f"- left out, cannot be used: {reason}" for reason in metrics["left_out"].values()]
    return ["## About the data", "", *notes, ""] if notes else []


def _made_with(folder: Path, metrics: dict) -> list[str]:
    made = environment.in_words(json.loads((folder / "environment.json").read_text()))
    return ["## Made with", "", f"{made}; {metrics['seconds'] / 60:.1f} minutes. All settings: `config.json`.", ""]


def _dynamic_table(dynamic: dict) -> list[str]:
    lines = ["| | RMSE | correlation |", "|---|---|---|"]
    for target, scores in dynamic["mean"].items():
        cells = [_with_deviation(scores[name], dynamic["std"][target][name]) for name in ("rmse", "correlation")]
        lines.append(f"| {target} | {' | '.join(cells)} |")
    return lines


def _how_scored(experiment: Experiment) -> str:
    segments, validation = experiment.segments, experiment.validation
    split = (
        f"One hold-out: a fold in {validation.folds}, scored once"
        if validation.hold_out
        else f"{validation.folds}-fold cross-validation, each fold scored once; mean ± sample deviation over folds"
    )
    epoch = (
        f"the epoch chosen on {experiment.training.inner_fraction:.0%} of the training songs"
        if experiment.training.early_stopping
        else "the last epoch counts"
    )
    return (
        f"{split}. Songs (or artists, where known) never stand on both sides. {_what_is_scored(experiment)} "
        f"seg_num {segments.seg_num}, width {experiment.network.width:g}; {experiment.training.epochs} epochs, {epoch}."
    )


def _what_is_scored(experiment: Experiment) -> str:
    segments = experiment.segments
    if segments.sampling == "simple":
        return f"One random segment of {segments.seg_len:g} s a song is scored."
    return f"The mean over all a song's segments of {segments.seg_len:g} s is scored."


def _score_table(task: Task, metrics: dict) -> list[str]:
    names = [("ADFF, by song", "mean", "std"), ("ADFF, by segment", "segment_mean", "segment_std")]
    columns = [(target, score) for target, by in metrics["mean"].items() for score in by]
    lines = [
        "| | " + " | ".join(f"{target} {SCORES[score]}" for target, score in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, mean, std in names:
        cells = [_with_deviation(metrics[mean][t][s], metrics[std][t][s]) for t, s in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, scores in metrics["baselines"].items():
        lines.append(f"| {name} | " + " | ".join(_number(scores[t][s]) for t, s in columns) + " |")
    return lines


def _with_deviation(mean: float | None, std: float | None) -> str:
    return _number(mean) if std is None else f"{_number(mean)} ± {_number(std)}"


def _verdict(task: Task, metrics: dict) -> list[str]:
    """A plain sentence for each target on which the linear baseline is not beaten."""
    score, linear = ("r2" if task.is_regression else "accuracy"), baselines.linear_name(task)
    behind = []
    for target, scores in metrics["mean"].items():
        ours, theirs = scores[score], metrics["baselines"][linear][target][score]
        if ours is not None and theirs is not None and ours <= theirs:
            behind.append(f"**On {target} the network is not ahead of {linear} regression ({ours:.4f} against {theirs:.4f}).**")
    return behind or [f"The network is ahead of {linear} regression on every target."]


def _fold_table(metrics: dict) -> list[str]:
    columns = [(target, score) for target, by in metrics["mean"].items() for score in by]
    lines = [
        "| fold | " + " | ".join(f"{target} {SCORES[score]}" for target, score in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for number, fold in enumerate(metrics["folds"], start=1):
        lines.append(f"| {number} | " + " | ".join(_number(fold[t][s]) for t, s in columns) + " |")
    return lines


# === Plots ===


def panels(columns: int = 1, width: float = 5.0, height: float = 4.6) -> tuple[Figure, list]:
    """A figure of axes side by side, without a frame above and on the right; width and height of each, inches."""
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _learning_curves(folder: Path) -> Figure:
    figure, (axis,) = panels(width=6.5)
    held_out = False
    for file in sorted(folder.glob("*/history.csv")):
        history, name = pd.read_csv(file), file.parent.name.replace("fold", "fold ")
        (line,) = axis.plot(history["epoch"], history["loss"], label=f"{name}, training", marker="." if len(history) < 40 else None)
        if "val_loss" in history:
            held_out = True
            axis.plot(history["epoch"], history["val_loss"], "--", color=line.get_color(), label=f"{name}, inner validation")
    axis.set(xlabel="epoch", ylabel="loss", ylim=(0, None), title="Learning curves" + ("" if held_out else " (training loss)"))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False)
    return figure


def _predicted_against_true(task: Task, predictions: pd.DataFrame) -> Figure:
    figure, axes = panels(len(task.targets))
    for axis, target in zip(axes, task.targets, strict=True):
        axis.plot([-1, 1], [-1, 1], color=GREY, linewidth=1)
        axis.scatter(
            predictions[f"{target}_target"], predictions[f"{target}_prediction"], s=14, alpha=0.6, color=BLUE, linewidths=0
        )
        low = min(-1.0, predictions[f"{target}_prediction"].min())
        high = max(1.0, predictions[f"{target}_prediction"].max())
        axis.set(xlabel=f"true {target}", ylabel=f"predicted {target}", xlim=(-1.05, 1.05), ylim=(low - 0.05, high + 0.05))
        axis.set_title(f"{target}, {len(predictions)} songs")
    return figure


def _dynamic(task: Task, songs: pd.DataFrame) -> Figure:
    figure, axes = panels(len(task.targets))
    for axis, target in zip(axes, task.targets, strict=True):
        axis.axvline(0, color=GREY, linewidth=0.8)
        axis.scatter(songs[f"{target}_correlation"], songs[f"{target}_rmse"], s=16, alpha=0.6, color=BLUE, linewidths=0)
        axis.set(xlabel="correlation", ylabel="RMSE", xlim=(-1.05, 1.05), ylim=(0, None), title=f"{target}, {len(songs)} songs")
    return figure


def _plane(predictions: pd.DataFrame) -> Figure:
    figure, (axis,) = panels(width=6.2, height=6.0)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(0, color=GREY, linewidth=0.8)
    for name, x, y in (("Q1", 0.97, 0.97), ("Q2", -0.97, 0.97), ("Q3", -0.97, -0.97), ("Q4", 0.97, -0.97)):
        axis.text(x, y, name, color=GREY, ha="center", va="center", fontsize=12)
    true = predictions[["valence_target", "arousal_target"]].to_numpy()
    ours = predictions[["valence_prediction", "arousal_prediction"]].to_numpy()
    for a, b in zip(true, ours, strict=True):
        axis.plot(*zip(a, b, strict=True), color=GREY, linewidth=0.5, alpha=0.5)
    axis.scatter(*true.T, s=16, facecolors="none", edgecolors=ORANGE, linewidths=0.9, label="label")
    axis.scatter(*ours.T, s=14, color=BLUE, alpha=0.8, linewidths=0, label="network")
    axis.set(xlabel="valence", ylabel="arousal", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def _confusion(task: Task, predictions: pd.DataFrame) -> Figure:
    counts = pd.crosstab(predictions["class_target"], predictions["class_prediction"])
    counts = counts.reindex(index=task.classes, columns=task.classes, fill_value=0).to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axis,) = panels(width=5.4, height=4.8)
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
