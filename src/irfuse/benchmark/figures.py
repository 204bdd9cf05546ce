"""The figures of a report, as matplotlib figures. Nothing is shown on a screen, and no global state is changed."""

import math

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullFormatter

from irfuse.benchmark import statistics
from irfuse.benchmark.result import Result
from irfuse.benchmark.statistics import Comparison
from irfuse.evaluation.evaluator import column, direction
from irfuse.io.tables import formula

_GRAY, _LINE, _FILL, _MARK = "0.45", "#1f4e79", "#c9dcee", "#b3391f"
_FONT = 8
_PANELS, _BESIDE, _NUMBERED = 4, 16, 16
"""The number of box plots, metrics of a heat map, and numbers of an axis that fit side by side."""


def boxes(result: Result, protocol: str) -> Figure:
    """Draw one panel per metric with the median, quartiles and spread of each method's scores over the pairs.

    A diamond marks the mean. The method with the best mean is colored.
    """
    metrics = result.metrics(protocol)
    across = min(_PANELS, len(metrics))
    down = -(-len(metrics) // across)
    longest = max(map(len, result.methods))
    height = 0.9 + 0.19 * len(result.methods)
    # The layout is computed once, for PDF. In a PNG, letters are a little wider.
    layout = ConstrainedLayoutEngine(w_pad=0.1)
    figure = Figure(figsize=(0.8 + 0.06 * longest + 2.1 * across, height * down), layout=layout)
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for panel, metric in zip(panels.flat, metrics, strict=False):
        _box(panel, result.table(protocol, metric), metric)
    # The panels share their vertical axis.
    panels[0, 0].set_yticks(range(1, len(result.methods) + 1), list(map(plain, result.methods)))
    panels[0, 0].set_ylim(len(result.methods) + 0.6, 0.4)
    for panel in panels.flat[len(metrics) :]:
        panel.set_axis_off()
    return figure


def _box(panel: Axes, table: pd.DataFrame, metric: str) -> None:
    finite = table.where(np.isfinite(table))
    drawn = panel.boxplot(
        [finite[method].dropna() for method in finite],
        orientation="horizontal",
        manage_ticks=False,
        widths=0.6,
        showmeans=True,
        patch_artist=True,
        medianprops={"color": _LINE, "linewidth": 1.2},
        meanprops={"marker": "D", "markersize": 2.5, "markerfacecolor": "black", "markeredgecolor": "black"},
        boxprops={"facecolor": "white", "edgecolor": _LINE, "linewidth": 0.8},
        whiskerprops={"color": _LINE, "linewidth": 0.8},
        capprops={"color": _LINE, "linewidth": 0.8},
        flierprops={"marker": "o", "markersize": 2, "markeredgecolor": _GRAY},
    )
    leaders = statistics.leaders(table, direction(metric))
    best = set(leaders.index[leaders == leaders.iloc[0]]) if len(leaders) else set()
    for box, method in zip(drawn["boxes"], table, strict=True):
        if method in best:
            box.set_facecolor(_FILL)
    panel.set_title(_head(metric), fontsize=_FONT)
    panel.locator_params(axis="x", nbins=5)
    panel.tick_params(labelsize=_FONT - 1, length=2)
    panel.grid(axis="x", linewidth=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def heat_map(result: Result, protocol: str) -> Figure:
    """Draw methods by metrics: the mean as a number, the mean rank as a color, the best methods by overall rank first.

    Each metric is a column, or a row if there are many.
    """
    metrics = result.metrics(protocol)
    summary = statistics.summary(result, protocol)
    order = list(statistics.overall(result, protocol).mean_ranks.sort_values().index)
    order += [method for method in result.methods if method not in order]
    ranks, means = (
        summary.pivot(index="method", columns="metric", values=values).reindex(index=order, columns=metrics)
        for values in ("mean_rank", "mean")
    )
    turned = len(metrics) > max(_BESIDE, len(order))
    if turned:
        ranks, means = ranks.T, means.T
    longest = max(map(len, order))
    height, width = ranks.shape
    figure = Figure(
        figsize=(1.2 + (0.9 if turned else 0.07 * longest) + 0.5 * width, 0.24 * height + 0.4 + 0.06 * longest),
        layout="constrained",
    )
    panel = figure.subplots()
    colors = colormaps["YlGnBu_r"].with_extremes(bad="0.9")
    shown = panel.imshow(ranks.to_numpy(dtype=float), cmap=colors, aspect="auto", vmin=1, vmax=max(2, len(order)))
    names = list(map(plain, order))
    panel.tick_params(labelsize=_FONT, length=0)
    panel.tick_params(axis="x", labelrotation=60, top=True, labeltop=True, bottom=False, labelbottom=False)
    if turned:
        panel.set_yticks(range(height), [_head(metric) for metric in metrics])
        panel.set_xticks(range(width), names)
    else:
        panel.set_yticks(range(height), names)
        panel.set_xticks(range(width), [formula(column(metric).symbol) for metric in metrics])
        panel.tick_params(axis="x", pad=11)
        for number, metric in enumerate(metrics):
            # The labels are rotated, so the arrow is not part of them.
            panel.annotate(
                column(metric).arrow, (number, -0.5), (0, 2), textcoords="offset points", ha="center", fontsize=_FONT
            )
    for label in panel.get_xticklabels():
        label.set(rotation_mode="anchor", ha="left")
    for (row, place), mean in np.ndenumerate(means.to_numpy(dtype=float)):
        rank = ranks.iat[row, place]
        dark = not math.isnan(rank) and (rank - 1) / max(1, len(order) - 1) < 0.45
        text = _short(mean)
        panel.text(place, row, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
    bar = figure.colorbar(shown, ax=panel, shrink=0.9, pad=0.01)
    bar.set_label("mean rank (1 is best)", fontsize=_FONT)
    bar.ax.tick_params(labelsize=_FONT - 1)
    return figure


def speed(result: Result, protocol: str) -> Figure | None:
    """Draw the seconds per pair against the overall rank; None if nothing was timed.

    A method of unknown speed, such as one of another program, is a horizontal line.
    """
    times = result.costs.set_index("method")["seconds"].dropna()
    mean_ranks = statistics.overall(result, protocol).mean_ranks.dropna()
    shown = [method for method in result.methods if method in times.index and method in mean_ranks.index]
    if not shown:
        return None
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    panel = figure.subplots()
    panel.scatter(times[shown], mean_ranks[shown], s=22, color=_LINE, zorder=3)
    panel.set_xscale("log")
    low, high = times[shown].min(), times[shown].max()
    middle = math.sqrt(low * high)
    for method in shown:
        right = times[method] <= middle
        panel.annotate(
            plain(method),
            (times[method], mean_ranks[method]),
            (5 if right else -5, 3),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=_FONT - 1,
        )
    for method in [method for method in result.methods if method in mean_ranks.index and method not in shown]:
        panel.axhline(mean_ranks[method], color=_GRAY, linewidth=0.8, linestyle="--", zorder=1)
        panel.annotate(
            plain(method),
            (0, mean_ranks[method]),
            (2, 1),
            xycoords=panel.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=_FONT - 2,
            color=_GRAY,
        )
    panel.set_xlim(low / 2, high * 2)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
    panel.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.invert_yaxis()
    panel.margins(y=0.12)
    panel.set_xlabel(f"seconds per pair, {result.machine}", fontsize=_FONT)
    panel.set_ylabel("overall rank (1 is best)", fontsize=_FONT)
    panel.tick_params(labelsize=_FONT - 1)
    panel.grid(linewidth=0.3, which="both", zorder=0)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def critical_difference(comparison: Comparison) -> Figure | None:
    """Draw Demsar's diagram: methods on the axis of mean ranks. Bars join what Nemenyi's test does not separate.

    Returns None if there is too little to compare.
    """
    ordered = comparison.mean_ranks.dropna().sort_values()
    if math.isnan(comparison.difference) or ordered.empty:
        return None
    count = len(ordered)
    left = (count + 1) // 2
    groups = comparison.groups()
    bars = 0.28 * len(groups)
    depth = bars + 0.5 + 0.42 * left
    figure = Figure(figsize=(7.2, 0.9 + 0.55 * depth), layout="constrained")
    panel = figure.subplots()
    panel.set_axis_off()
    panel.set_xlim(1 - 0.35 * count, count + 0.35 * count)
    panel.set_ylim(-depth, 1.25)
    panel.plot([1, count], [0, 0], color="black", linewidth=1)
    for rank in range(1, count + 1):
        panel.plot([rank, rank], [0, 0.12], color="black", linewidth=1)
        if count <= _NUMBERED or rank == 1 or rank % 5 == 0:
            panel.text(rank, 0.18, str(rank), ha="center", va="bottom", fontsize=_FONT)
    panel.plot([1, 1 + comparison.difference], [0.85, 0.85], color=_MARK, linewidth=2, solid_capstyle="butt")
    panel.text(
        1,
        0.92,
        f"critical difference {comparison.difference:.2f} ({comparison.pairs} pairs, "
        f"Friedman p {'< 0.001' if comparison.p < 0.001 else f'= {comparison.p:.3f}'})",
        fontsize=_FONT - 1,
        va="bottom",
        color=_MARK,
    )
    for number, (method, rank) in enumerate(ordered.items()):
        on_left = number < left
        line = number if on_left else count - 1 - number
        y = -(bars + 0.45 + 0.42 * line)
        end = 1 - 0.05 * count if on_left else count + 0.05 * count
        panel.plot([rank, rank, end], [0, y, y], color=_GRAY, linewidth=0.8)
        name = plain(method)
        text = f"{name}  {rank:.2f}" if on_left else f"{rank:.2f}  {name}"
        where = end - 0.01 * count if on_left else end + 0.01 * count
        panel.text(where, y, text, ha="right" if on_left else "left", va="center", fontsize=_FONT)
    for number, group in enumerate(groups):
        y = -0.22 - 0.28 * number
        ends = ordered[group[0]] - 0.02 * count / 4, ordered[group[-1]] + 0.02 * count / 4
        panel.plot(ends, [y, y], color=_LINE, linewidth=3.5, solid_capstyle="butt")
    return figure


def plain(name: str) -> str:
    """Escape a name so that matplotlib finds no formula in it."""
    return name.replace("$", r"\$")


def _head(metric: str) -> str:
    head = column(metric)
    return f"{formula(head.symbol)} {head.arrow}"


def _short(value: float) -> str:
    """Format a number with about three digits.

    >>> _short(0.4567), _short(12.345), _short(1234.5)
    ('0.46', '12.3', '1234')
    >>> _short(0.0312)
    '0.031'
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    if 0 < abs(value) < 0.1:
        return f"{value:.3f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
