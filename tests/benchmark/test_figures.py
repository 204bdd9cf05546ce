import numpy as np
import pandas as pd
import pytest

from irfuse.benchmark import Region, Result, figures, statistics
from irfuse.benchmark.pictures import sheet, telling_region
from irfuse.benchmark.statistics import Comparison
from irfuse.errors import ParameterError


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "1,2,0,4", "-1,2,3,4", ""])
def test_impossible_regions(text: str) -> None:
    with pytest.raises(ParameterError, match="region cannot be"):
        Region.parse(text)


@pytest.mark.parametrize("region", [Region(81, 10, 20, 20), Region(0, 31, 20, 20), Region(0, 0, 101, 10)])
def test_a_region_beyond_the_image(region: Region) -> None:
    with pytest.raises(ParameterError, match=r"the region \d+,\d+,\d+,\d+ reaches beyond the pair a, which is 100x50"):
        region.check_inside("a", 50, 100)


def test_a_region_that_touches_the_border_is_inside() -> None:
    Region(80, 30, 20, 20).check_inside("a", 50, 100)
    Region(0, 0, 100, 50).check_inside("a", 50, 100)


def test_the_chosen_region_is_where_images_differ(rng: np.random.Generator) -> None:
    first = rng.integers(0, 256, (80, 120), np.uint8)
    second = first.copy()
    second[50:70, 60:90] = 255 - second[50:70, 60:90]
    assert telling_region([first, second]) == Region(60, 50, 30, 20)
    assert telling_region([first, first]) == Region(0, 0, 30, 20)
    tiny = telling_region([first[:1, :1], second[:1, :1]])
    assert tiny == Region(0, 0, 1, 1)


@pytest.mark.parametrize("count", [1, 2, 7, 13])
def test_sheet_shows_each_picture_with_its_region(count: int, rng: np.random.Generator) -> None:
    kinds = [
        rng.integers(0, 256, (48, 64), np.uint8),
        rng.integers(0, 65536, (48, 64, 4), np.uint16),
        rng.random((48, 64, 3), np.float32),
    ]
    pictures = [(f"${number}", kinds[number % 3]) for number in range(count)]
    figure = sheet(pictures, Region(2, 30, 8, 8))
    shown = [panel for panel in figure.axes if panel.get_title()]
    assert [panel.get_title() for panel in shown] == [rf"\${number}" for number in range(count)]
    for panel in shown:
        (inset,) = panel.child_axes
        assert inset.images[0].get_array().shape == (8, 8, 3)
    figure.canvas.draw()


def test_critical_difference_shows_all_methods() -> None:
    comparison = Comparison(pd.Series({"a": 1.2, "b": 1.9, "c$": 2.9}), 12, 0.0004, 0.9)
    figure = figures.critical_difference(comparison)
    assert figure is not None
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "critical difference 0.90 (12 pairs, Friedman p < 0.001)" in texts
    assert {"a  1.20", "b  1.90", r"2.90  c\$"} <= set(texts)
    assert figures.critical_difference(Comparison(comparison.mean_ranks, 1, float("nan"), float("nan"))) is None


def test_a_method_of_unknown_speed_is_a_line(result: Result) -> None:
    figure = figures.speed(result, "canonical")
    assert figure is not None
    rank = statistics.overall(result, "canonical").mean_ranks["external"]
    assert [line.get_ydata()[0] for line in figure.axes[0].lines] == [pytest.approx(rank)]
    assert "external" in [text.get_text() for text in figure.axes[0].texts]
