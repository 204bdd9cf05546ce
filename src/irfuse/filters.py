"""Linear filters on (B, C, H, W) tensors; what happens at the border is always an argument."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Border = Literal["valid", "reflect", "replicate", "zero"]


def gaussian_kernel(size: int, sigma: float, like: Tensor) -> Tensor:
    """A Gaussian of `size` taps and standard deviation `sigma`, in pixels, that sums to one.

    Args:
        like: the tensor whose dtype and device the kernel takes.
    """
    position = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
    kernel = torch.exp(-(position**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def separable(images: Tensor, kernel: Tensor, border: Border) -> Tensor:
    """Correlate every channel with `kernel`, along the rows and then along the columns.

    Args:
        images: (B, C, H, W).
        kernel: (K,), K odd.
        border: ``valid`` keeps only the places where the kernel fits, (H - K + 1, W - K + 1); the others keep the
            size and go on beyond the border by mirroring without the edge (``reflect``), by the edge's own value
            (``replicate``), or by zeros (``zero``).
    """
    channels, radius = images.shape[1], kernel.numel() // 2
    images = extend(images, radius, border)
    rows = F.conv2d(images, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(rows, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


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
    return F.pad(images, (by, by, by, by), mode="constant" if border == "zero" else border)
