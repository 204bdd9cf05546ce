"""Whether differences are more than noise: ranks, the tests of Friedman and Nemenyi, and Wilcoxon's with Holm's.

J. Demsar: "Statistical comparisons of classifiers over multiple data sets", Journal of Machine Learning Research 7,
2006, recommends them; here the pairs of images are the data sets. A table has a row a pair and a column an entrant.
Ranks and tests leave out pairs for which an entrant has no score, so that all are compared on the same ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from irfuse.benchmark.result import Result
from irfuse.errors import ParameterError
from irfuse.evaluation.evaluator import direction
from irfuse.metrics import Direction

Values = TypeVar("Values", pd.DataFrame, pd.Series)

LEVEL = 0.05
"""The probability to find a difference where there is none."""


@dataclass(frozen=True)
class Comparison:
    """Entrants compared by their ranks.

    Attributes:
        mean_ranks: by entrant; 1 would be the best on each pair.
        pairs: how many have scores of all entrants.
        p: of Friedman's test, that the entrants do not differ; NaN for fewer than three of them or two pairs.
        difference: the critical one of Nemenyi: mean ranks that differ by less may do so by chance. NaN likewise.
    """

    mean_ranks: pd.Series
    pairs: int
    p: float
    difference: float

    def groups(self) -> list[list[str]]:
        """The largest sets of two entrants or more whose mean ranks differ by no more than the critical difference.

        All are one group where Friedman's test finds no difference.
        """
        ordered = self.mean_ranks.dropna().sort_values()
        if len(ordered) < 2 or math.isnan(self.difference):
            return []
        if not self.p < LEVEL:
            return [list(ordered.index)]
        groups: list[list[str]] = []
        end = 0
        for first, rank in enumerate(ordered):
            last = int((ordered <= rank + self.difference).sum())
            if last > end and last - first > 1:
                groups.append(list(ordered.index[first:last]))
            end = max(end, last)
        return groups


def ranks(table: pd.DataFrame, better: Direction) -> pd.DataFrame:
    """The ranks of the entrants on each pair that all have a score for: 1 is best, equals share the mean of theirs.

    An entrant without any score has no rank, and no say in which pairs these are.

    >>> table = pd.DataFrame({"a": [0.5, 0.7], "b": [0.4, 0.7]}, index=["01", "02"])
    >>> ranks(table, "higher").to_numpy().tolist()
    [[1.0, 2.0], [1.5, 1.5]]
    """
    return _goodness(_whole(table), better).rank(axis=1, ascending=False)


def leaders(table: pd.DataFrame, better: Direction) -> pd.Series:
    """The means of the entrants that have a score on each pair that any has one for, the best first.

    Others are left out: their means are of other pairs. So are NaN.

    >>> leaders(pd.DataFrame({"a": [0.5, 0.7], "b": [0.6, 0.8], "c": [0.9, math.nan]}), "higher").index.to_list()
    ['b', 'a']
    """
    known = table.dropna(how="all").dropna(axis=1)
    means = known.mean().dropna()
    return means[_goodness(means, better).sort_values(ascending=False, kind="stable").index]


def compare(ranked: pd.DataFrame) -> Comparison:
    """Compare entrants by their ranks, or by anything of which less is better."""
    again = ranks(ranked, "lower")
    pairs, entrants = again.shape if len(again.columns) else (0, 0)
    mean_ranks = again.mean() if pairs else pd.Series(math.nan, index=ranked.columns)
    if entrants < 3 or pairs < 2:
        return Comparison(mean_ranks, pairs, math.nan, math.nan)
    equal = (again.nunique(axis=1) == 1).all()
    p = 1.0 if equal else float(stats.friedmanchisquare(*again.to_numpy().T).pvalue)
    return Comparison(mean_ranks, pairs, p, critical_difference(entrants, pairs))


def critical_difference(entrants: int, pairs: int, level: float = LEVEL) -> float:
    """Nemenyi's: mean ranks that differ by at least this are taken to differ.

    The quantile of the studentised range with infinite degrees of freedom over the square root of 2, times
    sqrt(k (k + 1) / (6 n)) for k entrants and n pairs.

    Raises:
        ParameterError: there are fewer than two entrants, or no pair.

    >>> round(critical_difference(4, 14), 3)
    1.254
    """
    if entrants < 2 or pairs < 1:
        raise ParameterError("two entrants and a pair are needed to compare")
    quantile = float(stats.studentized_range.ppf(1 - level, entrants, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(entrants * (entrants + 1) / (6 * pairs))


def wilcoxon(table: pd.DataFrame, better: Direction) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of each two entrants, two-sided, on the pairs that all have a finite score for.

    Returns:
        A row for each two: ``better`` and ``worse`` (by the median of the differences; by the mean where that is zero),
        ``p``, and ``p_holm``, which allows for how many tests there are.
    """
    whole = _goodness(_whole(table), better)
    # The difference of two infinite scores is none.
    whole = whole[np.isfinite(whole).all(axis=1)]
    couples = list(combinations(whole.columns, 2))
    differences = np.array([whole[first] - whole[second] for first, second in couples])
    differences = differences.reshape(len(couples), len(whole))
    p = np.ones(len(couples))
    # SciPy computes exact probabilities only where no difference is zero or equal to another, in all that it is given
    # at once.
    plain = np.array([0 not in one and len(np.unique(np.abs(one))) == len(one) for one in differences], dtype=bool)
    if plain.any() and len(whole):
        p[plain] = stats.wilcoxon(differences[plain], axis=1).pvalue
    for number in np.flatnonzero(~plain & differences.any(axis=1)):
        p[number] = stats.wilcoxon(differences[number]).pvalue
    rows = []
    for (first, second), difference, one in zip(couples, differences, p, strict=True):
        ahead = (np.median(difference) or difference.mean()) if len(difference) else 0.0
        rows.append((first, second, one) if ahead >= 0 else (second, first, one))
    found = pd.DataFrame(rows, columns=["better", "worse", "p"])
    found["p_holm"] = holm(found["p"].to_numpy(dtype=float))
    return found


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p-values of several tests, (N,), adjusted by Holm's step-down method.

    >>> holm(np.array([0.01, 0.04, 0.03, 0.005])).round(3).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def summary(result: Result, protocol: str) -> pd.DataFrame:
    """Per entrant and metric: ``entrant``, ``metric``, ``mean``, ``deviation``, ``count``, ``mean_rank``.

    The mean and the sample deviation are of all pairs that the entrant has a score for, `count` of them; the mean rank
    is of the pairs that all entrants have one for.
    """
    parts = []
    for metric in result.metrics(protocol):
        table = result.table(protocol, metric)
        part = pd.DataFrame(
            {
                "mean": table.mean(),
                "deviation": table.apply(_deviation),
                "count": table.count(),
                "mean_rank": compare(ranks(table, direction(metric))).mean_ranks,
            }
        )
        parts.append(part.reindex(table.columns).rename_axis("entrant").reset_index().assign(metric=metric))
    columns = ["entrant", "metric", "mean", "deviation", "count", "mean_rank"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def comparisons(result: Result, protocol: str) -> dict[str, Comparison]:
    """The comparison of the entrants by each metric."""
    return {
        metric: compare(ranks(result.table(protocol, metric), direction(metric))) for metric in result.metrics(protocol)
    }


def overall(result: Result, protocol: str) -> Comparison:
    """The comparison by all metrics at once: on each pair, entrants are ranked by the mean of their ranks.

    Entrants without any score are left out, and then metrics of which one has none; :func:`ranked` names the others.
    The metrics are not independent of each other, which does not matter here: the pairs are what is counted.
    """
    tables = list(_rank_tables(result, protocol).values())
    present = tables[0].columns if tables else []
    return compare(_mean_over(tables, [entrant for entrant in result.entrants if entrant in present]))


def ranked(result: Result, protocol: str) -> list[str]:
    """The metrics that the comparison by all metrics is of."""
    return list(_rank_tables(result, protocol))


def _rank_tables(result: Result, protocol: str) -> dict[str, pd.DataFrame]:
    """The ranks by each metric that all entrants with scores have one of, on a pair at least."""
    tables = {metric: ranks(result.table(protocol, metric), direction(metric)) for metric in result.metrics(protocol)}
    present = {entrant for table in tables.values() for entrant in table.columns}
    return {metric: table for metric, table in tables.items() if len(table) and set(table.columns) == present}


def _goodness(values: Values, better: Direction) -> Values:
    """Values of which the highest is the best."""
    return values if better == "higher" else -values if better == "lower" else -values.abs()


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """The entrants that have a score at all, on the pairs that each of them has one for."""
    return table.dropna(axis=1, how="all").dropna()


def _mean_over(tables: Sequence[pd.DataFrame], entrants: Sequence[str]) -> pd.DataFrame:
    """The mean of tables, on the pairs that all of them have."""
    if not tables:
        return pd.DataFrame(columns=list(entrants), dtype=float)
    stacked = pd.concat(tables, keys=range(len(tables)))[list(entrants)]
    grouped = stacked.groupby(level=1, sort=False)
    return grouped.mean()[grouped.size() == len(tables)]


def _deviation(scores: pd.Series) -> float:
    values = scores.dropna()
    return float(values.std()) if len(values) > 1 and np.isfinite(values).all() else math.nan
