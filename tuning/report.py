"""What a search shows, made from its folder's files alone: `trials.csv`, `best.json`, `report.md` and `plots/`.

`trials.csv`, a row a trial: `trial`, `status` (completed, failed, unfinished), `score` (what was maximised: R² by song over the
targets, or accuracy), `seconds`, a column a hyperparameter, `epochs`, `memory_mib` and `gpu_memory_mib` at most, the scores by
target, `worker`, and the `reason` of a failure.

`best.json` is the experiment of the best trial with one change: `hold_out` is on, since only the first fold was kept from the
search.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from ..config import Experiment
from ..reports.markdown import SCORE_NAMES
from ..reports.plots import BLUE, GREY, ORANGE, make_axes
from ..support import environment
from ..support.files import atomic_write
from ..tasks import TASKS
from .space import SECTIONS, Plan, experiment

STATUS = {"COMPLETED": "completed", "FAILED": "failed"}
FEWEST_FOR_IMPORTANCE = 10
SHOWN = 10


def collect(folder: Path) -> pd.DataFrame:
    """The trials of a search, a row each, as in trials.csv; none where it has not begun."""
    plan = Plan.from_json((folder / "search.json").read_text())
    columns = [
        "trial",
        "status",
        "score",
        "seconds",
        *SECTIONS,
        "epochs",
        "memory_mib",
        "gpu_memory_mib",
        "worker",
        "reason",
    ]
    files = sorted(
        folder.glob("project-*/trial_*/trial.json"),
        key=lambda file: int(file.parent.name.removeprefix("trial_")),
    )
    table = pd.DataFrame([_row(plan, file) for file in files], columns=None if files else columns)
    scores = [name for name in table.columns if name not in columns]
    return table.reindex(columns=[*columns[:-2], *scores, *columns[-2:]])


def write_tables(folder: Path) -> pd.DataFrame:
    """Write trials.csv, and best.json where a trial is completed; the trials."""
    trials = collect(folder)
    with atomic_write(folder / "trials.csv") as file:
        trials.to_csv(file, index=False)
    best = best_of(trials)
    if best is not None:
        with atomic_write(folder / "best.json") as file:
            file.write_text(_experiment_of(folder, best).to_json())
    return trials


def write(folder: Path) -> Path:
    """Write the tables, report.md and plots/; the report's path."""
    trials = write_tables(folder)
    plan = Plan.from_json((folder / "search.json").read_text())
    figures = _figures(plan, trials) if best_of(trials) is not None else {}
    for name, (figure, _) in figures.items():
        with atomic_write(folder / "plots" / f"{name}.png") as file:
            figure.savefig(file, dpi=130)
    with atomic_write(folder / "report.md") as file:
        file.write_text(
            _markdown(
                folder, plan, trials, {name: caption for name, (_, caption) in figures.items()}
            )
        )
    return folder / "report.md"


def best_of(trials: pd.DataFrame) -> pd.Series | None:
    """The row of the highest score, the first of equals; None where no trial is completed."""
    completed = trials[trials["status"] == "completed"]
    return None if completed.empty else completed.loc[completed["score"].idxmax()]


def reasons(trials: pd.DataFrame) -> str:
    """Why trials failed, one line a reason, with their numbers."""
    failed = trials[trials["status"] == "failed"]
    return "\n".join(
        f"  trial {', '.join(map(str, numbers))}: {reason}"
        for reason, numbers in failed.groupby("reason")["trial"].apply(list).items()
    )


def _row(plan: Plan, file: Path) -> dict[str, Any]:
    trial, result = json.loads(file.read_text()), file.with_name("result.json")
    row = {
        "trial": int(trial["trial_id"]),
        "status": STATUS.get(trial["status"], "unfinished"),
        "score": trial["score"],
    }
    row |= plan.space.complete(trial["hyperparameters"]["values"])
    if not result.exists() or row["status"] == "unfinished":
        return row
    known = json.loads(result.read_text())
    row |= {
        name: known[name]
        for name in ("seconds", "epochs", "memory_mib", "gpu_memory_mib", "worker", "reason")
    }
    return row | {
        f"{target}_{name}": value
        for target, scores in known["scores"].items()
        for name, value in scores.items()
    }


def _experiment_of(folder: Path, row: pd.Series) -> Experiment:
    """The experiment that a trial trained, with the test fold held out."""
    plan = Plan.from_json((folder / "search.json").read_text())
    file = next(
        file
        for file in folder.glob("project-*/trial_*/trial.json")
        if int(file.parent.name[6:]) == row["trial"]
    )
    found = experiment(
        plan.base, plan.space, json.loads(file.read_text())["hyperparameters"]["values"]
    )
    return found.model_copy(
        update={"validation": found.validation.model_copy(update={"hold_out": True})}
    )


# === Text ===


def _markdown(folder: Path, plan: Plan, trials: pd.DataFrame, captions: dict[str, str]) -> str:
    index, best = pd.read_csv(folder / "index.csv"), best_of(trials)
    songs = index["role"].value_counts()
    counts = trials["status"].value_counts()
    how = ", ".join(
        f"{counts[status]} {status}"
        for status in ("completed", "failed", "unfinished")
        if status in counts
    )
    lines = [
        f"# Search {folder.resolve().name}", "",
        f"Task `{plan.base.task}`, {plan.algorithm}, {len(trials)} trials: {how}. Every trial learned from the same "
        f"{songs.get('learn', 0)} songs and was scored, by song, on the same {songs.get('score', 0)}. No trial saw the "
        f"{songs.get('test', 0)} songs of the test fold. Songs (or artists, where known) never stand on both sides.", "",
        "A score is the mean R² over the targets." if TASKS[plan.base.task].is_regression else "A score is the accuracy.",
        "**The best of many scores is better than the same settings will be on new songs.** The test fold tells how good they are:",
        "",
        "```console", f"python -m adff_tf.train --config {folder / 'best.json'} --features {folder / 'features'}", "```", "",
    ]  # fmt: skip
    if best is not None:
        lines += ["## Best", "", *_table(_best_first(trials)), ""]
        lines += [
            "## Over seg_num",
            "",
            *_table(over_seg_num(trials)),
            "",
            "Best and mean over the trials of each; seconds are a trial's.",
            "",
        ]
    if (trials["status"] == "failed").any():
        lines += ["## Failed", "", "```", reasons(trials), "```", ""]
    lines += [
        line
        for name, caption in captions.items()
        for line in (f"![{caption}](plots/{name}.png)", "", caption, "")
    ]
    return "\n".join(
        [*lines, "## Searched", "", *_table(_space_table(plan)), "", *_made_with(folder, trials)]
    )


def _best_first(trials: pd.DataFrame) -> pd.DataFrame:
    best = (
        trials[trials["status"] == "completed"]
        .sort_values("score", ascending=False, kind="stable")
        .head(SHOWN)
    )
    return best[["trial", "score", *_targets(trials), *SECTIONS, "epochs", "seconds", "memory_mib"]]


def over_seg_num(trials: pd.DataFrame) -> pd.DataFrame:
    """A row a `seg_num` of completed trials: how many, the best and the mean score, and seconds; the paper's Table 2."""
    groups = trials[trials["status"] == "completed"].groupby("seg_num")
    table = groups.agg(trials=("trial", "size"), best=("score", "max"), mean=("score", "mean"))
    for name in _targets(trials):
        table[f"best {name}"] = groups[name].max()
    return table.assign(seconds=groups["seconds"].mean().round(1)).reset_index()


def _targets(trials: pd.DataFrame) -> list[str]:
    """Columns of the scores by target that are maximised."""
    return [name for name in trials.columns if name.endswith(("_r2", "_accuracy"))]


def _space_table(plan: Plan) -> pd.DataFrame:
    rows = []
    for name, allowed in plan.space.as_dict().items():
        if isinstance(allowed, dict):
            text = f"{allowed['low']:g} to {allowed['high']:g}" + (
                ", alike in the logarithm" if allowed["log"] else ""
            )
        else:
            text = ("fixed: " if len(allowed) == 1 else "") + ", ".join(
                f"{v:g}" if isinstance(v, float) else str(v) for v in allowed
            )
        rows.append((name, text))
    return pd.DataFrame(rows, columns=["hyperparameter", "values"])


def _table(table: pd.DataFrame) -> list[str]:
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|---" * len(table.columns) + "|"]
    for row in table.itertuples(index=False):
        lines.append(
            "| "
            + " | ".join(_cell(name, value) for name, value in zip(table.columns, row, strict=True))
            + " |"
        )
    return lines


def _cell(name: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if np.isnan(value):
        return "–"
    if name in ("seconds", "memory_mib"):
        return f"{value:.0f}"
    is_score = name in ("score", "best", "mean") or name.endswith(("_r2", "_accuracy"))
    return f"{value:.4f}" if is_score else f"{value:.3g}"


def _made_with(folder: Path, trials: pd.DataFrame) -> list[str]:
    made = environment.summarize(json.loads((folder / "environment.json").read_text()))
    workers = trials["worker"].dropna().nunique()
    spent = f"{workers} worker{'s' * (workers != 1)}, {trials['seconds'].sum() / 60:.1f} minutes of trials."
    return ["## Made with", "", f"{made}; {spent}", ""]


# === Plots ===


def _figures(plan: Plan, trials: pd.DataFrame) -> dict[str, tuple[Figure, str]]:
    """The plots by name, with their captions."""
    figures = {
        "seg_num": (
            _over_seg_num(trials),
            "Scores and seconds over seg_num: a dot a trial, the line through the best (left) or the mean (right).",
        ),
        "heat_map": (
            _heat_map(plan, trials),
            "The best score of each seg_num and seg_len; × where every trial failed, empty where none was.",
        ),
    }
    completed = trials[trials["status"] == "completed"]
    if len(completed) >= FEWEST_FOR_IMPORTANCE:
        caption = (
            "How much of the score's variation each hyperparameter explains: a random forest's error with that column shuffled. "
            f"From {len(completed)} trials; an indication, no proof."
        )
        figures["importance"] = (_importance(importance(plan, completed)), caption)
    return figures


def _over_seg_num(trials: pd.DataFrame) -> Figure:
    """R² (or accuracy) and seconds over seg_num: the form of the paper's Figure 3 and Table 2."""
    done = trials[trials["status"] == "completed"]
    figure, (left, right) = make_axes(2)
    for name, color in zip(_targets(trials), (BLUE, ORANGE, GREY), strict=False):
        target, score = name.rsplit("_", 1)
        best = done.groupby("seg_num")[name].max()
        left.scatter(done["seg_num"], done[name], s=14, alpha=0.5, color=color, linewidths=0)
        left.plot(best.index, best, marker="o", color=color, label=f"{target} {SCORE_NAMES[score]}")
    mean = done.groupby("seg_num")["seconds"].mean()
    right.scatter(done["seg_num"], done["seconds"], s=14, alpha=0.5, color=BLUE, linewidths=0)
    right.plot(mean.index, mean, marker="o", color=BLUE)
    left.set(xlabel="seg_num", ylabel="score on songs not trained on")
    right.set(xlabel="seg_num", ylabel="seconds a trial", ylim=(0, 1.05 * done["seconds"].max()))
    for axis in (left, right):
        axis.set_xticks(sorted(done["seg_num"].unique()))
    left.legend(frameon=False)
    return figure


def _heat_map(plan: Plan, trials: pd.DataFrame) -> Figure:
    searched = plan.space.as_dict()
    best = trials.pivot_table(index="seg_len", columns="seg_num", values="score", aggfunc="max")
    best = best.reindex(index=searched["seg_len"], columns=searched["seg_num"])
    tried = {
        (row.seg_len, row.seg_num) for row in trials[trials["status"] == "failed"].itertuples()
    }
    figure, (axis,) = make_axes(width=2.4 + 0.62 * best.shape[1], height=1.8 + 0.5 * best.shape[0])
    image = axis.imshow(best.to_numpy("float64"), cmap="Blues", aspect="auto", origin="lower")
    low, high = best.min().min(), best.max().max()
    for (row, column), score in np.ndenumerate(best.to_numpy("float64")):
        text = (
            f"{score:.2f}"
            if np.isfinite(score)
            else "×" * ((best.index[row], best.columns[column]) in tried)
        )
        is_dark = np.isfinite(score) and high > low and (score - low) / (high - low) > 0.55
        axis.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            color="white" if is_dark else "black",
            fontsize=9,
        )
    axis.set_xticks(range(best.shape[1]), [str(value) for value in best.columns])
    axis.set_yticks(range(best.shape[0]), [f"{value:g}" for value in best.index])
    axis.set(xlabel="seg_num", ylabel="seg_len, s")
    figure.colorbar(image, label="best score")
    return figure


def importance(plan: Plan, completed: pd.DataFrame) -> pd.Series:
    """Permutation importance of every free hyperparameter in a random forest on completed trials, by name, highest first.

    1 and above: shuffling the column destroys the prediction; 0: the forest does not need it.
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


def _importance(values: pd.Series) -> Figure:
    figure, (axis,) = make_axes(height=1.4 + 0.4 * len(values))
    axis.barh(values.index[::-1], values.to_numpy()[::-1], color=BLUE)
    axis.set(xlabel="importance (drop of the forest's R²)")
    return figure
