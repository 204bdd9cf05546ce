import numpy as np
import pytest
import torch

from irfuse.errors import ImageError, ParameterError, SuspiciousPairWarning
from irfuse.imaging.levels import Levels, Percentiles, full_scale


def test_full_scale() -> None:
    assert [full_scale(name, "x") for name in ("uint8", "uint16", "float32")] == [255, 65535, 1]
    with pytest.raises(ImageError, match="x: int32 images"):
        full_scale("int32", "x")


def test_levels_clip() -> None:
    np.testing.assert_allclose(Levels(10, 20).apply(np.array([0.0, 10.0, 15.0, 20.0, 30.0])), [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize("values", [np.array([5.0, 9.0]), torch.tensor([21.0, 30.0])])
def test_a_range_without_values(values: "np.ndarray | torch.Tensor") -> None:
    with pytest.warns(SuspiciousPairWarning, match=r"go from .* and none lies within the thermal range 10 20"):
        Levels(10, 20).apply(values)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (1, 1), (float("nan"), 1), (0, float("inf"))])
def test_impossible_levels(low: float, high: float) -> None:
    with pytest.raises(ParameterError, match="thermal range"):
        Levels(low, high)


def test_percentiles_leave_outliers_out(rng: np.random.Generator) -> None:
    image = rng.integers(20000, 24001, (200, 200)).astype(np.uint16)
    image[0, 0], image[0, 1] = 0, 65535
    found = Percentiles().levels(image)
    assert 20000 <= found.low < 20020
    assert 23980 < found.high <= 24000


def test_percentiles_of_a_constant_image() -> None:
    image = np.full((4, 4), 7000, np.uint16)
    assert Percentiles().levels(image).apply(image.astype(np.float32)).max() == 0


@pytest.mark.parametrize("outlier", [0, 65535])
def test_outliers_that_hold_the_levels(outlier: int, rng: np.random.Generator) -> None:
    image = rng.integers(20000, 20500, (200, 200)).astype(np.uint16)
    image[:4, :20] = outlier
    with pytest.warns(SuspiciousPairWarning, match=r"nine tenths .* have \S+ % of the range .* give a thermal range"):
        Percentiles().levels(image)
    assert Percentiles(1, 99).levels(image).high < 20500


@pytest.mark.parametrize(("low", "high"), [(5, 5), (-1, 50), (50, 101)])
def test_impossible_percentiles(low: float, high: float) -> None:
    with pytest.raises(ParameterError, match="percentiles"):
        Percentiles(low, high)


def test_ranges_as_text() -> None:
    assert Levels.parse("20000", "24000") == Levels(20000, 24000)
    assert Levels.parse("-5.5C", "40 °C") == Levels(-5.5, 40, celsius=True)
    assert (str(Levels(20000, 24000)), str(Levels(-5.5, 40, celsius=True))) == ("20000 24000", "-5.5C 40C")


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ("20C", "40", "give both numbers in degrees, or none"),
        ("20", "40C", "give both numbers in degrees, or none"),
        ("20F", "40F", "two numbers are needed"),
        ("1.2.3", "4", "two numbers are needed"),
        ("nan", "4", "two numbers are needed"),
        ("40C", "20C", "the low value must lie below the high one"),
    ],
)
def test_texts_that_are_no_range(low: str, high: str, message: str) -> None:
    with pytest.raises(ParameterError, match=f"^thermal range {low} {high}: {message}"):
        Levels.parse(low, high)
