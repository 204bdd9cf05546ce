"""Refinement: from a place that is about right to one that is right to the pixel."""

import cv2
import numpy as np

from irfuse.registration.channels import View, channels
from irfuse.registration.geometry import Matrix, Model, inverse, is_plausible, reduction
from irfuse.registration.support import shrunken

_BLUR, _POOL = 1.2, 1.5
"""As :func:`irfuse.registration.channels.channels` takes them."""
_ENOUGH = 1e-5
"""The change of the correlation at which the iterations end."""


def refined(ir: View, vis: View, matrix: Matrix, side: int, model: Model, iterations: int = 50) -> Matrix | None:
    """Refine a matrix at one size of the images, by the enhanced correlation coefficient of their channels.

    G. D. Evangelidis and E. Z. Psarakis: "Parametric image alignment using enhanced correlation coefficient
    maximization", TPAMI 2008, DOI 10.1109/TPAMI.2008.113.

    Args:
        ir, vis: the images.
        matrix: of the infrared image to the visible one.
        side: the longer side of the reduced visible image; more if the infrared image shows only a part of it.
        model: ``affine`` or ``homography``.
        iterations: the most.

    Returns:
        The refined matrix, or None if the iterations do not converge to a plausible one.
    """
    small, to_small = vis.resized(reduction(matrix, ir.size, vis.size, side))
    shrunk, to_shrunk = shrunken(ir, to_small @ matrix)
    fixed, moving = (channels(view, blur=_BLUR, pool=_POOL) for view in (small, shrunk))
    start = to_shrunk @ inverse(matrix) @ inverse(to_small)
    rows = start / start[2, 2] if model == "homography" else start[:2]
    motion = cv2.MOTION_HOMOGRAPHY if model == "homography" else cv2.MOTION_AFFINE
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, _ENOUGH)
    fixed_mask, moving_mask = (edges.valid.astype(np.uint8) * 255 for edges in (fixed, moving))
    try:
        _, warp = cv2.findTransformECCWithMask(
            fixed.values, moving.values, fixed_mask, moving_mask, rows.astype(np.float32), motion, criteria, 1
        )
    except cv2.error:
        # It does not converge, or the images no longer overlap.
        return None
    full = warp if model == "homography" else np.vstack([warp, [0.0, 0.0, 1.0]])
    found = inverse(inverse(to_shrunk) @ np.asarray(full, np.float64) @ to_small)
    found /= found[2, 2]
    return found if is_plausible(found, ir.size) else None
