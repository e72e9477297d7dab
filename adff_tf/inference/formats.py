"""Predictions as a table, JSON or CSV: each song is printed as soon as it is done.

A format is a function from an `Emotion` to the text of its lines, made by `make_format`.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

from ..errors import InputError
from ..support.console import printable
from .emotion import Emotion

Format = Literal["table", "json", "csv"]


def make_format(
    name: Format, of_windows: bool = False, explain: bool = False
) -> Callable[[Emotion], str]:
    """Return the function that renders one emotion after the other.

    Args:
        name: table, for reading; json, an object a line with the curve; csv.
        of_windows: table and csv: a row a window instead of a row a song.
        explain: table: the song's effects below it. json has them always.

    Returns:
        A function to text with a line break at its end; the first call adds the header.

    Raises:
        InputError: csv with `explain`.
    """
    if name == "csv" and explain:
        raise InputError("csv has a row a song, without room for its effects; give table or json")
    if name == "json":
        return lambda emotion: json.dumps(emotion.as_dict(), allow_nan=False) + "\n"
    render, is_first = {"table": _table_lines, "csv": _csv_lines}[name], True

    def render_next(emotion: Emotion) -> str:
        nonlocal is_first
        with_header, is_first = is_first, False
        with_header |= explain  # effects stand between two songs
        text = render(emotion, list(rows(emotion, of_windows)), with_header)
        return text + _effect_lines(emotion) if explain else text

    return render_next


def rows(emotion: Emotion, of_windows: bool = False) -> Iterator[dict[str, Any]]:
    """Yield flat rows, the song's one or one a window.

    A song's row has `path`, `seconds`, the targets, `TARGET_std`, `TARGET_low`, `TARGET_high` and
    `quadrant`, or `label`, `p_CLASS` and `prediction_set`, and `unfamiliar`, `padded`; without a
    calibration neither interval nor set, and without a distance no `unfamiliar`. A window's row has
    `path`, `start`, `end` and its values.
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
        yield row if of_windows else row | _certainty(emotion, whole)


def _certainty(emotion: Emotion, whole: dict[str, Any]) -> dict[str, Any]:
    """Return the end of a song's row."""
    row = {f"{name}_std": value for name, value in whole.get("std", {}).items()}
    for name, (low, high) in emotion.interval.items():
        row |= {f"{name}_low": low, f"{name}_high": high}
    if emotion.prediction_set:
        row["prediction_set"] = " ".join(emotion.prediction_set)
    if emotion.task.is_regression and emotion.quadrant:
        row["quadrant"] = emotion.quadrant
    row |= {"unfamiliar": whole["unfamiliar"]} if "unfamiliar" in whole else {}
    return row | {"padded": emotion.is_padded}


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
    for row in lines:
        note = _note(emotion) if "padded" in row else ""
        cells = list(_cells(emotion, row))
        if with_header and not text:
            text.append("  ".join(f"{name:>{width}}" for name, _, width in cells) + "  song")
        values = "  ".join(f"{cell:>{width}}" for _, cell, width in cells)
        text.append(f"{values}  {printable(row['path'])}{note}")
    return "\n".join(text) + "\n"


def _effect_lines(emotion: Emotion) -> str:
    """Return a line a mid-level feature, the greatest effect first, which sum to the values."""
    by_feature = {name.replace("_", " "): row for name, row in emotion.effects_by_feature().items()}
    rest = {name: emotion.values[name] - sum(row.values()) for name, row in emotion.effects.items()}
    by_feature["mean of the training songs"] = rest
    width = max(len(name) for name in by_feature)
    lines = [f"{'effect':>{width + 2}}" + "".join(f"  {name:>9}" for name in emotion.effects)]
    for feature, effects in by_feature.items():
        values = "".join(f"  {value:>+9.3f}" for value in effects.values())
        lines.append(f"  {feature:>{width}}{values}")
    return "\n".join(lines) + "\n\n"


def _cells(emotion: Emotion, row: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yield header, text and width of a row's cells; the interval stands after its target."""
    hidden = {"path", "padded", "unfamiliar", *(f"{name}_high" for name in emotion.interval)}
    hidden |= {f"{name}_{end}" for name in emotion.interval for end in ("low", "std")}
    level = f"{emotion.level:.4g}".lstrip("0")
    for name, value in row.items():
        if name not in hidden:
            header = {"prediction_set": f"set {level}"}.get(name, name.replace("_std", " ±"))
            yield header, _cell(value), 9
        if name in emotion.interval and "padded" in row:
            low, high = emotion.interval[name]
            yield f"interval {level}", f"{low:.2f} to {high:.2f}", 14


def _note(emotion: Emotion) -> str:
    notes = []
    if emotion.is_padded:
        notes.append(f"shorter than a window of {emotion.window_s:g} s: padded with silence")
    if emotion.is_unfamiliar:
        notes.append("unfamiliar: unlike the music that the model learned from")
    if emotion.interval_note:
        notes.append(f"no interval: {emotion.interval_note}")
    return f"  ({'; '.join(notes)})" if notes else ""


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
