"""The report of a benchmark: one HTML file that holds all, and its parts as files for a paper."""

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

from irfuse.benchmark import figures, grid, statistics
from irfuse.benchmark.figures import Region
from irfuse.benchmark.grid import Grid
from irfuse.benchmark.result import Result
from irfuse.benchmark.statistics import Comparison
from irfuse.errors import ParameterError
from irfuse.evaluation.evaluator import column, direction
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.io.files import make_folder, write_atomic
from irfuse.io.images import Array
from irfuse.io.tables import digits
from irfuse.metrics.protocols import PROTOCOLS

_SHOWN = 3
"""Pairs that are shown unless their names are given."""
_DPI = {"pdf": 300, "png": 150}
"""Of pictures; all else in a PDF has no pixels."""
_FIGURES = ("boxes", "heat-map", "critical-difference", "speed")
_MEGABYTE = 10**6


@dataclass(frozen=True)
class _Section:
    """What the page says of one protocol."""

    grid: Grid
    tests: tuple[tuple[str, ...], ...]
    figures: Mapping[str, str]
    values: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]


def write(
    result: Result, folder: str | Path, *, shown: Sequence[str] | None = None, region: Region | None = None
) -> Path:
    """Write ``report.html``, and beside it the tables and the figures.

    These are ``scores.csv`` (a row a score), ``summary.csv``, ``tests.csv``, ``wilcoxon.csv`` and ``costs.csv``; for
    each protocol ``PROTOCOL.tex`` and ``PROTOCOL.md``, and in ``figures/`` as PDF and PNG ``PROTOCOL-boxes``,
    ``-heat-map``, ``-critical-difference`` and ``-speed``, and ``sheet-PAIR``.

    Args:
        result: of :func:`irfuse.benchmark.run`.
        folder: it is made if it is not there; files of these names in it are replaced.
        shown: the names of the pairs whose images are shown; None is three of them.
        region: what of them is enlarged; None is where the fused images differ most.

    Returns:
        The path of the HTML file.

    Raises:
        ParameterError: there is no pair of a name, or there is nothing to report.
        OutputError: the folder cannot be written.
    """
    folder = Path(folder)
    if result.scores.empty:
        reasons = dict.fromkeys(f"{hole.entrant}: {hole.pair}: {hole.reason}" for hole in result.holes)
        raise ParameterError(f"nothing was scored, so there is nothing to report ({next(iter(reasons), '')})")
    pairs = check_shown([pair.name for pair in result.pairs], shown)
    make_folder(folder)
    make_folder(folder / "figures")
    _remove_earlier(folder)
    sections = {protocol: _section(result, protocol, folder) for protocol in result.protocols}
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
    """Which of the pairs of these names to show: those given, or some.

    Raises:
        ParameterError: there is no such pair.
    """
    if shown is None:
        return list(names[:: max(1, len(names) // _SHOWN)][:_SHOWN])
    for name in shown:
        if name not in names:
            raise ParameterError(f"there is no pair {name!r} to show (pairs: {', '.join(names)})")
    return list(dict.fromkeys(shown))


def _file_name(pair: str) -> str:
    r"""The name of a pair's sheet, without what LaTeX or a file system does not take.

    >>> _file_name("50% <b>")
    'sheet-50___b_'
    """
    return "sheet-" + re.sub(r"[^\w.-]", "_", pair)


def _remove_earlier(folder: Path) -> None:
    """Remove those files of an earlier report that this one need not have: other protocols, pairs and figures."""
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
            marks = (" †" * ((entrant, pair) in trained) for entrant in table)
            rows.append((str(pair), *(digits(score) + mark for score, mark in zip(scores, marks, strict=True))))
        values.append((f"{metric} {column(metric).arrow}", tuple(rows)))
    return _Section(grid.make(result, protocol), _tests(result, protocol), saved, tuple(values))


def _tests(result: Result, protocol: str) -> tuple[tuple[str, ...], ...]:
    """Per metric: its name, the test, its p, the critical difference, the pairs, the best, and what may be as good.

    The test is Friedman's, or Wilcoxon's where two are compared.
    """
    rows = []
    for name, comparison in _comparisons(result, protocol).items():
        ordered = comparison.mean_ranks.dropna().sort_values()
        test, best, alike, p, difference = "-", "-", "-", math.nan, "-"
        if len(ordered):
            best = str(ordered.index[0])
        if not math.isnan(comparison.difference):
            first = next((group for group in comparison.groups() if best in group), [best])
            alike = ", ".join(entrant for entrant in first if entrant != best) or "none"
            test, p, difference = "Friedman", comparison.p, f"{comparison.difference:.2f}"
        elif len(ordered) == 2 and comparison.pairs > 1 and name in result.metrics(protocol):
            found = statistics.wilcoxon(result.table(protocol, name), direction(name)).iloc[0]
            test, best, p = "Wilcoxon", found["better"], float(found["p"])
            alike = "none" if p < statistics.LEVEL else found["worse"]
        rows.append((name, test, _probability(p), difference, str(comparison.pairs), best, alike))
    return tuple(rows)


def _probability(p: float) -> str:
    """A p-value as it is printed.

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
    """Per entrant that was run here: name, seconds, memory, parameters and operations, as printed."""
    rows: list[tuple[str, ...]] = []
    for cost in result.costs.itertuples():
        if cost.kind == "guest":
            continue
        # Of a method without products and convolutions none is counted, which does not mean that it does nothing.
        operations = f"{cost.operations / 1e9:.1f} ({cost.size})" if cost.operations > 0 else "-"
        rows.append(
            (
                cost.entrant,
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
        (entrant, images.read(result.fused[entrant, name]))
        for entrant in result.entrants
        if (entrant, name) in result.fused
    ]
    ir = images.read(pair.ir)
    sources = [("infrared", _as_fused(ir, result.thermal)), ("visible", images.read(pair.vis))]
    height, width = sources[1][1].shape[:2]
    whole = [(entrant, image) for entrant, image in fused if image.shape[:2] == (height, width)]
    if region is None:
        region = figures.telling_region([image for _, image in (whole if len(whole) > 1 else sources)])
    return figures.sheet([*sources, *whole], region)


def _as_fused(ir: Array, thermal: Levels | Percentiles) -> Array:
    """An infrared image as methods see it: raw counts would be shown almost black."""
    if isinstance(thermal, Percentiles):
        if ir.dtype != np.uint16:
            return ir
        thermal = thermal.levels(ir)
    return thermal.apply(ir.astype(np.float64))


def _save(figure: Figure, path: Path) -> str:
    """Write a figure as PDF and PNG; gives the latter as a data URI."""
    written = {}
    # Fonts that journals take.
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        for kind, more in {"pdf": {"CreationDate": None}, "png": {}}.items():
            data = io.BytesIO()
            figure.savefig(data, format=kind, dpi=_DPI[kind], metadata=more)
            # What is laid out stays so; it takes long where there are many panels.
            figure.set_layout_engine("none")
            write_atomic(path.with_name(f"{path.name}.{kind}"), data.getvalue())
            written[kind] = data.getvalue()
    return "data:image/png;base64," + base64.b64encode(written["png"]).decode()
