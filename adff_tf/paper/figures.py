"""Figures of the tables, drawn from the numbers that exist so far."""

from matplotlib.figure import Figure

from ..reports.plots import BLUE, GREY, ORANGE, make_axes
from .grid import METRICS, Table
from .published import SEG_NUMS
from .results import Results


def draw_figure(table: Table, results: Results) -> Figure | None:
    """Return the figure of a table; None for a table without one, or before there are numbers."""
    draw = {"figure3": _draw_scores, "table2": _draw_relative_hours}.get(table.name)
    return draw(table, results) if draw else None


def _draw_scores(table: Table, results: Results) -> Figure | None:
    """Draw R² and RMSE over seg_num for valence and arousal, in the form of the paper's figure."""
    if all(result.mean is None for result in results.values()):
        return None
    figure, axes = make_axes(2, width=4.75, height=3.8)
    for axis, metric in zip(axes, ("r2", "rmse"), strict=True):
        for target, colour in (("valence", BLUE), ("arousal", ORANGE)):
            points = [
                (int(key[1]), results[key].mean, results[key].std or 0)
                for key, entry in table.entries.items()
                if (entry.target, entry.metric) == (target, metric)
                and results[key].mean is not None
            ]
            seg_nums, means, stds = zip(*points, strict=True) if points else ([], [], [])
            axis.errorbar(
                seg_nums, means, stds,
                marker="o", markersize=4, capsize=3, color=colour, label=target, linewidth=1.3,
            )  # fmt: skip
        axis.set(xlabel="seg_num", ylabel=METRICS[metric], xticks=SEG_NUMS)
        axis.legend(frameon=False)
    return figure


def _draw_relative_hours(table: Table, results: Results) -> Figure | None:
    """Draw the paper's hours and ours, each relative to seg_num 1; None without our first."""
    ours = {int(column): results[row, column].mean for row, column in table.entries}
    theirs = {
        int(column): entry.published.mean
        for (_, column), entry in table.entries.items()
        if entry.published
    }
    if ours.get(1) is None:
        return None
    figure, (axis,) = make_axes(width=5.6, height=3.8)
    for name, hours, colour in (("paper", theirs, GREY), ("ours", ours, BLUE)):
        known = {seg_num: value for seg_num, value in hours.items() if value is not None}
        shares = [value / known[1] for value in known.values()]
        axis.plot(list(known), shares, marker="o", markersize=4, color=colour, label=name)
    ylabel = "time, relative to seg_num 1"
    axis.set(xlabel="seg_num", ylabel=ylabel, xticks=SEG_NUMS, ylim=(0, 1.05))
    axis.legend(frameon=False)
    return figure
