"""What a run or an evaluation shows: `report.md` and its plots, made from its folder's files alone, so that it can be made again.

Plots: learning curves; predicted against true and the valence-arousal plane for numbers; a confusion matrix for classes.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..config import Experiment
from ..support.files import atomic_write
from ..tasks import TASKS, Task
from .markdown import (
    data_lines,
    describe_scoring,
    describe_unit,
    dynamic_table,
    environment_lines,
    fold_table,
    image_lines,
    score_table,
    verdict,
)
from .model_card import render_model_card
from .plots import confusion, dynamic_scores, learning_curves, plane, predicted_vs_true


def write(folder: Path, experiment: Experiment) -> Path:
    """Write `report.md`, `plots/*.png` and `model_card.md` of a finished run; returns the report's path."""
    task = TASKS[experiment.task]
    metrics = json.loads((folder / "metrics.json").read_text())
    figures = {
        "learning_curves": (learning_curves(folder), "Training loss by epoch, a line a fit.")
    }
    figures |= _figures(task, _predictions(folder, len(metrics["folds"])))
    with atomic_write(folder / "model_card.md") as file:
        file.write_text(render_model_card(folder, experiment, task, metrics))
    return _finish(
        folder, figures, lambda captions: _markdown(folder, experiment, task, metrics, captions)
    )


def write_evaluation(folder: Path, experiment: Experiment) -> Path:
    """Write `report.md` and `plots/*.png` of a model scored on a data set; returns the report's path."""
    task = TASKS[experiment.task]
    metrics = json.loads((folder / "metrics.json").read_text())
    figures = _figures(task, pd.read_csv(folder / "predictions.csv"))
    if metrics["dynamic"]:
        caption = (
            "Predicted against annotated over time, by song: the correlation and the RMSE of each."
        )
        figures["dynamic"] = (dynamic_scores(task, pd.read_csv(folder / "dynamic.csv")), caption)
    return _finish(
        folder,
        figures,
        lambda captions: _evaluation_markdown(folder, experiment, task, metrics, captions),
    )


def _figures(task: Task, predictions: pd.DataFrame) -> dict[str, tuple[Figure, str]]:
    """The plots of a table of predictions, by name, with their captions."""
    if not task.is_regression:
        return {
            "confusion": (
                confusion(task, predictions),
                "Songs by their true class and the class predicted.",
            )
        }
    caption = "Predicted against true, a point a song; on the line they are equal."
    figures = {"predicted_vs_true": (predicted_vs_true(task, predictions), caption)}
    if task.targets == ("valence", "arousal"):
        caption = "The valence-arousal plane: each song's label and where the network puts it."
        figures["plane"] = (plane(predictions), caption)
    return figures


def _finish(
    folder: Path, figures: dict[str, tuple[Figure, str]], text: Callable[[dict[str, str]], str]
) -> Path:
    """Write the figures, and report.md with the text made from their captions."""
    for name, (figure, _) in figures.items():
        with atomic_write(folder / "plots" / f"{name}.png") as file:
            figure.savefig(file, dpi=130)
    with atomic_write(folder / "report.md") as file:
        file.write_text(text({name: caption for name, (_, caption) in figures.items()}))
    return folder / "report.md"


def _predictions(folder: Path, folds: int) -> pd.DataFrame:
    return pd.concat(
        [
            pd.read_csv(folder / f"fold{n}" / "predictions.csv").assign(fold=n)
            for n in range(1, folds + 1)
        ],
        ignore_index=True,
    )


# === Text ===


def _markdown(
    folder: Path, experiment: Experiment, task: Task, metrics: dict, captions: dict[str, str]
) -> str:
    lines = [
        f"# {folder.resolve().name}", "",
        f"ADFF on {metrics['source']}: {metrics['tracks']} tracks of {metrics['groups']} groups, task `{task.name}`.", "",
        describe_scoring(experiment), "", "## Scores", "", *score_table(task, metrics), "",
        "Mean: what predicting the training tracks' mean (or commonest class) scores. "
        f"{task.linear_baseline.capitalize()} regression sees the mean and std of every mel band over the track.",
        "", *verdict(task, metrics), "", "## Each fold", "", *fold_table(metrics), "",
    ]  # fmt: skip
    return "\n".join(
        [*lines, *image_lines(captions), *data_lines(metrics), *environment_lines(folder, metrics)]
    )


def _evaluation_markdown(
    folder: Path, experiment: Experiment, task: Task, metrics: dict, captions: dict[str, str]
) -> str:
    trained = metrics["trained_on"]
    lines = [
        f"# {folder.resolve().name}", "",
        f"`{metrics['model']}` scored on {metrics['source']}: {metrics['tracks']} tracks of {metrics['groups']} groups, "
        f"task `{task.name}`. {describe_unit(experiment)}", "",
        f"**{trained} of these tracks were trained on: the scores do not show how the model does on new music.**"
        if trained else "None of these tracks was trained on.", "",
        "## Scores", "", *score_table(task, metrics), "",
    ]  # fmt: skip
    if metrics["dynamic"]:
        lines += [
            "## Over time", "",
            f"Predicted curve against annotations over time, {metrics['dynamic']['songs']} songs: mean ± sample std over "
            "songs. The value at a time is the curve's between the middles of the windows about it; before the first and after the "
            "last middle it is theirs.", "", *dynamic_table(metrics["dynamic"]), "",
        ]  # fmt: skip
    return "\n".join(
        [*lines, *image_lines(captions), *data_lines(metrics), *environment_lines(folder, metrics)]
    )


# === Plots ===
