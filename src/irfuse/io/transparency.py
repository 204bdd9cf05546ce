"""Whether a fourth channel is transparency, or an image of its own."""

import numpy as np

from irfuse.imaging.planes import Array

_MOST_EXTREME = 0.25
"""The share of fully opaque and fully transparent pixels that transparency has at least."""
_LEAST_TEXTURE = 0.02
"""The share of pixels that lie more than two of 255 levels off the line through their neighbors. Rounding does less."""
_LEAST_VALUES = 32


def looks_like_an_image(alpha: Array) -> bool:
    """Tell whether a channel is more likely a thermal image, as in MFNet's data set, than transparency.

    Transparency is flat, or rises evenly from its edges. An image has fine texture, no large part of it is at the ends
    of the range, and yet it is no random noise.

    Args:
        alpha: (H, W) of an integer dtype.
    """
    if alpha.dtype.kind != "u" or min(alpha.shape) < 3:
        return False
    full = np.iinfo(alpha.dtype).max
    if ((alpha == 0) | (alpha == full)).mean() > _MOST_EXTREME or len(np.unique(alpha)) < _LEAST_VALUES:
        return False
    values = alpha.astype(np.float32) * (255 / full)
    bends = np.abs(values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2])
    steps = np.abs(np.diff(values, axis=1)).mean()
    # The neighbors of random noise differ by more than its standard deviation.
    return bool((bends > 2).mean() > _LEAST_TEXTURE and steps < values.std() / 2)
