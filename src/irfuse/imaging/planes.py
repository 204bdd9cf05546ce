"""Planes: what a pair of images is, and how its pixels come in and go out."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
"""An image in its own dtype: (H, W), or (H, W, C) with C from 1 to 4."""
