"""Colour: the luma is fused, the chroma of the visible image is kept (ITU-R BT.601).

Both functions work on NumPy arrays and on tensors alike, since they only add and multiply.
"""

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T", NDArray[Any], "Tensor")

Color = Literal["auto", "gray"]
"""Whether a result has the visible image's colour, or is the fused luma alone."""


def luma(red: T, green: T, blue: T) -> T:
    """The BT.601 luma of three planes of one shape and range."""
    return 0.299 * red + 0.587 * green + 0.114 * blue


def recolor(rgb: T, visible_luma: T, fused_luma: T) -> T:
    """Give a colour image another luma and keep its chroma: rgb + (fused - luma), clipped to [0, 1].

    Args:
        rgb: the visible image, in [0, 1].
        visible_luma, fused_luma: of a shape that broadcasts against it.
    """
    recolored: T = (rgb + (fused_luma - visible_luma)).clip(0, 1)
    return recolored
