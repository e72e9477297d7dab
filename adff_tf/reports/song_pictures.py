"""Pictures of what a model heard: a song's curve over its waveform, its path through the plane, and many songs on one plane.

Each function returns a matplotlib figure; `Pictures` makes the files, PNG and SVG. Colours: arousal orange, valence blue; the four
quadrants keep theirs in every picture.
"""

import re
import warnings
from collections.abc import Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FuncFormatter, MultipleLocator

from ..inference.emotion import Emotion
from ..support.files import atomic_write
from ..tasks import PROBABILITIES, TASKS

COLOURS = {"valence": "#2b6cb0", "arousal": "#dd6b20"}
QUADRANTS = {  # (towards positive valence, towards positive arousal): colour, what such music is often called
    "Q1": ((1, 1), "#f6e05e", "happy, excited"),
    "Q2": ((-1, 1), "#fc8181", "tense, angry"),
    "Q3": ((-1, -1), "#90cdf4", "sad, gloomy"),
    "Q4": ((1, -1), "#9ae6b4", "calm, content"),
}
GREY = "#718096"
MOST_NAMES = 40  # songs named on one plane


class Pictures:
    """Writes the pictures of songs into a folder as they come: `<song>-curve`, `<song>-path` and, of several, `songs`, each .png
    and .svg. A path and the plane of songs need both targets; other tasks have the curve alone."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._names: set[str] = set()
        self._songs: list[Emotion] = []

    def add(self, emotion: Emotion) -> list[Path]:
        """Write a song's pictures; their files."""
        name = _unique(emotion, self._names)
        self._names.add(name)
        self._songs.append(emotion)
        with _lettered([emotion]):
            drawn = {f"{name}-curve": curve(emotion)} | (
                {f"{name}-path": path(emotion)} if _is_plane(emotion) else {}
            )
            return [
                file for stem, figure in drawn.items() for file in _save(figure, self.folder / stem)
            ]

    def finish(self) -> list[Path]:
        """Write the plane of all songs, where there are several; its files."""
        if len(self._songs) < 2 or not _is_plane(self._songs[0]):
            return []
        with _lettered(self._songs):
            return _save(plane(self._songs), self.folder / "songs")


def _save(figure: Figure, stem: Path) -> list[Path]:
    files = []
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Glyph .* missing from"
        )  # a song's name in letters that no font has
        for suffix, options in ((".png", {"dpi": 140}), (".svg", {"metadata": {"Date": None}})):
            files.append(stem.with_name(stem.name + suffix))
            with atomic_write(files[-1]) as file:
                figure.savefig(file, **options)
    return files


def curve(emotion: Emotion) -> Figure:
    """The waveform's outline and, above it, the targets (or class probabilities) at the middle of each window.

    With both targets the ground is shaded in the colour of the quadrant they are in.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    wave, axis = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3.2))
    _outline(wave, emotion)
    all_windows, emotion = emotion, _thinned(emotion)
    middle = (emotion.start + emotion.end) / 2
    edges = _edges(emotion)
    if emotion.task.is_regression:
        low, high = emotion.scale
        for name in emotion.task.targets:
            axis.plot(
                middle,
                emotion.windows[name],
                color=COLOURS[name],
                linewidth=1.8,
                marker=_marker(middle),
                label=name,
            )
            if emotion is not all_windows:
                least, greatest = (
                    _binned(all_windows.windows[name], reduce) for reduce in (np.min, np.max)
                )
                axis.fill_between(
                    middle, least, greatest, color=COLOURS[name], alpha=0.2, linewidth=0
                )
        axis.axhline((low + high) / 2, color=GREY, linewidth=0.7)
        _limits(axis.set_ylim, emotion, emotion.task.targets)
        axis.set_ylabel(f"from {low:g} to {high:g}")
        if _is_plane(emotion):
            _shade(axis, edges, _quadrants(emotion))
    else:
        for k, name in enumerate(emotion.task.classes):
            colour = QUADRANTS[name][1] if name in QUADRANTS else None
            axis.plot(
                middle,
                emotion.windows[PROBABILITIES][:, k],
                color=colour,
                linewidth=2.2,
                marker=_marker(middle),
                label=name,
            )
        axis.set(ylim=(0, 1), ylabel="probability")
    axis.legend(
        frameon=False,
        ncols=6,
        fontsize=8,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.1,
    )
    note = f"each point: {emotion.window_s:g} s around it"
    if emotion.is_padded:
        note = "shorter than a window: padded with silence"
    elif emotion is not all_windows:
        note = f"mean and range of {len(all_windows.start) / len(emotion.start):.0f} windows of {emotion.window_s:g} s each"
    _time_axis(axis, emotion, note)
    axis.set_xlim(0, emotion.seconds)
    wave.set_title(_title(emotion))
    return figure


def path(emotion: Emotion) -> Figure:
    """The song's way through the valence-arousal plane, light at its start and dark at its end; the cross is its mean."""
    figure, axis = _plane_axes(emotion, [emotion])
    emotion = _thinned(emotion, 60)
    x, y = emotion.windows["valence"], emotion.windows["arousal"]
    middle = (emotion.start + emotion.end) / 2
    points = np.stack([x, y], axis=1)
    if len(points) > 1:
        steps = LineCollection(
            list(np.stack([points[:-1], points[1:]], axis=1)),
            array=middle[:-1],
            cmap="viridis_r",
            linewidths=1.5,
        )
        axis.add_collection(steps)
    dots = axis.scatter(
        x, y, c=middle, cmap="viridis_r", s=22, zorder=3, vmin=0, vmax=emotion.seconds
    )
    axis.scatter(
        [emotion.valence],
        [emotion.arousal],
        marker="+",
        s=180,
        color="black",
        zorder=4,
        label="the song's mean",
    )
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    for k, name, offset, align in ((0, "start", (7, 7), "left"), (-1, "end", (-7, -13), "right")):
        if len(points) > 1:
            axis.annotate(
                name,
                points[k],
                xytext=offset,
                textcoords="offset points",
                fontsize=9,
                ha=align,
                bbox=box,
                zorder=5,
            )
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    _time_axis(figure.colorbar(dots, shrink=0.7).ax, emotion)
    axis.set_title(_title(emotion))
    return figure


def plane(emotions: Sequence[Emotion]) -> Figure:
    """Songs on the valence-arousal plane, with their names as long as they are few."""
    figure, axis = _plane_axes(emotions[0], emotions)
    for emotion in emotions:
        axis.errorbar(
            emotion.valence, emotion.arousal,
            xerr=emotion.std["valence"], yerr=emotion.std["arousal"],
            fmt="o", markersize=5, color="#1a202c", ecolor=GREY, elinewidth=0.6,
        )  # fmt: skip
    if len(emotions) <= MOST_NAMES:
        _name_points(axis, emotions)
    axis.set_title(
        f"{len(emotions)} songs; the bars are the std over a song's windows", fontsize=10
    )
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
        x, y = (
            ((middle, right) if right_of > 0 else (left, middle)),
            ((middle, top) if above > 0 else (bottom, middle)),
        )
        axis.fill_between(x, y[0], y[1], color=colour, alpha=0.16, linewidth=0)
        corner = (x[1] if right_of > 0 else x[0], y[1] if above > 0 else y[0])
        axis.annotate(
            f"{name} {words}", corner, xytext=(-6 * right_of, -6 * above), textcoords="offset points", color=GREY, fontsize=9,
            ha="right" if right_of > 0 else "left", va="top" if above > 0 else "bottom",
        )  # fmt: skip
    axis.axhline(middle, color=GREY, linewidth=0.7)
    axis.axvline(middle, color=GREY, linewidth=0.7)
    axis.set(
        xlabel=f"valence, {low:g} to {high:g}",
        ylabel=f"arousal, {low:g} to {high:g}",
        aspect="equal",
    )
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
    top = float(peaks.max(initial=0.05))
    axis.set(ylim=(-top, top), yticks=[])
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axis.tick_params(bottom=False, labelbottom=False)


def _edges(emotion: Emotion) -> np.ndarray:
    """Where the ground of one window's point ends and the next begins: half-way between their middles."""
    middle = (emotion.start + emotion.end) / 2
    return np.concatenate([[0.0], (middle[1:] + middle[:-1]) / 2, [emotion.seconds]])


def _quadrants(emotion: Emotion) -> list[str]:
    middle, quadrants = sum(emotion.scale) / 2, TASKS["quadrant"]
    numbers = quadrants.class_index(
        emotion.windows["valence"] - middle, emotion.windows["arousal"] - middle
    )
    return [quadrants.classes[number] for number in numbers]


def _shade(axis: Axes, edges: np.ndarray, quadrants: Sequence[str]) -> None:
    bottom, top = axis.get_ylim()
    shown: set[str] = set()
    for left, right, name in zip(edges[:-1], edges[1:], quadrants, strict=True):
        _, colour, words = QUADRANTS[name]
        label = None if name in shown else f"{name} {words}"
        axis.fill_between(
            (left, right), bottom, top, color=colour, alpha=0.22, linewidth=0, label=label
        )
        shown.add(name)


def _name_points(axis: Axes, emotions: Sequence[Emotion]) -> None:
    """Each song's name beside its point; where names would cover each other, numbers, and the names in a list beside the plane."""
    low, high = axis.get_xlim()
    width, line = 0.34 * (high - low), 0.05 * (high - low)  # of a name
    points = np.array([(emotion.valence, emotion.arousal) for emotion in emotions])
    apart = np.abs(points[:, None] - points[None])
    is_clear = ~(
        (apart[..., 0] < width) & (apart[..., 1] < line) & ~np.eye(len(points), dtype=bool)
    ).any()
    rest = list(range(len(points)))
    while rest:  # songs whose numbers would cover each other share one label
        together = [k for k in rest if (apart[rest[0], k] < 0.025 * (high - low)).all()]
        rest = [k for k in rest if k not in together]
        point = points[together[0]]
        is_left = point[0] < (low + high) / 2
        axis.annotate(
            _title(emotions[together[0]], 28) if is_clear else ", ".join(str(k + 1) for k in together),
            point, xytext=(6 if is_left else -6, 4), textcoords="offset points", ha="left" if is_left else "right", fontsize=8,
        )  # fmt: skip
    if not is_clear:
        names = "\n".join(
            f"{number}  {_title(emotion, 34)}" for number, emotion in enumerate(emotions, start=1)
        )
        axis.annotate(
            names, (1.03, 1), xycoords="axes fraction", va="top", fontsize=8, linespacing=1.35
        )


# === Letters ===


def _lettered(emotions: Sequence[Emotion]) -> AbstractContextManager[None]:
    """Pictures made within it take letters of names that matplotlib's own font lacks, Chinese ones say, from the system's fonts."""
    families = ["DejaVu Sans"]
    lacking = _lacking(
        FT2Font(font_manager.findfont(families[0])), set("".join(map(_title, emotions)))
    )
    files = font_manager.findSystemFonts() if lacking else []
    for file in sorted(
        files, key=lambda file: ("sans" not in file.lower(), "regular" not in file.lower(), file)
    ):
        if not lacking:
            break
        if "lastresort" in file.lower():  # it has a box for every letter
            continue
        try:
            font = FT2Font(file)
        except RuntimeError:  # a format that FreeType does not read
            continue
        if font.scalable and len(left := _lacking(font, lacking)) < len(lacking):
            if font.family_name not in font_manager.get_font_names():
                font_manager.fontManager.addfont(file)
            families.append(font.family_name)
            lacking = left
    return rc_context({"font.family": families})


def _lacking(font: FT2Font, letters: Set[str]) -> Set[str]:
    return {letter for letter in letters if not font.get_char_index(ord(letter))}


# === Many windows ===


MOST_POINTS = 300  # of a curve


def _binned(values: np.ndarray, reduce, count: int = MOST_POINTS) -> np.ndarray:
    """Values of windows `(windows, …)` in `count` bins of equal length, each reduced to one: `(count, …)`."""
    return np.stack([reduce(part, axis=0) for part in np.array_split(values, count)])


def _thinned(emotion: Emotion, most: int = MOST_POINTS) -> Emotion:
    """The same, or where there are more windows than can be drawn, `most` means over neighbours."""
    if len(emotion.start) <= most:
        return emotion
    windows = {name: _binned(values, np.mean, most) for name, values in emotion.windows.items()}
    return replace(
        emotion,
        start=_binned(emotion.start, np.min, most),
        end=_binned(emotion.end, np.max, most),
        windows=windows,
    )


def _time_axis(axis: Axes, emotion: Emotion, note: str = "") -> None:
    """Seconds along a time axis, or from ten minutes on minutes and hours; a colour bar's runs upwards."""
    is_bar = not note
    is_long = emotion.seconds >= 600
    label = ("time, h:mm" if is_long else "seconds") + (f" ({note})" if note else "")
    (axis.set_ylabel if is_bar else axis.set_xlabel)(label)
    if is_long:
        ticks = axis.yaxis if is_bar else axis.xaxis
        ticks.set_major_locator(
            MultipleLocator(
                60
                * next(
                    m for m in (2, 5, 10, 20, 30, 60, 120, 10**6) if emotion.seconds / 60 / m < 9
                )
            )
        )
        ticks.set_major_formatter(
            FuncFormatter(lambda s, _: f"{int(s) // 3600}:{int(s) % 3600 // 60:02d}")
        )


def _is_plane(emotion: Emotion) -> bool:
    return emotion.task.is_regression and set(emotion.task.targets) == {"valence", "arousal"}


def _marker(points: np.ndarray) -> str | None:
    return "." if len(points) < 60 else None


def _unique(emotion: Emotion, taken: set[str]) -> str:
    """The song's name as part of a file's name: with its suffix where another song has the same, then with a number."""
    name = Path("stdin" if emotion.path == "-" else emotion.path)
    with_suffix = "-".join(filter(None, (name.stem, name.suffix[1:])))
    plain, longer = (
        re.sub(r"[^\w.-]+", "_", text.encode("utf-8", "replace").decode()) or "song"
        for text in (name.stem, with_suffix)
    )
    return next(
        n for n in (plain, longer, *(f"{longer}-{k}" for k in range(2, 10**6))) if n not in taken
    )


def _title(emotion: Emotion, longest: int = 70) -> str:
    """The song's name for people, on one line; a $ would start matplotlib's mathematics."""
    name = "standard input" if emotion.path == "-" else Path(emotion.path).name
    name = " ".join(name.encode("utf-8", "replace").decode().split()).replace("$", r"\$")
    return name if len(name) <= longest else name[: longest - 1] + "…"
