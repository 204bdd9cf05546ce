"""Preview: a picture that shows how well a calibration aligns a pair."""

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.imaging import sheet
from irfuse.registration.automatic import judged
from irfuse.registration.calibration import Calibration
from irfuse.registration.channels import View
from irfuse.registration.support import Blocks

RGB = NDArray[np.uint8]

_SIDE = 960
"""The longer side of each panel, in pixels."""
_SQUARES = 8
"""The squares of the checkerboard along the shorter side."""
_GOOD, _BAD = (40, 200, 60), (230, 40, 40)
_RADIUS = 6
"""Of the spot that marks a block, in pixels of the image in which blocks are compared; they are 20 apart."""
_SMOOTH, _WEAK, _STRONG = 1.5, 30, 80
"""The blur of the infrared image before its edges are found, and the two thresholds of Canny's method for them."""
_WORST = 6.0
"""The distance from which a block is all red, in pixels of the image of 256 pixels in which blocks are compared."""


def preview(ir: View, vis: View, calibration: Calibration) -> RGB:
    """Draw a checkerboard of both images, the infrared edges over the visible image, and the blocks by their residual.

    Args:
        ir, vis: the pair, with values in [0, 1].
        calibration: of the pair.

    Returns:
        (H, W, 3) in RGB.
    """
    small, to_small = vis.resized(min(1.0, _SIDE / max(vis.size)))
    aligned = ir.warped(to_small @ calibration.array, small.size)
    visible, infrared = (_stretched(view) for view in (small, aligned))
    blocks = judged(ir, vis, calibration.array).blocks
    panels = [
        _checkerboard(infrared, visible, aligned.valid),
        _edges(infrared, visible, aligned.valid),
        _residuals(visible, blocks, to_small[0, 0]),
    ]
    captions = ["checkerboard", "infrared edges (orange) on the visible image", "green: aligned, red: off"]
    return sheet.comparison([panels], captions, small.size[1])


def _stretched(view: View) -> RGB:
    """Stretch the middle 98 % of a view to 8 bits."""
    low, high = np.percentile(view.gray[view.valid] if view.valid.any() else view.gray, [1, 99])
    unit = (view.gray - low) / max(float(high - low), 1e-6)
    return np.repeat(np.rint(unit.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def _checkerboard(infrared: RGB, visible: RGB, seen: NDArray[np.bool_]) -> RGB:
    side = max(8, min(seen.shape) // _SQUARES)
    rows, columns = (np.arange(count) // side for count in seen.shape)
    odd = (rows[:, None] + columns) % 2 == 1
    return np.where((odd & seen)[..., None], infrared, visible)


def _edges(infrared: RGB, visible: RGB, seen: NDArray[np.bool_]) -> RGB:
    smooth = cv2.GaussianBlur(infrared[..., 0], (0, 0), _SMOOTH)
    found = cv2.Canny(smooth, _WEAK, _STRONG) > 0
    inside = cv2.erode(seen.view(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
    drawn = visible // 2 + 64
    drawn[np.asarray(found) & np.asarray(inside)] = (255, 130, 0)
    return drawn


def _residuals(visible: RGB, blocks: Blocks, factor: float) -> RGB:
    drawn = np.ascontiguousarray(visible // 2 + 64)
    radius = max(3, round(_RADIUS * blocks.scale * factor))
    for (x, y), distance in zip(blocks.places * factor, blocks.distances, strict=True):
        share = min(1.0, float(distance) / _WORST)
        color = tuple(round(good + share * (bad - good)) for good, bad in zip(_GOOD, _BAD, strict=True))
        cv2.circle(drawn, (round(float(x)), round(float(y))), radius, color, -1, cv2.LINE_AA)
    return drawn
