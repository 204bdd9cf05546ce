"""The pages for the metrics name every metric of the code, once, and link to it; other pages say what was measured."""

import re
from pathlib import Path

import pytest

from irfuse.engines.tolerances import tolerances
from irfuse.metrics import METRICS, MetricInfo

FOLDER = Path(__file__).parents[1] / "docs" / "metrics"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
HEADING = re.compile(r"^## (`(\w+)`: .+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_no_page_describes_what_is_no_metric() -> None:
    described = [name for page in PAGES.values() for _, name in HEADING.findall(page)]
    assert sorted(described) == sorted(metric.name for metric in METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_heading_and_index(metric: MetricInfo) -> None:
    (place,) = [
        (name, heading) for name, page in PAGES.items() for heading, of in HEADING.findall(page) if of == metric.name
    ]
    page, heading = place
    assert heading == f"`{metric.name}`: {metric.title}"
    assert PAGES["README.md"].count(f"| [`{metric.name}`]({page}#{anchor(heading)}) |") == 1


@pytest.mark.parametrize("spec", sorted({tolerance.spec for tolerance in tolerances()}))
def test_tolerances(spec: str) -> None:
    page = (FOLDER.parent / "deploy.md").read_text(encoding="utf-8")
    measured = {(t.engine, t.precision): f"{t.psnr}" for t in tolerances() if t.spec == spec}
    ways = (("torch", "bf16"), ("compile", "bf16"), ("openvino", "bf16"), ("torch", "fp16"))
    assert page.count(f"| `{spec}` | {' | '.join(measured[way] for way in ways)} |") == 1
