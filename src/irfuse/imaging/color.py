"""Color: the luma is fused, the chroma of the visible image is kept (ITU-R BT.601).

All functions take NumPy arrays and tensors, since they only add, multiply and index.
"""

from typing import Literal

from irfuse.imaging.arrays import T

Color = Literal["auto", "gray"]
"""``auto`` gives a result the color of the visible image, ``gray`` only the fused luma."""


def luma(red: T, green: T, blue: T) -> T:
    """Compute the BT.601 luma of three planes of one shape and range."""
    return 0.299 * red + 0.587 * green + 0.114 * blue


def gray(images: T) -> T:
    """Compute the luma of images.

    Args:
        images: (B, C, H, W), any range. C is 1 or 2 for gray, with or without alpha, and 3 or 4 for RGB.

    Returns:
        (B, 1, H, W), the first channel of gray images and the luma of color images.

    >>> import numpy as np
    >>> gray(np.ones((1, 4, 2, 2), np.float32)).shape
    (1, 1, 2, 2)
    """
    if images.shape[1] < 3:
        return images[:, :1]
    return luma(images[:, 0:1], images[:, 1:2], images[:, 2:3])


def recolor(rgb: T, visible_luma: T, fused_luma: T) -> T:
    """Give a color image another luma and keep its chroma: rgb + (fused - luma), clipped to [0, 1].

    Args:
        rgb: the visible image, in [0, 1].
        visible_luma, fused_luma: planes of a shape that broadcasts against `rgb`.
    """
    recolored: T = (rgb + (fused_luma - visible_luma)).clip(0, 1)
    return recolored
