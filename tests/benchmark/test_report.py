import base64
import csv
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from irfuse.benchmark import Region, Result, grid, report, statistics, write
from irfuse.errors import ParameterError
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images


@pytest.fixture(scope="module")
def written(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(result, tmp_path_factory.mktemp("report"), shown=["tno_12"], region=Region(0, 0, 80, 10))


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def test_page_is_complete(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    assert page.open == []
    assert len(page.sources) == 5
    for source in page.sources:
        assert source.startswith("data:image/png;base64,")
        images.decode(base64.b64decode(source.partition(",")[2]), "figure")
    words = " ".join(page.said.split())
    assert "<th>Q<sup>AB/F</sup> ↑</th>" in written.read_text(encoding="utf-8")
    for expected in (
        "own_<b>, tno_01: ValueError: this is TNO 01",
        "external lacks 1 of 5 images: msrs_00633D",
        "In parentheses: the number of pairs",
        "Time of this run Fusing",
    ):
        assert expected in words


def test_files(written: Path, result: Result) -> None:
    names = {path.name for path in written.parent.iterdir()}
    tables = {"scores.csv", "summary.csv", "tests.csv", "wilcoxon.csv", "costs.csv", "canonical.tex", "canonical.md"}
    assert names == tables | {"report.html", "figures"}
    figures = {"canonical-boxes", "canonical-heat-map", "canonical-critical-difference", "canonical-speed"}
    drawn = {path.name for path in (written.parent / "figures").iterdir()}
    assert drawn == {f"{name}.{kind}" for name in figures | {"sheet-tno_12"} for kind in ("pdf", "png")}
    read = pd.read_csv(written.parent / "scores.csv")
    assert read["value"].to_numpy() == pytest.approx(result.scores["value"].to_numpy(), nan_ok=True)
    with (written.parent / "tests.csv").open() as file:
        assert [row["metric"] for row in csv.DictReader(file)] == [*result.metrics("canonical"), "all metrics"]


def test_marks(result: Result) -> None:
    made = grid.make(result, "canonical")
    assert [column.name for column in made.columns] == result.metrics("canonical")
    cells = {row.method: dict(zip(result.metrics("canonical"), row.cells, strict=True)) for row in made.rows}
    means = {
        metric: result.table("canonical", metric)[["average", "maximum"]].mean() for metric in ("en", "mse", "qsf")
    }
    assert cells[means["en"].idxmax()]["en"].mark == "best"
    assert cells[means["mse"].idxmin()]["mse"].mark == "best"
    assert cells[means["mse"].idxmax()]["mse"].mark == "second"
    assert cells[means["qsf"].abs().idxmin()]["qsf"].mark == "best"
    # Means over fewer pairs are not comparable.
    for method in ("external", "own_<b>"):
        assert {(cell.mark, cell.count) for cell in cells[method].values()} == {("", "(4)")}


def test_equal_printed_means_have_equal_marks() -> None:
    leaders = pd.Series({"a": 0.50001, "b": 0.49999, "c": 0.4, "d": 0.3})
    summary = pd.DataFrame({"mean": [*leaders, 0.5], "deviation": 0.1, "count": [5, 5, 5, 5, 4]}, index=list("abcde"))
    made = grid._cells(summary, leaders, 5)
    assert [made[method].mark for method in "abcde"] == ["best", "best", "second", "", ""]
    assert {cell.mark for cell in grid._cells(summary, leaders[:1], 5).values()} == {""}


def test_metrics_that_the_rank_leaves_out_are_named(result: Result) -> None:
    """Only a metric that one method never has is named."""
    scores = result.scores.copy()
    scores.loc[(scores["metric"] == "mse") & (scores["method"] == "maximum"), "value"] = math.nan
    made = grid.make(replace(result, scores=scores), "canonical")
    assert made.unranked == ("mse",)
    assert "The overall rank leaves out metrics that not all methods have: mse." in made.notes()
    assert grid.make(result, "canonical").unranked == ()
    tests = {row[0]: row[1] for row in report._tests(replace(result, scores=scores), "canonical")}
    assert set(tests.values()) == {"Friedman"}


def test_each_test_has_its_name(result: Result) -> None:
    """If a metric never scores one of three methods, the other two are compared by Wilcoxon's test."""
    scores = result.scores[result.scores["method"] != "external"].copy()
    scores.loc[(scores["metric"] == "mse") & (scores["method"] == "maximum"), "value"] = math.nan
    three = replace(result, scores=scores, methods=result.methods[:3])
    tests = {row[0]: row[1] for row in report._tests(three, "canonical")}
    assert (tests["en"], tests["mse"], tests["all metrics"]) == ("Friedman", "Wilcoxon", "Friedman")


def test_an_earlier_report_is_removed(result: Result, tmp_path: Path) -> None:
    write(result, tmp_path, shown=["tno_12"])
    (tmp_path / "mine.md").write_text("my notes")
    two = result.scores[result.scores["method"].isin(["average", "maximum"])]
    write(replace(result, methods=("average", "maximum"), scores=two), tmp_path, shown=["tno_16"])
    assert {path.name for path in (tmp_path / "figures").glob("*.png")} == {
        "canonical-boxes.png",
        "canonical-heat-map.png",
        "canonical-speed.png",
        "sheet-tno_16.png",
    }
    assert (tmp_path / "mine.md").exists()


def test_raw_infrared_is_shown_as_methods_see_it() -> None:
    counts = np.linspace(20000, 21000, 100).reshape(10, 10).astype(np.uint16)
    shown = report._as_fused(counts, Percentiles(0, 100))
    assert (shown.min(), shown.max()) == (0, 1)
    assert report._as_fused(counts, Levels(20000, 22000)).max() == pytest.approx(0.5)
    gray = np.zeros((2, 2), np.uint8)
    assert report._as_fused(gray, Percentiles()) is gray


def test_latex(written: Path, result: Result) -> None:
    text = (written.parent / "canonical.tex").read_text()
    assert text.startswith("% Mean and standard deviation over 5 pairs")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 5
    assert {line.count("&") for line in rows} == {5}
    assert rows[0].startswith(r"Method & EN $\uparrow$ & $\mathrm{Q}^{\mathrm{AB/F}}$ $\uparrow$ & MSE $\downarrow$")
    assert r"own\_<b>" in text
    assert text.count(r"\textbf{") == text.count(r"\underline{") == 4
    assert text.count("{") == text.count("}")


def test_latex_of_many_metrics_is_split(result: Result) -> None:
    made = grid.make(result, "canonical")
    wide = replace(made, columns=made.columns * 2, rows=tuple(replace(row, cells=row.cells * 2) for row in made.rows))
    text = grid.to_latex(wide)
    assert re.findall(r"\\begin\{tabular\}\{(\w+)\}", text) == ["lrrrrrr", "lrrr"]
    assert text.count("& Overall rank") == 1


def test_markdown(result: Result, written: Path) -> None:
    lines = (written.parent / "canonical.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "| method | `en` ↑ | `qabf` ↑ | `mse` ↓ | `qsf` →0 | overall rank |"
    assert {line.count("|") for line in lines[:6]} == {7}
    assert [line.split("|")[1].strip("` ") for line in lines[2:6]] == [
        row.method for row in grid.make(result, "canonical").rows
    ]


def test_trained_methods_are_marked(result: Result, tmp_path: Path) -> None:
    rows = (result.scores["method"] == "maximum") & (result.scores["pair"] == "tno_01")
    knowing = replace(result, scores=result.scores.assign(trained=rows))
    assert knowing.trained() == {("maximum", "tno_01")}
    made = grid.make(knowing, "canonical")
    assert [row.method for row in made.rows if row.trained] == ["maximum"]
    assert "† Trained on some of these pairs." in made.notes()
    assert "| `maximum` † |" in grid.to_markdown(made)
    assert r"maximum$^\dagger$" in grid.to_latex(made)
    page = write(knowing, tmp_path, shown=[]).read_text(encoding="utf-8")
    # The table, its note, and one score per metric.
    assert page.count("†") == 2 + 4


def test_rows_are_sorted_by_the_overall_rank(result: Result, written: Path) -> None:
    overall = statistics.overall(result, "canonical").mean_ranks
    rows = grid.make(result, "canonical").rows
    assert [row.method for row in rows] == list(overall.sort_values(kind="stable").index)
    assert [row.rank for row in rows] == [f"{overall[row.method]:.2f}" for row in rows]
    assert '<th class="rank">overall rank ↓</th>' in written.read_text(encoding="utf-8")


def test_the_best_by_rank_and_by_mean_are_both_named(result: Result) -> None:
    """One extreme score decides the mean of three pairs, but not the ranks."""
    values = {"average": [0.5, 0.5, 0.5, 0.5], "maximum": [0.4, 0.4, 0.4, 9.0], "own_<b>": [0.1, 0.1, 0.1, 0.1]}
    pairs = [pair.name for pair in result.pairs[1:]]
    rows = [
        (method, pair, "canonical", "en", value, False)
        for method, scores in values.items()
        for pair, value in zip(pairs, scores, strict=True)
    ]
    scores = pd.DataFrame(rows, columns=["method", "pair", "protocol", "metric", "value", "trained"])
    decided = replace(result, scores=scores, methods=tuple(values), pairs=result.pairs[1:])
    (en, _) = report._tests(decided, "canonical")
    assert en[5] == "average (best mean: maximum)"
    marked = [row.method for row in grid.make(decided, "canonical").rows if row.cells[0].mark == "best"]
    assert marked == ["maximum"]


def test_one_metric_two_methods_one_pair(result: Result, tmp_path: Path) -> None:
    scores = result.scores
    chosen = scores["method"].isin(["average", "maximum"]) & (scores["metric"] == "en") & (scores["pair"] == "tno_01")
    few = replace(result, methods=("average", "maximum"), scores=scores[chosen], pairs=result.pairs[2:3])
    text = write(few, tmp_path, shown=[]).read_text(encoding="utf-8")
    assert "There are too few methods or pairs for the tests" in text
    assert not (tmp_path / "figures" / "canonical-critical-difference.png").exists()


def test_two_methods_are_compared_by_wilcoxons_test(result: Result) -> None:
    two = result.scores[result.scores["method"].isin(["average", "maximum"])]
    few = replace(result, methods=("average", "maximum"), scores=two)
    tests = {row[0]: row[1:] for row in report._tests(few, "canonical")}
    table = few.table("canonical", "mse")
    p = stats.wilcoxon(table["average"], table["maximum"]).pvalue
    better = str(table.median().idxmin())
    other = "average" if better == "maximum" else "maximum"
    assert tests["mse"] == ("Wilcoxon", f"{p:.4f}", "-", "5", better, other)
    assert tests["all metrics"][:3] == ("-", "-", "-")


def test_refusals(result: Result, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="there is no pair 'none' to show"):
        write(result, tmp_path, shown=["none"])
    with pytest.raises(ParameterError, match=r"nothing was scored.*TNO 01"):
        write(replace(result, scores=result.scores[:0]), tmp_path)
    assert report.check_shown([str(number) for number in range(9)], None) == ["0", "3", "6"]
    assert report.check_shown(["a"], None) == ["a"]


def test_methods_and_metrics_without_any_score(result: Result, tmp_path: Path) -> None:
    scores = result.scores[result.scores["method"] != "external"].copy()
    scores.loc[scores["metric"] == "en", "value"] = math.nan
    scores.loc[(scores["metric"] == "mse") & (scores["pair"] == "tno_12"), "value"] = math.inf
    poor = replace(result, scores=scores)
    text = write(poor, tmp_path, shown=["tno_12"]).read_text(encoding="utf-8")
    made = grid.make(poor, "canonical")
    cells = {row.method: row.cells for row in made.rows}
    assert cells["external"] == (grid.Cell("-", "-", "", "(0)"),) * 4
    assert cells["average"][0].mean == "-"
    assert cells["average"][2].mean == "inf"
    assert r"$\infty$" in grid.to_latex(made)
    # The others are still compared.
    ranks = {row.method: row.rank for row in made.rows}
    assert ranks["external"] == "-"
    assert sum(float(ranks[name]) for name in ("average", "maximum", "own_<b>")) == pytest.approx(6, abs=0.011)
    assert "Critical-difference diagram" in text
