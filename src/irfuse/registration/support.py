"""Support: how many parts of two images agree that a matrix aligns them.

A correlation of whole images says little: a wrong place can have a high one. So the images are cut into blocks, and
each block is looked for in the surroundings of its place. Where the matrix is right, most blocks are in place.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.registration.channels import Channels, View, channels
from irfuse.registration.geometry import Matrix, Points, inverse, map_points, mean_scale, reduction

SIDE = 256
"""The longer side of the reduced visible image, in pixels."""
_BLOCK, _STEP, _REACH = 40, 20, 12
"""In pixels of the reduced image: the side of a block, the distance of two blocks, and how far one is looked for."""
_IN_PLACE = 3.0
"""The distance, in pixels of the reduced image, up to which a block is in place."""
_LEAST_VALID, _LEAST_FIXED = 0.9, 0.6
"""The share of a block that the aligned infrared image must show, and that of the visible image."""
_LEAST_ENERGY = 0.35
"""Of a block, relative to the image's median. Blocks with fewer edges say nothing."""
_BLUR, _POOL = 1.2, 1.2
"""As :func:`irfuse.registration.channels.channels` takes them."""
_MOST_ENLARGED = 1.5
"""How far an infrared image is enlarged before it is warped."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of a visible image, and where the aligned infrared image shows the same.

    Attributes:
        places: (N, 2), the middles of the blocks in the visible image, in its pixels.
        found: (N, 2), the same points of the scene as the infrared image shows them, in its pixels.
        distances: (N,), how far the blocks are out of place, in pixels of the reduced visible image.
        weights: (N,), how well they match, from 0 to 1.
        scale: the pixels of the visible image in one of the reduced image.
    """

    places: Points
    found: Points
    distances: NDArray[np.float64]
    weights: NDArray[np.float64]
    scale: float

    @property
    def support(self) -> float:
        """The weighted share of the blocks that are in place."""
        total = float(self.weights.sum())
        # Blocks of an image without edges match nothing.
        return float(self.weights[self.distances < _IN_PLACE].sum()) / total if total > 0 else 0.0

    @property
    def residual(self) -> float:
        """The median distance of the blocks that are in place, in pixels of the visible image; NaN without any."""
        inside = self.distances[self.distances < _IN_PLACE]
        return float(np.median(inside)) * self.scale if inside.size else float("nan")


def blocks(ir: View, vis: View, matrix: Matrix, side: int = SIDE) -> Blocks:
    """Look for the blocks of a visible image in an infrared image that a matrix aligns.

    Args:
        ir, vis: the images.
        matrix: of the infrared image to the visible one.
        side: the longer side of the reduced visible image; more if the infrared image shows only a part of it.
    """
    factor = reduction(matrix, ir.size, vis.size, side)
    small, to_small = vis.resized(factor)
    shrunk, to_shrunk = shrunken(ir, to_small @ matrix)
    to_aligned = to_small @ matrix @ inverse(to_shrunk)
    aligned = shrunk.warped(to_aligned, small.size)
    places, shifts, weights = _matches(*(channels(view, blur=_BLUR, pool=_POOL) for view in (small, aligned)))
    return Blocks(
        map_points(inverse(to_small), places),
        map_points(inverse(to_small @ matrix), places + shifts),
        np.hypot(shifts[:, 0], shifts[:, 1]),
        weights,
        1 / factor,
    )


def shrunken(ir: View, matrix: Matrix) -> tuple[View, Matrix]:
    """Resize an image by as much as a matrix does, by area, since a warp skips pixels.

    Returns:
        The resized image, and the matrix that maps the pixels of the image to it.
    """
    return ir.resized(min(_MOST_ENLARGED, mean_scale(matrix, ir.size)))


def _matches(fixed: Channels, aligned: Channels) -> tuple[Points, Points, NDArray[np.float64]]:
    """Find the places of the blocks, (N, 2), their shifts, (N, 2), and how well they match, (N,)."""
    height, width = fixed.valid.shape
    energy = fixed.energy
    usual = float(np.median(energy[fixed.valid])) if fixed.valid.any() else 0.0
    around = np.pad(aligned.values, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)))
    found = []
    for top in range(0, height - _BLOCK + 1, _STEP):
        for left in range(0, width - _BLOCK + 1, _STEP):
            part = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            if aligned.valid[part].mean() < _LEAST_VALID or fixed.valid[part].mean() < _LEAST_FIXED:
                continue
            if energy[part].mean() < _LEAST_ENERGY * usual or not usual:
                continue
            window = around[top : top + _BLOCK + 2 * _REACH, left : left + _BLOCK + 2 * _REACH]
            match = cv2.matchTemplate(window, np.ascontiguousarray(fixed.values[part]), cv2.TM_CCORR_NORMED)
            shift, weight = _peak(np.asarray(match, np.float64))
            found.append((left + (_BLOCK - 1) / 2, top + (_BLOCK - 1) / 2, *shift, weight))
    table = np.array(found, np.float64).reshape(-1, 5)
    return table[:, :2], table[:, 2:4], table[:, 4].clip(0, 1)


def _peak(match: NDArray[np.float64]) -> tuple[tuple[float, float], float]:
    """Find the shift (x, y) of the best match between pixels, by parabolas, and its value."""
    y, x = np.unravel_index(int(match.argmax()), match.shape)
    best = float(match[y, x])
    offsets = []
    for line, at in ((match[y], int(x)), (match[:, x], int(y))):
        offset = 0.0
        if 0 < at < len(line) - 1:
            before, after = line[at - 1], line[at + 1]
            curvature = before - 2 * best + after
            offset = 0.5 * (before - after) / curvature if curvature < 0 else 0.0
        offsets.append(at + offset - _REACH)
    return (float(offsets[0]), float(offsets[1])), best
