"""Linear filters on (B, C, H, W) tensors, and the moments of what their windows see.

What happens at the border is always an argument, and so are the taps of a kernel, which is the same along the rows and
along the columns.
"""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.ops.sharing import shared

Border = Literal["valid", "reflect", "symmetric", "replicate", "zero"]
Taps = tuple[float, ...]


def gaussian(size: int, sigma: float) -> Taps:
    """A Gaussian of `size` taps and standard deviation `sigma`, in pixels, that sums to one.

    >>> gaussian(3, 1e-3)
    (0.0, 1.0, 0.0)
    """
    values = [math.exp(-((k - (size - 1) / 2) ** 2) / (2 * sigma**2)) for k in range(size)]
    return tuple(value / sum(values) for value in values)


def box(size: int) -> Taps:
    """`size` equal taps that sum to one."""
    return (1 / size,) * size


def separable(images: Tensor, taps: Taps, border: Border) -> Tensor:
    """Correlate every channel with `taps`, along the rows and then along the columns.

    Differentiable.

    Args:
        images: (B, C, H, W).
        taps: K of them, K odd but for ``valid``.
        border: ``valid`` keeps only the places where the kernel fits, (H - K + 1, W - K + 1); the others keep the
            size and go on beyond the border by mirroring without the edge (``reflect``) or with it (``symmetric``), by
            the edge's own value (``replicate``), or by zeros (``zero``).

    Raises:
        ImageError: no kernel fits into the images.
    """
    if border == "valid" and min(images.shape[2:]) < len(taps):
        height, width = images.shape[2:]
        raise ImageError(f"a window of {len(taps)}x{len(taps)} does not fit into {width}x{height} pixels")
    filtered: Tensor = _Separable.apply(extend(images, len(taps) // 2, border), taps)  # type: ignore[no-untyped-call]
    return filtered


@shared
def local_mean(images: Tensor, taps: Taps, border: Border) -> Tensor:
    """The mean in each window, weighted by `taps`, which sum to one; see :func:`separable`."""
    return separable(images, taps, border)


@shared
def local_variance(images: Tensor, taps: Taps, border: Border) -> Tensor:
    """The variance in each window, which rounding may push below zero; see :func:`separable`."""
    return separable(images * images, taps, border) - local_mean(images, taps, border) ** 2


@shared
def local_covariance(x: Tensor, y: Tensor, taps: Taps, border: Border) -> Tensor:
    """The covariance of two images in each window; see :func:`separable`."""
    return separable(x * y, taps, border) - local_mean(x, taps, border) * local_mean(y, taps, border)


@shared
def scaled(images: Tensor, factor: float) -> Tensor:
    """Images times a factor."""
    return images * factor


def sobel(images: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """The differences by Sobel's kernels, from row to row and from column to column: 1 2 1 across, -1 0 1 along.

    Args:
        images: (B, C, H, W).
        border: as in :func:`separable`.
    """
    images = extend(images, 1, border)
    # The sums run down the columns first, as MATLAB's do: where a gradient is zero but for rounding, it shows.
    rows = images[..., 2:, :] - images[..., :-2, :]
    columns = images[..., :-2, :] + 2 * images[..., 1:-1, :] + images[..., 2:, :]
    return rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:], columns[..., 2:] - columns[..., :-2]


def extend(images: Tensor, by: int, border: Border) -> Tensor:
    """Continue images beyond their border by `by` pixels on each side; ``valid`` leaves them as they are."""
    if border == "valid":
        return images
    if border == "symmetric":
        height, width = images.shape[2:]
        return images[..., mirrored(height, by, images.device), :][..., mirrored(width, by, images.device)]
    return F.pad(images, (by, by, by, by), mode="constant" if border == "zero" else border)


def mirrored(side: int, by: int, device: torch.device) -> Tensor:
    """The places to take for a side that is continued by mirroring with the edge, as often as need be."""
    places = torch.arange(-by, side + by, device=device) % (2 * side)
    return torch.minimum(places, 2 * side - 1 - places)


class _Separable(torch.autograd.Function):
    """Sums of shifted images.

    In double precision on a CPU PyTorch's convolutions take 20 times as long, and in single precision twice as long.
    Left to autograd, each shift would cost a gradient of the whole image's size.
    """

    @staticmethod
    def forward(images: Tensor, taps: Taps) -> Tensor:
        return _correlate(_correlate(images, taps, 3), taps, 2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Taps], output: Tensor) -> None:
        ctx.taps = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        taps = ctx.taps[::-1]
        return separable(extend(gradient, len(taps) - 1, "zero"), taps, "valid"), None


def _correlate(images: Tensor, taps: Taps, dim: int) -> Tensor:
    count = images.shape[dim] - len(taps) + 1
    total = images.narrow(dim, 0, count) * taps[0]
    for k, tap in enumerate(taps[1:], 1):
        total.add_(images.narrow(dim, k, count), alpha=tap)
    return total
