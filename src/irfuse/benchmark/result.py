"""What a benchmark found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io.pairs import Pair


@dataclass(frozen=True)
class Hole:
    """A pair that an entrant failed on, or whose fused image cannot be scored, and why."""

    entrant: str
    pair: str
    reason: str


@dataclass(frozen=True)
class Shares:
    """Where the time of this run went, in seconds.

    Attributes:
        fusing: in the methods.
        scoring: from fused images to scores, by `jobs` processes.
        rest: reading, writing and checking.
        jobs: processes that scored.
        fused_again, scored_again: fused images, and scored ones, that were there from earlier runs.
    """

    fusing: float
    scoring: float
    rest: float
    jobs: int
    fused_again: int
    scored_again: int

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
        scores: a row a score: ``entrant``, ``pair``, ``protocol``, ``metric``, ``value``, ``trained``. The value is NaN
            where it is undefined; there is no row where there is no score. ``trained`` says whether an image of the
            pair is one that the entrant's weights were trained on.
        costs: a row an entrant: ``entrant``, ``kind`` (method, function or guest), ``seconds`` a pair (mean), ``timed``
            (of how many pairs), ``memory`` (peak, bytes), ``parameters``, ``operations`` and ``size``, the image
            width x height that these are of. NaN where it is not known.
        fused: the files of the fused images, by entrant and pair.
        holes: what failed, and why. What a guest's folder lacks is among the remarks.
        thermal: how infrared values became [0, 1].
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
    thermal: Levels | Percentiles
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

    def trained(self) -> set[tuple[str, str]]:
        """(entrant, pair) where the entrant's weights were trained on an image of the pair."""
        rows = self.scores[self.scores["trained"]]
        return set(zip(rows["entrant"], rows["pair"], strict=True))

    def table(self, protocol: str, metric: str) -> pd.DataFrame:
        """The scores of one metric: a row a pair, a column an entrant; NaN where there is none."""
        chosen = self.scores[(self.scores["protocol"] == protocol) & (self.scores["metric"] == metric)]
        table = chosen.pivot(index="pair", columns="entrant", values="value")
        return table.reindex(index=[pair.name for pair in self.pairs], columns=list(self.entrants))
