"""The tables as text, figures and CSV, made from the folder's finished cells: they can be read while they fill.

Layout: the paper's rows and columns, and for each row a line with the paper's numbers, one with ours (mean ± sample std over
the folds), by segment where all of a song's are scored, the linear baseline's, and the difference. – is not published, or not
there; … is to come.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from .. import presets
from ..config import Experiment
from ..reports.plots import BLUE, GREY, ORANGE, make_axes
from ..support import environment, folders
from ..support.files import atomic_write
from ..tasks import TASKS
from . import cells, published
from .grid import Entry, Table

TO_COME, NONE = "…", "–"

CHOICES: tuple[tuple[str, Callable[[Experiment], str]], ...] = (
    (
        "n_fft",
        lambda base: (
            f"{base.frontend.n_fft}; the window is {1000 * base.frontend.win_length_s:g} ms"
        ),
    ),
    (
        "log",
        lambda base: (
            f"10·log10 of the power, at least {base.frontend.floor_db:g} dB, not relative to the clip's maximum"
        ),
    ),
    ("standardisation", lambda base: "by mel band, of the training fold alone, inside the model"),
    ("frames that seg_num does not divide", lambda base: "the last ones are dropped"),
    ("end of a level", lambda base: base.network.level_end),
    ("batch norm's momentum", lambda base: f"{base.network.norm_momentum:g}"),
    (
        "Bi-LSTM",
        lambda base: (
            f"2 layers of {base.network.lstm_units} units a direction; E_N is the last state of both directions"
        ),
    ),
    ("squeeze-and-excitation's ratio", lambda base: f"{base.network.se_ratio}"),
    ("w/o TFLM", lambda base: "S_N averaged over time and mel"),
    (
        "fully connected layers",
        lambda base: f"{', '.join(map(str, base.network.fc))}, dropout {base.network.dropout:g}",
    ),
    ("learning rate", lambda base: _rate_in_words(base)),
    (
        "weight decay",
        lambda base: (
            f"{base.training.weight_decay:g} as L2 in the gradient, as PyTorch's Adam has it"
        ),
    ),
    ("precision", lambda base: base.training.precision),
    (
        "loss",
        lambda base: (
            "mean squared error; of both targets together the plain sum; for classes cross-entropy"
        ),
    ),
    ("which epoch counts", lambda base: _epoch_in_words(base)),
    (
        "folds",
        lambda base: (
            f"{base.validation.folds}, grouped by song, or artist where known; seed {base.training.seed}"
        ),
    ),
    (
        "what is scored",
        lambda base: (
            "a song, by the mean of its segments; of full sets the score by segment stands beside it"
        ),
    ),
    ("classes", lambda base: "valence or arousal of 0 and more is the positive one"),
)
"""What the paper leaves open, and what was done here."""

GIVEN = {
    "frontend": {"sample_rate_hz", "mels", "win_length_s", "hop_length_s"},
    "segments": {"fresh"},
    "network": {"width"},
    "training": {
        "epochs",
        "batch_size",
        "learning_rate",
        "schedule",
        "decay_epochs",
        "weight_decay",
        "early_stopping",
    },
    "validation": {"folds", "hold_out"},
}
"""What the paper gives, by section of `Experiment`."""


@dataclass(frozen=True)
class Ours:
    """What we measured for an entry: mean and std over folds, the mean by segment, that of the linear baseline on the same
    folds; a word in their place, if not."""

    mean: float | None = None
    std: float | None = None
    by_segment: float | None = None
    linear: float | None = None
    word: str = TO_COME


def write(table: Table, folder: Path, base: Experiment, warning: str = "") -> Path:
    """Write NAME.md, NAME.csv and, where it has a figure, NAME.png, of what is finished; the Markdown's path.

    warning: why ours cannot be compared with the published, if so; the difference is left out then.
    """
    found = {key: ours(entry, folder) for key, entry in table.entries.items()}
    with atomic_write(folder / f"{table.name}.csv") as file:
        _long(table, found).to_csv(file, index=False)
    figure = FIGURES[table.name](table, found) if table.name in FIGURES else None
    if figure:
        with atomic_write(folder / f"{table.name}.png") as file:
            figure.savefig(file, dpi=130)
    with atomic_write(folder / f"{table.name}.md") as file:
        file.write_text(_markdown(table, found, folder, base, warning, bool(figure)))
    return folder / f"{table.name}.md"


def ours(entry: Entry, folder: Path) -> Ours:
    """What the folder's cells have of an entry."""
    if entry.cell is None:
        return Ours(word=NONE)
    if not cells.is_finished(folder, entry.cell):
        return Ours(word="failed" if cells.failure(folder, entry.cell) else TO_COME)
    place = cells.place(folder, entry.cell)
    if entry.score == "hours":
        seconds = sum(
            pd.read_csv(file)["seconds"].sum() for file in place.glob("fold*/history.csv")
        )
        return Ours(mean=float(seconds) / 3600)
    metrics = json.loads((place / "metrics.json").read_text())
    mean, std, by_segment = (
        metrics[name][entry.target][entry.score] for name in ("mean", "std", "segment_mean")
    )
    if mean is None:
        return Ours(word="not defined")
    is_full = entry.cell.experiment.segments.sampling == "full"
    linear = (
        metrics["baselines"]
        .get(TASKS[metrics["task"]].linear_baseline, {})
        .get(entry.target, {})
        .get(entry.score)
    )
    return Ours(mean, std, by_segment if is_full else None, linear)


# === Text ===


def lines(table: Table, found: dict, is_comparable: bool) -> list[str]:
    """The table in Markdown."""
    rows, columns = (list(dict.fromkeys(key[place] for key in table.entries)) for place in (0, 1))
    text = [f"| {table.stub} | | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for row in rows:
        of_row = {
            column: (table.entries[row, column], found[row, column])
            for column in columns
            if (row, column) in table.entries
        }
        head = row
        for name, cell_of in _kinds(of_row, is_comparable).items():
            cells_ = [cell_of(*of_row[column]) if column in of_row else NONE for column in columns]
            text.append(f"| {head} | {name} | " + " | ".join(cells_) + " |")
            head = ""
    return text


def _kinds(of_row: dict, is_comparable: bool) -> dict[str, Callable[[Entry, Ours], str]]:
    """The lines that a row has, and what stands in each."""
    entries, numbers = (
        [entry for entry, _ in of_row.values()],
        [number for _, number in of_row.values()],
    )
    has_ours = any(entry.cell for entry in entries)
    is_published = any(entry.published for entry in entries)
    kinds: dict[str, Callable[[Entry, Ours], str]] = {}
    if is_published:
        kinds["paper"] = lambda entry, number: _published(entry)
    if has_ours:
        kinds["ours"] = lambda entry, number: _ours(entry, number)
    if any(number.by_segment is not None for number in numbers):
        kinds["ours, by segment"] = lambda entry, number: _score(entry.score, number.by_segment)
    if any(number.linear is not None for number in numbers):
        kinds["linear baseline"] = lambda entry, number: _score(entry.score, number.linear)
    if entries[0].score == "hours":
        if whole := of_row.get("1"):  # which may have been left out
            kinds["paper, of seg_num 1"] = lambda entry, number: _share(
                _mean(entry.published), _mean(whole[0].published)
            )
            kinds["ours, of seg_num 1"] = lambda entry, number: _share(number.mean, whole[1].mean)
    elif has_ours and is_published and is_comparable:
        kinds["difference"] = lambda entry, number: _difference(entry, number)
    return kinds


def _published(entry: Entry) -> str:
    if entry.published is None:
        return NONE
    std = entry.published.std
    return _score(entry.score, entry.published.mean) + (f" ± {std:.2f}" if std is not None else "")


def _ours(entry: Entry, number: Ours) -> str:
    if number.mean is None:
        return number.word
    if number.std is None:
        return _score(entry.score, number.mean)
    return f"{_score(entry.score, number.mean)} ± {_score(entry.score, number.std)}"


def _difference(entry: Entry, number: Ours) -> str:
    if entry.published is None or number.mean is None:
        return NONE
    difference = number.mean - entry.published.mean
    return f"{100 * difference:+.2f} points" if entry.score == "accuracy" else f"{difference:+.4f}"


def _score(score: str, value: float | None) -> str:
    if value is None:
        return NONE
    if score == "hours":
        return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
    return f"{100 * value:.2f} %" if score == "accuracy" else f"{value:.4f}"


def _mean(number: published.Published | None) -> float | None:
    return number.mean if number else None


def _share(value: float | None, of: float | None) -> str:
    return NONE if value is None or of is None else f"{value / of:.3f}"


def _markdown(
    table: Table, found: dict, folder: Path, base: Experiment, warning: str, has_figure: bool
) -> str:
    done = sum(cells.is_finished(folder, cell) for cell in table.cells)
    told = [f"**{warning}**", ""] if warning else []
    state = f"{done} of {len(table.cells)} runs are finished" + (
        "." if done == len(table.cells) else "; … is to come."
    )
    picture = [f"![{table.title}]({table.name}.png)", ""] if has_figure else []
    data = base.data.data or "built-in synthetic music"
    return "\n".join([
        f"# {table.title}", "", *told, f"Data: {data}. {state} – is not published, or not there.", "",
        *lines(table, found, not warning), "", *picture, *(f"- {note}" for note in table.notes), "",
        *_failures(table, folder), *_departures(base),
        "## Choices where the paper is silent", "", *(f"- {what}: {text(base)}" for what, text in CHOICES), "",
        *_machines(table, folder),
        "Each run has a folder in `cells/` with its own report, every fold's predictions and all settings.", "",
    ])  # fmt: skip


def _departures(base: Experiment) -> list[str]:
    """Settings that the paper gives, or clearly implies, and that are others here."""
    theirs, ours_ = (
        {
            section: getattr(one, section).model_dump(include=names)
            for section, names in GIVEN.items()
        }
        for one in (presets.paper(), base)
    )
    different = folders.differences(theirs, ours_, "{} in the paper, {} here")
    if not different:
        return ["The paper's schedule and sizes, where it gives them.", ""]
    return [
        "## Not as in the paper",
        "",
        *(f"- {line.strip()}" for line in different.splitlines()),
        "",
    ]


def _failures(table: Table, folder: Path) -> list[str]:
    failed = {cell.name: reason for cell in table.cells if (reason := cells.failure(folder, cell))}
    return (
        ["## Could not be run", "", *(f"- {name}: {reason}" for name, reason in failed.items()), ""]
        if failed
        else []
    )


def _machines(table: Table, folder: Path) -> list[str]:
    """On what the finished runs were made, each once."""
    files = [
        cells.place(folder, cell) / "environment.json"
        for cell in table.cells
        if cells.is_finished(folder, cell)
    ]
    made = dict.fromkeys(environment.summarize(json.loads(file.read_text())) for file in files)
    return ["## Made with", "", *(f"- {words}" for words in made), ""] if made else []


def _rate_in_words(base: Experiment) -> str:
    settings = base.training
    if settings.schedule == "cosine":
        return f"{settings.learning_rate:g}, a linear rise over the first tenth and half a cosine"
    epochs = ", ".join(map(str, settings.decay_epochs))
    return f"{settings.learning_rate:g}, times {settings.decay_factor:g} after epochs {epochs} (the factor is not published)"


def _epoch_in_words(base: Experiment) -> str:
    if base.training.early_stopping:
        return f"the best on {base.training.inner_fraction:.0%} of the training songs, kept apart by group"
    return "the last one"


# === As data ===


def _long(table: Table, found: dict) -> pd.DataFrame:
    """A row an entry, for further work."""
    rows = []
    for (row, column), entry in table.entries.items():
        number, paper = found[row, column], entry.published
        rows.append({
            "table": table.name, "row": row, "column": column, "target": entry.target, "score": entry.score,
            "ours": number.mean, "ours_std": number.std, "ours_by_segment": number.by_segment,
            "linear_baseline": number.linear,
            "paper": paper.mean if paper else None, "paper_std": paper.std if paper else None,
            "cell": entry.cell.name if entry.cell else None, "state": "finished" if number.mean is not None else number.word,
        })  # fmt: skip
    return pd.DataFrame(rows)


# === Plots ===


def _figure3(table: Table, found: dict) -> Figure | None:
    """R² and RMSE over seg_num, valence and arousal: the form of the paper's figure. None before there is any."""
    if all(number.mean is None for number in found.values()):
        return None
    figure, axes = make_axes(2, width=4.75, height=3.8)
    for axis, score in zip(axes, ("r2", "rmse"), strict=True):
        for target, colour in (("valence", BLUE), ("arousal", ORANGE)):
            entries = [
                (key, entry)
                for key, entry in table.entries.items()
                if (entry.target, entry.score) == (target, score)
            ]
            known = [(int(key[1]), found[key]) for key, _ in entries if found[key].mean is not None]
            means = [number.mean for _, number in known]
            axis.errorbar(
                [seg_num for seg_num, _ in known], means, [number.std or 0 for _, number in known],
                marker="o", markersize=4, capsize=3, color=colour, label=target, linewidth=1.3,
            )  # fmt: skip
        axis.set(
            xlabel="seg_num", ylabel="R²" if score == "r2" else "RMSE", xticks=published.SEG_NUMS
        )
        axis.legend(frameon=False)
    return figure


def _figure2(table: Table, found: dict) -> Figure | None:
    """Time relative to seg_num 1, the paper's and ours. None while that of seg_num 1 is not there."""
    ours_ = {int(column): found[row, column].mean for row, column in table.entries}
    theirs = {
        int(column): entry.published.mean
        for (_, column), entry in table.entries.items()
        if entry.published
    }
    if ours_.get(1) is None:
        return None
    figure, (axis,) = make_axes(width=5.6, height=3.8)
    for name, hours, colour in (("paper", theirs, GREY), ("ours", ours_, BLUE)):
        known = {seg_num: value / hours[1] for seg_num, value in hours.items() if value is not None}
        axis.plot(
            list(known), list(known.values()), marker="o", markersize=4, color=colour, label=name
        )
    axis.set(
        xlabel="seg_num",
        ylabel="time, of that at seg_num 1",
        xticks=published.SEG_NUMS,
        ylim=(0, 1.05),
    )
    axis.legend(frameon=False)
    return figure


FIGURES = {"figure3": _figure3, "table2": _figure2}
