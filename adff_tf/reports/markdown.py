"""Text of reports: score tables, sentences about scores, and sections, as Markdown.

Every function returns text without a final line break; `join_blocks` makes a document of blocks.
`metrics` is the content of a folder's `metrics.json` (docs/runs.md).
"""

from collections.abc import Iterable, Sequence

import numpy as np

from ..config import Experiment
from ..features.embedding import NAME as EMBEDDING
from ..networks import NAMES, MusicnnLinear
from ..support import environment
from ..tasks import TASKS

SCORE_NAMES = {
    "r2": "R²",
    "rmse": "RMSE",
    "sign": "sign",
    "accuracy": "accuracy",
    "correlation": "correlation",
}


# === Pieces ===


def format_score(value: float | None, std: float | None = None) -> str:
    """Return a score, `0.5123` or `0.5123 ± 0.0210`; "–" where it is not defined."""
    text = "–" if value is None or np.isnan(value) else f"{value:.4f}"
    return text if std is None else f"{text} ± {format_score(std)}"


def format_scores(scores: dict[str, dict]) -> str:
    """Return scores in one line: `valence R² 0.5123, RMSE 0.2100; arousal …`."""
    return "; ".join(
        f"{target} "
        + ", ".join(f"{SCORE_NAMES[name]} {format_score(value)}" for name, value in by_name.items())
        for target, by_name in scores.items()
    )


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [_format_row(header), "|---" * len(header) + "|", *map(_format_row, rows)]
    return "\n".join(lines)


def _format_row(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def join_blocks(*blocks: str) -> str:
    """Return a document of blocks with a blank line between; empty blocks are left out."""
    return "\n\n".join(filter(None, blocks)) + "\n"


# === Scores ===


def render_scores(metrics: dict) -> str:
    """Return a run's score table, the meaning of the baselines, and the verdict."""
    linear = TASKS[metrics["task"]].linear_baseline
    legend = (
        "mean: the training tracks' mean label (or most common class) as every prediction. "
        f"{linear}: {linear} regression on mean and std of every mel band over the track. "
        f"{_describe_embedding(metrics, linear)}"
        "sign: share of songs with the right sign; quadrant: of both signs."
    )
    return join_blocks(format_score_table(metrics), legend, format_verdict(metrics)).rstrip()


def render_evaluation_scores(experiment: Experiment, metrics: dict) -> str:
    """Return which model was scored on which tracks, the score table and the scores over time."""
    trained, dynamic = metrics["trained_on"], metrics["dynamic"]
    blocks = [
        f"`{metrics['model']}` scored on {describe_data(metrics)}. {describe_unit(experiment)}",
        f"**{trained} of these tracks were trained on: the scores do not show how the model does "
        "on new music.**"
        if trained
        else "None of these tracks was trained on.",
        "## Scores",
        format_score_table(metrics),
    ]
    if dynamic:
        blocks += [
            "## Over time",
            f"Predicted curve against annotations over time, {dynamic['songs']} songs: mean ± "
            "sample std over songs. The curve is linear between the middles of its windows, and "
            "constant before the first and after the last middle.",
            _format_curve_table(dynamic),
        ]
    return join_blocks(*blocks).rstrip()


def format_score_table(metrics: dict) -> str:
    """Return the table of scores by song and by segment, mean ± std over folds, and baselines.

    With several data sets, a row each.
    """
    columns, model = _columns(metrics), NAMES[metrics.get("network", "adff")]
    rows = [
        [name, *(format_score(metrics[mean][t][s], metrics[std][t][s]) for t, s in columns)]
        for name, mean, std in (
            (f"{model}, by song", "mean", "std"),
            (f"{model}, by segment", "segment_mean", "segment_std"),
        )
    ]
    by_source = {f"{model}, {name}": s for name, s in metrics.get("sources", {}).items()}
    by_source |= {f"{name} alone": s for name, s in metrics.get("stems", {}).items()}
    for name, scores in (by_source | metrics["baselines"]).items():
        rows.append([name, *(format_score(scores[t][s]) for t, s in columns)])
    return format_table(_header("", columns), rows)


def _describe_embedding(metrics: dict, linear: str) -> str:
    if EMBEDDING not in metrics["baselines"]:
        return ""
    return f"{EMBEDDING}: {linear} regression on the embedding of MusiCNN, a tagger of 2019. "


def format_fold_table(metrics: dict) -> str:
    """Return the table of scores by song, a row a fold."""
    columns = _columns(metrics)
    rows = [
        [str(fold), *(format_score(scores[t][s]) for t, s in columns)]
        for fold, scores in enumerate(metrics["folds"], start=1)
    ]
    return format_table(_header("fold", columns), rows)


def format_verdict(metrics: dict) -> str:
    """Return a sentence for each target on which the network does not beat the linear baseline.

    Compared are R², the sign where no label is a number, and the accuracy of classes.
    """
    task = TASKS[metrics["task"]]
    linear, behind = task.linear_baseline, []
    for target, scores in metrics["mean"].items():
        if task.is_regression and target not in task.targets:
            continue
        score = next(name for name in ("r2", "sign", "accuracy") if scores.get(name) is not None)
        ours, theirs = scores[score], metrics["baselines"][linear][target][score]
        if ours is not None and theirs is not None and ours <= theirs:
            behind.append(
                f"**On {target} the network is not ahead of {linear} regression "
                f"({ours:.4f} against {theirs:.4f}).**"
            )
    return "\n".join(behind) or f"The network is ahead of {linear} regression on every target."


def _format_curve_table(dynamic: dict) -> str:
    names = ("rmse", "correlation")
    rows = [
        [target, *(format_score(scores[name], dynamic["std"][target][name]) for name in names)]
        for target, scores in dynamic["mean"].items()
    ]
    return format_table(["", *(SCORE_NAMES[name] for name in names)], rows)


def _columns(metrics: dict) -> list[tuple[str, str]]:
    """Return (target, score) of each column."""
    return [(target, score) for target, scores in metrics["mean"].items() for score in scores]


def _header(first: str, columns: list[tuple[str, str]]) -> list[str]:
    return [first, *(f"{target} {SCORE_NAMES[score]}" for target, score in columns)]


# === Sentences ===


def describe_data(metrics: dict) -> str:
    """Return the data set, its size and the task."""
    return (
        f"{metrics['source']}: {metrics['tracks']} tracks of {metrics['groups']} groups, "
        f"task `{metrics['task']}`"
    )


def describe_start(experiment: Experiment) -> str:
    """Return the model that a training started from, and its terms; empty without one."""
    start = experiment.start
    if start.start_from is None:
        return ""
    rates = []
    if start.freeze:
        rates.append(f"its layers frozen for {start.freeze} epochs")
    if start.backbone_rate != 1:
        rates.append(f"its layers at {start.backbone_rate:g} of the learning rate")
    known = f" (SHA-256 {start.start_sha256})" if start.start_sha256 else ""
    sentence = ", ".join([f"Started from `{start.start_from}`{known}", *rates]) + "."
    return f"{sentence} Made from: {start.start_terms or 'not known.'}"


def describe_scoring(experiment: Experiment) -> str:
    """Return how a run's scores were taken."""
    validation, training = experiment.validation, experiment.training
    is_published = validation.split == "published"
    if is_published:
        split = "The published split: its test songs, scored once"
    elif validation.hold_out:
        split = f"Hold-out: one fold of {validation.folds}, scored once"
    else:
        split = (
            f"{validation.folds}-fold cross-validation, each fold scored once; "
            "mean ± sample std over folds"
        )
    apart = "" if is_published else " No song (or artist, where known) is in two folds."
    chosen_on = f"{training.inner_fraction:.0%} of the training songs"
    epoch = (
        f"the epoch chosen on {'its val songs, or ' * is_published}{chosen_on}"
        if training.early_stopping
        else "the last epoch counts"
    )
    network, segments = experiment.network, experiment.segments
    if isinstance(network, MusicnnLinear):
        fit = "its penalty chosen by folds of the training songs"
    else:
        fit = f"{training.epochs} epochs, {epoch}"
    unit = describe_unit(experiment)
    return f"{split}.{apart} {unit} {network.title}, {network.describe(segments)}; {fit}."


def describe_intervals(metrics: dict) -> str:
    """Return a sentence on the width of the intervals; empty for classes and older runs."""
    found = metrics.get("intervals", {})
    widths = found.get("half_width", {})
    if not widths:
        return ""
    known = {name: half for name, half in widths.items() if half is not None}
    if not known:
        return f"{found['songs']} held-out songs are too few for intervals of {found['level']:.0%}."
    values = " and ".join(f"{half:.2f} ({name})" for name, half in known.items())
    return (
        f"For {found['level']:.0%} of songs like the {found['songs']} held-out ones the label lies "
        f"within about ± {values} of the prediction; of quadrants, a value of the right sign."
    )


def describe_unit(experiment: Experiment) -> str:
    """Return which segments of a song its score is taken from."""
    segments = experiment.segments
    if segments.sampling == "simple":
        return f"One random segment of {segments.seg_len:g} s a song is scored."
    return f"The mean over all a song's segments of {segments.seg_len:g} s is scored."


# === Sections ===


def render_images(captions: dict[str, str]) -> str:
    """Return the images `plots/<name>.png`, each over its caption."""
    images = (f"![{caption}](plots/{name}.png)\n\n{caption}" for name, caption in captions.items())
    return "\n\n".join(images)


def render_notes(metrics: dict) -> str:
    """Return the section on the data's notes and the tracks left out; empty without any."""
    notes = [f"- {note}" for note in metrics["notes"]]
    notes += [f"- left out, unusable: {reason}" for reason in metrics["left_out"].values()]
    return "\n".join(["## About the data", "", *notes]) if notes else ""


def render_environment(made_with: dict, metrics: dict) -> str:
    """Return the section on versions, machine and time. made_with: as of `environment.json`."""
    return (
        f"## Made with\n\n{environment.summarize(made_with)}; "
        f"{metrics['seconds'] / 60:.1f} minutes. All settings: `config.json`."
    )
