"""`report.md`, `plots/` and `model_card.md` of a finished run or evaluation.

They are made from the folder's files alone, so that they can be made again. The `render_` functions
return text; the `write_` functions read and write the files. Plots: learning curves of a run;
predicted against true and the valence-arousal plane for regression; a confusion matrix for classes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..config import Experiment
from ..support.files import atomic_write
from ..tasks import TASKS, Task
from .markdown import (
    describe_data,
    describe_intervals,
    describe_scoring,
    describe_start,
    format_fold_table,
    join_blocks,
    render_environment,
    render_evaluation_scores,
    render_images,
    render_notes,
    render_scores,
)
from .model_card import render_model_card
from .plots import (
    draw_confusion,
    draw_curve_scores,
    draw_label_plane,
    draw_learning_curves,
    draw_predicted_vs_true,
)

CAPTIONS = {
    "learning_curves": "Training loss by epoch, a line a fit.",
    "confusion": "Songs by their true class and the predicted class.",
    "predicted_vs_true": "Predicted against true, a point a song; on the line they are equal.",
    "plane": "The valence-arousal plane: each song's label and the network's prediction.",
    "dynamic": "Predicted against annotated over time: correlation and RMSE, a point a song.",
}


def write_report(folder: Path, experiment: Experiment) -> None:
    """Write `report.md`, `plots/*.png` and `model_card.md` of a finished run."""
    task, name = TASKS[experiment.task], folder.resolve().name
    metrics, made_with = (
        _read_json(folder / "metrics.json"),
        _read_json(folder / "environment.json"),
    )
    predictions = pd.concat(
        [
            pd.read_csv(folder / f"fold{fold}" / "predictions.csv")
            for fold in range(1, len(metrics["folds"]) + 1)
        ],
        ignore_index=True,
    )
    histories = {
        file.parent.name.replace("fold", "fold "): pd.read_csv(file)
        for file in sorted(folder.glob("*/history.csv"))
    }
    figures = {"learning_curves": draw_learning_curves(histories)} if histories else {}
    figures |= _draw_predictions(task, predictions)
    _save_figures(folder, figures)
    card = render_model_card(name, experiment, metrics, made_with)
    _write_text(folder / "model_card.md", card)
    _write_text(folder / "report.md", render_report(name, experiment, metrics, made_with, figures))


def write_evaluation_report(folder: Path, experiment: Experiment) -> None:
    """Write `report.md` and `plots/*.png` of a finished evaluation."""
    task, name = TASKS[experiment.task], folder.resolve().name
    metrics, made_with = (
        _read_json(folder / "metrics.json"),
        _read_json(folder / "environment.json"),
    )
    figures = _draw_predictions(task, pd.read_csv(folder / "predictions.csv"))
    if metrics["dynamic"]:
        figures["dynamic"] = draw_curve_scores(task, pd.read_csv(folder / "dynamic.csv"))
    _save_figures(folder, figures)
    report = render_evaluation_report(name, experiment, metrics, made_with, figures)
    _write_text(folder / "report.md", report)


def render_report(
    name: str, experiment: Experiment, metrics: dict, made_with: dict, plots: Iterable[str]
) -> str:
    """Return a run's `report.md`.

    Args:
        name: the run folder's name.
        metrics, made_with: the content of `metrics.json` and `environment.json`.
        plots: names of the plots, keys of `CAPTIONS`.
    """
    return join_blocks(
        f"# {name}",
        f"ADFF on {describe_data(metrics)}.",
        describe_scoring(experiment),
        describe_start(experiment),
        "## Scores",
        render_scores(metrics),
        describe_intervals(metrics),
        "## Each fold",
        format_fold_table(metrics),
        *_render_end(metrics, made_with, plots),
    )


def render_evaluation_report(
    name: str, experiment: Experiment, metrics: dict, made_with: dict, plots: Iterable[str]
) -> str:
    """Return an evaluation's `report.md`. Arguments as for `render_report`."""
    return join_blocks(
        f"# {name}",
        render_evaluation_scores(experiment, metrics),
        *_render_end(metrics, made_with, plots),
    )


def _render_end(metrics: dict, made_with: dict, plots: Iterable[str]) -> list[str]:
    return [
        render_images({plot: CAPTIONS[plot] for plot in plots}),
        render_notes(metrics),
        render_environment(made_with, metrics),
    ]


def _draw_predictions(task: Task, predictions: pd.DataFrame) -> dict[str, Figure]:
    """Return the figures of a table of predictions by name."""
    if not task.is_regression:
        return {"confusion": draw_confusion(task, predictions)}
    figures = {"predicted_vs_true": draw_predicted_vs_true(task, predictions)}
    if task.targets == ("valence", "arousal"):
        figures["plane"] = draw_label_plane(predictions)
    return figures


def _save_figures(folder: Path, figures: dict[str, Figure]) -> None:
    for name, figure in figures.items():
        with atomic_write(folder / "plots" / f"{name}.png") as file:
            figure.savefig(file, dpi=130)


def _write_text(file: Path, text: str) -> None:
    with atomic_write(file) as temporary:
        temporary.write_text(text)


def _read_json(file: Path) -> dict:
    return json.loads(file.read_text())
