"""TODO adff_tf.reports.markdown."""

import json
from pathlib import Path

import numpy as np

from ..config import Experiment
from ..support import environment
from ..tasks import Task

SCORE_NAMES = {"r2": "R²", "rmse": "RMSE", "accuracy": "accuracy"}


def format_scores(scores: dict[str, dict]) -> str:
    """One line: `valence R² 0.51, RMSE 0.21; arousal …`."""
    return "; ".join(
        f"{target} "
        + ", ".join(f"{SCORE_NAMES[name]} {format_score(value)}" for name, value in by.items())
        for target, by in scores.items()
    )


def format_score(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.4f}"


def image_lines(captions: dict[str, str]) -> list[str]:
    return [
        line
        for name, caption in captions.items()
        for line in (f"![{caption}](plots/{name}.png)", "", caption, "")
    ]


def data_lines(metrics: dict) -> list[str]:
    notes = [f"- {note}" for note in metrics["notes"]]
    notes += [f"- left out, cannot be used: {reason}" for reason in metrics["left_out"].values()]
    return ["## About the data", "", *notes, ""] if notes else []


def environment_lines(folder: Path, metrics: dict) -> list[str]:
    made = environment.summarize(json.loads((folder / "environment.json").read_text()))
    return [
        "## Made with",
        "",
        f"{made}; {metrics['seconds'] / 60:.1f} minutes. All settings: `config.json`.",
        "",
    ]


def dynamic_table(dynamic: dict) -> list[str]:
    lines = ["| | RMSE | correlation |", "|---|---|---|"]
    for target, scores in dynamic["mean"].items():
        cells = [
            _with_std(scores[name], dynamic["std"][target][name])
            for name in ("rmse", "correlation")
        ]
        lines.append(f"| {target} | {' | '.join(cells)} |")
    return lines


def describe_scoring(experiment: Experiment) -> str:
    segments, validation = experiment.segments, experiment.validation
    split = (
        f"One hold-out: a fold in {validation.folds}, scored once"
        if validation.hold_out
        else f"{validation.folds}-fold cross-validation, each fold scored once; mean ± sample std over folds"
    )
    epoch = (
        f"the epoch chosen on {experiment.training.inner_fraction:.0%} of the training songs"
        if experiment.training.early_stopping
        else "the last epoch counts"
    )
    return (
        f"{split}. Songs (or artists, where known) never stand on both sides. {describe_unit(experiment)} "
        f"seg_num {segments.seg_num}, width {experiment.network.width:g}; {experiment.training.epochs} epochs, {epoch}."
    )


def describe_unit(experiment: Experiment) -> str:
    segments = experiment.segments
    if segments.sampling == "simple":
        return f"One random segment of {segments.seg_len:g} s a song is scored."
    return f"The mean over all a song's segments of {segments.seg_len:g} s is scored."


def score_table(task: Task, metrics: dict) -> list[str]:
    names = [("ADFF, by song", "mean", "std"), ("ADFF, by segment", "segment_mean", "segment_std")]
    columns = [(target, score) for target, by in metrics["mean"].items() for score in by]
    lines = [
        "| | " + " | ".join(f"{target} {SCORE_NAMES[score]}" for target, score in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, mean, std in names:
        cells = [_with_std(metrics[mean][t][s], metrics[std][t][s]) for t, s in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, scores in metrics["baselines"].items():
        lines.append(
            f"| {name} | " + " | ".join(format_score(scores[t][s]) for t, s in columns) + " |"
        )
    return lines


def _with_std(mean: float | None, std: float | None) -> str:
    return format_score(mean) if std is None else f"{format_score(mean)} ± {format_score(std)}"


def verdict(task: Task, metrics: dict) -> list[str]:
    """A plain sentence for each target on which the linear baseline is not beaten."""
    score, linear = ("r2" if task.is_regression else "accuracy"), task.linear_baseline
    behind = []
    for target, scores in metrics["mean"].items():
        ours, theirs = scores[score], metrics["baselines"][linear][target][score]
        if ours is not None and theirs is not None and ours <= theirs:
            behind.append(
                f"**On {target} the network is not ahead of {linear} regression ({ours:.4f} against {theirs:.4f}).**"
            )
    return behind or [f"The network is ahead of {linear} regression on every target."]


def fold_table(metrics: dict) -> list[str]:
    columns = [(target, score) for target, by in metrics["mean"].items() for score in by]
    lines = [
        "| fold | "
        + " | ".join(f"{target} {SCORE_NAMES[score]}" for target, score in columns)
        + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for number, fold in enumerate(metrics["folds"], start=1):
        lines.append(
            f"| {number} | " + " | ".join(format_score(fold[t][s]) for t, s in columns) + " |"
        )
    return lines
