"""The main table of a benchmark, entrants by metrics, as LaTeX and Markdown."""

import math
import re
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from irfuse.benchmark import statistics
from irfuse.benchmark.result import Result, column, direction
from irfuse.tables import Column, digits, in_latex

_AT_ONCE = 6
"""Metrics that fit beside each other on a page."""
_ARROWS = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "→0": r"$\to 0$"}
_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)

Mark = Literal["best", "second", ""]


@dataclass(frozen=True)
class Cell:
    """The scores of one entrant by one metric, as printed.

    Attributes:
        mean, deviation: over the pairs.
        mark: whether the mean is the best or the second of those over all pairs. What prints alike is alike.
        count: of how many pairs, where not of all.
    """

    mean: str
    deviation: str
    mark: Mark = ""
    count: str = ""


@dataclass(frozen=True)
class Row:
    """The scores of one entrant.

    Attributes:
        entrant: its name.
        trained: whether its weights were trained on some of the pairs.
        cells: one a metric.
        rank: the mean rank over all metrics, as printed.
    """

    entrant: str
    trained: bool
    cells: tuple[Cell, ...]
    rank: str


@dataclass(frozen=True)
class Grid:
    """Entrants by metrics."""

    protocol: str
    pairs: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def notes(self) -> list[str]:
        """What one must know to read the table."""
        notes = [
            f"Mean and standard deviation over {self.pairs} pairs, protocol {self.protocol}; the best mean and the "
            "second are marked, and the last column is the mean rank over all metrics."
        ]
        if any(cell.count for row in self.rows for cell in row.cells):
            notes.append("In parentheses: of how many pairs, where not of all; such a mean is never marked.")
        if any(row.trained for row in self.rows):
            notes.append("† Trained on some of these pairs.")
        return notes


def make(result: Result, protocol: str) -> Grid:
    """The table of one protocol."""
    metrics = result.metrics(protocol)
    summary = statistics.summary(result, protocol)
    cells = {
        metric: _cells(summary[summary["metric"] == metric].set_index("entrant"), metric, len(result.pairs))
        for metric in metrics
    }
    ranks = statistics.overall(result, protocol).mean_ranks
    trained = {entrant for entrant, _ in result.trained}
    rows = tuple(
        Row(
            entrant,
            entrant in trained,
            tuple(cells[metric][entrant] for metric in metrics),
            "-" if math.isnan(rank := ranks.get(entrant, math.nan)) else f"{rank:.2f}",
        )
        for entrant in result.entrants
    )
    return Grid(protocol, len(result.pairs), tuple(map(column, metrics)), rows)


def to_latex(grid: Grid) -> str:
    """For the package booktabs: the best bold, the second underlined. Many metrics are split over several tables."""
    parts = []
    for start in range(0, len(grid.columns), _AT_ONCE):
        shown = slice(start, start + _AT_ONCE)
        last = start + _AT_ONCE >= len(grid.columns)
        heads = [f"{_symbol(column.symbol)} {_ARROWS[column.arrow]}" for column in grid.columns[shown]]
        lines = [r"\begin{tabular}{l" + "r" * (len(heads) + last) + "}", r"\toprule"]
        lines += [" & ".join(["Method", *heads, *["Rank"] * last]) + r" \\", r"\midrule"]
        for row in grid.rows:
            name = row.entrant.translate(_SPECIAL) + r"$^\dagger$" * row.trained
            lines.append(" & ".join([name, *map(_in_latex, row.cells[shown]), *[row.rank] * last]) + r" \\")
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    notes = "\n".join(f"% {note.replace('†', 'dagger:')}" for note in grid.notes())
    return f"{notes}\n" + "\n\n".join(parts) + "\n"


def to_markdown(grid: Grid) -> str:
    """The best bold, the second in italics."""
    heads = [f"`{column.name}` {column.arrow}" for column in grid.columns]
    lines = ["| method | " + " | ".join([*heads, "rank"]) + " |", "|---|" + "---:|" * (len(heads) + 1)]
    for row in grid.rows:
        cells = " | ".join([*map(_in_markdown, row.cells), row.rank])
        lines.append(f"| {_code(row.entrant)}{' †' * row.trained} | {cells} |")
    return "\n".join([*lines, "", *grid.notes()]) + "\n"


def _cells(summary: pd.DataFrame, metric: str, pairs: int) -> dict[str, Cell]:
    """The cells of one metric by entrant."""
    printed = {entrant: digits(mean) for entrant, mean in summary["mean"].items()}
    marks = _marks(summary.loc[summary["count"] == pairs, "mean"], metric)
    return {
        entrant: Cell(
            printed[entrant],
            digits(summary.loc[entrant, "deviation"]),
            marks.get(printed[entrant], "") if summary.loc[entrant, "count"] == pairs else "",
            "" if summary.loc[entrant, "count"] == pairs else f"({summary.loc[entrant, 'count']})",
        )
        for entrant in printed
    }


def _marks(means: pd.Series, metric: str) -> dict[str, Mark]:
    """The printed means that are the best and the second; none where there is nothing to compare."""
    if len(means) < 2:
        return {}
    better = direction(metric)
    ordered = means.abs().sort_values() if better == "zero" else means.sort_values(ascending=better == "lower")
    # Once each, in their order.
    distinct = list(dict.fromkeys(digits(means[entrant]) for entrant in ordered.index))
    marks: tuple[Mark, ...] = ("best", "second")
    return dict(zip(distinct, marks, strict=False))


def _in_latex(cell: Cell) -> str:
    mean = cell.mean.replace("inf", r"$\infty$")
    command = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}[cell.mark]
    deviation = "" if cell.deviation == "-" else rf"\,{{\scriptsize$\pm${cell.deviation}}}"
    return command % mean + deviation + f"~{cell.count}" * bool(cell.count)


def _in_markdown(cell: Cell) -> str:
    mark = {"best": "**", "second": "*", "": ""}[cell.mark]
    deviation = "" if cell.deviation == "-" else f" ± {cell.deviation}"
    return f"{mark}{cell.mean}{mark}{deviation}" + f" {cell.count}" * bool(cell.count)


def _symbol(symbol: str) -> str:
    """A metric's symbol; what is not one of irfuse's may hold anything.

    >>> _symbol("Q_W"), _symbol("pyiqa:a_b")
    ('$\\\\mathrm{Q}_{\\\\mathrm{W}}$', 'pyiqa:a\\\\_b')
    """
    return symbol.translate(_SPECIAL) if ":" in symbol else in_latex(symbol)


def _code(name: str) -> str:
    """A name as code of Markdown, in a table.

    >>> _code("a|b")
    '`a\\\\|b`'
    """
    ticks = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    pad = " " if "`" in name else ""
    return f"{ticks}{pad}{name}{pad}{ticks}".replace("|", r"\|")
