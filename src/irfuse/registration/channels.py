"""Channels: what infrared and visible images have in common, which is the orientation of edges.

Neither the strength nor the sign of an edge is common to both. So each pixel gets a vector of twice the angle of its
gradient, in which opposite gradients are equal, as long as the square root of the gradient's strength relative to its
surroundings. A third channel holds a part of that length: it says where edges are.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.registration.geometry import Matrix, Size, resizing

Gray = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SURROUNDINGS = 12.0
"""The standard deviation, in pixels, of the surroundings that an edge is compared with."""
_CUT = 2
"""The standard deviations after which the surroundings end."""
_SMALLEST = 8
"""The shortest side of a copy, in pixels."""
_PART = 0.42
"""The part of the length that the third channel holds."""


@dataclass(frozen=True)
class View:
    """An image, or a smaller copy of it, for registration.

    Attributes:
        gray: (H, W) in float32, of any range.
        valid: (H, W), true where the image shows the scene.
    """

    gray: Gray
    valid: Mask

    @property
    def size(self) -> Size:
        height, width = self.gray.shape
        return height, width

    def resized(self, factor: float) -> tuple["View", Matrix]:
        """Make a copy of another size, and the matrix that maps the pixels of this view to those of the copy."""
        height, width = (max(_SMALLEST, round(side * factor)) for side in self.gray.shape)
        return self._of_size((height, width)), resizing(self.size, (height, width))

    def _of_size(self, size: Size) -> "View":
        if 2 * max(size) < max(self.size) and min(self.size) > 2 * _SMALLEST:
            return self._half._of_size(size)
        kernel = cv2.INTER_AREA if max(size) < max(self.size) else cv2.INTER_LINEAR
        gray = np.asarray(cv2.resize(self.gray, size[::-1], interpolation=kernel), np.float32)
        if self.valid.all():
            return View(gray, np.ones(size, bool))
        valid = cv2.resize(self.valid.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        return View(gray, np.asarray(valid > 0.99))

    @cached_property
    def _half(self) -> "View":
        """Half of the size. It is made once, since small copies of one view are made often."""
        return self._of_size((-(-self.size[0] // 2), -(-self.size[1] // 2)))

    def warped(self, matrix: Matrix, size: Size) -> "View":
        """Make the view that another camera would have.

        Args:
            matrix: maps the pixels of this view to those of the other one.
            size: of the other view.
        """
        shape = size[::-1]
        gray = cv2.warpPerspective(self.gray, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        valid = cv2.warpPerspective(self.valid.astype(np.float32), matrix, shape, flags=cv2.INTER_LINEAR)
        return View(np.asarray(gray, np.float32), np.asarray(valid > 0.99))


@dataclass(frozen=True)
class Channels:
    """The edges of a view.

    Attributes:
        values: (H, W, 3).
        valid: (H, W), true where they are known.
    """

    values: NDArray[np.float32]
    valid: Mask

    @property
    def energy(self) -> Gray:
        """The sum of the squares at each pixel, (H, W)."""
        return np.asarray(np.einsum("hwc,hwc->hw", self.values, self.values))


def channels(view: View, *, blur: float, pool: float) -> Channels:
    """Compute the channels of a view.

    Args:
        view: the view.
        blur: the standard deviation of the blur before the gradients are taken, in pixels.
        pool: that of the blur of the channels, so that edges need not coincide exactly.
    """
    smooth = cv2.GaussianBlur(view.gray, (0, 0), blur)
    x, y = (np.asarray(cv2.Scharr(smooth, cv2.CV_32F, *order)) for order in ((1, 0), (0, 1)))
    valid = _eroded(view.valid, round(2 * blur + 2))
    squares = np.where(valid, x * x + y * y, np.float32(0))
    strong = squares[squares > 0]
    floor = float(np.median(strong)) if strong.size else 1.0
    share = np.maximum(_around(valid.astype(np.float32)), 0.05)
    relative = squares / (_around(squares) / share + floor + 1e-12)
    # The square root of the length, over the squared length: what turns a squared gradient into the vector.
    scale = relative**0.25 / (squares + 1e-12)
    values = np.stack([(x * x - y * y) * scale, 2 * x * y * scale, _PART * relative**0.25], axis=2).astype(np.float32)
    values[~valid] = 0
    return Channels(_blurred(values, pool), valid)


def _blurred(values: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), by), np.float32)


def _around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * round(_CUT * _SURROUNDINGS) + 1
    return np.asarray(cv2.GaussianBlur(values, (side, side), _SURROUNDINGS), np.float32)


def _eroded(mask: Mask, by: int) -> Mask:
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    eroded = cv2.erode(mask.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(eroded.view(np.bool_))
