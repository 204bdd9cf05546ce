"""Metrics of sharpness: how strongly the fused image changes from pixel to pixel.

The sources are ignored, and noise raises the values.
"""

from typing import Literal

import torch
from torch import Tensor

from irfuse.ops.filters import sobel


def ag(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute the average gradient: the sum of sqrt((gx² + gy²) / 2) divided by (H - 1)(W - 1).

    G. Cui, H. Feng, Z. Xu, Q. Li, Y. Chen: "Detail preserved fusion of visible and infrared images using regional
    saliency extraction and multi-scale image decomposition", Optics Communications 341, 2015,
    doi:10.1016/j.optcom.2014.12.032. The differences are central, and one-sided at the border.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 2.
        scale: the value that 1 becomes.

    Returns:
        (B,), 0 or more; higher is better.

    >>> ramp = torch.arange(3.0).expand(1, 1, 3, 3) / 255
    >>> ag(ramp, ramp, ramp)
    tensor([1.5910])
    """
    rows, columns = torch.gradient(fused * scale, dim=(2, 3))
    height, width = fused.shape[2:]
    return ((rows**2 + columns**2) / 2).sqrt().sum(dim=(1, 2, 3)) / ((height - 1) * (width - 1))


def mg(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute the mean gradient: the mean of sqrt(gx² + gy²), with forward differences that wrap around the border.

    B. K. Shreyamsha Kumar: "Image fusion based on pixel significance using cross bilateral filter", Signal, Image and
    Video Processing 9(5), 2015, doi:10.1007/s11760-013-0556-9.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        scale: the value that 1 becomes.

    Returns:
        (B,), 0 or more; higher is better. The value is about 1.8 times :func:`ag`.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> mg(image, image, image)
    tensor([255.])
    """
    fused = fused * scale
    rows, columns = fused.roll(-1, dims=2) - fused, fused.roll(-1, dims=3) - fused
    return (rows**2 + columns**2).sqrt().mean(dim=(1, 2, 3))


def ei(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute the edge intensity: the mean magnitude of the Sobel gradient.

    B. Rajalingam, R. Priya: "Hybrid multimodality medical image fusion technique for feature enhancement in medical
    diagnosis", International Journal of Engineering Science Invention 2, 2018. The kernels are not normalized, and the
    border is replicated.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        scale: the value that 1 becomes.

    Returns:
        (B,), 0 or more; higher is better.

    >>> image = torch.ones(1, 1, 4, 4)
    >>> ei(image, image, image)
    tensor([0.])
    """
    rows, columns = sobel(fused * scale, "replicate")
    return (rows**2 + columns**2).sqrt().mean(dim=(1, 2, 3))


def sf(
    fused: Tensor,
    ir: Tensor,
    vis: Tensor,
    *,
    scale: float = 255.0,
    mean_over: Literal["pixels", "differences"] = "pixels",
) -> Tensor:
    """Compute the spatial frequency: the root of the mean squared differences along rows plus those along columns.

    The metric is differentiable. The gradient of a constant image is zero.

    A. M. Eskicioglu, P. S. Fisher: "Image quality measures and their performance", IEEE Transactions on Communications
    43(12), 1995, doi:10.1109/26.477498.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 2.
        scale: the value that 1 becomes.
        mean_over: the divisor of the sums of squares: the number of pixels, or the smaller number of differences.

    Returns:
        (B,), 0 or more; higher is better.

    >>> image = torch.eye(2)[None, None] / 255
    >>> sf(image, image, image, mean_over="differences")
    tensor([1.4142])
    """
    squares = [(torch.diff(fused * scale, dim=dim) ** 2).flatten(1) for dim in (2, 3)]
    counts = [fused[0].numel() if mean_over == "pixels" else square.shape[1] for square in squares]
    total = torch.stack([s.sum(dim=1) / n for s, n in zip(squares, counts, strict=True)]).sum(dim=0)
    # The root has no gradient at zero.
    return torch.where(total > 0, torch.where(total > 0, total, 1).sqrt(), total)
