"""Papers as data: what their tables ran, and how irfuse runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

_FILE = Path(__file__).parent / "papers.csv"


@dataclass(frozen=True)
class Ours:
    """What irfuse runs for a row of a paper's table.

    Attributes:
        row: the name of the paper's row, as in ``papers.csv``; empty if the paper gives no numbers.
        spec: the spec of the method.
        stretch: whether each fused image is stretched to the full range.
    """

    row: str
    spec: str
    stretch: bool = False


@dataclass(frozen=True)
class ProtocolMetric:
    """A metric as irfuse assumes that the paper computed it.

    Attributes:
        metric, protocol: the names of the metric and of the protocol.
    """

    metric: str
    protocol: str

    def __str__(self) -> str:
        return f"`{self.metric}` (`{self.protocol}`)"


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    Attributes:
        table, data: the names of the table and of its data, as in ``papers.csv``.
        pairs: the named set that irfuse runs it on.
        metrics: irfuse's metrics by the paper's metrics. A note explains each one that has no counterpart.
        ours: what irfuse runs.
        only: the names of the pairs; empty for all pairs of the set.
        size: (height, width) to which both images are first scaled by area.
        external: the folder among the data sets with the fused images of other methods that are also scored.
        notes: what the paper leaves open, and what irfuse assumes.
    """

    table: str
    data: str
    pairs: str
    metrics: Mapping[str, ProtocolMetric]
    ours: tuple[Ours, ...]
    only: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    external: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReconstructionTable:
    """A table of how well an auto-encoder reconstructs single images.

    Attributes:
        table, data: the names of the table and of its data, as in ``papers.csv``.
        images: the named set that irfuse runs it on.
        metrics: the scores of :func:`irfuse.training.validation.reconstruction` by the paper's metrics.
        ours: the specs of ``res2netfuse`` that irfuse runs.
        notes: what the paper leaves open, and what irfuse assumes.
    """

    table: str
    data: str
    images: str
    metrics: Mapping[str, str]
    ours: tuple[Ours, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paper:
    """The tables of a paper.

    Attributes:
        method: the name of the method that the paper introduces.
        tables: the tables that can be run.
        notes: notes on all tables, and on those that cannot be run.
    """

    method: str
    tables: tuple[PaperTable | ReconstructionTable, ...]
    notes: tuple[str, ...] = ()


def printed(method: str, table: PaperTable | ReconstructionTable) -> pd.DataFrame:
    """The numbers of a paper's table as printed, as text: its rows by its metrics; empty if it gives none."""
    numbers = _numbers()
    chosen = numbers[
        (numbers["method"] == method) & (numbers["table"] == table.table) & (numbers["data"] == table.data)
    ]
    wide = chosen.pivot(index="row", columns="metric", values="value")
    return wide.reindex(index=chosen["row"].unique(), columns=chosen["metric"].unique())


@cache
def _numbers() -> pd.DataFrame:
    return pd.read_csv(_FILE, dtype=str)
