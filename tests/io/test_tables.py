import json
import math

import pytest

from irfuse.io.tables import Column, Table, to_csv, to_json, to_latex, to_markdown

COLUMNS = [Column("qcb", "Q_CB", "↑"), Column("psnr", "PSNR", "↑"), Column("qsf", "Q_SF", "→0")]
TABLE = Table(
    "vifb",
    COLUMNS,
    {
        "a": {"qcb": 0.25, "psnr": 30.0, "qsf": -0.125},
        "b, c": {"qcb": 0.5, "psnr": math.inf, "qsf": math.nan},
    },
)
ONE = Table("li", COLUMNS[:1], {"a": {"qcb": 0.25}})


def test_statistics_leave_out_undefined_scores() -> None:
    assert TABLE.mean("qcb") == 0.375
    assert TABLE.deviation("qcb") == pytest.approx(math.sqrt(2) / 8)
    assert TABLE.mean("qsf") == -0.125
    assert math.isnan(TABLE.deviation("qsf"))
    assert TABLE.mean("psnr") == math.inf
    assert math.isnan(TABLE.deviation("psnr"))


def test_csv() -> None:
    assert to_csv(TABLE) == 'image,qcb,psnr,qsf\na,0.25,30.0,-0.125\n"b, c",0.5,inf,\n'


def test_json() -> None:
    content = json.loads(to_json(TABLE), parse_constant=pytest.fail)
    assert content["protocol"] == "vifb"
    assert content["images"]["b, c"] == {"qcb": 0.5, "psnr": None, "qsf": None}
    assert content["mean"] == {"qcb": 0.375, "psnr": None, "qsf": -0.125}


def test_markdown() -> None:
    assert to_markdown(TABLE).splitlines() == [
        "| vifb | mean | deviation |",
        "|---|---:|---:|",
        "| `qcb` ↑ | 0.3750 | 0.1768 |",
        "| `psnr` ↑ | inf | - |",
        "| `qsf` →0 (1 of 2) | -0.1250 | - |",
    ]
    assert to_markdown(ONE).splitlines() == ["| li | score |", "|---|---:|", "| `qcb` ↑ | 0.2500 |"]


def test_latex() -> None:
    lines = to_latex(TABLE).splitlines()
    assert lines[:4] == [r"\begin{tabular}{lrr}", r"\toprule", r"Metric (vifb) & Mean & Deviation \\", r"\midrule"]
    assert lines[4] == r"$\mathrm{Q}_{\mathrm{CB}}$ $\uparrow$ & 0.3750 & 0.1768 \\"
    assert lines[5] == r"PSNR $\uparrow$ & $\infty$ & - \\"
    assert lines[6:] == [
        r"$\mathrm{Q}_{\mathrm{SF}}$ $\to 0$ (1 of 2) & -0.1250 & - \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
