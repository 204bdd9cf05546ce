"""Piella and Heijmans's quality indices: local similarity to the sources, weighted by their local variance.

G. Piella, H. Heijmans: "A new quality metric for image fusion", ICIP 2003, doi:10.1109/ICIP.2003.1247209. They are
based on Z. Wang, A. C. Bovik: "A universal image quality index", IEEE Signal Processing Letters 9(3), 2002,
doi:10.1109/97.995823.
"""

import torch
from torch import Tensor

from irfuse.ops.filters import box, local_covariance, local_mean, local_variance, sobel
from irfuse.ops.sharing import shared

_WINDOW = box(8)


def q(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q, the universal quality index against both sources, weighted by their variances in each 8x8 window.

    The metric is differentiable.

    Args:
        fused, ir, vis: (B, 1, H, W) of one range, H and W at least 8.

    Returns:
        (B,), in [-1, 1]; higher is better.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> q(image, image, image).round(decimals=3)
    tensor([1.])
    """
    quality, _ = _local(fused, ir, vis)
    return quality.mean(dim=(1, 2, 3))


def qw(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_W, which is :func:`q` with each window weighted by the larger of the sources' variances.

    The metric is differentiable. It ignores regions where both sources are flat, such as very dark or bright ones.

    Args:
        fused, ir, vis: (B, 1, H, W) of one range, H and W at least 8.

    Returns:
        (B,), in [-1, 1]; higher is better. If both sources are constant, all windows have equal weights.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qw(image, image, image).round(decimals=3)
    tensor([1.])
    """
    quality, saliency = _local(fused, ir, vis)
    total = saliency.sum(dim=(1, 2, 3), keepdim=True)
    share = torch.where(total > 0, saliency / torch.where(total > 0, total, 1), 1 / saliency[0].numel())
    return (quality * share).sum(dim=(1, 2, 3))


def qw_edge(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the edge factor of Q_E: Q_W of the Sobel magnitudes, with zeros beyond the border.

    The metric is differentiable.

    Args:
        fused, ir, vis: (B, 1, H, W) of one range, H and W at least 8.

    Returns:
        (B,), in [-1, 1]; higher is better.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qw_edge(image, image, image).round(decimals=3)
    tensor([1.])
    """
    return qw(*(_magnitude(image) for image in (fused, ir, vis)))


def qe(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_E, the product of :func:`qw` and :func:`qw_edge`.

    The metric is differentiable.

    Args:
        fused, ir, vis: (B, 1, H, W) of one range, H and W at least 8.

    Returns:
        (B,), in [-1, 1]; higher is better.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qe(image, image, image).round(decimals=3)
    tensor([1.])
    """
    return qw(fused, ir, vis) * qw_edge(fused, ir, vis)


@shared
def _local(fused: Tensor, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the quality against both sources and the larger of their variances, in each window."""
    ir_variance, vis_variance = _variance(ir), _variance(vis)
    sum_of_variances = ir_variance + vis_variance
    flat = sum_of_variances <= 0
    ir_weight = torch.where(flat, 0.5, ir_variance / torch.where(flat, 1, sum_of_variances))
    quality = ir_weight * _index(fused, ir) + (1 - ir_weight) * _index(fused, vis)
    return quality, torch.maximum(ir_variance, vis_variance)


def _index(x: Tensor, y: Tensor) -> Tensor:
    """Compute the universal quality index in each window.

    It is 1 where both images are zero, and its luminance factor where both are flat.
    """
    mean_x, mean_y = local_mean(x, _WINDOW, "valid"), local_mean(y, _WINDOW, "valid")
    luminance = ratio(2 * mean_x * mean_y, mean_x**2 + mean_y**2)
    variance_x, variance_y = _variance(x), _variance(y)
    # Where one image is flat, the covariance is zero except for rounding.
    covariance = torch.where((variance_x > 0) & (variance_y > 0), local_covariance(x, y, _WINDOW, "valid"), 0)
    return luminance * ratio(2 * covariance, variance_x + variance_y)


@shared
def _variance(image: Tensor) -> Tensor:
    """Compute the variance in each window. It is exactly zero where it is only rounding error of the mean square."""
    variance, mean = local_variance(image, _WINDOW, "valid"), local_mean(image, _WINDOW, "valid")
    return torch.where(variance > 16 * torch.finfo(image.dtype).eps * mean**2, variance, 0)


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide, with 1 where the denominator is zero."""
    zero = denominator == 0
    return torch.where(zero, 1, numerator / torch.where(zero, 1, denominator))


@shared
def _magnitude(image: Tensor) -> Tensor:
    rows, columns = sobel(image, "zero")
    squares = rows**2 + columns**2
    # The root has no gradient at zero.
    return torch.where(squares > 0, torch.where(squares > 0, squares, 1).sqrt(), 0)
