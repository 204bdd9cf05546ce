"""What a paper is here: data that says what its tables ran, and as what irfuse runs it."""

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
        row: the paper's, as in ``papers.csv``; empty where it gives no numbers.
        spec: of the method.
        stretch: whether each fused image is stretched to the whole range.
    """

    row: str
    spec: str
    stretch: bool = False


@dataclass(frozen=True)
class Reading:
    """A metric as the paper is taken to have computed it.

    Attributes:
        metric, protocol: names.
    """

    metric: str
    protocol: str

    def __str__(self) -> str:
        return f"`{self.metric}` (`{self.protocol}`)"


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    Attributes:
        table, data: as in ``papers.csv``, where it has numbers.
        pairs: the named set that irfuse runs it on.
        readings: by the paper's metrics; one that is left out has no counterpart, and a note says why.
        ours: what irfuse runs.
        only: the names of the pairs; empty for all.
        size: (height, width) to which both images are scaled, by area, first.
        guests: the folder, where data sets lie, with the fused images of methods that are scored, too.
        notes: what the paper leaves open, and how it is taken here.
    """

    table: str
    data: str
    pairs: str
    readings: Mapping[str, Reading]
    ours: tuple[Ours, ...]
    only: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    guests: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReconstructionTable:
    """A table on how well an auto-encoder rebuilds single images.

    Attributes:
        table, data: as in ``papers.csv``.
        images: the named set that irfuse runs it on.
        readings: by the paper's metrics, those of :func:`irfuse.training.validation.reconstruction`.
        ours: the weights that irfuse runs ``res2netfuse`` with.
        notes: what the paper leaves open, and how it is taken here.
    """

    table: str
    data: str
    images: str
    readings: Mapping[str, str]
    ours: tuple[Ours, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paper:
    """A paper's tables.

    Attributes:
        method: which it introduces, as in a spec.
        tables: those that can be run again.
        notes: on all of them, and on those that cannot.
    """

    method: str
    tables: tuple[PaperTable | ReconstructionTable, ...]
    notes: tuple[str, ...] = ()


def printed(method: str, table: PaperTable | ReconstructionTable) -> pd.DataFrame:
    """The numbers of a paper's table as text, as they are printed: its rows by its metrics; empty if it has none."""
    numbers = _numbers()
    chosen = numbers[
        (numbers["method"] == method) & (numbers["table"] == table.table) & (numbers["data"] == table.data)
    ]
    wide = chosen.pivot(index="row", columns="metric", values="value")
    return wide.reindex(index=chosen["row"].unique(), columns=chosen["metric"].unique())


@cache
def _numbers() -> pd.DataFrame:
    return pd.read_csv(_FILE, dtype=str)
