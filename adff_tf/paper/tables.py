"""A table as Markdown and CSV, from the finished cells of a folder; it can be read while it fills.

Rows and columns are the paper's. A row has up to five lines: the paper's numbers, ours (mean ±
sample std over folds), ours by segment where all segments of a song are scored, the linear
baseline's, and the difference. Table 2 has shares of the hours at seg_num 1 instead. – stands for a
number that is not published or does not exist, … for a number to come.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ..config import Experiment
from ..support import environment
from ..support.files import atomic_write
from .cells import State, cell_folder, is_finished, read_failure
from .choices import list_choices, list_departures
from .figures import draw_figure
from .grid import Entry, Table
from .published import PublishedNumber
from .results import Result, Results, read_results
from .significance import compare_rows

NO_NUMBER = "–"
SYMBOLS = {State.TO_COME: "…", State.NOT_RUN: NO_NUMBER}

FormatEntry = Callable[[Entry, Result], str]


def write_table(table: Table, folder: Path, base: Experiment, warning: str = "") -> str:
    """Write NAME.md, NAME.csv and, where the table has a figure, NAME.png.

    Args:
        table: the table to write.
        folder: folder of the reproduction; the finished cells are read from it.
        base: the base experiment, for the choices listed below the table.
        warning: why ours cannot be compared with the published numbers; leaves the difference out.

    Returns:
        The first part of the Markdown, for the terminal: title, table and notes.
    """
    results = read_results(table, folder)
    with atomic_write(folder / f"{table.name}.csv") as file:
        _to_frame(table, results).to_csv(file, index=False)
    figure = draw_figure(table, results)
    if figure:
        with atomic_write(folder / f"{table.name}.png") as file:
            figure.savefig(file, dpi=130)
    summary = "\n".join(_summary_lines(table, results, folder, base, warning))
    picture = [f"![{table.title}]({table.name}.png)", ""] if figure else []
    details = "\n".join([*picture, *_detail_lines(table, folder, base)])
    with atomic_write(folder / f"{table.name}.md") as file:
        file.write_text(f"{summary}\n\n{details}")
    return summary


# === Markdown ===


def render_rows(table: Table, results: Results, is_comparable: bool) -> list[str]:
    """Return the table itself in Markdown. is_comparable: add the difference from the paper."""
    rows, columns = (list(dict.fromkeys(key[axis] for key in table.entries)) for axis in (0, 1))
    lines = [
        f"| {table.row_header} | | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for row in rows:
        numbers = {
            column: (table.entries[row, column], results[row, column])
            for column in columns
            if (row, column) in table.entries
        }
        label = row
        for name, format_entry in _lines_of_row(numbers, is_comparable).items():
            texts = [
                format_entry(*numbers[column]) if column in numbers else NO_NUMBER
                for column in columns
            ]
            lines.append(f"| {label} | {name} | " + " | ".join(texts) + " |")
            label = ""
    return lines


def _lines_of_row(
    numbers: dict[str, tuple[Entry, Result]], is_comparable: bool
) -> dict[str, FormatEntry]:
    """Return the lines of a row: by their label, the function that formats an entry.

    numbers: entry and result by column.
    """
    entries, results = zip(*numbers.values(), strict=True)
    has_ours = any(entry.cell for entry in entries)
    is_published = any(entry.published for entry in entries)
    lines: dict[str, FormatEntry] = {}
    if is_published:
        lines["paper"] = lambda entry, result: _format_published(entry)
    if has_ours:
        lines["ours"] = _format_ours
    if any(result.segment_mean is not None for result in results):
        lines["ours, by segment"] = lambda entry, result: _format(entry, result.segment_mean)
    if any(result.linear is not None for result in results):
        lines["linear baseline"] = lambda entry, result: _format(entry, result.linear)
    if entries[0].metric == "hours":
        if "1" in numbers:  # --seg-nums may leave it out
            first, ours = numbers["1"]
            lines["paper, of seg_num 1"] = lambda entry, result: _format_share(
                _mean(entry.published), _mean(first.published)
            )
            lines["ours, of seg_num 1"] = lambda entry, result: _format_share(
                result.mean, ours.mean
            )
    elif has_ours and is_published and is_comparable:
        lines["difference"] = _format_difference
    return lines


def _format(entry: Entry, value: float | None) -> str:
    """Return a number in the unit of the entry's metric."""
    if value is None:
        return NO_NUMBER
    if entry.metric == "hours":
        return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
    return f"{100 * value:.2f} %" if entry.metric == "accuracy" else f"{value:.4f}"


def _format_published(entry: Entry) -> str:
    std = entry.published.std if entry.published else None
    return _format(entry, _mean(entry.published)) + (f" ± {std:.2f}" if std is not None else "")


def _format_ours(entry: Entry, result: Result) -> str:
    if result.mean is None:
        return SYMBOLS.get(result.state, result.state)
    std = f" ± {_format(entry, result.std)}" if result.std is not None else ""
    return _format(entry, result.mean) + std


def _format_difference(entry: Entry, result: Result) -> str:
    if entry.published is None or result.mean is None:
        return NO_NUMBER
    difference = result.mean - entry.published.mean
    is_accuracy = entry.metric == "accuracy"
    return f"{100 * difference:+.2f} points" if is_accuracy else f"{difference:+.4f}"


def _format_share(value: float | None, whole: float | None) -> str:
    return NO_NUMBER if value is None or whole is None else f"{value / whole:.3f}"


def _mean(number: PublishedNumber | None) -> float | None:
    return number.mean if number else None


def _summary_lines(
    table: Table, results: Results, folder: Path, base: Experiment, warning: str
) -> list[str]:
    count, finished = len(table.cells), len(_finished(table, folder))
    state = f"{finished} of {count} runs are finished" + (
        "." if finished == count else "; … is to come."
    )
    lines = [f"# {table.title}", ""]
    lines += [f"**{warning}**", ""] if warning else []
    lines += [f"Data: {base.data.place}. {state} – is not published, or does not exist.", ""]
    lines += render_rows(table, results, is_comparable=not warning)
    return lines + (["", *(f"- {note}" for note in table.notes)] if table.notes else [])


def _detail_lines(table: Table, folder: Path, base: Experiment) -> list[str]:
    failures = {cell.name: read_failure(folder, cell) for cell in table.cells}
    failed = [f"- {name}: {reason}" for name, reason in failures.items() if reason]
    departures = list_departures(base)
    lines = ["## Could not be run", "", *failed, ""] if failed else []
    if table.name == "table1" and (compared := compare_rows(table, folder)):
        lines += ["## Differences from ADFF", "", *(f"- {line}" for line in compared), ""]
        lines += ["Paired bootstrap over songs, which are scored by the models of their folds.", ""]
    if departures:
        lines += ["## Not as in the paper", "", *departures, ""]
    else:
        lines += ["The paper's schedule and sizes, where it gives them.", ""]
    lines += ["## Choices where the paper is silent", "", *list_choices(base), ""]
    machines = _describe_machines(table, folder)
    lines += ["## Made with", "", *machines, ""] if machines else []
    return [
        *lines,
        "Each run has a folder in `cells/` with its own report, the predictions of every fold and "
        "all settings.",
        "",
    ]


def _describe_machines(table: Table, folder: Path) -> list[str]:
    """Return the machines and versions of the finished cells, each once."""
    files = [place / "environment.json" for place in _finished(table, folder)]
    machines = (environment.summarize(json.loads(file.read_text())) for file in files)
    return [f"- {machine}" for machine in dict.fromkeys(machines)]


def _finished(table: Table, folder: Path) -> list[Path]:
    """Return the folders of the finished cells."""
    return [cell_folder(folder, cell) for cell in table.cells if is_finished(folder, cell)]


# === CSV ===


def _to_frame(table: Table, results: Results) -> pd.DataFrame:
    """Return a row an entry: the table's place, our number, the paper's, the cell and the state."""
    rows = []
    for (row, column), entry in table.entries.items():
        result, paper = results[row, column], entry.published
        rows.append({
            "table": table.name, "row": row, "column": column,
            "target": entry.target, "score": entry.metric,
            "ours": result.mean, "ours_std": result.std,
            "ours_by_segment": result.segment_mean, "linear_baseline": result.linear,
            "paper": paper.mean if paper else None, "paper_std": paper.std if paper else None,
            "cell": entry.cell.name if entry.cell else None, "state": result.state.value,
        })  # fmt: skip
    return pd.DataFrame(rows)
