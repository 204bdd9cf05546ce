"""The docs agree with the code: metrics, measured tolerances, links, and the examples of a method and a recipe."""

import re
import sys
import types
from pathlib import Path

import pytest
from torch import Tensor

from irfuse import samples, weights
from irfuse.engines.tolerances import tolerances
from irfuse.io.conventions import IR_WORDS, VIS_WORDS
from irfuse.methods.base import Method
from irfuse.metrics import METRICS, MetricInfo
from irfuse.metrics.temporal import CLIP_METRICS, ClipMetricInfo
from irfuse.training.data import TrainingData
from irfuse.training.run import train
from tests.methods import contract

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "metrics"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
PAGES_WITH_LINKS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "perf").glob("*.md")])
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^## (`(\w+)`: .+)$", re.MULTILINE)


FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchor(heading: str) -> str:
    """Make the anchor of a heading as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_pages_describe_exactly_the_metrics() -> None:
    described = [name for page in PAGES.values() for _, name in HEADING.findall(page)]
    assert sorted(described) == sorted(metric.name for metric in (*METRICS, *CLIP_METRICS))


@pytest.mark.parametrize("metric", (*METRICS, *CLIP_METRICS), ids=lambda metric: metric.name)
def test_heading_and_index(metric: MetricInfo | ClipMetricInfo) -> None:
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


def test_words_for_sensors() -> None:
    page = (FOLDER.parent / "fuse.md").read_text(encoding="utf-8")
    for sensor, listed in (("infrared", IR_WORDS), ("visible", VIS_WORDS)):
        (line,) = re.findall(rf"^- {sensor}: ((?:.|\n  )*)$", page, re.MULTILINE)
        assert re.findall(r"`(\w+)`", line) == list(listed)


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """Every relative link names a file, and every anchor a heading."""
    for target, section in LINK.findall(FENCES.sub("", page.read_text(encoding="utf-8"))):
        file = page.parent / target if target else page
        assert file.exists(), target
        if section:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in map(anchor, headings), f"{target}#{section}"


def test_the_example_of_a_method_keeps_the_contract(real_batch: tuple[Tensor, Tensor]) -> None:
    (code,) = re.findall(
        r"^```python\n(.+?class LocalContrast\(Method\).+?)^```$", CONTRIBUTING, re.MULTILINE | re.DOTALL
    )
    names: dict[str, type[Method]] = {}
    exec(compile(code, "local_contrast.py", "exec"), names)
    method = names["LocalContrast"]().eval()
    contract.check_any_size(method)
    for check in (
        contract.check_shape_and_range,
        contract.check_batch_equals_single,
        contract.check_same_image,
        contract.check_depends_on_both,
        contract.check_tiled_equals_whole,
        contract.check_receptive_field,
        contract.check_deterministic,
        contract.check_inputs_untouched,
    ):
        check(method, real_batch)


def test_the_example_of_a_recipe_trains(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n([^`]+?class LinearRecipe\(Recipe\).+?)^```$", CONTRIBUTING, re.M | re.S)
    module = types.ModuleType("linear")
    sys.modules["linear"] = module
    exec(compile(code, "linear.py", "exec"), module.__dict__)
    recipe = module.LinearRecipe(epochs=2, epoch_steps=8, batch=2, size=32)
    pairs = tuple(samples.pairs())
    data = TrainingData(pairs=pairs[1:4], validation=pairs[4:])
    trained = train(recipe, data, tmp_path / "linear.safetensors", device="cpu")
    losses = [float(line.split(",")[1]) for line in (tmp_path / "linear.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]
    assert weights.header(trained.weights)["method"] == "linear"
    del sys.modules["linear"]
