"""The main table of a benchmark as LaTeX and Markdown: methods by metrics."""

import math
import re
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from irfuse.benchmark import statistics
from irfuse.benchmark.result import Result
from irfuse.evaluation.evaluator import column, direction
from irfuse.io.tables import ARROWS_IN_LATEX, Column, digits, escaped, in_latex

_AT_ONCE = 6
"""The number of metrics that fit side by side on a page."""
Mark = Literal["best", "second", ""]


@dataclass(frozen=True)
class Cell:
    """The scores of one method by one metric, as printed.

    Attributes:
        mean, deviation: the mean and the standard deviation over the pairs.
        mark: whether the mean is the best or second best of :func:`irfuse.benchmark.statistics.leaders`.
        count: the number of pairs in parentheses; empty if it is that of all pairs.
    """

    mean: str
    deviation: str
    mark: Mark = ""
    count: str = ""


@dataclass(frozen=True)
class Row:
    """The scores of one method.

    Attributes:
        method: the name of the method.
        trained: whether its weights were trained on some of the pairs.
        cells: one cell per metric.
        rank: the overall rank, as printed; see :func:`irfuse.benchmark.statistics.overall`.
    """

    method: str
    trained: bool
    cells: tuple[Cell, ...]
    rank: str


@dataclass(frozen=True)
class Grid:
    """A table of methods by metrics.

    Attributes:
        protocol: the protocol of the scores.
        pairs: the number of pairs.
        columns, rows: the metrics, and the methods by their overall rank.
        unranked: the metrics that the overall rank leaves out.
        compared: the number of pairs that the overall rank is taken over.
    """

    protocol: str
    pairs: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    unranked: tuple[str, ...]
    compared: int

    def notes(self) -> list[str]:
        """The notes that explain the table."""
        notes = [
            f"Mean and standard deviation over {self.pairs} pairs, protocol {self.protocol}. The best and the second "
            "best mean are marked.",
            "Overall rank: on each pair, the methods are ranked again by the mean of their ranks by each metric. The "
            f"table gives the mean over the {self.compared} pairs that all methods have scores for, and is sorted by "
            "it.",
        ]
        if any(cell.count for row in self.rows for cell in row.cells):
            notes.append("In parentheses: the number of pairs, if not all. Means over fewer pairs are not marked.")
        if self.unranked:
            notes.append(f"The overall rank leaves out metrics that not all methods have: {', '.join(self.unranked)}.")
        if any(row.trained for row in self.rows):
            notes.append("† Trained on some of these pairs.")
        return notes


def make(result: Result, protocol: str) -> Grid:
    """Make the table of one protocol."""
    metrics = result.metrics(protocol)
    summary = statistics.summary(result, protocol)
    cells = {
        metric: _cells(
            summary[summary["metric"] == metric].set_index("method"),
            statistics.leaders(result.table(protocol, metric), direction(metric)),
            len(result.pairs),
        )
        for metric in metrics
    }
    overall = statistics.overall(result, protocol)
    ranked = statistics.ranked(result, protocol)
    trained = {method for method, _ in result.trained()}
    ranks = overall.mean_ranks.reindex(list(result.methods)).fillna(math.inf).to_dict()
    rows = tuple(
        Row(
            method,
            method in trained,
            tuple(cells[metric][method] for metric in metrics),
            f"{ranks[method]:.2f}" if math.isfinite(ranks[method]) else "-",
        )
        for method in sorted(result.methods, key=lambda method: ranks[method])
    )
    unranked = tuple(metric for metric in metrics if metric not in ranked)
    return Grid(protocol, len(result.pairs), tuple(map(column, metrics)), rows, unranked, overall.pairs)


def to_latex(grid: Grid) -> str:
    """Format the table for the LaTeX package booktabs: best bold, second underlined; many metrics in several tables."""
    parts = []
    for start in range(0, len(grid.columns), _AT_ONCE):
        shown = slice(start, start + _AT_ONCE)
        last = start + _AT_ONCE >= len(grid.columns)
        heads = [f"{in_latex(column.symbol)} {ARROWS_IN_LATEX[column.arrow]}" for column in grid.columns[shown]]
        lines = [r"\begin{tabular}{l" + "r" * (len(heads) + last) + "}", r"\toprule"]
        lines += [" & ".join(["Method", *heads, *["Overall rank"] * last]) + r" \\", r"\midrule"]
        for row in grid.rows:
            name = escaped(row.method) + r"$^\dagger$" * row.trained
            lines.append(" & ".join([name, *map(_cell_in_latex, row.cells[shown]), *[row.rank] * last]) + r" \\")
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    notes = "\n".join(f"% {note.replace('†', 'dagger:')}" for note in grid.notes())
    return f"{notes}\n" + "\n\n".join(parts) + "\n"


def to_markdown(grid: Grid) -> str:
    """Format the table as Markdown: best bold, second in italics."""
    heads = [f"`{column.name}` {column.arrow}" for column in grid.columns]
    lines = ["| method | " + " | ".join([*heads, "overall rank"]) + " |", "|---|" + "---:|" * (len(heads) + 1)]
    for row in grid.rows:
        cells = " | ".join([*map(_in_markdown, row.cells), row.rank])
        lines.append(f"| {_code(row.method)}{' †' * row.trained} | {cells} |")
    return "\n".join([*lines, "", *grid.notes()]) + "\n"


def _cells(summary: pd.DataFrame, leaders: pd.Series, pairs: int) -> dict[str, Cell]:
    """The cells of one metric by method."""
    # Equal as printed means equally marked. A single mean is not marked.
    distinct = list(dict.fromkeys(map(digits, leaders))) if len(leaders) > 1 else []
    marks: dict[str, Mark] = dict(zip(distinct, ("best", "second"), strict=False))
    cells = {}
    for method, row in summary.iterrows():
        mean = digits(row["mean"])
        mark = marks.get(mean, "") if method in leaders.index else ""
        count = "" if row["count"] == pairs else f"({row['count']})"
        cells[str(method)] = Cell(mean, digits(row["deviation"]), mark, count)
    return cells


def _cell_in_latex(cell: Cell) -> str:
    mean = cell.mean.replace("inf", r"$\infty$")
    command = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}[cell.mark]
    deviation = "" if cell.deviation == "-" else rf"\,{{\scriptsize$\pm${cell.deviation}}}"
    return command % mean + deviation + f"~{cell.count}" * bool(cell.count)


def _in_markdown(cell: Cell) -> str:
    mark = {"best": "**", "second": "*", "": ""}[cell.mark]
    deviation = "" if cell.deviation == "-" else f" ± {cell.deviation}"
    return f"{mark}{cell.mean}{mark}{deviation}" + f" {cell.count}" * bool(cell.count)


def _code(name: str) -> str:
    """A name as code of Markdown, in a table.

    >>> _code("a|b")
    '`a\\\\|b`'
    """
    ticks = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    pad = " " if "`" in name else ""
    return f"{ticks}{pad}{name}{pad}{ticks}".replace("|", r"\|")
