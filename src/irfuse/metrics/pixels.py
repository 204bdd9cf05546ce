"""Metrics of pixel values: errors against the sources."""

import torch
from torch import Tensor


def mse(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Mean squared error, the mean over both sources; pass one image as both to compare two images.

    Args:
        fused, ir, vis: (B, C, H, W) of one range.

    Returns:
        (B,), 0 or more, lower is better.

    >>> mse(torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    tensor([0.2500])
    """
    return (((fused - ir) ** 2 + (fused - vis) ** 2) / 2).mean(dim=(1, 2, 3))


def rmse(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """The root of :func:`mse`.

    Args:
        fused, ir, vis: (B, C, H, W) of one range.

    Returns:
        (B,), 0 or more, lower is better.

    >>> rmse(torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    tensor([0.5000])
    """
    return mse(fused, ir, vis).sqrt()


def psnr(fused: Tensor, ir: Tensor, vis: Tensor, *, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio of the mean squared error over both sources, in decibels.

    Args:
        fused, ir, vis: (B, C, H, W) in [0, peak].

    Returns:
        (B,), higher is better, infinite for equal images.

    >>> psnr(torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    tensor([20.])
    """
    return 10 * torch.log10(peak**2 / mse(fused, ir, vis))
