"""Inputs: from arrays and tensors to the 8-bit planes that are scored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from irfuse import notices
from irfuse.errors import ImageError, SuspiciousPairWarning
from irfuse.imaging import planes
from irfuse.imaging.color import luma
from irfuse.imaging.levels import Levels, Percentiles, full_scale
from irfuse.imaging.planes import Array, Planes, Role

Unit = NDArray[np.float64]
"""An image without alpha, (1, H, W) or (3, H, W), 8-bit levels over 255."""


def read(image: NDArray[Any] | Tensor, role: Role) -> Planes[Array]:
    """Read one image.

    Raises:
        ImageError: it is empty, holds NaN, has a wrong shape, or is a batch.
    """
    native = planes.read(image, role).arrays()
    if native.dimensions == 4:
        raise ImageError(f"{role}: one image is needed, not a batch of shape {tuple(image.shape)}")
    return native


def unit(native: Planes[Array], thermal: Levels | Percentiles | None = None) -> Unit:
    """Round an image to 8 bits.

    Args:
        native: the image.
        thermal: how infrared values become [0, 1]; None is the full range of the dtype.

    Raises:
        ImageError: see :func:`irfuse.imaging.planes.eight_bits`.

    Warns:
        SuspiciousPairWarning: the infrared image looks like raw counts, and has no levels.
    """
    if native.role == "infrared" and native.dtype == "uint16" and thermal is None:
        used = int(native.values.max()) - int(native.values.min())
        if used < full_scale("uint16", native.role) / 16:
            notices.warn(
                SuspiciousPairWarning(
                    f"the infrared image uses {used} of 65535 levels, of which 8 bits leave few: if these are raw "
                    "counts, give thermal levels"
                )
            )
    return planes.eight_bits(native, thermal)


def gray(image: Unit) -> Unit:
    """Return the luma of an image, (1, H, W), rounded to 8 bits as that of a gray file would be.

    >>> gray(np.ones((3, 2, 2))).shape
    (1, 2, 2)
    """
    # A GPU's division by 255 is not exact, so it is done here.
    return np.rint(luma(*image)[None] * 255) / 255 if len(image) == 3 else image
