"""Borders of one value around an image, such as what a warp, a registration or a letterbox leaves."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

_Array: TypeAlias = NDArray[Any]
_Mask: TypeAlias = NDArray[np.bool_]

_SMALLEST = 16
"""The smaller side, in pixels, from which an image can be judged."""
_LEAST_SIDE, _LEAST_AREA = 0.25, 1e-3
"""The share of each of two sides, and of the image, that a border covers at least. A sky has all of only one side."""
_LEAST_STEP = 1 / 32
"""The share of the image's range by which most pixels near a border differ from it. A clipped scene rises evenly."""
_MOST_RAGGED = 1 / 3
"""The pixels that a median filter changes, by the length of the outline. JPEG leaves 0.4 and more, a warp up to 0.3."""
_MOST_MIXED = 0.75
"""How far the pixels beside a border lie from its value, by how far those behind them do. Interpolation halves it."""
_WIDE = 0.01
"""The share of an image from which a frayed border is worth a warning."""


def exact(plane: _Array) -> _Mask | None:
    """Find a border that ends at a smooth line, as nothing in a scene does.

    Args:
        plane: (H, W), without NaN.

    Returns:
        (H, W), true for its pixels and those that interpolation mixed with it, or None if there is no such border.

    >>> image = np.random.default_rng(0).integers(20, 250, (48, 64), np.uint8)
    >>> exact(image) is None
    True
    >>> image[:5] = image[:, :7] = 0
    >>> int(exact(image).sum()) == 5 * 64 + 43 * 7
    True
    """
    border = _find(plane)
    return border.grown if border is not None and border.is_smooth else None


def frayed(plane: _Array) -> float | None:
    """Find a border whose edge lossy compression has frayed, so that it cannot be told apart to the pixel.

    Args:
        plane: (H, W), without NaN.

    Returns:
        Its share of the image, or None if there is no such border of at least 1 %.
    """
    border = _find(plane)
    share = 0.0 if border is None or border.is_smooth else float(border.where.mean())
    return share if share >= _WIDE else None


@dataclass(frozen=True)
class _Border:
    """A border of one value, the smallest or largest of the image.

    Attributes:
        where: (H, W), true for the pixels of this value.
        grown: with those that interpolation mixed with it.
        is_smooth: whether its outline is smooth.
    """

    where: _Mask
    grown: _Mask
    is_smooth: bool


def _find(plane: _Array) -> _Border | None:
    if min(plane.shape) < _SMALLEST:
        return None
    low, high = plane.min(), plane.max()
    for value in (low, high) if high > low else ():
        mask = plane == value
        if _covers_two_sides(mask):
            where = connected(mask)
            distance = np.abs(plane - np.float64(value))
            if _covers_two_sides(where) and where.mean() >= _LEAST_AREA and _is_abrupt(where, distance):
                return _Border(where, _with_mixed(where, distance), _is_smooth(where))
    return None


def connected(mask: _Mask) -> _Mask:
    """Find the marked pixels that are connected with the sides of an image.

    If they reach its middle, the scene is like that, such as a cold sky, and there is no border.
    """
    padded = np.pad(mask.view(np.uint8), 1, constant_values=1)
    _, regions = cv2.connectedComponents(padded, connectivity=4)
    border = np.asarray(regions == regions[0, 0])[1:-1, 1:-1]
    height, width = border.shape
    middle = border[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return np.zeros_like(border) if middle.any() else border


def _covers_two_sides(mask: _Mask) -> bool:
    shares = [float(side.mean()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])]
    return sum(share >= _LEAST_SIDE for share in shares) >= 2


def _is_abrupt(where: _Mask, distance: _Array) -> bool:
    """Say whether the pixels near a border mostly differ from it."""
    near = _grown(where, 4) & ~_grown(where, 1)
    return bool((distance[near] > _LEAST_STEP * distance.max()).mean() >= 0.5)


def _is_smooth(where: _Mask) -> bool:
    """Say whether the outline of a border is smooth."""
    # The sides of the image are no outline.
    wide = cv2.copyMakeBorder(where.view(np.uint8), 3, 3, 3, 3, cv2.BORDER_REPLICATE)
    smooth = cv2.medianBlur(wide, 5)[3:-3, 3:-3].view(np.bool_)
    outline = np.count_nonzero(_grown(smooth, 1) & ~smooth)
    return bool(np.count_nonzero(smooth != where) <= _MOST_RAGGED * outline)


def _with_mixed(where: _Mask, distance: _Array) -> _Mask:
    """Add the two pixels beside a border, if interpolation has brought most of the nearest ones nearer to its value."""
    beside, behind = distance[_grown(where, 1) & ~where], distance[_grown(where, 4) & ~_grown(where, 2)]
    return _grown(where, 2) if np.median(beside) < _MOST_MIXED * np.median(behind) else where


def _grown(mask: _Mask, by: int) -> _Mask:
    """Grow a mask by so many pixels."""
    return cv2.dilate(mask.view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).view(np.bool_)
