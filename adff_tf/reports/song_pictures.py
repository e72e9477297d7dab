"""Pictures of predictions: a song's curve, its path through the plane, and many songs on a plane.

The `draw_` functions return a matplotlib figure of an `Emotion`; `Pictures` writes the files, PNG
and SVG. Colours: arousal orange, valence blue; the quadrants have the same four in every picture.
Letters that matplotlib's own font lacks are drawn as boxes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from ..inference.emotion import Emotion
from ..tasks import PROBABILITIES, TASKS
from .plots import BLUE, ORANGE

COLOURS = {"valence": BLUE, "arousal": ORANGE}
QUADRANTS = {  # signs of valence and arousal; colour; common words for such music
    "Q1": ((1, 1), "#f6e05e", "happy, excited"),
    "Q2": ((-1, 1), "#fc8181", "tense, angry"),
    "Q3": ((-1, -1), "#90cdf4", "sad, gloomy"),
    "Q4": ((1, -1), "#9ae6b4", "calm, content"),
}
GREY = "#718096"
Style = dict[str, Any]  # keywords of matplotlib
MOST_NAMES = 40  # songs named on a plane
MOST_POINTS = 300  # of a curve
MOST_STEPS = 60  # of a path
TICKS_MIN = (2, 5, 10, 20, 30, 60, 120, 10**6)  # minutes between the ticks of a long recording


# === Curve ===


def draw_curve(emotion: Emotion) -> Figure:
    """Draw targets or class probabilities at the middle of each window, under the waveform.

    With both targets the background has the colour of the quadrant at that time.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    wave, axis = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3.2))
    _draw_outline(wave, emotion)
    drawn = _reduce_windows(emotion, MOST_POINTS)
    if emotion.task.is_regression:
        _draw_targets(axis, emotion, drawn)
    else:
        _draw_probabilities(axis, drawn)
    place: Style = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.1}
    axis.legend(frameon=False, ncols=6, fontsize=8, **place)
    bars = f"; right: the song, interval {emotion.level:.4g}" if emotion.interval else ""
    _label_time(axis.xaxis, emotion.seconds, f" ({_describe_points(emotion, drawn)}{bars})")
    axis.set_xlim(0, emotion.seconds)
    wave.set_title(song_title(emotion))
    return figure


def _draw_outline(axis: Axes, emotion: Emotion) -> None:
    """Draw the waveform's peaks, at most 2000, above and below zero."""
    step = max(1, len(emotion.peaks) // 2000)
    peaks = np.maximum.reduceat(emotion.peaks, np.arange(0, len(emotion.peaks), step))
    at = np.linspace(0, emotion.seconds, len(peaks), endpoint=False)
    axis.fill_between(at, -peaks, peaks, color=GREY, alpha=0.7, linewidth=0, step="post")
    top = float(peaks.max(initial=0.05))
    axis.set(ylim=(-top, top), yticks=[])
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axis.tick_params(bottom=False, labelbottom=False)


def _draw_targets(axis: Axes, emotion: Emotion, drawn: Emotion) -> None:
    """Draw each target's curve. drawn: the emotion with its windows reduced to the points."""
    middle, (low, high) = _middles(drawn), emotion.scale
    for name in emotion.task.targets:
        style: Style = {"color": COLOURS[name], "linewidth": 1.8, "marker": _marker(drawn)}
        axis.plot(middle, drawn.windows[name], label=name, **style)
        if drawn is not emotion:
            least, greatest = (
                _bin_windows(emotion.windows[name], reduce, MOST_POINTS)
                for reduce in (np.min, np.max)
            )
            axis.fill_between(middle, least, greatest, color=COLOURS[name], alpha=0.2, linewidth=0)
    _draw_intervals(axis, emotion)
    axis.axhline((low + high) / 2, color=GREY, linewidth=0.7)
    axis.set_ylim(*_limits([drawn], emotion.task.targets))
    axis.set_ylabel(f"from {low:g} to {high:g}")
    if has_plane(emotion):
        _shade_quadrants(axis, drawn)


def _draw_intervals(axis: Axes, emotion: Emotion) -> None:
    """Draw the song's value with its interval as a bar at the right edge, for each target."""
    for k, (name, (low, high)) in enumerate(emotion.interval.items()):
        if not np.isfinite([low, high]).all():
            continue
        value, at = emotion.values[name], 1.015 + 0.02 * k
        style: Style = {"fmt": "o", "markersize": 4, "capsize": 3, "clip_on": False}
        axis.errorbar(
            at, value, yerr=[[value - low], [high - value]], color=COLOURS[name],
            transform=axis.get_yaxis_transform(), **style,
        )  # fmt: skip


def _draw_probabilities(axis: Axes, drawn: Emotion) -> None:
    for k, name in enumerate(drawn.task.classes):
        color = QUADRANTS[name][1] if name in QUADRANTS else None
        style: Style = {"color": color, "linewidth": 2.2, "marker": _marker(drawn)}
        axis.plot(_middles(drawn), drawn.windows[PROBABILITIES][:, k], label=name, **style)
    axis.set(ylim=(0, 1), ylabel="probability")


def _shade_quadrants(axis: Axes, emotion: Emotion) -> None:
    """Colour the background by quadrant; it changes half-way between the middles of windows."""
    middle, zero, quadrant = _middles(emotion), sum(emotion.scale) / 2, TASKS["quadrant"]
    edges = np.concatenate([[0.0], (middle[1:] + middle[:-1]) / 2, [emotion.seconds]])
    indices = quadrant.class_index(
        emotion.windows["valence"] - zero, emotion.windows["arousal"] - zero
    )
    bottom, top = axis.get_ylim()
    labelled: set[str] = set()
    for left, right, index in zip(edges[:-1], edges[1:], indices, strict=True):
        name = quadrant.classes[index]
        _, color, words = QUADRANTS[name]
        label = None if name in labelled else f"{name} {words}"
        labelled.add(name)
        style: Style = {"color": color, "alpha": 0.22, "linewidth": 0}
        axis.fill_between((left, right), bottom, top, label=label, **style)


def _describe_points(emotion: Emotion, drawn: Emotion) -> str:
    if emotion.is_padded:
        return "shorter than a window: padded with silence"
    if drawn is emotion:
        return f"each point: {emotion.window_s:g} s around it"
    windows = len(emotion.start) / len(drawn.start)
    return f"mean and range of {windows:.0f} windows of {emotion.window_s:g} s each"


# === Plane ===


def draw_path(emotion: Emotion) -> Figure:
    """Draw the song's way through the plane, light to dark over time; the cross is its mean."""
    figure, axis = _make_plane([emotion])
    drawn = _reduce_windows(emotion, MOST_STEPS)
    middle = _middles(drawn)
    points = np.stack([drawn.windows["valence"], drawn.windows["arousal"]], axis=1)
    if len(points) > 1:
        steps = np.stack([points[:-1], points[1:]], axis=1)
        style: Style = {"cmap": "viridis_r", "linewidths": 1.5}
        axis.add_collection(LineCollection(list(steps), array=middle[:-1], **style))
        _name_ends(axis, points)
    style = {"cmap": "viridis_r", "vmin": 0, "vmax": emotion.seconds}
    dots = axis.scatter(points[:, 0], points[:, 1], c=middle, s=22, zorder=3, **style)
    style = {"marker": "+", "s": 180, "color": "black", "zorder": 4}
    axis.scatter([drawn.valence], [drawn.arousal], label="the song's mean", **style)
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    _label_time(figure.colorbar(dots, shrink=0.7).ax.yaxis, emotion.seconds)
    axis.set_title(song_title(emotion))
    return figure


def _name_ends(axis: Axes, points: np.ndarray) -> None:
    """Write start and end beside the path's first and last point."""
    box: Style = {
        "boxstyle": "round,pad=0.15",
        "facecolor": "white",
        "edgecolor": "none",
        "alpha": 0.75,
    }
    style: Style = {"textcoords": "offset points", "fontsize": 9, "bbox": box, "zorder": 5}
    axis.annotate("start", tuple(points[0]), xytext=(7, 7), ha="left", **style)
    axis.annotate("end", tuple(points[-1]), xytext=(-7, -13), ha="right", **style)


def draw_plane(emotions: Sequence[Emotion]) -> Figure:
    """Draw songs on the valence-arousal plane, with their names where there are few."""
    figure, axis = _make_plane(emotions)
    style: Style = {
        "fmt": "o",
        "markersize": 5,
        "color": "#1a202c",
        "ecolor": GREY,
        "elinewidth": 0.6,
    }
    for emotion in emotions:
        bars: Style = {"xerr": emotion.std["valence"], "yerr": emotion.std["arousal"]}
        axis.errorbar(emotion.valence, emotion.arousal, **bars, **style)
    if len(emotions) <= MOST_NAMES:
        _name_songs(axis, emotions)
    title = f"{len(emotions)} songs; the bars are the std over a song's windows"
    axis.set_title(title, fontsize=10)
    return figure


def _make_plane(emotions: Sequence[Emotion]) -> tuple[Figure, Axes]:
    """Return the coloured plane, large enough for the songs' windows."""
    low, high = emotions[0].scale
    middle = (low + high) / 2
    figure = Figure(figsize=(7.4, 6.8), layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=_limits(emotions, ["valence"]), ylim=_limits(emotions, ["arousal"]))
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    for name, ((valence, arousal), color, words) in QUADRANTS.items():
        corner = (right if valence > 0 else left, top if arousal > 0 else bottom)
        axis.fill_between(
            sorted((middle, corner[0])), middle, corner[1], color=color, alpha=0.16, linewidth=0
        )
        axis.annotate(
            f"{name} {words}",
            corner,
            xytext=(-6 * valence, -6 * arousal),
            textcoords="offset points",
            color=GREY,
            fontsize=9,
            ha="right" if valence > 0 else "left",
            va="top" if arousal > 0 else "bottom",
        )
    axis.axhline(middle, color=GREY, linewidth=0.7)
    axis.axvline(middle, color=GREY, linewidth=0.7)
    scale = f"{low:g} to {high:g}"
    axis.set(xlabel=f"valence, {scale}", ylabel=f"arousal, {scale}", aspect="equal")
    return figure, axis


def _name_songs(axis: Axes, emotions: Sequence[Emotion]) -> None:
    """Write names beside the points; where these would overlap, numbers and a list of names."""
    low, high = axis.get_xlim()
    points = np.array([(emotion.valence, emotion.arousal) for emotion in emotions])
    apart = np.abs(points[:, None] - points[None]) / (high - low)
    overlap = (apart < (0.34, 0.05)).all(axis=-1)  # width and height of a name
    if np.count_nonzero(overlap) == len(points):  # each with itself alone
        for point, emotion in zip(points, emotions, strict=True):
            _write_label(axis, point, song_title(emotion, 28))
        return
    unlabelled = list(range(len(points)))
    while unlabelled:  # songs whose numbers would overlap share a label
        first = unlabelled[0]
        together = [k for k in unlabelled if (apart[first, k] < 0.025).all()]
        unlabelled = [k for k in unlabelled if k not in together]
        _write_label(axis, points[first], ", ".join(str(k + 1) for k in together))
    names = "\n".join(
        f"{k}  {song_title(emotion, 34)}" for k, emotion in enumerate(emotions, start=1)
    )
    style: Style = {"va": "top", "fontsize": 8, "linespacing": 1.35}
    axis.annotate(names, (1.03, 1), xycoords="axes fraction", **style)


def _write_label(axis: Axes, point: np.ndarray, text: str) -> None:
    """Write a label beside a point, towards the middle of the plane."""
    is_left = point[0] < sum(axis.get_xlim()) / 2
    offset, align = ((6, 4), "left") if is_left else ((-6, 4), "right")
    axis.annotate(
        text, tuple(point), xytext=offset, textcoords="offset points", ha=align, fontsize=8
    )


# === Windows, time and names ===


def has_plane(emotion: Emotion) -> bool:
    """Return whether the task has both targets, which a plane needs."""
    return emotion.task.is_regression and set(emotion.task.targets) == {"valence", "arousal"}


def _middles(emotion: Emotion) -> np.ndarray:
    """Return the middle of each window, `(windows,)` seconds."""
    return (emotion.start + emotion.end) / 2


def _marker(emotion: Emotion) -> str | None:
    return "." if len(emotion.start) < 60 else None


def _limits(emotions: Sequence[Emotion], names: Sequence[str]) -> tuple[float, float]:
    """Return the scale's ends, or the targets' least and greatest beyond it, with a margin."""
    low, high = emotions[0].scale
    values = np.concatenate([emotion.windows[name] for emotion in emotions for name in names])
    margin = 0.03 * (high - low)
    return min(low, values.min()) - margin, max(high, values.max()) + margin


def _bin_windows(values: np.ndarray, reduce: Callable, count: int) -> np.ndarray:
    """Return values of windows `(windows, …)` reduced in bins of equal length, `(count, …)`."""
    return np.stack([reduce(part, axis=0) for part in np.array_split(values, count)])


def _reduce_windows(emotion: Emotion, most: int) -> Emotion:
    """Return the emotion with means over neighbours where it has more than `most` windows."""
    if len(emotion.start) <= most:
        return emotion
    return replace(
        emotion,
        start=_bin_windows(emotion.start, np.min, most),
        end=_bin_windows(emotion.end, np.max, most),
        windows={n: _bin_windows(values, np.mean, most) for n, values in emotion.windows.items()},
    )


def _label_time(axis: Axis, seconds: float, note: str = "") -> None:
    """Label a time axis in seconds, or from ten minutes on in h:mm."""
    is_long = seconds >= 600
    axis.set_label_text(("time, h:mm" if is_long else "seconds") + note)
    if is_long:
        minutes = next(step for step in TICKS_MIN if seconds / 60 / step < 9)
        axis.set_major_locator(MultipleLocator(60 * minutes))
        axis.set_major_formatter(
            FuncFormatter(lambda s, _: f"{int(s) // 3600}:{int(s) % 3600 // 60:02d}")
        )


def song_title(emotion: Emotion, longest: int = 70) -> str:
    """Return the song's name on one line; a $ would start matplotlib's mathematics."""
    name = "standard input" if emotion.path == "-" else Path(emotion.path).name
    name = " ".join(name.encode("utf-8", "replace").decode().split()).replace("$", r"\$")
    return name if len(name) <= longest else name[: longest - 1] + "…"
