"""The report of a search, made from its folder's files alone: `report.md` and `plots/`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adff_tf.reports.markdown import render_images
from adff_tf.support import environment
from adff_tf.support.files import atomic_write
from adff_tf.tasks import TASKS

from .plan import Plan
from .plots import make_figures
from .results import (
    TrialStatus,
    find_best,
    format_reasons,
    read_plan,
    score_columns,
    select,
    write_tables,
)
from .space import SECTIONS

MAX_SHOWN = 10  # trials in the table of the best
ROUND = ("seconds", "memory_mib")  # columns without decimals
SCORES = ("score", "best", "mean")


def write_report(folder: Path) -> pd.DataFrame:
    """Write the tables, `report.md` and `plots/`. Return the trials."""
    trials, plan = write_tables(folder), read_plan(folder)
    figures = make_figures(plan, trials) if find_best(trials) is not None else {}
    for name, (figure, _) in figures.items():
        with atomic_write(folder / "plots" / f"{name}.png") as file:
            figure.savefig(file, dpi=130)
    captions = {name: caption for name, (_, caption) in figures.items()}
    with atomic_write(folder / "report.md") as file:
        file.write_text("\n".join(_report_lines(folder, plan, trials, captions)))
    return trials


def _report_lines(
    folder: Path, plan: Plan, trials: pd.DataFrame, captions: dict[str, str]
) -> list[str]:
    lines = _summary(folder, plan, trials)
    if find_best(trials) is not None:
        lines += ["## Best", "", format_best(trials), ""]
        lines += ["## Over seg_num", "", _format_table(summarise_seg_num(trials)), ""]
        lines += ["Best and mean over the trials of each; seconds are a trial's.", ""]
    if reasons := format_reasons(trials):
        lines += ["## Failed", "", "```", reasons, "```", ""]
    lines += [render_images(captions), ""]
    lines += ["## Searched", "", _format_table(_describe_space(plan)), ""]
    return lines + ["## Made with", "", _describe_cost(folder, trials), ""]


def _summary(folder: Path, plan: Plan, trials: pd.DataFrame) -> list[str]:
    songs = pd.read_csv(folder / "index.csv")["role"].value_counts()
    counts = trials["status"].value_counts()
    ended = ", ".join(f"{counts[status]} {status}" for status in TrialStatus if status in counts)
    is_regression = TASKS[plan.base.task].is_regression
    score = "the mean R² over the targets" if is_regression else "the accuracy"
    best, features = folder / "best.json", folder / "features"
    return [
        f"# Search {folder.resolve().name}",
        "",
        f"Task `{plan.base.task}`, {plan.algorithm}, {len(trials)} trials: {ended}. Every trial "
        f"trained on the same {songs.get('train', 0)} songs and was scored, by song, on the same "
        f"{songs.get('val', 0)}. No trial used the {songs.get('test', 0)} songs of the test fold. "
        "Songs (or artists, where known) never stand on both sides.",
        "",
        f"A score is {score}. **The best of many scores overestimates the score on new songs.** "
        "The test fold gives an unbiased score:",
        "",
        "```console",
        f"python -m adff_tf.train --config {best} --features {features}",
        "```",
        "",
    ]


def format_best(trials: pd.DataFrame) -> str:
    """Return the best completed trials as a Markdown table, the best first."""
    completed = select(trials, TrialStatus.COMPLETED)
    best = completed.sort_values("score", ascending=False, kind="stable").head(MAX_SHOWN)
    columns = ["trial", "score", *score_columns(trials), *SECTIONS, "epochs", "seconds"]
    return _format_table(best[[*columns, "memory_mib"]])


def summarise_seg_num(trials: pd.DataFrame) -> pd.DataFrame:
    """Return trials, best and mean score, and seconds of each `seg_num`: the paper's Table 2."""
    groups = select(trials, TrialStatus.COMPLETED).groupby("seg_num")
    table = groups.agg(trials=("trial", "size"), best=("score", "max"), mean=("score", "mean"))
    for name in score_columns(trials):
        table[f"best {name}"] = groups[name].max()
    return table.assign(seconds=groups["seconds"].mean().round(1)).reset_index()


def _describe_space(plan: Plan) -> pd.DataFrame:
    rows = []
    for name, allowed in plan.space.as_dict().items():
        if isinstance(allowed, dict):
            scale = ", log scale" if allowed["log"] else ""
            text = f"{allowed['low']:g} to {allowed['high']:g}{scale}"
        else:
            values = (f"{v:g}" if isinstance(v, float) else str(v) for v in allowed)
            text = ("fixed: " if len(allowed) == 1 else "") + ", ".join(values)
        rows.append((name, text))
    return pd.DataFrame(rows, columns=["hyperparameter", "values"])


def _describe_cost(folder: Path, trials: pd.DataFrame) -> str:
    made = environment.summarize(json.loads((folder / "environment.json").read_text()))
    workers, minutes = trials["worker"].dropna().nunique(), trials["seconds"].sum() / 60
    return f"{made}; {workers} worker{'s' * (workers != 1)}, {minutes:.1f} minutes of trials."


def _format_table(table: pd.DataFrame) -> str:
    columns = list(table.columns)
    rows = [
        [_format_cell(name, value) for name, value in zip(columns, row, strict=True)]
        for row in table.itertuples(index=False)
    ]
    lines = [" | ".join(cells) for cells in [columns, ["---"] * len(columns), *rows]]
    return "\n".join(f"| {line} |" for line in lines)


def _format_cell(name: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if np.isnan(value):
        return "–"
    if name in ROUND:
        return f"{value:.0f}"
    is_score = name in SCORES or name.endswith(("_r2", "_sign", "_accuracy"))
    return f"{value:.4f}" if is_score else f"{value:.3g}"
