"""Metrics of statistics: the contrast of the fused image, and its correlation with the sources."""

import math

import torch
from torch import Tensor

_SOFT_VARIANCE = (0.25 / 255) ** 2


def sd(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute the population standard deviation of the fused image. The sources are ignored.

    The metric is differentiable. The gradient of a constant image is zero.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        scale: the value that 1 becomes.

    Returns:
        (B,), in [0, scale / 2]; higher is better. Noise raises it.

    >>> import torch
    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> sd(image, image, image)
    tensor([127.5000])
    """
    return fused.flatten(1).std(dim=1, correction=0) * scale


def cc(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the correlation coefficient, averaged over both sources.

    Args:
        fused, ir, vis: (B, 1, H, W) of any range.

    Returns:
        (B,), in [-1, 1]; higher is better. NaN where an image is constant.

    >>> import torch
    >>> image = torch.tensor([[[[0.0, 1.0, 0.5]]]])
    >>> cc(image, image, 1 - image)
    tensor([0.])
    """
    return (correlation(fused, ir) + correlation(fused, vis)) / 2


def scd(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the sum of the correlations of differences: (fused - vis) with ir, and (fused - ir) with vis.

    V. Aslantas, E. Bendes: "A new image quality metric for image fusion: the sum of the correlations of differences",
    AEU International Journal of Electronics and Communications 69(12), 2015, doi:10.1016/j.aeue.2015.09.004.

    Args:
        fused, ir, vis: (B, 1, H, W) of any range.

    Returns:
        (B,), in [-2, 2]; higher is better. NaN where the fused image equals a source up to a constant.

    >>> import torch
    >>> ir, vis = torch.rand(2, 1, 1, 8, 8)
    >>> scd(ir + vis, ir, vis).round(decimals=3)
    tensor([2.])
    """
    return correlation(fused - vis, ir) + correlation(fused - ir, vis)


def soft_scd(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute :func:`scd` with a finite gradient, for training.

    A variance of (0.25 / 255)² is added to all images in the denominators. So a term counts as 0, not as NaN, where the
    fused image equals a source or a source is constant.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        (B,), in [-2, 2]; higher is better.

    >>> import torch
    >>> ir, vis = torch.rand(2, 1, 1, 8, 8)
    >>> soft_scd(ir + vis, ir, vis).round(decimals=3), soft_scd(ir, ir, ir)
    (tensor([2.]), tensor([0.]))
    """
    return _soft_correlation(fused - vis, ir) + _soft_correlation(fused - ir, vis)


def correlation(x: Tensor, y: Tensor) -> Tensor:
    """Compute Pearson's correlation of two images, (B,). NaN where one is constant up to rounding."""
    x, y = x.flatten(1), y.flatten(1)
    (x_deviations, x_constant), (y_deviations, y_constant) = _deviations(x), _deviations(y)
    x_energy, y_energy = x_deviations.square().sum(dim=1), y_deviations.square().sum(dim=1)
    value = (x_deviations * y_deviations).sum(dim=1) / (x_energy * y_energy).sqrt()
    return torch.where(x_constant | y_constant, math.nan, value)


def _soft_correlation(x: Tensor, y: Tensor) -> Tensor:
    x, y = (image.flatten(1) - image.flatten(1).mean(dim=1, keepdim=True) for image in (x, y))
    x_variance, y_variance = x.square().mean(dim=1) + _SOFT_VARIANCE, y.square().mean(dim=1) + _SOFT_VARIANCE
    return (x * y).mean(dim=1) / (x_variance * y_variance).sqrt()


def _deviations(x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the deviations from the mean, (B, N), and whether they are only rounding error, (B,)."""
    deviations = x - x.mean(dim=1, keepdim=True)
    return deviations, deviations.abs().amax(dim=1) <= 1e3 * torch.finfo(x.dtype).eps * x.abs().amax(dim=1)
