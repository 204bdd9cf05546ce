import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from irfuse.benchmark import Result
from irfuse.benchmark import statistics as ours
from irfuse.errors import ParameterError


@pytest.fixture
def table() -> pd.DataFrame:
    scores = np.random.default_rng(1).normal((0, 0.2, 1, 3), size=(15, 4))
    return pd.DataFrame(scores, columns=list("abcd"), index=[f"{number:02}" for number in range(15)])


def test_ranks_by_hand() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, 5.0], "b": [-3.0, 2.0, math.nan], "c": [2.0, 0.0, 1.0]})
    assert ours.ranks(table, "higher").to_numpy().tolist() == [[2, 3, 1], [1.5, 1.5, 3]]
    assert ours.ranks(table, "lower").to_numpy().tolist() == [[2, 1, 3], [2.5, 2.5, 1]]
    assert ours.ranks(table, "zero").to_numpy().tolist() == [[1, 3, 2], [2.5, 2.5, 1]]


# Demsar, 2006, table 5 (a): the critical values q of the two-tailed Nemenyi test at 0.05.
@pytest.mark.parametrize(
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)
def test_critical_difference_has_the_published_quantiles(methods: int, q: float) -> None:
    expected = q * math.sqrt(methods * (methods + 1) / (6 * 21))
    assert ours.critical_difference(methods, 21) == pytest.approx(expected, abs=1e-3)


def test_critical_difference_needs_something_to_compare() -> None:
    with pytest.raises(ParameterError, match="two methods and one pair"):
        ours.critical_difference(1, 5)


def test_friedman_by_its_formula(table: pd.DataFrame) -> None:
    """12 n / (k (k + 1)) (sum of R^2 - k (k + 1)^2 / 4) without ties, chi-squared with k - 1 degrees of freedom."""
    found = ours.compare(ours.ranks(table, "higher"))
    pairs, methods = table.shape
    square = 12 * pairs / (methods * (methods + 1))
    square *= (found.mean_ranks**2).sum() - methods * (methods + 1) ** 2 / 4
    assert found.p == pytest.approx(stats.chi2.sf(square, methods - 1))
    assert found.pairs == 15
    assert list(found.mean_ranks.sort_values().index)[:2] == ["d", "c"]


def test_groups() -> None:
    def compared(p: float, difference: float, *mean_ranks: float) -> list[list[str]]:
        return ours.Comparison(pd.Series(mean_ranks, list("abcdef")[: len(mean_ranks)]), 10, p, difference).groups()

    assert compared(0.01, 1.0, 1, 1.5, 2.2, 4) == [["a", "b"], ["b", "c"]]
    assert compared(0.01, 0.3, 4, 3, 2, 1) == []
    assert compared(0.01, 2.0, 1, 2, 2.5, 6) == [["a", "b", "c"]]
    assert compared(0.5, 0.1, 2, 1) == [["b", "a"]]
    assert compared(math.nan, math.nan, 1, 2) == []


def test_nothing_is_compared_with_too_little(table: pd.DataFrame) -> None:
    assert math.isnan(ours.compare(table[["a", "b"]]).p)
    assert math.isnan(ours.compare(table[:1]).difference)
    nobody = ours.compare(table[:0])
    assert (nobody.pairs, nobody.mean_ranks.isna().all()) == (0, True)
    unscored = pd.DataFrame(math.nan, index=["x", "y"], columns=list("abc"))
    assert ours.compare(ours.ranks(unscored, "higher")).pairs == 0
    same = pd.DataFrame(np.ones((5, 3)), columns=list("abc"))
    assert ours.compare(same).p == 1


def test_wilcoxon_and_holm(table: pd.DataFrame) -> None:
    found = ours.wilcoxon(table, "higher").set_index(["better", "worse"])
    assert len(found) == 6
    assert found.loc[("d", "a"), "p"] == pytest.approx(stats.wilcoxon(table["d"], table["a"]).pvalue)
    smallest = found["p"].min()
    assert found.loc[found["p"] == smallest, "p_holm"].iloc[0] == pytest.approx(min(1, 6 * smallest))
    assert (found["p_holm"] >= found["p"]).all()
    lower = ours.wilcoxon(table, "lower").set_index(["better", "worse"])
    assert lower.loc[("a", "d"), "p"] == found.loc[("d", "a"), "p"]
    same = ours.wilcoxon(pd.DataFrame({"a": [1.0, 2], "b": [1.0, 2]}), "higher")
    assert list(same["p_holm"]) == [1]


def test_wilcoxon_of_two_does_not_depend_on_a_third(table: pd.DataFrame) -> None:
    """This holds also for equal differences, and if the third has a score equal to one of theirs."""
    pairwise = ours.wilcoxon(table[["a", "b"]], "higher").loc[0, "p"]
    tied = table[["a", "b"]].assign(c=table["b"] + 0.01)
    tied.loc["03", "c"] = tied.loc["03", "a"]
    found = ours.wilcoxon(tied, "higher").set_index(["better", "worse"])
    assert found.loc[("b", "a"), "p"] == pairwise
    assert found.loc[("c", "b"), "p"] == stats.wilcoxon(tied["c"] - tied["b"]).pvalue


def test_leaders_are_compared_on_the_same_pairs() -> None:
    table = pd.DataFrame({"a": [1.0, 2], "b": [3.0, math.nan], "c": [-2.0, 0]}, index=["x", "y"])
    assert list(ours.leaders(table, "higher").index) == ["a", "c"]
    assert list(ours.leaders(table, "lower").index) == ["c", "a"]
    assert list(ours.leaders(table, "zero").index) == ["c", "a"]
    nowhere = pd.concat([table, pd.DataFrame({name: [math.nan] for name in "abc"}, index=["z"])])
    assert list(ours.leaders(nowhere, "higher").index) == ["a", "c"]
    assert ours.leaders(table[:0], "higher").empty


def test_summary(result: Result) -> None:
    summary = ours.summary(result, "canonical").set_index(["metric", "method"])
    en = result.table("canonical", "en")
    row = summary.loc[("en", "external")]
    assert row["mean"] == pytest.approx(np.mean(en["external"].dropna()))
    assert row["deviation"] == pytest.approx(np.std(en["external"].dropna(), ddof=1))
    assert row["count"] == 4
    complete = en.dropna()
    assert len(complete) == 3
    assert summary.loc["en", "mean_rank"].sum() == pytest.approx(10)
    expected = np.mean([stats.rankdata(-row)[3] for row in complete.to_numpy()])
    assert row["mean_rank"] == pytest.approx(expected)


def test_overall(result: Result) -> None:
    found = ours.overall(result, "canonical")
    assert found.pairs == 3
    assert set(found.mean_ranks.index) == set(result.methods)
    tables = [ours.ranks(result.table("canonical", m), ours.direction(m)) for m in result.metrics("canonical")]
    expected = (sum(tables) / len(tables)).rank(axis=1).mean()
    assert found.mean_ranks.to_numpy() == pytest.approx(expected.to_numpy())
    assert set(ours.comparisons(result, "canonical")) == {"en", "qabf", "mse", "qsf"}


def test_summary_where_one_has_no_score(result: Result) -> None:
    without = replace(result, scores=result.scores[result.scores["method"] != "average"])
    all_, some = (
        ours.summary(found, "canonical").set_index(["metric", "method"]).sort_index() for found in (result, without)
    )
    assert some.loc[("en", "average"), ["mean", "deviation", "mean_rank"]].isna().all()
    for method in ("maximum", "own_<b>", "external"):
        columns = ["mean", "deviation", "count"]
        assert list(some.loc[("en", method), columns]) == list(all_.loc[("en", method), columns])
