"""Levels: native pixel values to [0, 1] and back.

A visible image is scaled by the full range of its dtype and never stretched. A thermal image of more than 8 bits uses a
small part of its range, and is stretched: from percentiles of its own, or from fixed values that many frames share.
"""

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


def full_scale(dtype: str, name: str) -> float:
    """The value of a dtype that stands for 1.0: 255, 65535, or 1 for floating point.

    Raises:
        ImageError: the dtype is none that images come in; `name` is what the error calls the image.
    """
    if dtype not in _FULL_SCALE:
        raise ImageError(f"{name}: {dtype} images are not supported; use uint8, uint16, or floats in [0, 1]")
    return _FULL_SCALE[dtype]


def check_range(low: float, high: float, name: str) -> None:
    """Refuse floating-point values beyond [0, 1], but for rounding, which is to be clipped.

    Args:
        low, high: the smallest and the largest value.
        name: what the error calls the image: ``infrared`` or ``visible``.

    Raises:
        ImageError: the error gives the values and the way out.

    >>> check_range(0.0, 1.00001, "visible")
    """
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        way_out = "scale it, or give thermal levels" if name == "infrared" else "scale it"
        raise ImageError(
            f"{name}: floating-point values must lie in [0, 1], these go from {low:g} to {high:g}; {way_out}"
        )


@dataclass(frozen=True)
class Levels:
    """The thermal values, in the image's own units, that become 0 and 1; what lies beyond is clipped.

    >>> Levels(20000, 24000).apply(np.array([19000.0, 21000.0, 25000.0]))
    array([0.  , 0.25, 1.  ])
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ParameterError(f"thermal range {self.low:g} {self.high:g}: the low value must lie below the high one")

    def apply(self, image: T) -> T:
        """Scale a floating-point image of raw values to [0, 1].

        Warns:
            SuspiciousPairWarning: all its values lie beyond the same end.
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
    """Levels from an image's own values: those below which `low` and `high` percent of its pixels lie."""

    low: float = 0.1
    high: float = 99.9

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ParameterError(f"thermal percentiles {self.low:g} {self.high:g}: 0 <= low < high <= 100 is needed")

    def levels(self, image: NDArray[Any]) -> Levels:
        """The levels of one image of raw values; for a constant image, levels that make it 0."""
        low, high = (float(value) for value in np.percentile(image, [self.low, self.high]))
        return Levels(low, high if high > low else low + 1)


DEFAULT_THERMAL = Percentiles()
"""How thermal images of 16 bits are stretched unless one says otherwise."""
