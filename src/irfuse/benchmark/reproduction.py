"""Run a paper's tables again, and put its numbers and ours beside each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from irfuse import datasets, images
from irfuse.benchmark.cache import default_folder, key
from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, printed
from irfuse.benchmark.running import run
from irfuse.errors import PairError, WeightsError
from irfuse.files import make_folder, sha256
from irfuse.pairs import Pair
from irfuse.progress import Progress, silent
from irfuse.tables import digits


@dataclass(frozen=True)
class Row:
    """What irfuse gets for a row of a paper's table.

    Attributes:
        ours: what was run.
        values: means by the paper's metrics; NaN where one is undefined, empty if it could not be run.
        pairs: how many the means are over.
        reason: why it could not be run.
    """

    ours: Ours
    values: Mapping[str, float]
    pairs: int
    reason: str = ""


def reproduce(
    paper: Paper,
    *,
    device: str = "auto",
    jobs: int = 1,
    cache: str | Path | None = None,
    on_fetch: Progress = silent,
    on_fuse: Progress = silent,
    on_score: Progress = silent,
) -> str:
    """Run a paper's tables, and compare.

    Args:
        paper: one of :data:`irfuse.benchmark.papers.PAPERS`.
        device, jobs, cache, on_fetch, on_fuse, on_score: as :func:`irfuse.benchmark.run` takes them.

    Returns:
        Markdown: the paper's rows, ours and the differences, with what the paper leaves open.

    Raises:
        IrfuseError: the data is not there, and what else :func:`irfuse.benchmark.run` raises.
    """
    folder = default_folder() if cache is None else Path(cache)
    parts = [f"## {paper.method}", *([_listed(paper.notes)] if paper.notes else [])]
    for table in paper.tables:
        pairs = _pairs(table, folder)
        rows = []
        for ours in table.ours:
            try:
                values, count = _means(table, ours, pairs, device, jobs, folder, (on_fetch, on_fuse, on_score))
                rows.append(Row(ours, values, count))
            except WeightsError as error:
                rows.append(Row(ours, {}, 0, str(error)))
        parts.append(to_markdown(paper.method, table, rows))
    return "\n\n".join(parts) + "\n"


def to_markdown(method: str, table: PaperTable, rows: Sequence[Row]) -> str:
    """A table of a paper, its rows as they are printed, with irfuse's rows and the differences below."""
    numbers = printed(method, table)
    metrics = list(numbers.columns)
    lines = [
        "| | " + " | ".join(metrics) + " |",
        "|---|" + "---:|" * len(metrics),
        "| *as irfuse reads it* | " + " | ".join(str(table.readings.get(metric, "-")) for metric in metrics) + " |",
    ]
    for name in numbers.index:
        values = [numbers.loc[name, metric] for metric in metrics]
        lines.append(f"| paper: {name} | " + " | ".join("-" if value != value else value for value in values) + " |")
    for row in rows:
        name = f'`{row.ours.spec}`{", stretched" if row.ours.stretch else ""}, for "{row.ours.row}"'
        if row.reason:
            lines.append(f"| irfuse: {name}: not run: {row.reason} |" + " |" * len(metrics))
            continue
        ours = [row.values.get(metric, math.nan) for metric in metrics]
        theirs = [float(numbers.loc[row.ours.row, metric]) for metric in metrics]
        over = f", {row.pairs} pairs" if row.pairs > 1 else ""
        lines.append(f"| irfuse: {name}{over} | " + " | ".join(map(digits, ours)) + " |")
        differences = [_signed(mine - other) for mine, other in zip(ours, theirs, strict=True)]
        lines.append("| difference to the paper | " + " | ".join(differences) + " |")
    text = f"### {table.table}: {table.data}\n\n" + "\n".join(lines)
    return f"{text}\n\n{_listed(table.notes)}" if table.notes else text


def _means(
    table: PaperTable,
    ours: Ours,
    pairs: Sequence[Pair],
    device: str,
    jobs: int,
    folder: Path,
    progress: tuple[Progress, Progress, Progress],
) -> tuple[dict[str, float], int]:
    """The means of what irfuse gets, by the paper's metrics, and over how many pairs they all are."""
    values: dict[str, float] = {}
    counts = []
    for protocol in dict.fromkeys(reading.protocol for reading in table.readings.values()):
        chosen = {symbol: reading.metric for symbol, reading in table.readings.items() if reading.protocol == protocol}
        result = run(
            pairs,
            [ours.spec],
            protocols=[protocol],
            metrics=list(chosen.values()),
            stretch=ours.stretch,
            device=device,
            jobs=jobs,
            cache=folder,
            on_fetch=progress[0],
            on_fuse=progress[1],
            on_score=progress[2],
        )
        for symbol, metric in chosen.items():
            scores = result.table(protocol, metric)[ours.spec].dropna()
            values[symbol] = float(scores.mean())
            counts.append(len(scores))
    return values, min(counts)


def _pairs(table: PaperTable, folder: Path) -> list[Pair]:
    """The pairs that a table is of, scaled if need be."""
    pairs = [pair for pair in datasets.pairs(table.pairs).pairs if not table.only or pair.name in table.only]
    if len(pairs) < len(table.only):
        raise PairError(f"{table.pairs} lacks some of the pairs {', '.join(table.only)}")
    return pairs if table.size is None else [_scaled(pair, table.size, folder) for pair in pairs]


def _scaled(pair: Pair, size: tuple[int, int], folder: Path) -> Pair:
    """A pair whose images are scaled by area to (height, width), kept in the cache's folder."""
    height, width = size
    paths = []
    for path in (pair.ir, pair.vis):
        name = key("scaled", sha256(path), str(size))
        target = folder / "scaled" / name[:2] / f"{name}.png"
        if not target.is_file():
            make_folder(target.parent)
            images.write(target, cv2.resize(images.read(path), (width, height), interpolation=cv2.INTER_AREA))
        paths.append(target)
    return Pair(pair.name, *paths)


def _signed(difference: float) -> str:
    """A difference as it is printed.

    >>> _signed(0.01), _signed(-2.5), _signed(math.nan)
    ('+0.0100', '-2.5000', '-')
    """
    return "-" if math.isnan(difference) else f"{difference:+.4f}"


def _listed(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)
