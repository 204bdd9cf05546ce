"""The result of a benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io.pairs import Pair

EVERY_METHOD = "every method"


@dataclass(frozen=True)
class Failure:
    """A pair that a method could not fuse, or whose fused image could not be scored.

    Attributes:
        method, pair: their names. The method is `EVERY_METHOD` if the pair itself cannot be read.
        reason: the reason, in words.
    """

    method: str
    pair: str
    reason: str


@dataclass(frozen=True)
class Remark:
    """What looks wrong with a pair, or is undefined of its scores, as it was found with one method.

    Attributes:
        method, pair: their names.
        text: the remark, in words.
    """

    method: str
    pair: str
    text: str


@dataclass(frozen=True)
class Shares:
    """The time that the parts of a run took, in seconds.

    Attributes:
        fusing: the time in the methods.
        scoring: the time to score the fused images with `jobs` processes.
        rest: the time to read, write and check.
        jobs: the number of processes that scored.
        fused_again, scored_again: the number of fused images, and of scored ones, taken from earlier runs.
    """

    fusing: float
    scoring: float
    rest: float
    jobs: int
    fused_again: int
    scored_again: int

    def percent(self, seconds: float) -> float:
        """Convert seconds to percent of the whole run."""
        whole = self.fusing + self.scoring + self.rest
        return 100 * seconds / whole if whole else 0.0


@dataclass(frozen=True)
class Result:
    """The result of a benchmark.

    Attributes:
        data: the name of the data.
        citation: the source and the license of a named set; empty for other data.
        pairs: the pairs that can be read, in their order.
        methods: the names of the methods, in the given order: specs, and the names of functions and external methods.
        scores: one row per score: ``method``, ``pair``, ``protocol``, ``metric``, ``value``, ``trained``. The value is
            NaN if the score is undefined. A pair that failed has no row. ``trained`` tells whether the weights of the
            method were trained on an image of the pair.
        costs: one row per method: ``method``, ``kind`` (method, function or external), ``seconds`` (mean per pair),
            ``timed`` (the number of pairs in that mean), ``memory`` (peak in bytes), ``parameters``, ``operations``,
            and ``size`` (width x height of the image that the operations were counted for). Unknown values are NaN.
        fused: the files of the fused images, by method and pair.
        failures: the pairs that failed. Images that an external method's folder lacks are among the remarks.
        thermal: how infrared values became [0, 1].
        remarks: notes on the data and on the scores.
        shares: the time that the parts of the run took.
        machine: the machine that the times were measured on, in words.
        settings: the other settings that the numbers depend on, by name.
    """

    data: str
    citation: str
    pairs: tuple[Pair, ...]
    methods: tuple[str, ...]
    scores: pd.DataFrame
    costs: pd.DataFrame
    fused: Mapping[tuple[str, str], Path]
    failures: tuple[Failure, ...]
    thermal: Levels | Percentiles
    remarks: tuple[str, ...]
    shares: Shares
    machine: str
    settings: Mapping[str, str]

    @property
    def protocols(self) -> list[str]:
        """The names of the protocols, in the given order."""
        return list(self.scores["protocol"].unique())

    def metrics(self, protocol: str) -> list[str]:
        """The metrics of a protocol, in the given order."""
        return list(self.scores.loc[self.scores["protocol"] == protocol, "metric"].unique())

    def trained(self) -> set[tuple[str, str]]:
        """All (method, pair) for which the method's weights were trained on an image of the pair."""
        rows = self.scores[self.scores["trained"]]
        return set(zip(rows["method"], rows["pair"], strict=True))

    def table(self, protocol: str, metric: str) -> pd.DataFrame:
        """The scores of one metric: one row per pair, one column per method; NaN where there is no score."""
        chosen = self.scores[(self.scores["protocol"] == protocol) & (self.scores["metric"] == metric)]
        table = chosen.pivot(index="pair", columns="method", values="value")
        return table.reindex(index=[pair.name for pair in self.pairs], columns=list(self.methods))
