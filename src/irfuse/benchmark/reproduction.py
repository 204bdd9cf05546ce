"""Run a paper's tables, and compare its numbers with irfuse's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from irfuse import datasets
from irfuse.benchmark import plan
from irfuse.benchmark.cache import key
from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ReconstructionTable, printed
from irfuse.benchmark.running import run
from irfuse.device import resolve
from irfuse.errors import DatasetError, PairError, WeightsError
from irfuse.io import images
from irfuse.io.files import make_folder, sha256, user_cache
from irfuse.io.pairs import Pair
from irfuse.io.tables import digits
from irfuse.methods import build
from irfuse.methods.res2netfuse import Res2NetFuse
from irfuse.progress import Progress, silent
from irfuse.training.reading import read_gray
from irfuse.training.validation import reconstruction

_NEAR, _FAR = 0.02, 0.1


@dataclass(frozen=True)
class MeasuredRow:
    """A row of irfuse's numbers.

    Attributes:
        name: what was run, in Markdown.
        of: the paper's row to compare with, as in ``papers.csv``; empty if there is none.
        values: the means by the paper's metrics; NaN if undefined.
        reason: why it could not be run; empty if it was.
        failures: the pairs that the means leave out, with the reasons.
    """

    name: str
    of: str
    values: Mapping[str, float]
    reason: str = ""
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class _How:
    """The settings that are passed on to :func:`irfuse.benchmark.run`."""

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
        Markdown: the paper's rows, irfuse's rows, the differences, and what the paper leaves open.

    Raises:
        IrfuseError: what :func:`irfuse.benchmark.run` raises. Missing data and weights are not an error; the text
            names them in place of the rows.
    """
    folder = user_cache("benchmark") if cache is None else Path(cache)
    how = _How(device, jobs, folder, on_fetch, on_fuse, on_score)
    parts = [f"## {paper.method}", *([_listed(paper.notes)] if paper.notes else [])]
    for table in paper.tables:
        try:
            rows = _rebuilt(table, device) if isinstance(table, ReconstructionTable) else _fused(table, how)
        except (DatasetError, PairError) as error:
            rows = [MeasuredRow("all rows", "", {}, str(error))]
        parts.append(to_markdown(paper.method, table, rows))
    return "\n\n".join(parts) + "\n"


def to_markdown(method: str, table: PaperTable | ReconstructionTable, rows: Sequence[MeasuredRow]) -> str:
    """Format a table: the paper's rows as printed, then irfuse's rows and the differences."""
    numbers = printed(method, table)
    metrics = list(numbers.columns) or list(table.metrics)
    verdicts = []
    lines = [
        "| | " + " | ".join(metrics) + " |",
        "|---|" + "---:|" * len(metrics),
        "| *as irfuse reads it* | " + " | ".join(str(table.metrics.get(metric, "-")) for metric in metrics) + " |",
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
    failures = (f"Failed: {row.name}: {failure}" for row in rows for failure in row.failures)
    notes = [*verdicts, *table.notes, *reasons, *failures]
    return f"{text}\n\n{_listed(notes)}" if notes else text


def _fused(table: PaperTable, how: _How) -> list[MeasuredRow]:
    """Measure the rows of a table on fused images."""
    pairs = _pairs(table, how.cache)
    rows = []
    for ours in table.ours:
        name = _named(ours)
        try:
            (measured,) = _means(table, pairs, how, spec=ours.spec, stretch=ours.stretch)
        except WeightsError as error:
            rows.append(MeasuredRow(name, ours.row, {}, str(error)))
        else:
            rows.append(MeasuredRow(name + measured.counted, ours.row, measured.values, failures=measured.failures))
    if table.external:
        folders = plan.external_folders(str(datasets.folder(table.external) / table.external))
        for measured in _means(table, pairs, how, fused=folders):
            name = f"fused images of {measured.method}{measured.counted}"
            rows.append(MeasuredRow(name, "", measured.values, failures=measured.failures))
    return rows


def _rebuilt(table: ReconstructionTable, device: str) -> list[MeasuredRow]:
    """Measure the rows of a table on reconstructed images."""
    pictures = [read_gray(path) for path in datasets.images(table.images)]
    place = resolve(device)
    rows = []
    for ours in table.ours:
        method = build(ours.spec)
        assert isinstance(method, Res2NetFuse)
        with torch.inference_mode():
            scores = reconstruction(method.network.to(place), pictures, place)
        values = {symbol: scores[metric] for symbol, metric in table.metrics.items()}
        rows.append(MeasuredRow(_named(ours), ours.row, values))
    return rows


def _named(ours: Ours) -> str:
    """Name what is run, and the row of the paper."""
    return f"`{ours.spec}`" + ", stretched" * ours.stretch + (f', for "{ours.row}"' if ours.row else "")


@dataclass(frozen=True)
class _Means:
    """The means of a method.

    Attributes:
        method: the name of the method.
        values: the means by the paper's metrics.
        counted: the number of pairs that all of them are taken over, in words.
        failures: the other pairs, with the reasons.
    """

    method: str
    values: dict[str, float]
    counted: str
    failures: tuple[str, ...]


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
    failures: dict[str, dict[str, None]] = {}
    for protocol in dict.fromkeys(metric.protocol for metric in table.metrics.values()):
        chosen = {symbol: one.metric for symbol, one in table.metrics.items() if one.protocol == protocol}
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
        for failure in result.failures:
            failures.setdefault(failure.method, {})[f"{failure.pair}: {failure.reason}"] = None
        for symbol, metric in chosen.items():
            scores = result.table(protocol, metric)
            for method in result.methods:
                values.setdefault(method, {})[symbol] = float(scores[method].mean())
                counts[method] = min(counts.get(method, len(pairs)), int(scores[method].count()))
    return [
        _Means(method, means, _counted(counts[method], len(pairs)), tuple(failures.get(method, ())))
        for method, means in values.items()
    ]


def _counted(count: int, pairs: int) -> str:
    """Say over how many pairs a mean is taken.

    >>> _counted(21, 21), _counted(20, 21), _counted(1, 1)
    (', 21 pairs', ', 20 of 21 pairs', '')
    """
    if count < pairs:
        return f", {count} of {pairs} pairs"
    return f", {pairs} pairs" if pairs > 1 else ""


def _pairs(table: PaperTable, folder: Path) -> list[Pair]:
    """Find the pairs of a table, and scale them to the size that the table gives, if any."""
    pairs = [pair for pair in datasets.pairs(table.pairs).pairs if not table.only or pair.name in table.only]
    if len(pairs) < len(table.only):
        raise PairError(f"{table.pairs} lacks some of the pairs {', '.join(table.only)}")
    return pairs if table.size is None else [_scaled(pair, table.size, folder) for pair in pairs]


def _scaled(pair: Pair, size: tuple[int, int], folder: Path) -> Pair:
    """Scale the images of a pair by area to (height, width), and keep them in the cache folder."""
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
    """Format a difference.

    >>> _signed(0.01), _signed(-0.00002), _signed(math.nan)
    ('+0.0100', '-2e-05', '-')
    """
    return "-" if math.isnan(difference) else ("-" if difference < 0 else "+") + digits(abs(difference))


def _verdict(values: Mapping[str, tuple[float, float]]) -> str:
    """Say how close the (ours, theirs) of each metric are.

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
