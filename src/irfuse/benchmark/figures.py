"""The figures of a report, as matplotlib figures. Nothing is shown on a screen, and no global state is changed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from irfuse.benchmark import statistics
from irfuse.benchmark.result import Result
from irfuse.benchmark.statistics import Comparison
from irfuse.errors import ParameterError
from irfuse.evaluation.evaluator import column, direction
from irfuse.io.images import Array
from irfuse.io.tables import formula

_GRAY, _LINE, _FILL, _MARK = "0.45", "#1f4e79", "#c9dcee", "#b3391f"
_FONT = 8
_PANELS, _TILES, _BESIDE, _NUMBERED = 4, 6, 16, 16
"""The number of box plots, pictures of a sheet, metrics of a heat map, and numbers of an axis that fit side by side."""


@dataclass(frozen=True)
class Region:
    """A rectangle in an image.

    Attributes:
        x, y: the upper left corner in pixels.
        width, height: the size in pixels.
    """

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``x,y,width,height``.

        Raises:
            ParameterError: the text is not four integers, or the region is empty or outside of images.

        >>> Region.parse("200,100,64,48")
        Region(x=200, y=100, width=64, height=48)
        """
        try:
            x, y, width, height = (int(part) for part in text.split(","))
        except ValueError:
            raise ParameterError(f"region cannot be {text!r}; give x,y,width,height in pixels") from None
        if x < 0 or y < 0 or width < 1 or height < 1:
            raise ParameterError(f"region cannot be {text!r}; x and y must be at least 0, width and height at least 1")
        return cls(x, y, width, height)

    def inside(self, height: int, width: int) -> "Region":
        """Move and shrink the region as far as necessary to fit into an image of that size."""
        across, down = min(self.width, width), min(self.height, height)
        return Region(min(self.x, width - across), min(self.y, height - down), across, down)


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
    panels[0, 0].set_yticks(range(1, len(result.methods) + 1), list(map(_plain, result.methods)))
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
    """Draw methods by metrics: the mean as a number, the mean rank as a color, the best methods by mean rank first.

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
    names = list(map(_plain, order))
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
    """Draw the seconds per pair against the mean rank over all metrics; None if nothing was timed."""
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
            _plain(method),
            (times[method], mean_ranks[method]),
            (5 if right else -5, 3),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=_FONT - 1,
        )
    panel.set_xlim(low / 2, high * 2)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
    panel.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.invert_yaxis()
    panel.margins(y=0.12)
    panel.set_xlabel(f"seconds per pair, {result.machine}", fontsize=_FONT)
    panel.set_ylabel("mean rank over all metrics (1 is best)", fontsize=_FONT)
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
        name = _plain(method)
        text = f"{name}  {rank:.2f}" if on_left else f"{rank:.2f}  {name}"
        where = end - 0.01 * count if on_left else end + 0.01 * count
        panel.text(where, y, text, ha="right" if on_left else "left", va="center", fontsize=_FONT)
    for number, group in enumerate(groups):
        y = -0.22 - 0.28 * number
        ends = ordered[group[0]] - 0.02 * count / 4, ordered[group[-1]] + 0.02 * count / 4
        panel.plot(ends, [y, y], color=_LINE, linewidth=3.5, solid_capstyle="butt")
    return figure


def sheet(pictures: Sequence[tuple[str, Array]], region: Region) -> Figure:
    """Show images of one scene side by side, each with the same region enlarged in a lower corner.

    Args:
        pictures: (caption, image) with images as :func:`irfuse.io.images.read` returns them, all of one size.
        region: the region to enlarge; it is moved into the images.
    """
    height, width = pictures[0][1].shape[:2]
    region = region.inside(height, width)
    # The enlargement must not cover the region itself.
    to_right = region.x + region.width / 2 < width / 2 and region.y + region.height / 2 > height / 2
    down = -(-len(pictures) // _TILES)
    across = -(-len(pictures) // down)
    tile = 1.7
    figure = Figure(figsize=(tile * across, (tile * height / width + 0.2) * down))
    panels = figure.subplots(down, across, squeeze=False)
    figure.subplots_adjust(0.004, 0.004, 0.996, 1 - 0.2 / figure.get_figheight(), 0.025, 0.2 / (tile * height / width))
    for panel in panels.flat[len(pictures) :]:
        panel.set_axis_off()
    for panel, (caption, image) in zip(panels.flat, pictures, strict=False):
        picture = _shown(image)
        panel.imshow(picture, interpolation="antialiased")
        panel.set_title(_plain(caption), fontsize=_fitting(caption), pad=2)
        _frame(panel, "0.2", 0.4)
        panel.add_patch(
            Rectangle((region.x - 0.5, region.y - 0.5), region.width, region.height, fill=False, ec="#ffd400", lw=0.8)
        )
        share = min(0.45, 0.45 * height / width * region.width / region.height)
        tall = share * width / height * region.height / region.width
        inset = panel.inset_axes((1 - share if to_right else 0.0, 0.0, share, tall))
        rows, columns = slice(region.y, region.y + region.height), slice(region.x, region.x + region.width)
        inset.imshow(picture[rows, columns], interpolation="nearest", aspect="auto")
        _frame(inset, "#ffd400", 1.0)
    return figure


def telling_region(images: Sequence[Array]) -> Region:
    """Find where images of one scene differ most. The region has a quarter of their width and height.

    Args:
        images: images as :func:`irfuse.io.images.read` returns them, all of one size.
    """
    height, width = images[0].shape[:2]
    across, down = max(1, width // 4), max(1, height // 4)
    lumas = np.stack([_shown(image).astype(np.float64).mean(axis=2) for image in images])
    # The sums of the variance over all windows, from its integral image.
    summed = np.pad(lumas.var(axis=0), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    windows = summed[down:, across:] - summed[:-down, across:] - summed[down:, :-across] + summed[:-down, :-across]
    y, x = np.unravel_index(windows.argmax(), windows.shape)
    return Region(int(x), int(y), across, down)


def _shown(image: Array) -> NDArray[np.uint8]:
    """Convert an image to 8-bit RGB, (H, W, 3)."""
    if np.issubdtype(image.dtype, np.floating):
        image = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    image = image[..., None] if image.ndim == 2 else image
    return np.asarray(image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2))


def _plain(name: str) -> str:
    """Escape a name so that matplotlib finds no formula in it."""
    return name.replace("$", r"\$")


def _head(metric: str) -> str:
    head = column(metric)
    return f"{formula(head.symbol)} {head.arrow}"


def _frame(panel: Axes, color: str, width: float) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set(color=color, linewidth=width)


def _fitting(caption: str) -> float:
    """The font size at which a caption is no wider than its picture."""
    return max(4.5, min(7.5, 7.5 * 24 / max(1, len(caption))))


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
