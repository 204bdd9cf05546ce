"""The report of a benchmark: one HTML file, and its tables and figures as files for a paper."""

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from irfuse import notices
from irfuse.benchmark import figures, grid, pictures, statistics
from irfuse.benchmark.grid import Grid
from irfuse.benchmark.pictures import Region
from irfuse.benchmark.result import Result
from irfuse.benchmark.statistics import Comparison
from irfuse.errors import ImageError, ParameterError
from irfuse.evaluation.evaluator import column, direction
from irfuse.imaging import planes
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.io.files import make_folder, write_atomic
from irfuse.io.images import Array
from irfuse.io.pair import Pair
from irfuse.io.tables import digits
from irfuse.metrics.protocols import PROTOCOLS

_SHOWN = 3
"""The number of pairs to show by default."""
_DPI = {"pdf": 300, "png": 150}
"""The resolution of pictures. Everything else in a PDF is vector graphics."""
_FIGURES = ("boxes", "heat-map", "critical-difference", "speed")
_MEGABYTE = 10**6


@dataclass(frozen=True)
class _Section:
    """The section of the page on one protocol."""

    grid: Grid
    tests: tuple[tuple[str, ...], ...]
    figures: Mapping[str, str]
    values: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]


def write(
    result: Result, folder: str | Path, *, shown: Sequence[str] | None = None, region: Region | None = None
) -> Path:
    """Write ``report.html`` and, beside it, the tables and the figures.

    The tables are ``scores.csv`` (one row per score), ``summary.csv``, ``tests.csv``, ``wilcoxon.csv`` and
    ``costs.csv``, and for each protocol ``PROTOCOL.tex`` and ``PROTOCOL.md``. The folder ``figures/`` gets
    ``PROTOCOL-boxes``, ``-heat-map``, ``-critical-difference``, ``-speed`` and ``sheet-PAIR`` as PDF and PNG.

    Args:
        result: the result of :func:`irfuse.benchmark.run`.
        folder: the folder of the report. It is created if it does not exist; files of these names are replaced.
        shown: the names of the pairs whose images are shown; None shows three of the pairs.
        region: the part of the images to enlarge; None enlarges where the fused images differ most.

    Returns:
        The path of the HTML file.

    Raises:
        ParameterError: a name in `shown` is not that of a pair, `region` reaches beyond a pair that is shown, or there
            is nothing to report.
        OutputError: the folder cannot be written.
    """
    folder = Path(folder)
    if result.scores.empty:
        reasons = dict.fromkeys(f"{failure.method}: {failure.pair}: {failure.reason}" for failure in result.failures)
        raise ParameterError(f"nothing was scored, so there is nothing to report ({next(iter(reasons), '')})")
    pairs = check_shown([pair.name for pair in result.pairs], shown)
    if region is not None:
        check_region([pair for pair in result.pairs if pair.name in pairs], region)
    make_folder(folder)
    make_folder(folder / "figures")
    _remove_earlier(folder)
    sections = {protocol: _section(result, protocol, folder) for protocol in result.protocols}
    # The run has said what reading remarks.
    with notices.collected():
        sheets = {name: _save(_sheet(result, name, region), folder / "figures" / _file_name(name)) for name in pairs}
    _write_tables(result, sections, folder)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        result=result, sections=sections, sheets=sheets, costs=_costs(result), level=statistics.LEVEL
    )
    path = folder / "report.html"
    write_atomic(path, page.encode())
    return path


def check_shown(names: Sequence[str], shown: Sequence[str] | None) -> list[str]:
    """Choose the pairs to show: the given ones, or three of `names`.

    Raises:
        ParameterError: a name in `shown` is not in `names`.
    """
    if shown is None:
        return list(names[:: max(1, len(names) // _SHOWN)][:_SHOWN])
    for name in shown:
        if name not in names:
            raise ParameterError(f"there is no pair {name!r} to show (pairs: {', '.join(names)})")
    return list(dict.fromkeys(shown))


def check_region(pairs: Sequence[Pair], region: Region) -> None:
    """Refuse a region to enlarge that reaches beyond the visible image of a pair.

    Images that cannot be read are left out, since the run reports them.

    Raises:
        ParameterError: the error names the region, the first such pair and its size.
    """
    for pair in pairs:
        try:
            with notices.collected():
                height, width = images.read(pair.vis, "visible").shape[:2]
        except (ImageError, MemoryError):
            continue
        region.check_inside(pair.name, height, width)


def _file_name(pair: str) -> str:
    r"""The file name of a pair's sheet, without characters that LaTeX or a file system refuses.

    >>> _file_name("50% <b>")
    'sheet-50___b_'
    """
    return "sheet-" + re.sub(r"[^\w.-]", "_", pair)


def _remove_earlier(folder: Path) -> None:
    """Remove the files of an earlier report that this one may not replace: other protocols, pairs and figures."""
    for protocol in PROTOCOLS:
        for path in (folder / f"{protocol.name}.tex", folder / f"{protocol.name}.md"):
            path.unlink(missing_ok=True)
        for kind in _DPI:
            for figure in _FIGURES:
                (folder / "figures" / f"{protocol.name}-{figure}.{kind}").unlink(missing_ok=True)
    for kind in _DPI:
        for path in (folder / "figures").glob(f"sheet-*.{kind}"):
            path.unlink()


def _section(result: Result, protocol: str, folder: Path) -> _Section:
    drawn = (
        figures.boxes(result, protocol),
        figures.heat_map(result, protocol),
        figures.critical_difference(statistics.overall(result, protocol)),
        figures.speed(result, protocol),
    )
    saved = {
        name: _save(figure, folder / "figures" / f"{protocol}-{name}") if figure else ""
        for name, figure in zip(_FIGURES, drawn, strict=True)
    }
    values = []
    trained = result.trained()
    for metric in result.metrics(protocol):
        table = result.table(protocol, metric)
        rows = []
        for pair, scores in table.iterrows():
            marks = (" †" * ((method, pair) in trained) for method in table)
            rows.append((str(pair), *(digits(score) + mark for score, mark in zip(scores, marks, strict=True))))
        values.append((f"{metric} {column(metric).arrow}", tuple(rows)))
    return _Section(grid.make(result, protocol), _tests(result, protocol), saved, tuple(values))


def _tests(result: Result, protocol: str) -> tuple[tuple[str, ...], ...]:
    """List for each metric: its name, the test, p, the critical difference, the pairs, the best, and its equals.

    The test is Friedman's, or Wilcoxon's if two methods are compared.
    """
    rows = []
    for name, comparison in _comparisons(result, protocol).items():
        ordered = comparison.mean_ranks.dropna().sort_values()
        test, best, alike, p, difference = "-", "-", "-", math.nan, "-"
        if len(ordered):
            best = str(ordered.index[0])
        if not math.isnan(comparison.difference):
            first = next((group for group in comparison.groups() if best in group), [best])
            alike = ", ".join(method for method in first if method != best) or "none"
            test, p, difference = "Friedman", comparison.p, f"{comparison.difference:.2f}"
        elif len(ordered) == 2 and comparison.pairs > 1 and name in result.metrics(protocol):
            found = statistics.wilcoxon(result.table(protocol, name), direction(name)).iloc[0]
            test, best, p = "Wilcoxon", found["better"], float(found["p"])
            alike = "none" if p < statistics.LEVEL else found["worse"]
        if name in result.metrics(protocol):
            best += _other_leaders(statistics.leaders(result.table(protocol, name), direction(name)), best)
        rows.append((name, test, _probability(p), difference, str(comparison.pairs), best, alike))
    return tuple(rows)


def _other_leaders(leaders: pd.Series, best: str) -> str:
    """Name the methods with the best mean, if the method with the best rank is not one of them.

    >>> _other_leaders(pd.Series({"b": 0.7, "a": 0.6}), "a")
    ' (best mean: b)'
    >>> _other_leaders(pd.Series({"b": 0.7, "a": 0.7}), "a")
    ''
    """
    marked = [str(method) for method in leaders.index if digits(leaders[method]) == digits(leaders.iloc[0])]
    return "" if len(leaders) < 2 or best in marked else f" (best mean: {', '.join(marked)})"


def _probability(p: float) -> str:
    """Format a p-value.

    >>> _probability(0.031), _probability(1e-9), _probability(math.nan)
    ('0.0310', '< 0.0001', '-')
    """
    return "-" if math.isnan(p) else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _comparisons(result: Result, protocol: str) -> dict[str, Comparison]:
    return {**statistics.comparisons(result, protocol), "all metrics": statistics.overall(result, protocol)}


def _write_tables(result: Result, sections: Mapping[str, _Section], folder: Path) -> None:
    summaries, tests, couples = [], [], []
    for protocol in result.protocols:
        summaries.append(statistics.summary(result, protocol).assign(protocol=protocol))
        for name, comparison in _comparisons(result, protocol).items():
            tests.append((protocol, name, comparison.p, comparison.difference, comparison.pairs))
        for metric in result.metrics(protocol):
            found = statistics.wilcoxon(result.table(protocol, metric), direction(metric))
            couples.append(found.assign(protocol=protocol, metric=metric))
        write_atomic(folder / f"{protocol}.tex", grid.to_latex(sections[protocol].grid).encode())
        write_atomic(folder / f"{protocol}.md", grid.to_markdown(sections[protocol].grid).encode())
    columns = ["protocol", "metric", "friedman_p", "critical_difference", "pairs"]
    written = {
        "scores": result.scores,
        "summary": pd.concat(summaries),
        "tests": pd.DataFrame(tests, columns=columns),
        "wilcoxon": pd.concat(couples),
        "costs": result.costs,
    }
    for name, table in written.items():
        write_atomic(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n").encode())


def _costs(result: Result) -> list[tuple[str, ...]]:
    """List for each method that ran here: its name, seconds, memory, parameters and operations, as printed."""
    rows: list[tuple[str, ...]] = []
    for cost in result.costs.itertuples():
        if cost.kind == "external":
            continue
        # A method without products and convolutions still computes, though no operation is counted.
        operations = f"{cost.operations / 1e9:.1f} ({cost.size})" if cost.operations > 0 else "-"
        rows.append(
            (
                cost.method,
                "-" if math.isnan(cost.seconds) else f"{cost.seconds:.4g}",
                "-" if math.isnan(cost.memory) else f"{cost.memory / _MEGABYTE:.0f}",
                "-" if math.isnan(cost.parameters) else f"{cost.parameters:,.0f}",
                operations,
            )
        )
    return rows


def _sheet(result: Result, name: str, region: Region | None) -> Figure:
    pair = next(pair for pair in result.pairs if pair.name == name)
    fused = [
        (method, images.read(result.fused[method, name], "picture"))
        for method in result.methods
        if (method, name) in result.fused
    ]
    ir = images.read(pair.ir)
    sources = [("infrared", _as_fused(ir, result.thermal)), ("visible", images.read(pair.vis, "visible"))]
    height, width = sources[1][1].shape[:2]
    whole = [(method, image) for method, image in fused if image.shape[:2] == (height, width)]
    if region is None:
        region = pictures.telling_region([image for _, image in (whole if len(whole) > 1 else sources)])
    return pictures.sheet([*sources, *whole], region)


def _as_fused(ir: Array, thermal: Levels | Percentiles) -> Array:
    """Convert an infrared image to what methods see. Raw counts would look almost black."""
    if isinstance(thermal, Percentiles) and ir.dtype == np.uint8:
        return ir
    shown: Array = planes.from_array(ir, "infrared").thermal_luma(thermal)[0, 0]
    return shown


def _save(figure: Figure, path: Path) -> str:
    """Write a figure as PDF and PNG, and return the PNG as a data URI."""
    written = {}
    # Journals ask for TrueType fonts.
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        for kind, more in {"pdf": {"CreationDate": None}, "png": {}}.items():
            data = io.BytesIO()
            figure.savefig(data, format=kind, dpi=_DPI[kind], metadata=more)
            # The layout is computed once, since many panels take long.
            figure.set_layout_engine("none")
            write_atomic(path.with_name(f"{path.name}.{kind}"), data.getvalue())
            written[kind] = data.getvalue()
    return "data:image/png;base64," + base64.b64encode(written["png"]).decode()
