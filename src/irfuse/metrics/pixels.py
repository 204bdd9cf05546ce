"""Metrics of pixel values: errors against the sources."""

import torch
from torch import Tensor


def mse(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the mean squared error, averaged over both sources.

    To compare two images, pass one of them as both sources.

    Args:
        fused, ir, vis: (B, C, H, W) of one range.

    Returns:
        (B,), 0 or more; lower is better.

    >>> mse(torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    tensor([0.2500])
    """
    return (((fused - ir) ** 2 + (fused - vis) ** 2) / 2).mean(dim=(1, 2, 3))


def rmse(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the square root of :func:`mse`.

    Args:
        fused, ir, vis: (B, C, H, W) of one range.

    Returns:
        (B,), 0 or more; lower is better.

    >>> rmse(torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    tensor([0.5000])
    """
    return mse(fused, ir, vis).sqrt()


def psnr(fused: Tensor, ir: Tensor, vis: Tensor, *, peak: float = 1.0) -> Tensor:
    """Compute the peak signal-to-noise ratio of :func:`mse`, in decibels.

    Args:
        fused, ir, vis: (B, C, H, W) in [0, peak].
        peak: the highest value of the images.

    Returns:
        (B,); higher is better. Infinite for equal images.

    >>> psnr(torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    tensor([20.])
    """
    return 10 * torch.log10(peak**2 / mse(fused, ir, vis))
