"""Levels: which native pixel values become 0 and 1.

Visible images are scaled by the full range of their dtype and never stretched. Thermal images of more than 8 bits use a
small part of their range, so they are stretched: between percentiles of their own values, or between fixed values that
all frames share.
"""

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import ImageError, ParameterError, SuspiciousPairWarning

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T", NDArray[Any], "Tensor")

_FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0, "float64": 1.0}
_ROUNDING = 1e-4
_DEGREES = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(°?[cC]|)\s*")
_LEAST_SHARE = 0.1
"""The share of the range between the levels below which the middle nine tenths of a scene are warned of."""

THERMAL_ONLY = ("int16", "int32")
"""The dtypes of infrared images that have no full range: only levels make them [0, 1]."""


def full_scale(dtype: str, name: str) -> float:
    """Return the value of a dtype that becomes 1.0: 255, 65535, or 1 for floating point.

    Args:
        dtype: its name, such as ``uint8``.
        name: what an error calls the image.

    Raises:
        ImageError: images of this dtype are not supported.
    """
    if name == "infrared" and dtype in THERMAL_ONLY:
        raise ImageError(f"{name}: {dtype} values have no full range; give a thermal range or thermal percentiles")
    if dtype not in _FULL_SCALE:
        raise ImageError(f"{name}: {dtype} images are not supported; use uint8, uint16, or floats in [0, 1]")
    return _FULL_SCALE[dtype]


def is_unit(low: float, high: float) -> bool:
    """Say whether values from `low` to `high` lie in [0, 1], up to rounding.

    >>> is_unit(0.0, 1.00001), is_unit(10.0, 45.0)
    (True, False)
    """
    return low >= -_ROUNDING and high <= 1 + _ROUNDING


def check_range(low: float, high: float, name: str) -> None:
    """Refuse floating-point values outside [0, 1]. Up to 1e-4 outside is rounding, which the caller clips.

    Args:
        low, high: the smallest and the largest value.
        name: what the error calls the image: ``infrared`` or ``visible``.

    Raises:
        ImageError: the error gives the values and the way out.

    >>> check_range(0.0, 1.00001, "visible")
    """
    if not is_unit(low, high):
        way_out = "scale it, or give thermal levels" if name == "infrared" else "scale it"
        raise ImageError(
            f"{name}: floating-point values must lie in [0, 1], these go from {low:g} to {high:g}; {way_out}"
        )


def is_celsius(dtype: str, low: float, high: float) -> bool:
    """Say whether infrared values from `low` to `high` are in °C: floating point beyond [0, 1] is temperature.

    >>> is_celsius("float32", 10.0, 45.0), is_celsius("uint16", 7000.0, 7500.0)
    (True, False)
    """
    return dtype.startswith("float") and not is_unit(low, high)


def to_native(unit: T, dtype: str) -> T:
    """Turn floats in [0, 1] into native values of a dtype, rounded for integers."""
    scale = full_scale(dtype, "fused")
    scaled = unit * scale if scale != 1 else unit
    if isinstance(scaled, np.ndarray):
        return (np.rint(scaled, out=scaled) if scale != 1 else scaled).astype(dtype)
    torch = sys.modules["torch"]
    return (scaled.round_() if scale != 1 else scaled).to(getattr(torch, dtype))


def check_celsius(wanted: str, dtype: str, low: float, high: float) -> None:
    """Refuse infrared values that are not in °C.

    Args:
        wanted: what needs them, for the error.
        dtype, low, high: as :func:`is_celsius` takes them.

    Raises:
        ImageError: the values are counts, or those of a picture.
    """
    if not is_celsius(dtype, low, high):
        kind = "counts" if dtype in ("uint16", *THERMAL_ONLY) else "the values of a picture"
        raise ImageError(
            f"infrared: {wanted} is in °C, and the image holds {kind} ({dtype}): give plain numbers in its own values, "
            "or an image in °C"
        )


@dataclass(frozen=True)
class Levels:
    """Thermal values, in the image's own units, that become 0 and 1; values outside are clipped.

    Attributes:
        low, high: the values.
        celsius: whether they are in °C, so that images of counts and pictures are refused.

    >>> Levels(20000, 24000).apply(np.array([19000.0, 21000.0, 25000.0]))
    array([0.  , 0.25, 1.  ])
    """

    low: float
    high: float
    celsius: bool = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ParameterError(f"thermal range {self}: the low value must lie below the high one")

    @classmethod
    def parse(cls, low: str, high: str) -> "Levels":
        """Read two numbers, both of them plain or both in degrees.

        Raises:
            ParameterError: they are none.

        >>> Levels.parse("20C", "40C")
        Levels(low=20.0, high=40.0, celsius=True)
        """
        ends = [_DEGREES.fullmatch(text) for text in (low, high)]
        try:
            first, last = (float(end[1]) if end else np.nan for end in ends)
        except ValueError:
            first = last = np.nan
        if not (np.isfinite(first) and np.isfinite(last)):
            raise ParameterError(
                f"thermal range {low} {high}: two numbers are needed, in the image's own values as 20000 24000, or in "
                "degrees as 20C 40C"
            )
        in_degrees = [bool(end and end[2]) for end in ends]
        if in_degrees[0] != in_degrees[1]:
            raise ParameterError(f"thermal range {low} {high}: give both numbers in degrees, or none")
        return cls(first, last, all(in_degrees))

    def __str__(self) -> str:
        unit = "C" if self.celsius else ""
        return f"{self.low:g}{unit} {self.high:g}{unit}"

    def apply(self, image: T) -> T:
        """Scale a floating-point image of raw values to [0, 1].

        Warns:
            SuspiciousPairWarning: all its values lie below the levels, or all above.
        """
        low, high = float(image.min()), float(image.max())
        if high < self.low or low > self.high:
            notices.warn(
                SuspiciousPairWarning(
                    f"the infrared values go from {low:g} to {high:g}, and none lies within the thermal range "
                    f"{self.low:g} {self.high:g}: the infrared image is of one value"
                )
            )
        return ((image - self.low) / (self.high - self.low)).clip(0, 1)


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of an image's own values that become 0 and 1.

    Attributes:
        low, high: percent of the pixels, 0 <= low < high <= 100.
    """

    low: float = 0.1
    high: float = 99.9

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ParameterError(f"thermal percentiles {self.low:g} {self.high:g}: 0 <= low < high <= 100 is needed")

    def levels(self, image: NDArray[Any]) -> Levels:
        """Compute the levels of one image of raw values. A constant image gets levels that make it 0.

        Warns:
            SuspiciousPairWarning: outliers hold the levels, and the scene has less than a tenth of the range between.
        """
        low, high = (float(value) for value in np.percentile(image, [self.low, self.high]))
        if not high > low:
            return Levels(low, low + 1)
        sample = image.reshape(-1)
        darkest, brightest = np.percentile(sample[:: max(1, sample.size // 20_000) | 1], [5, 95])
        share = float(brightest - darkest) / (high - low)
        if share < _LEAST_SHARE:
            notices.warn(
                SuspiciousPairWarning(
                    f"nine tenths of the infrared pixels have {100 * share:.2g} % of the range between the thermal "
                    f"levels {low:g} and {high:g}: outliers hold these; give a thermal range, or percentiles such as "
                    "5 and 95"
                )
            )
        return Levels(low, high)


DEFAULT_THERMAL = Percentiles()
"""How raw thermal counts and temperatures are stretched by default."""
