"""Run a paper's tables again, and put its numbers and ours beside each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from irfuse import datasets
from irfuse.benchmark import plan
from irfuse.benchmark.cache import default_folder, key
from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ReconstructionTable, printed
from irfuse.benchmark.running import run
from irfuse.device import resolve
from irfuse.errors import DatasetError, PairError, WeightsError
from irfuse.io import images
from irfuse.io.files import make_folder, sha256
from irfuse.io.pairs import Pair
from irfuse.io.tables import digits
from irfuse.methods import build
from irfuse.methods.res2netfuse import Res2NetFuse
from irfuse.progress import Progress, silent
from irfuse.training.reading import read_grey
from irfuse.training.validation import reconstruction

_NEAR, _FAR = 0.02, 0.1


@dataclass(frozen=True)
class Row:
    """What irfuse gets.

    Attributes:
        name: what was run, in Markdown.
        of: the paper's row that it is compared with, as in ``papers.csv``; empty if none.
        values: means by the paper's metrics; NaN where one is undefined.
        reason: why it could not be run; empty if it was.
        holes: pairs that are not in the means, and why.
    """

    name: str
    of: str
    values: Mapping[str, float]
    reason: str = ""
    holes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _How:
    """How to run, as :func:`irfuse.benchmark.run` takes it."""

    device: str
    jobs: int
    cache: Path
    on_fetch: Progress
    on_fuse: Progress
    on_score: Progress


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
        IrfuseError: what :func:`irfuse.benchmark.run` raises, except that data or weights are not there, which the text
            says where the rows would be.
    """
    folder = default_folder() if cache is None else Path(cache)
    how = _How(device, jobs, folder, on_fetch, on_fuse, on_score)
    parts = [f"## {paper.method}", *([_listed(paper.notes)] if paper.notes else [])]
    for table in paper.tables:
        try:
            rows = _rebuilt(table, device) if isinstance(table, ReconstructionTable) else _fused(table, how)
        except (DatasetError, PairError) as error:
            rows = [Row("all rows", "", {}, str(error))]
        parts.append(to_markdown(paper.method, table, rows))
    return "\n\n".join(parts) + "\n"


def to_markdown(method: str, table: PaperTable | ReconstructionTable, rows: Sequence[Row]) -> str:
    """A table of a paper, its rows as they are printed, with irfuse's rows and the differences below."""
    numbers = printed(method, table)
    metrics = list(numbers.columns) or list(table.readings)
    verdicts = []
    lines = [
        "| | " + " | ".join(metrics) + " |",
        "|---|" + "---:|" * len(metrics),
        "| *as irfuse reads it* | " + " | ".join(str(table.readings.get(metric, "-")) for metric in metrics) + " |",
    ]
    for name in numbers.index:
        values = [numbers.loc[name, metric] for metric in metrics]
        lines.append(f"| paper: {name} | " + " | ".join("-" if value != value else value for value in values) + " |")
    for row in rows:
        if row.reason:
            lines.append(f"| irfuse: {row.name}: not run |" + " |" * len(metrics))
            continue
        ours = [row.values.get(metric, math.nan) for metric in metrics]
        lines.append(f"| irfuse: {row.name} | " + " | ".join(map(digits, ours)) + " |")
        if row.of:
            theirs = [float(numbers.loc[row.of, metric]) for metric in metrics]
            differences = [_signed(mine - other) for mine, other in zip(ours, theirs, strict=True)]
            lines.append("| difference to the paper | " + " | ".join(differences) + " |")
            verdicts.append(f"{row.name}: {_verdict(dict(zip(metrics, zip(ours, theirs, strict=True), strict=True)))}")
    text = f"### {table.table}: {table.data}\n\n" + "\n".join(lines)
    reasons = dict.fromkeys(f"Not run: {row.reason}" for row in rows if row.reason)
    holes = (f"Failed: {row.name}: {hole}" for row in rows for hole in row.holes)
    notes = [*verdicts, *table.notes, *reasons, *holes]
    return f"{text}\n\n{_listed(notes)}" if notes else text


def _fused(table: PaperTable, how: _How) -> list[Row]:
    """The rows of a table on fused images."""
    pairs = _pairs(table, how.cache)
    rows = []
    for ours in table.ours:
        name = _named(ours)
        try:
            (entry,) = _means(table, pairs, how, spec=ours.spec, stretch=ours.stretch)
        except WeightsError as error:
            rows.append(Row(name, ours.row, {}, str(error)))
        else:
            rows.append(Row(name + entry.counted, ours.row, entry.values, holes=entry.holes))
    if table.guests:
        guests = plan.guests(str(datasets.folder(table.guests) / table.guests))
        for entry in _means(table, pairs, how, fused=guests):
            rows.append(Row(f"fused images of {entry.entrant}{entry.counted}", "", entry.values, holes=entry.holes))
    return rows


def _rebuilt(table: ReconstructionTable, device: str) -> list[Row]:
    """The rows of a table on rebuilt images."""
    pictures = [read_grey(path) for path in datasets.images(table.images)]
    place = resolve(device)
    rows = []
    for ours in table.ours:
        method = build(ours.spec)
        assert isinstance(method, Res2NetFuse)
        with torch.inference_mode():
            scores = reconstruction(method.network.to(place), pictures, place)
        values = {symbol: scores[metric] for symbol, metric in table.readings.items()}
        rows.append(Row(_named(ours), ours.row, values))
    return rows


def _named(ours: Ours) -> str:
    """What is run, and for which row of the paper."""
    return f"`{ours.spec}`" + ", stretched" * ours.stretch + (f', for "{ours.row}"' if ours.row else "")


@dataclass(frozen=True)
class _Means:
    """What an entrant gets.

    Attributes:
        entrant: its name.
        values: its means by the paper's metrics.
        counted: over how many of the pairs they all are, in words.
        holes: the other pairs, and why.
    """

    entrant: str
    values: dict[str, float]
    counted: str
    holes: tuple[str, ...]


def _means(
    table: PaperTable,
    pairs: Sequence[Pair],
    how: _How,
    *,
    spec: str = "",
    fused: Mapping[str, Path] | None = None,
    stretch: bool = False,
) -> list[_Means]:
    values: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    holes: dict[str, dict[str, None]] = {}
    for protocol in dict.fromkeys(reading.protocol for reading in table.readings.values()):
        chosen = {symbol: reading.metric for symbol, reading in table.readings.items() if reading.protocol == protocol}
        result = run(
            pairs,
            [spec] if spec else [],
            fused=fused,
            protocols=[protocol],
            metrics=list(chosen.values()),
            stretch=stretch,
            device=how.device,
            jobs=how.jobs,
            cache=how.cache,
            on_fetch=how.on_fetch,
            on_fuse=how.on_fuse,
            on_score=how.on_score,
        )
        for hole in result.holes:
            holes.setdefault(hole.entrant, {})[f"{hole.pair}: {hole.reason}"] = None
        for symbol, metric in chosen.items():
            scores = result.table(protocol, metric)
            for entrant in result.entrants:
                values.setdefault(entrant, {})[symbol] = float(scores[entrant].mean())
                counts[entrant] = min(counts.get(entrant, len(pairs)), int(scores[entrant].count()))
    return [
        _Means(entrant, means, _counted(counts[entrant], len(pairs)), tuple(holes.get(entrant, ())))
        for entrant, means in values.items()
    ]


def _counted(count: int, pairs: int) -> str:
    """Over how many pairs a mean is.

    >>> _counted(21, 21), _counted(20, 21), _counted(1, 1)
    (', 21 pairs', ', 20 of 21 pairs', '')
    """
    if count < pairs:
        return f", {count} of {pairs} pairs"
    return f", {pairs} pairs" if pairs > 1 else ""


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

    >>> _signed(0.01), _signed(-0.00002), _signed(math.nan)
    ('+0.0100', '-2e-05', '-')
    """
    return "-" if math.isnan(difference) else ("-" if difference < 0 else "+") + digits(abs(difference))


def _verdict(values: Mapping[str, tuple[float, float]]) -> str:
    """How near each metric's (ours, theirs) are, in words.

    >>> _verdict({"Q": (0.81, 0.8), "SD": (40.0, 48.0), "SF": (11.0, 12.0), "Qe": (math.nan, 0.7)})
    'within 2 % of the paper: Q; within 10 %: SF; further away: SD (-17 %)'
    """
    apart = {name: ours / theirs - 1 for name, (ours, theirs) in values.items() if not math.isnan(ours)}
    parts = {
        "within 2 % of the paper": [name for name, share in apart.items() if abs(share) <= _NEAR],
        "within 10 %": [name for name, share in apart.items() if _NEAR < abs(share) <= _FAR],
        "further away": [
            f"{name} ({share:+.0%})".replace("%", " %") for name, share in apart.items() if abs(share) > _FAR
        ],
    }
    return "; ".join(f"{words}: {', '.join(names)}" for words, names in parts.items() if names)


def _listed(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)
