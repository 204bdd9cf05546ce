"""Linear filters on (B, C, H, W) tensors, and local moments.

The border and the taps are always arguments. A kernel has the same taps along the rows and along the columns.
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
    """Return a Gaussian of `size` taps and standard deviation `sigma` (in pixels) that sums to one.

    >>> gaussian(3, 1e-3)
    (0.0, 1.0, 0.0)
    """
    values = [math.exp(-((k - (size - 1) / 2) ** 2) / (2 * sigma**2)) for k in range(size)]
    return tuple(value / sum(values) for value in values)


def box(size: int) -> Taps:
    """Return `size` equal taps that sum to one."""
    return (1 / size,) * size


def separable(images: Tensor, taps: Taps, border: Border) -> Tensor:
    """Correlate every channel with `taps`, along the rows and then along the columns.

    Differentiable.

    Args:
        images: (B, C, H, W).
        taps: K taps; K is odd unless the border is ``valid``.
        border: ``valid`` keeps only the places where the kernel fits, (H - K + 1, W - K + 1). The others keep the size
            and continue the image by mirroring without the edge (``reflect``) or with it (``symmetric``), by the edge's
            value (``replicate``), or by zeros (``zero``).

    Raises:
        ImageError: the images are smaller than the kernel.
    """
    if border == "valid":
        _check_fit(images, taps)
    filtered: Tensor = _Separable.apply(extend(images, len(taps) // 2, border), taps)  # type: ignore[no-untyped-call]
    return filtered


def separable_at(images: Tensor, taps: Taps, stride: int) -> Tensor:
    """Correlate as :func:`separable` with the border ``valid``, at every `stride`-th place along rows and columns.

    Equals ``separable(images, taps, "valid")[..., ::stride, ::stride]`` up to rounding, in less time.

    Raises:
        ImageError: the images are smaller than the kernel.
    """
    _check_fit(images, taps)
    filtered: Tensor = _SeparableAt.apply(images, taps, stride)  # type: ignore[no-untyped-call]
    return filtered


@shared
def local_mean(images: Tensor, taps: Taps, border: Border) -> Tensor:
    """Compute the mean in each window, weighted by `taps`, which sum to one; see :func:`separable`."""
    return separable(images, taps, border)


@shared
def local_variance(images: Tensor, taps: Taps, border: Border) -> Tensor:
    """Compute the variance in each window, which rounding may push below zero; see :func:`separable`."""
    return separable(images * images, taps, border) - local_mean(images, taps, border) ** 2


@shared
def local_covariance(x: Tensor, y: Tensor, taps: Taps, border: Border) -> Tensor:
    """Compute the covariance of two images in each window; see :func:`separable`."""
    return separable(x * y, taps, border) - local_mean(x, taps, border) * local_mean(y, taps, border)


def moments_to_sources(
    fused: Tensor, sources: Tensor, taps: Taps, stride: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute the moments of the fused image and each source in windows, for gradients of the fused image.

    Each image is shifted by its mean before it is squared, which makes rounding errors small.

    Args:
        fused: (B, 1, H, W).
        sources: (B, S, H, W). They get no gradient.
        taps: the weights along rows and columns, which sum to one.
        stride: the distance from window to window, see :func:`separable_at`.

    Returns:
        The mean of the fused image, (B, 1, H', W'), the means of the sources, (B, S, H', W'), the variances likewise,
        and the covariances, (B, S, H', W'). Rounding may push variances of the fused image below zero.

    Raises:
        ImageError: the images are smaller than the window.

    >>> fused, sources = torch.rand(2, 1, 8, 8), torch.rand(2, 2, 8, 8)
    >>> [moment.shape[1] for moment in moments_to_sources(fused, sources, box(7), 1)]
    [1, 2, 1, 2, 2]
    """
    with torch.no_grad():
        sources_shift, fused_shift = (images.mean(dim=(2, 3), keepdim=True) for images in (sources, fused))
        sources = sources - sources_shift
        means = separable_at(torch.cat([sources, sources**2], dim=1), taps, stride)
        sources_mean, squares = means.tensor_split(2, dim=1)
        sources_variance = (squares - sources_mean**2).clamp(min=0)
    fused = fused - fused_shift
    means = separable_at(torch.cat([fused, fused * fused, fused * sources], dim=1), taps, stride)
    fused_mean, square, products = means.tensor_split((1, 2), dim=1)
    variance, covariance = square - fused_mean**2, products - fused_mean * sources_mean
    return fused_mean + fused_shift, sources_mean + sources_shift, variance, sources_variance, covariance


@shared
def scaled(images: Tensor, factor: float) -> Tensor:
    """Multiply images by a factor."""
    return images * factor


def sobel(images: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Compute Sobel's differences from row to row and from column to column: 1 2 1 across, -1 0 1 along.

    Args:
        images: (B, C, H, W).
        border: see :func:`separable`.
    """
    images = extend(images, 1, border)
    # MATLAB sums down the columns first, and the order shows where a gradient is zero up to rounding.
    rows = images[..., 2:, :] - images[..., :-2, :]
    columns = images[..., :-2, :] + 2 * images[..., 1:-1, :] + images[..., 2:, :]
    return rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:], columns[..., 2:] - columns[..., :-2]


def extend(images: Tensor, by: int, border: Border) -> Tensor:
    """Continue images by `by` pixels on each side; ``valid`` leaves them unchanged."""
    if border == "valid":
        return images
    if border == "symmetric":
        height, width = images.shape[2:]
        return images[..., mirrored(height, by, images.device), :][..., mirrored(width, by, images.device)]
    return F.pad(images, (by, by, by, by), mode="constant" if border == "zero" else border)


def mirrored(side: int, by: int, device: torch.device) -> Tensor:
    """Return the indices that continue a side by mirroring with the edge, repeatedly if `by` is larger than it."""
    places = torch.arange(-by, side + by, device=device) % (2 * side)
    return torch.minimum(places, 2 * side - 1 - places)


class _Separable(torch.autograd.Function):
    """A separable filter as a sum of shifted images.

    On a CPU, PyTorch's convolutions take 20 times as long in double precision and twice as long in single precision.
    Autograd would keep a gradient of the whole image for each shift.
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


class _SeparableAt(torch.autograd.Function):
    """A separable filter at some places only."""

    @staticmethod
    def forward(images: Tensor, taps: Taps, stride: int) -> Tensor:
        # Rows can be left out at no cost, so the second filter has fewer pixels.
        return _correlate_at(_correlate_at(images, taps, stride, 2), taps, stride, 3)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Taps, int], output: Tensor) -> None:
        ctx.sides, ctx.taps, ctx.stride = inputs[0].shape[2:], inputs[1], inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        height, width = ctx.sides
        rows = _spread(gradient, ctx.taps, ctx.stride, 3, width)
        return _spread(rows, ctx.taps, ctx.stride, 2, height), None, None


def _check_fit(images: Tensor, taps: Taps) -> None:
    height, width = images.shape[2:]
    if min(height, width) < len(taps):
        raise ImageError(f"a window of {len(taps)}x{len(taps)} does not fit into {width}x{height} pixels")


def _correlate(images: Tensor, taps: Taps, dim: int) -> Tensor:
    count = images.shape[dim] - len(taps) + 1
    total = images.narrow(dim, 0, count) * taps[0]
    for k, tap in enumerate(taps[1:], 1):
        total.add_(images.narrow(dim, k, count), alpha=tap)
    return total


def _correlate_at(images: Tensor, taps: Taps, stride: int, dim: int) -> Tensor:
    """Correlate along a dimension at every `stride`-th place, by images that hold every `stride`-th pixel."""
    count = (images.shape[dim] - len(taps)) // stride + 1
    phases = [_phase(images, start, stride, dim) for start in range(min(stride, len(taps)))]
    if dim == 3:
        # Neighbors in memory are added faster.
        phases = [phase.contiguous() for phase in phases]
    total = phases[0].narrow(dim, 0, count) * taps[0]
    for k, tap in enumerate(taps[1:], 1):
        total.add_(phases[k % stride].narrow(dim, k // stride, count), alpha=tap)
    return total


def _spread(gradient: Tensor, taps: Taps, stride: int, dim: int, side: int) -> Tensor:
    """Compute the gradient of :func:`_correlate_at` with respect to images of `side` pixels along the dimension."""
    shape = list(gradient.shape)
    shape[dim] = side
    total = gradient.new_zeros(shape)
    for start in range(min(stride, len(taps))):
        phase = _phase(total, start, stride, dim)
        part = torch.zeros_like(phase) if dim == 3 and stride > 1 else phase
        for k in range(start, len(taps), stride):
            part.narrow(dim, k // stride, gradient.shape[dim]).add_(gradient, alpha=taps[k])
        if part is not phase:
            phase.copy_(part)
    return total


def _phase(images: Tensor, start: int, stride: int, dim: int) -> Tensor:
    """Return every `stride`-th pixel along a dimension, as a view."""
    return images[..., start::stride] if dim == 3 else images[..., start::stride, :]
