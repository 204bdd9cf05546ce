"""Tests whether differences are more than noise: ranks, Friedman and Nemenyi, and Wilcoxon with Holm.

J. Demsar: "Statistical comparisons of classifiers over multiple data sets", Journal of Machine Learning Research 7,
2006, recommends these tests. The pairs of images take the role of the data sets. A table has one row per pair and one
column per method. Ranks and tests leave out pairs that a method has no score for, so that all methods are compared on
the same pairs.
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
"""The significance level: the probability of finding a difference where there is none."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of methods by their ranks.

    Attributes:
        mean_ranks: the mean rank of each method; 1 is the best on every pair.
        pairs: the number of pairs that all methods have scores for.
        p: the p-value of Friedman's test; NaN for fewer than three methods or two pairs.
        difference: Nemenyi's critical difference of mean ranks; smaller differences may be chance. NaN if `p` is NaN.
    """

    mean_ranks: pd.Series
    pairs: int
    p: float
    difference: float

    def groups(self) -> list[list[str]]:
        """The largest sets of at least two methods whose mean ranks differ by no more than the critical difference.

        If Friedman's test finds no difference, all methods are one group.
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
    """Rank the methods on each pair that all of them have scores for. 1 is best; equal scores share their mean rank.

    A method without any score gets no rank and does not affect which pairs are ranked.

    >>> table = pd.DataFrame({"a": [0.5, 0.7], "b": [0.4, 0.7]}, index=["01", "02"])
    >>> ranks(table, "higher").to_numpy().tolist()
    [[1.0, 2.0], [1.5, 1.5]]
    """
    return _goodness(_whole(table), better).rank(axis=1, ascending=False)


def leaders(table: pd.DataFrame, better: Direction) -> pd.Series:
    """The means of the methods that have scores on all scored pairs, the best first.

    Other methods are left out, since their means are over other pairs. NaN are left out as well.

    >>> leaders(pd.DataFrame({"a": [0.5, 0.7], "b": [0.6, 0.8], "c": [0.9, math.nan]}), "higher").index.to_list()
    ['b', 'a']
    """
    known = table.dropna(how="all").dropna(axis=1)
    means = known.mean().dropna()
    return means[_goodness(means, better).sort_values(ascending=False, kind="stable").index]


def compare(ranked: pd.DataFrame) -> Comparison:
    """Compare methods by their ranks, or by other values of which lower is better."""
    again = ranks(ranked, "lower")
    pairs, methods = again.shape if len(again.columns) else (0, 0)
    mean_ranks = again.mean() if pairs else pd.Series(math.nan, index=ranked.columns)
    if methods < 3 or pairs < 2:
        return Comparison(mean_ranks, pairs, math.nan, math.nan)
    equal = (again.nunique(axis=1) == 1).all()
    p = 1.0 if equal else float(stats.friedmanchisquare(*again.to_numpy().T).pvalue)
    return Comparison(mean_ranks, pairs, p, critical_difference(methods, pairs))


def critical_difference(methods: int, pairs: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference: mean ranks that differ by at least this much differ significantly.

    It is the quantile of the studentized range with infinite degrees of freedom, divided by the square root of 2 and
    multiplied by sqrt(k (k + 1) / (6 n)) for k methods and n pairs.

    Raises:
        ParameterError: there are fewer than two methods, or there is no pair.

    >>> round(critical_difference(4, 14), 3)
    1.254
    """
    if methods < 2 or pairs < 1:
        raise ParameterError("a comparison needs two methods and one pair")
    quantile = float(stats.studentized_range.ppf(1 - level, methods, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * pairs))


def wilcoxon(table: pd.DataFrame, better: Direction) -> pd.DataFrame:
    """Test each two methods by Wilcoxon's two-sided signed-rank test, on the pairs that all have finite scores for.

    Returns:
        One row per two methods: ``better`` and ``worse`` (by the median of the differences, or by their mean if the
        median is zero), ``p``, and ``p_holm``, which is adjusted for the number of tests.
    """
    whole = _goodness(_whole(table), better)
    # Two infinite scores have no difference.
    whole = whole[np.isfinite(whole).all(axis=1)]
    couples = list(combinations(whole.columns, 2))
    differences = np.array([whole[first] - whole[second] for first, second in couples])
    differences = differences.reshape(len(couples), len(whole))
    p = np.ones(len(couples))
    # SciPy computes exact probabilities only if no difference in its whole argument is zero or equal to another one.
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
    """Adjust the p-values of several tests, (N,), by Holm's step-down method.

    >>> holm(np.array([0.01, 0.04, 0.03, 0.005])).round(3).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def summary(result: Result, protocol: str) -> pd.DataFrame:
    """Summarize the scores: ``method``, ``metric``, ``mean``, ``deviation``, ``count``, ``mean_rank``.

    The mean and the sample deviation are over the `count` pairs that the method has scores for. The mean rank is over
    the pairs that all methods have scores for.
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
        parts.append(part.reindex(table.columns).rename_axis("method").reset_index().assign(metric=metric))
    columns = ["method", "metric", "mean", "deviation", "count", "mean_rank"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def comparisons(result: Result, protocol: str) -> dict[str, Comparison]:
    """Compare the methods by each metric."""
    return {
        metric: compare(ranks(result.table(protocol, metric), direction(metric))) for metric in result.metrics(protocol)
    }


def overall(result: Result, protocol: str) -> Comparison:
    """Compare the methods by their overall ranks: on each pair, they are ranked again by the mean of their ranks.

    The overall rank of a method is the mean of these new ranks. It is not the mean of the ranks by each metric, which
    lies closer to the middle, but the tests of Friedman and Nemenyi need ranks.

    Methods without any score are left out, and so are metrics that a remaining method has no score for. :func:`ranked`
    lists the remaining metrics. The metrics may depend on each other, since the tests count only pairs.
    """
    tables = list(_rank_tables(result, protocol).values())
    present = tables[0].columns if tables else []
    return compare(_mean_over(tables, [method for method in result.methods if method in present]))


def ranked(result: Result, protocol: str) -> list[str]:
    """List the metrics that :func:`overall` compares by."""
    return list(_rank_tables(result, protocol))


def _rank_tables(result: Result, protocol: str) -> dict[str, pd.DataFrame]:
    """The ranks by each metric that all methods with scores have a score for on at least one common pair."""
    tables = {metric: ranks(result.table(protocol, metric), direction(metric)) for metric in result.metrics(protocol)}
    present = {method for table in tables.values() for method in table.columns}
    return {metric: table for metric, table in tables.items() if len(table) and set(table.columns) == present}


def _goodness(values: Values, better: Direction) -> Values:
    """Convert values so that the highest is the best."""
    return values if better == "higher" else -values if better == "lower" else -values.abs()


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the methods that have any score, and the pairs that all of these have scores for."""
    return table.dropna(axis=1, how="all").dropna()


def _mean_over(tables: Sequence[pd.DataFrame], methods: Sequence[str]) -> pd.DataFrame:
    """The mean of tables, on the pairs that all of them contain."""
    if not tables:
        return pd.DataFrame(columns=list(methods), dtype=float)
    stacked = pd.concat(tables, keys=range(len(tables)))[list(methods)]
    grouped = stacked.groupby(level=1, sort=False)
    return grouped.mean()[grouped.size() == len(tables)]


def _deviation(scores: pd.Series) -> float:
    values = scores.dropna()
    return float(values.std()) if len(values) > 1 and np.isfinite(values).all() else math.nan
