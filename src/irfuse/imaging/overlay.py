"""Overlays: thermal images in color, on fused and visible images, with a legend.

What lies over an image has the size, the dtype and the alpha of that image, and is in color.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import ImageError, ParameterError, SuspiciousPairWarning
from irfuse.imaging import planes, sizes
from irfuse.imaging.arrays import Array
from irfuse.imaging.color import gray
from irfuse.imaging.legend import Legend
from irfuse.imaging.levels import (
    DEFAULT_THERMAL,
    Levels,
    Percentiles,
    check_celsius,
    full_scale,
    is_celsius,
    is_unit,
)
from irfuse.imaging.palettes import Palette, colored, table
from irfuse.imaging.planes import Planes

_THRESHOLD = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(°?[cC]|%|)\s*")
_COLDEST, _OPACITY = 0.4, 0.75
"""Where in the palette a highlight begins, since most palettes are dark before, and how much it covers."""
_EDGES = 1.5
"""How much of the visible image's edges a blend adds."""
_BLUR = 480 / 2.5
"""The height of an image over the standard deviation of the blur that edges are left by."""

Image: TypeAlias = "Array | Planes[Array]"
"""An image, or its planes, which also know where it was not measured, and how much it counts near a seam."""


@dataclass(frozen=True)
class Threshold:
    """What is highlighted: all that is as warm as this, or warmer.

    Attributes:
        value: the number.
        unit: ``C`` for °C, ``%`` for a percentile of the image's own values, or empty for the image's own values.

    Raises:
        ParameterError: a percentile is not one.

    >>> Threshold.parse("60C")
    Threshold(value=60.0, unit='C')
    """

    value: float
    unit: Literal["", "C", "%"] = ""

    def __post_init__(self) -> None:
        if self.unit == "%" and not 0 <= self.value <= 100:
            raise ParameterError(f"threshold {self}: a percentile lies from 0 to 100")

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Read ``60C``, ``99%`` or ``30000``.

        Raises:
            ParameterError: it is none of these.
        """
        found = _THRESHOLD.fullmatch(text)
        try:
            number = float(found[1]) if found else np.nan
        except ValueError:
            number = np.nan
        if found is None or not np.isfinite(number):
            raise ParameterError(
                f"{text!r} is no threshold: give degrees such as 60C, a percentile such as 99%, or a plain number in "
                "the image's own values"
            )
        return cls(number, "%" if found[2] == "%" else "C" if found[2] else "")

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"


def highlight(
    fused: Array,
    ir: Image,
    threshold: Threshold | str,
    *,
    palette: Palette = "inferno",
    thermal: Levels | Percentiles = DEFAULT_THERMAL,
    legend: bool = False,
) -> Array:
    """Tint what is warm in a fused or visible image, which keeps its colors elsewhere.

    Args:
        fused: (H, W) or (H, W, C) of ``uint8``, ``uint16`` or floats in [0, 1], C from 1 to 4.
        ir: the infrared image, (H, W), of any values that :func:`irfuse.fuse` takes. Temperatures are floats in °C.
        threshold: from where on it is tinted, such as ``60C``, ``99%`` or ``30000``.
        palette: the colors, of which the darkest part is left out.
        thermal: the upper one of the levels gets the last color. With percentiles it is the warmest pixel.
        legend: whether to draw the colors with their values.

    Returns:
        (H, W, 3), or (H, W, 4) with the alpha of `fused`, in its dtype.

    Raises:
        ImageError: the threshold is in °C and the infrared image is not, or an image is none.
        PairError: the sizes differ.
        ParameterError: the threshold or the palette is none.

    Warns:
        SuspiciousPairWarning: nothing is that warm, or the levels end below the threshold.

    >>> fused = np.zeros((2, 2, 3), np.uint8)
    >>> highlight(fused, np.float32([[20, 61], [25, 80]]), "60C", palette="white-hot")[..., 0].tolist()
    [[0, 82], [0, 191]]
    """
    limit = Threshold.parse(threshold) if isinstance(threshold, str) else threshold
    infrared, below = _read_pair(ir, fused, "fused")
    warm = _warm(infrared, limit, thermal)
    rgb = _rgb(below)
    tint = colored(_COLDEST + (1 - _COLDEST) * warm.place, palette) / 255
    opacity = _OPACITY if infrared.weight is None else _OPACITY * infrared.weight[0, 0][..., None]
    shown = np.where(warm.mask[..., None], (1 - opacity) * rgb + opacity * tint, rgb)
    if legend:
        colors = table(palette)[round(_COLDEST * 255) :]
        shown = Legend(colors, warm.first, warm.last, _unit_of(infrared)).drawn(shown)
    return _native(shown, below)


def blend(
    ir: Image,
    vis: Image,
    *,
    palette: Palette = "iron",
    thermal: Levels | Percentiles = DEFAULT_THERMAL,
    legend: bool = False,
) -> Array:
    """Draw the edges of a visible image into the thermal image in color, as thermal cameras do.

    Args:
        ir: the infrared image, (H, W), of any values that :func:`irfuse.fuse` takes.
        vis: (H, W) or (H, W, C) of ``uint8``, ``uint16`` or floats in [0, 1], C from 1 to 4.
        palette: the colors.
        thermal: what becomes the first and the last color, as :func:`irfuse.fuse` takes it.
        legend: whether to draw the colors with their values.

    Returns:
        (H, W, 3), or (H, W, 4) with the alpha of `vis`, in its dtype.

    Raises:
        ImageError: levels are in °C and the infrared image is not, or an image is none.
        PairError: the sizes differ.
        ParameterError: the palette is none.

    >>> flat = np.full((2, 2), 90, np.uint8)
    >>> blend(np.uint8([[0, 255], [255, 0]]), flat, palette="white-hot")[..., 0].tolist()
    [[0, 255], [255, 0]]
    """
    infrared, below = _read_pair(ir, vis, "visible")
    luma = gray(below.unit())[0, 0]
    unit = infrared.thermal_luma(thermal)[0, 0]
    shown: NDArray[Any] = colored(unit, palette) / 255
    if infrared.weight is not None:
        shown = luma[..., None] + infrared.weight[0, 0][..., None] * (shown - luma[..., None])
    if infrared.invalid is not None:
        shown = np.where(infrared.invalid[0, 0][..., None], luma[..., None], shown)
    edges = luma - cv2.GaussianBlur(luma, (0, 0), max(1.0, luma.shape[0] / _BLUR))
    if below.weight is not None:
        edges = edges * below.weight[0, 0]
    shown = shown + _EDGES * edges[..., None]
    if legend:
        levels = _levels(infrared, thermal)
        shown = Legend(table(palette), levels.low, levels.high, _unit_of(infrared)).drawn(shown)
    return _native(shown, below)


def picture(
    ir: Array,
    *,
    palette: Palette = "iron",
    thermal: Levels | Percentiles = DEFAULT_THERMAL,
    legend: bool = False,
) -> NDArray[np.uint8]:
    """Draw a thermal image in color.

    Args:
        ir, palette, thermal, legend: as :func:`blend` takes them.

    Returns:
        (H, W, 3).

    >>> picture(np.float32([[20.0, 30.0]]), palette="black-hot")[..., 0].tolist()
    [[255, 0]]
    """
    flat = np.zeros(ir.shape[:2], np.uint8)
    return np.asarray(blend(ir, flat, palette=palette, thermal=thermal, legend=legend), np.uint8)


@dataclass(frozen=True)
class _Warm:
    """What is warm in an infrared image.

    Attributes:
        mask: where, (H, W).
        place: how warm it is there: 0 at the threshold, 1 at the upper end.
        first, last: the values of these ends.
    """

    mask: NDArray[np.bool_]
    place: NDArray[np.float64]
    first: float
    last: float


def _warm(infrared: Planes[Array], limit: Threshold, thermal: Levels | Percentiles) -> _Warm:
    """Find what is as warm as a threshold, and say so if nothing is."""
    values = gray(infrared.values)[0, 0].astype(np.float64)
    valid = np.ones(values.shape, bool) if infrared.invalid is None else ~infrared.invalid[0, 0]
    coldest, hottest = float(values[valid].min()), float(values[valid].max())
    if limit.unit == "C":
        check_celsius(f"the threshold {limit}", infrared.dtype, coldest, hottest)
    if isinstance(thermal, Levels) and thermal.celsius:
        check_celsius("the thermal range", infrared.dtype, coldest, hottest)
    first = float(np.percentile(values[valid], limit.value)) if limit.unit == "%" else limit.value
    last = max(first, thermal.high if isinstance(thermal, Levels) else hottest)
    if isinstance(thermal, Levels) and thermal.high <= first:
        notices.warn(
            SuspiciousPairWarning(
                f"the thermal range {thermal} ends below the threshold {limit}: all that is tinted has nearly one color"
            )
        )
    # The coldest pixels are not warm, even if most of an image has their value.
    mask = valid & (values >= first) & ((values > coldest) | (limit.unit != "%"))
    if not mask.any():
        notices.warn(
            SuspiciousPairWarning(f"nothing is as warm as {limit}, and nothing is tinted: the warmest is {hottest:.6g}")
        )
    place = (np.where(mask, values, first) - first) / (last - first if last > first else 1)
    return _Warm(mask, place.clip(0, 1), first, last)


def _read_pair(ir: Image, below: Image, role: Literal["visible", "fused"]) -> tuple[Planes[Array], Planes[Array]]:
    """Read an infrared image, and what lies below it."""
    infrared = ir if isinstance(ir, Planes) else planes.from_array(ir, "infrared")
    other = below if isinstance(below, Planes) else planes.from_array(below, role)
    if 4 in (infrared.dimensions, other.dimensions):
        raise ImageError("an overlay is drawn on one image, not on a batch")
    sizes.check_equal(infrared.size, other.size, ("infrared", role))
    return infrared, other


def _rgb(image: Planes[Array]) -> NDArray[np.float32]:
    """Scale an image to [0, 1] in color, (H, W, 3)."""
    unit = image.unit()[0]
    return np.moveaxis(unit[:3] if len(unit) >= 3 else np.repeat(unit[:1], 3, axis=0), 0, 2)


def _native(rgb: NDArray[Any], below: Planes[Array]) -> Array:
    """Give a picture in [0, 1], (H, W, 3), the dtype and the alpha of what lies below."""
    scale = full_scale(below.dtype, below.role)
    native = rgb.clip(0, 1) * scale
    native = (np.rint(native) if scale != 1 else native).astype(below.dtype)
    if below.values.shape[1] in (2, 4):
        native = np.concatenate([native, below.values[0, -1][..., None]], axis=-1)
    return np.ascontiguousarray(native)


def _levels(infrared: Planes[Array], thermal: Levels | Percentiles) -> Levels:
    """Return the levels that :meth:`Planes.thermal_luma` uses, which has said what is wrong with them."""
    if isinstance(thermal, Levels):
        return thermal
    low, high = infrared.measured_range()
    if infrared.dtype == "uint8":
        return Levels(0, 255)
    if infrared.dtype.startswith("float") and is_unit(low, high):
        return Levels(0, 1)
    counts = gray(infrared.values)
    with notices.collected():
        return thermal.levels(counts if infrared.invalid is None else counts[~infrared.invalid])


def _unit_of(infrared: Planes[Array]) -> str:
    return "°C" if is_celsius(infrared.dtype, *infrared.measured_range()) else ""
