"""Predictions as a table, JSON or CSV: each song is printed as soon as it is done.

A format is a function from an `Emotion` to the text of its lines, made by `make_format`.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

from ..support.console import printable
from .emotion import Emotion

Format = Literal["table", "json", "csv"]


def make_format(name: Format, of_windows: bool = False) -> Callable[[Emotion], str]:
    """Return the function that renders one emotion after the other.

    Args:
        name: table, for reading; json, an object a line with the curve; csv.
        of_windows: table and csv: a row a window instead of a row a song.

    Returns:
        A function to text with a line break at its end; the first call adds the header.
    """
    if name == "json":
        return lambda emotion: json.dumps(emotion.as_dict(), allow_nan=False) + "\n"
    render, is_first = {"table": _table_lines, "csv": _csv_lines}[name], True

    def render_next(emotion: Emotion) -> str:
        nonlocal is_first
        with_header, is_first = is_first, False
        return render(emotion, list(rows(emotion, of_windows)), with_header)

    return render_next


def rows(emotion: Emotion, of_windows: bool = False) -> Iterator[dict[str, Any]]:
    """Yield flat rows, the song's one or one a window.

    A song's row has `path`, `seconds`, the targets, `TARGET_std` and `quadrant`, or `label` and
    `p_CLASS`, and `padded`. A window's row has `path`, `start`, `end` and its values.
    """
    whole = emotion.as_dict()
    is_regression, targets = emotion.task.is_regression, emotion.task.targets
    for values in whole["curve"] if of_windows else [whole]:
        spans = {key: values[key] for key in ("start", "end", "seconds") if key in values}
        row = {"path": emotion.path, **spans}
        if is_regression:
            row |= {name: values[name] for name in targets}
        else:
            probabilities = values["probabilities"].items()
            row |= {"label": values["label"], **{f"p_{name}": p for name, p in probabilities}}
        if not of_windows:
            row |= {f"{name}_std": value for name, value in whole.get("std", {}).items()}
            row |= {"quadrant": whole["quadrant"]} if is_regression and "quadrant" in whole else {}
            row |= {"padded": emotion.is_padded}
        yield row


def _csv_lines(emotion: Emotion, lines: list[dict[str, Any]], with_header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    if with_header:
        writer.writeheader()
    for row in lines:
        writer.writerow({key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()})
    return text.getvalue()


def _table_lines(emotion: Emotion, lines: list[dict[str, Any]], with_header: bool) -> str:
    text: list[str] = []
    note = f"  (shorter than a window of {emotion.window_s:g} s: padded with silence)"
    for row in lines:
        path, is_padded = printable(row.pop("path")), row.pop("padded", False)
        cells = {key.replace("_std", " ±"): _cell(value) for key, value in row.items()}
        if with_header and not text:
            text.append("  ".join(f"{name:>9}" for name in cells) + "  song")
        values = "  ".join(f"{cell:>9}" for cell in cells.values())
        text.append(f"{values}  {path}{note if is_padded else ''}")
    return "\n".join(text) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
