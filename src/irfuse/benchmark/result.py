"""What a benchmark found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from irfuse.metrics import METRICS, Direction
from irfuse.metrics.no_reference import PREFIX, load
from irfuse.pairs import Pair
from irfuse.tables import Column


@dataclass(frozen=True)
class Hole:
    """A pair that an entrant failed on, or whose fused image cannot be scored, and why."""

    entrant: str
    pair: str
    reason: str


@dataclass(frozen=True)
class Shares:
    """Where the time went, in seconds, of this run and of earlier ones whose work was used again.

    Attributes:
        fusing: in the methods.
        scoring: from fused images to scores, by `jobs` processes.
        rest: this run's reading, writing and checking.
        jobs: processes that scored.
        used_again: fused images that were there already.
    """

    fusing: float
    scoring: float
    rest: float
    jobs: int
    used_again: int

    def percent(self, seconds: float) -> float:
        """A part of the whole."""
        whole = self.fusing + self.scoring + self.rest
        return 100 * seconds / whole if whole else 0.0


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Attributes:
        data: what the pairs are called.
        citation: whom to cite for them, and their licence, where they are a named set; else empty.
        pairs: in their order.
        entrants: their names, in the order given.
        scores: a row a score: ``entrant``, ``pair``, ``protocol``, ``metric``, ``value``. NaN where it is undefined;
            no row where there is none.
        costs: a row an entrant: ``entrant``, ``kind`` (method, function or guest), ``seconds`` a pair (mean), ``timed``
            (of how many pairs), ``memory`` (peak, bytes), ``parameters``, ``operations`` and ``size``, the image
            width x height that these are of. NaN where it is not known.
        fused: the files of the fused images, by entrant and pair.
        holes: what failed, and why. What a guest's folder lacks is among the remarks.
        trained: (entrant, pair) where an image of the pair is one that the entrant's weights were trained on.
        remarks: what one should know of the data and of the scores.
        shares: where the time went.
        machine: on which the times were measured, in words.
        settings: what else the figures depend on, by name.
    """

    data: str
    citation: str
    pairs: tuple[Pair, ...]
    entrants: tuple[str, ...]
    scores: pd.DataFrame
    costs: pd.DataFrame
    fused: Mapping[tuple[str, str], Path]
    holes: tuple[Hole, ...]
    trained: frozenset[tuple[str, str]]
    remarks: tuple[str, ...]
    shares: Shares
    machine: str
    settings: Mapping[str, str]

    @property
    def protocols(self) -> list[str]:
        """The protocols' names, in the order given."""
        return list(self.scores["protocol"].unique())

    def metrics(self, protocol: str) -> list[str]:
        """The metrics of a protocol, in the order given."""
        return list(self.scores.loc[self.scores["protocol"] == protocol, "metric"].unique())

    def table(self, protocol: str, metric: str) -> pd.DataFrame:
        """The scores of one metric: a row a pair, a column an entrant; NaN where there is none."""
        chosen = self.scores[(self.scores["protocol"] == protocol) & (self.scores["metric"] == metric)]
        table = chosen.pivot(index="pair", columns="entrant", values="value")
        return table.reindex(index=[pair.name for pair in self.pairs], columns=list(self.entrants))


def direction(metric: str) -> Direction:
    """Which values of a metric are better."""
    if metric.startswith(PREFIX):
        return "lower" if getattr(load(metric, torch.device("cpu")), "lower_better", False) else "higher"
    return next(info.direction for info in METRICS if info.name == metric)


def column(metric: str) -> Column:
    """A metric as the head of a table's column.

    >>> column("qabf")
    Column(name='qabf', symbol='Q^AB/F', arrow='↑')
    """
    symbol = next((info.symbol for info in METRICS if info.name == metric), metric)
    return Column(metric, symbol, {"higher": "↑", "lower": "↓", "zero": "→0"}[direction(metric)])
