"""Arrays: what NumPy and PyTorch spell differently.

The functions take arrays and tensors. This file must not import PyTorch, which may not be installed.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]
"""An image in its own dtype: (H, W), or (H, W, C) with C from 1 to 4."""

T = TypeVar("T", Array, "Tensor")


def join(parts: Sequence[T], axis: int = 0) -> T:
    """Concatenate arrays or tensors along an axis, by default the batch; a single one is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis)
    joined: T = sys.modules["torch"].cat(parts, axis)
    return joined


def not_finite(image: T) -> int:
    """Count the values of an array or tensor that are NaN or infinite."""
    if isinstance(image, np.ndarray):
        return 0 if image.dtype.kind != "f" or (finite := np.isfinite(image)).all() else int((~finite).sum())
    # One NaN or infinite value makes the sum so, which takes a small part of the time of a look at each. A sum can also
    # overflow: that of a bright image in float16 does.
    if not image.is_floating_point() or image.sum().isfinite():
        return 0
    return image.numel() - int(image.isfinite().sum())


def dtype_name(image: T) -> str:
    """Return the name of a dtype, such as ``uint8``."""
    return image.dtype.name if isinstance(image, np.ndarray) else str(image.dtype).removeprefix("torch.")


def to_array(image: T) -> Array:
    """Return a NumPy array, in the same memory where a tensor is on the CPU."""
    if isinstance(image, np.ndarray):
        return image
    array: Array = image.detach().cpu().numpy()
    return array


def to_float32(image: T) -> T:
    """Convert to float32 in the image's own memory layout; a copy, unless the image is float32 already."""
    if isinstance(image, np.ndarray):
        return image.astype(np.float32, copy=False)
    return image.float()


def where(condition: T, true: T, false: T) -> T:
    """Choose between two arrays or tensors, value by value."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, true, false)
    return true.where(condition, false)
