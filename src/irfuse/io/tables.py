"""Scores as tables for a spreadsheet, a program or a paper."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

ARROWS = {"higher": "↑", "lower": "↓", "zero": "→0"}
"""The direction of better values."""
ARROWS_IN_LATEX = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "→0": r"$\to 0$"}
_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


@dataclass(frozen=True)
class Column:
    """A metric as a column of a table: its name, its symbol in papers, and an arrow toward better values."""

    name: str
    symbol: str
    arrow: str


@dataclass(frozen=True)
class Table:
    """Scores by image and metric.

    Attributes:
        protocol: the name of the protocol that they were computed with.
        columns: the metrics.
        rows: for each image's name, the scores by the metrics' names; NaN where a score is undefined.
    """

    protocol: str
    columns: Sequence[Column]
    rows: Mapping[str, Mapping[str, float]]

    def defined(self, metric: str) -> dict[str, float]:
        """Return the defined scores of a metric by image."""
        return {name: row[metric] for name, row in self.rows.items() if not math.isnan(row[metric])}

    def remark(self, metric: str) -> str:
        """Say how many images have a defined score, if not all do."""
        count = len(self.defined(metric))
        return "" if count == len(self.rows) else f" ({count} of {len(self.rows)})"

    def mean(self, metric: str) -> float:
        """Return the mean of the defined scores; NaN if there is none."""
        values = self.defined(metric).values()
        return fmean(values) if values else math.nan

    def deviation(self, metric: str) -> float:
        """Return the sample standard deviation over the images; NaN for fewer than two, or if a score is infinite."""
        values = list(self.defined(metric).values())
        return stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan


def digits(value: float) -> str:
    """Format a number as tables print it.

    >>> digits(0.123456), digits(1234.5678), digits(math.nan), digits(math.inf)
    ('0.1235', '1234.6', '-', 'inf')
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1000 or value == 0 else f"{value:.5g}"


def to_csv(table: Table) -> str:
    """Write one line per image with all digits. An undefined score is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *(column.name for column in table.columns)])
    for name, row in table.rows.items():
        values = (row[column.name] for column in table.columns)
        writer.writerow([name, *("" if math.isnan(value) else repr(value) for value in values)])
    return text.getvalue()


def to_json(table: Table) -> str:
    """Write the protocol, the scores by image and metric, and their means. Undefined and infinite values are null."""
    content = {
        "protocol": table.protocol,
        "images": {name: {metric: _number(value) for metric, value in row.items()} for name, row in table.rows.items()},
        "mean": {column.name: _number(table.mean(column.name)) for column in table.columns},
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def to_markdown(table: Table) -> str:
    """Write one line per metric: the mean, and the deviation if there are several images."""
    several = len(table.rows) > 1
    lines = [f"| {table.protocol} | mean | deviation |" if several else f"| {table.protocol} | score |"]
    lines.append("|---|" + "---:|" * (2 if several else 1))
    for column in table.columns:
        values = [table.mean(column.name), *[table.deviation(column.name)] * several]
        lines.append(
            f"| `{column.name}` {column.arrow}{table.remark(column.name)} | " + " | ".join(map(digits, values)) + " |"
        )
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """Write the table of :func:`to_markdown` in LaTeX, with the package booktabs."""
    several = len(table.rows) > 1
    head = "Mean & Deviation" if several else "Score"
    lines = [r"\begin{tabular}{l" + "r" * (2 if several else 1) + "}", r"\toprule"]
    lines += [f"Metric ({table.protocol}) & {head} " + r"\\", r"\midrule"]
    for column in table.columns:
        values = [table.mean(column.name), *[table.deviation(column.name)] * several]
        numbers = [r"$\infty$" if value == math.inf else digits(value) for value in values]
        lines.append(
            " & ".join(
                [f"{in_latex(column.symbol)} {ARROWS_IN_LATEX[column.arrow]}{table.remark(column.name)}", *numbers]
            )
            + r" \\"
        )
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def formula(symbol: str) -> str:
    """Write a metric's symbol with TeX's subscripts and superscripts. Symbols without them, and pyiqa's, stay as is.

    >>> formula("Q^AB/F"), formula("SSIM"), formula("pyiqa:a_b")
    ('$\\\\mathrm{Q}^{\\\\mathrm{AB/F}}$', 'SSIM', 'pyiqa:a_b')
    """
    for mark in ("_", "^") if ":" not in symbol else ():
        base, found, script = symbol.partition(mark)
        if found:
            return rf"$\mathrm{{{base}}}{mark}{{\mathrm{{{script}}}}}$"
    return symbol


def in_latex(symbol: str) -> str:
    """Write a metric's symbol for LaTeX.

    >>> in_latex("Q_W"), in_latex("pyiqa:a_b")
    ('$\\\\mathrm{Q}_{\\\\mathrm{W}}$', 'pyiqa:a\\\\_b')
    """
    written = formula(symbol)
    return escaped(symbol) if written == symbol else written


def escaped(text: str) -> str:
    """Escape the characters that LaTeX would take for commands.

    >>> escaped("50 %, a_b")
    '50 \\\\%, a\\\\_b'
    """
    return text.translate(_SPECIAL)
