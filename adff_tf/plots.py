"""Pictures of what a model heard: a song's curve over its waveform, its path through the plane, and many songs on one plane.

Each function returns a matplotlib figure; `write` makes the files, PNG and SVG. Colours: arousal orange, valence blue; the four
quadrants keep theirs in every picture.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from .files import replaced
from .inference import Emotion
from .tasks import PROBABILITIES, TASKS

COLOURS = {"valence": "#2b6cb0", "arousal": "#dd6b20"}
QUADRANTS = {  # (towards positive valence, towards positive arousal): colour, what such music is often called
    "Q1": ((1, 1), "#f6e05e", "happy, excited"),
    "Q2": ((-1, 1), "#fc8181", "tense, angry"),
    "Q3": ((-1, -1), "#90cdf4", "sad, gloomy"),
    "Q4": ((1, -1), "#9ae6b4", "calm, content"),
}
GREY = "#718096"
MOST_NAMES = 40  # songs named on one plane


def write(emotions: Sequence[Emotion], folder: Path) -> list[Path]:
    """The pictures of some songs as `<song>-curve`, `<song>-path` and, of several, `songs`, each .png and .svg; their paths.

    A path and the plane of songs need both targets; other tasks have the curve alone.
    """
    figures: dict[str, Figure] = {}
    for emotion in emotions:
        name = _unique(_stem(emotion), figures)
        figures[f"{name}-curve"] = curve(emotion)
        if _is_plane(emotion):
            figures[f"{name}-path"] = path(emotion)
    if len(emotions) > 1 and _is_plane(emotions[0]):
        figures["songs"] = plane(emotions)
    files = []
    for name, figure in figures.items():
        for suffix, options in ((".png", {"dpi": 140}), (".svg", {"metadata": {"Date": None}})):
            with replaced(folder / f"{name}{suffix}") as file:
                figure.savefig(file, **options)
            files.append(folder / f"{name}{suffix}")
    return files


def curve(emotion: Emotion) -> Figure:
    """The waveform's outline and, above it, the targets (or class probabilities) at the middle of each window.

    With both targets the ground is shaded in the colour of the quadrant they are in.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    wave, axis = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3.2))
    _outline(wave, emotion)
    middle = (emotion.start + emotion.end) / 2
    edges = _edges(emotion)
    if emotion.task.is_regression:
        low, high = emotion.scale
        for name in emotion.task.targets:
            axis.plot(middle, emotion.windows[name], color=COLOURS[name], linewidth=1.8, marker=_marker(middle), label=name)
        axis.axhline((low + high) / 2, color=GREY, linewidth=0.7)
        _limits(axis.set_ylim, emotion, emotion.task.targets)
        axis.set_ylabel(f"from {low:g} to {high:g}")
        if _is_plane(emotion):
            _shade(axis, edges, _quadrants(emotion))
    else:
        for k, name in enumerate(emotion.task.classes):
            colour = QUADRANTS[name][1] if name in QUADRANTS else None
            axis.plot(middle, emotion.windows[PROBABILITIES][:, k], color=colour, linewidth=2.2, marker=_marker(middle), label=name)
        axis.set(ylim=(0, 1), ylabel="probability")
    axis.legend(frameon=False, ncols=6, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1)
    note = (
        f"each point: {emotion.window_s:g} s around it" if not emotion.is_padded else "shorter than a window: padded with silence"
    )
    axis.set(xlabel=f"seconds ({note})", xlim=(0, emotion.seconds))
    wave.set_title(_title(emotion))
    return figure


def path(emotion: Emotion) -> Figure:
    """The song's way through the valence-arousal plane, light at its start and dark at its end; the cross is its mean."""
    figure, axis = _plane_axes(emotion, [emotion])
    x, y = emotion.windows["valence"], emotion.windows["arousal"]
    middle = (emotion.start + emotion.end) / 2
    points = np.stack([x, y], axis=1)
    if len(points) > 1:
        steps = LineCollection(
            list(np.stack([points[:-1], points[1:]], axis=1)), array=middle[:-1], cmap="viridis_r", linewidths=1.5
        )
        axis.add_collection(steps)
    dots = axis.scatter(x, y, c=middle, cmap="viridis_r", s=22, zorder=3, vmin=0, vmax=emotion.seconds)
    axis.scatter([emotion.valence], [emotion.arousal], marker="+", s=180, color="black", zorder=4)
    for k, name in ((0, "start"), (-1, "end")):
        if len(points) > 1:
            axis.annotate(name, points[k], xytext=(6, 6), textcoords="offset points", fontsize=9)
    figure.colorbar(dots, label="seconds", shrink=0.7)
    axis.set_title(_title(emotion))
    return figure


def plane(emotions: Sequence[Emotion]) -> Figure:
    """Songs on the valence-arousal plane, with their names as long as they are few."""
    figure, axis = _plane_axes(emotions[0], emotions)
    for emotion in emotions:
        axis.errorbar(
            emotion.valence, emotion.arousal,
            xerr=emotion.deviation["valence"], yerr=emotion.deviation["arousal"],
            fmt="o", markersize=5, color="#1a202c", ecolor=GREY, elinewidth=0.6,
        )  # fmt: skip
    if len(emotions) <= MOST_NAMES:
        _name_points(axis, emotions)
    axis.set_title(f"{len(emotions)} songs; the bars are the deviation over a song's windows", fontsize=10)
    return figure


# === Parts ===


def _plane_axes(emotion: Emotion, emotions: Sequence[Emotion]) -> tuple[Figure, Axes]:
    low, high = emotion.scale
    middle = (low + high) / 2
    figure = Figure(figsize=(7.4, 6.8), layout="constrained")
    axis = figure.subplots()
    for limits, name in ((axis.set_xlim, "valence"), (axis.set_ylim, "arousal")):
        limits(*_reach(emotions, (name,)))
    left, right, bottom, top = (*axis.get_xlim(), *axis.get_ylim())
    for name, ((right_of, above), colour, words) in QUADRANTS.items():
        x, y = ((middle, right) if right_of > 0 else (left, middle)), ((middle, top) if above > 0 else (bottom, middle))
        axis.fill_between(x, y[0], y[1], color=colour, alpha=0.16, linewidth=0)
        corner = (x[1] if right_of > 0 else x[0], y[1] if above > 0 else y[0])
        axis.annotate(
            f"{name} {words}", corner, xytext=(-6 * right_of, -6 * above), textcoords="offset points", color=GREY, fontsize=9,
            ha="right" if right_of > 0 else "left", va="top" if above > 0 else "bottom",
        )  # fmt: skip
    axis.axhline(middle, color=GREY, linewidth=0.7)
    axis.axvline(middle, color=GREY, linewidth=0.7)
    axis.set(xlabel=f"valence, {low:g} to {high:g}", ylabel=f"arousal, {low:g} to {high:g}", aspect="equal")
    return figure, axis


def _reach(emotions: Sequence[Emotion], names: Sequence[str]) -> tuple[float, float]:
    """The scale's ends, or further where values lie outside it."""
    low, high = emotions[0].scale
    values = np.concatenate([emotion.windows[name] for emotion in emotions for name in names])
    margin = 0.03 * (high - low)
    return min(low, values.min()) - margin, max(high, values.max()) + margin


def _limits(set_limits, emotion: Emotion, names: Sequence[str]) -> None:
    set_limits(*_reach([emotion], names))


def _outline(axis: Axes, emotion: Emotion) -> None:
    """The waveform's peaks, mirrored; at most 2000 of them."""
    peaks = emotion.peaks
    step = max(1, len(peaks) // 2000)
    peaks = np.maximum.reduceat(peaks, np.arange(0, len(peaks), step))
    at = np.linspace(0, emotion.seconds, len(peaks), endpoint=False)
    axis.fill_between(at, -peaks, peaks, color=GREY, alpha=0.7, linewidth=0, step="post")
    top = max(0.05, float(peaks.max()))
    axis.set(ylim=(-top, top), yticks=[])
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axis.tick_params(bottom=False, labelbottom=False)


def _edges(emotion: Emotion) -> np.ndarray:
    """Where the ground of one window's point ends and the next begins: half-way between their middles."""
    middle = (emotion.start + emotion.end) / 2
    return np.concatenate([[0.0], (middle[1:] + middle[:-1]) / 2, [emotion.seconds]])


def _quadrants(emotion: Emotion) -> list[str]:
    middle, quadrants = sum(emotion.scale) / 2, TASKS["quadrant"]
    numbers = quadrants.class_of(emotion.windows["valence"] - middle, emotion.windows["arousal"] - middle)
    return [quadrants.classes[number] for number in numbers]


def _shade(axis: Axes, edges: np.ndarray, quadrants: Sequence[str]) -> None:
    bottom, top = axis.get_ylim()
    shown: set[str] = set()
    for left, right, name in zip(edges[:-1], edges[1:], quadrants, strict=True):
        _, colour, words = QUADRANTS[name]
        label = None if name in shown else f"{name} {words}"
        axis.fill_between((left, right), bottom, top, color=colour, alpha=0.22, linewidth=0, label=label)
        shown.add(name)


def _name_points(axis: Axes, emotions: Sequence[Emotion]) -> None:
    """Names beside their points, each a line lower than one it would cover."""
    low, high = axis.get_ylim()
    line = (high - low) * 0.028
    taken: list[tuple[float, float]] = []
    for emotion in sorted(emotions, key=lambda e: -e.arousal):
        x, y = emotion.valence, emotion.arousal
        while any(abs(x - other_x) < (high - low) * 0.22 and abs(y - other_y) < line for other_x, other_y in taken):
            y -= line
        taken.append((x, y))
        is_right = x < sum(axis.get_xlim()) / 2 + 0.25 * (high - low)
        axis.annotate(
            _title(emotion, 28), (emotion.valence, emotion.arousal), xytext=(x + (0.02 if is_right else -0.02) * (high - low), y),
            ha="left" if is_right else "right", va="bottom", fontsize=8,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.4} if y != emotion.arousal else None,
        )  # fmt: skip


def _is_plane(emotion: Emotion) -> bool:
    return emotion.task.is_regression and set(emotion.task.targets) == {"valence", "arousal"}


def _marker(points: np.ndarray) -> str | None:
    return "." if len(points) < 60 else None


def _stem(emotion: Emotion) -> str:
    """The song's name as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", Path(emotion.path).stem.encode("utf-8", "replace").decode()) or "song"


def _unique(name: str, taken: dict[str, Figure]) -> str:
    return next(n for n in (name, *(f"{name}-{k}" for k in range(2, 10**6))) if f"{n}-curve" not in taken)


def _title(emotion: Emotion, longest: int = 70) -> str:
    """The song's name for people; a $ would start matplotlib's mathematics."""
    name = Path(emotion.path).name.encode("utf-8", "replace").decode().replace("$", r"\$")
    return name if len(name) <= longest else name[: longest - 1] + "…"
