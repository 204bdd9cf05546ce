"""Structural similarity, and the fusion metrics that are based on it.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: "Image quality assessment: from error visibility to structural
similarity", IEEE Transactions on Image Processing 13(4), 2004, doi:10.1109/TIP.2003.819861.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.ops.filters import (
    Border,
    Taps,
    box,
    gaussian,
    local_covariance,
    local_mean,
    local_variance,
    moments_to_sources,
)
from irfuse.ops.sharing import shared

_WINDOW = 11
_GAUSSIAN = gaussian(_WINDOW, 1.5)
_K1, _K2 = 0.01, 0.03
_MS_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
CVEJIC_WINDOW = gaussian(7, 1.5)
EPSILON = 2e-16


@dataclass(frozen=True)
class Moments:
    """The means, the variances and the covariance of two images in each window."""

    mean_x: Tensor
    mean_y: Tensor
    variance_x: Tensor
    variance_y: Tensor
    covariance: Tensor

    def without_rounding(self) -> "Moments":
        """Set variances that are only rounding error to zero, and the covariances with them."""
        limit = 64 * torch.finfo(self.mean_x.dtype).eps
        variance_x = torch.where(self.variance_x > limit * self.mean_x**2, self.variance_x, 0)
        variance_y = torch.where(self.variance_y > limit * self.mean_y**2, self.variance_y, 0)
        covariance = torch.where((variance_x > 0) & (variance_y > 0), self.covariance, 0)
        return Moments(self.mean_x, self.mean_y, variance_x, variance_y, covariance)

    def contrast_structure(self, c2: float) -> Tensor:
        """Compute the product of the contrast and structure terms of SSIM, with the constant C2."""
        return (2 * self.covariance + c2) / (self.variance_x + self.variance_y + c2)

    def luminance(self, c1: float) -> Tensor:
        """Compute the luminance term of SSIM, with the constant C1."""
        return (2 * self.mean_x * self.mean_y + c1) / (self.mean_x**2 + self.mean_y**2 + c1)

    def similarity(self, c1: float, c2: float) -> Tensor:
        """Compute SSIM with the constants C1 and C2."""
        return self.luminance(c1) * self.contrast_structure(c2)


def similarity(x: Tensor, y: Tensor, *, dynamic_range: float = 1.0, border: Border = "valid") -> Tensor:
    """Compute the mean SSIM of two images, with an 11x11 Gaussian window of sigma 1.5.

    The function is differentiable.

    Args:
        x, y: (B, 1, H, W) in [0, 1], H and W at least 11.
        dynamic_range: L in the constants C1 = (0.01 L)^2 and C2 = (0.03 L)^2.
        border: the extension beyond the border, see :func:`irfuse.ops.filters.separable`. ``valid`` averages only the
            positions where the window fits, as the paper's authors do. The others average all pixels.

    Returns:
        (B,), in [-1, 1]; 1 for equal images.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> similarity(image, image)
    tensor([1.])
    """
    local = moments(x, y, _GAUSSIAN, border)
    return local.similarity((_K1 * dynamic_range) ** 2, (_K2 * dynamic_range) ** 2).mean(dim=(1, 2, 3))


def ssim(fused: Tensor, ir: Tensor, vis: Tensor, *, dynamic_range: float = 1.0, border: Border = "valid") -> Tensor:
    """Compute the sum of the fused image's similarities to both sources.

    The metric is differentiable.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 11.
        dynamic_range, border: see :func:`similarity`.

    Returns:
        (B,), in [-2, 2]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> ssim(image, image, image)
    tensor([2.])
    """
    to_ir, to_vis = (similarity(fused, s, dynamic_range=dynamic_range, border=border) for s in (ir, vis))
    return to_ir + to_vis


def soft_ssim(fused: Tensor, ir: Tensor, vis: Tensor, *, stride: int = 1, dynamic_range: float = 2 / 255) -> Tensor:
    """Compute SSIM as the protocol ``cddfuse`` reads it, quickly and precisely in float32, for training.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 7, a window's side. The sources get no gradient.
        stride: the distance from window to window, in pixels. 2 takes half the time and hardly changes the value.
        dynamic_range: see :func:`similarity`. A larger one gives flat regions less weight in the gradient.

    Returns:
        (B,), in [-2, 2]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> soft_ssim(*torch.ones(3, 1, 1, 16, 16))
    tensor([2.])
    """
    # The variances of flat windows are compared with C2, which is below the rounding errors of float32.
    means = moments_to_sources(fused.double(), torch.cat([ir, vis], dim=1).double(), box(7), stride)
    local = Moments(*(mean.to(fused.dtype) for mean in means))
    values = local.similarity((_K1 * dynamic_range) ** 2, (_K2 * dynamic_range) ** 2 * 48 / 49)  # variances of samples
    return values.mean(dim=(2, 3)).sum(dim=1)


def ssim_a(fused: Tensor, ir: Tensor, vis: Tensor, *, dynamic_range: float = 1.0, border: Border = "valid") -> Tensor:
    """Compute SSIM_a, the mean of the fused image's similarities to both sources.

    The metric is differentiable. To compare two images, pass one of them as both sources.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 11.
        dynamic_range, border: see :func:`similarity`.

    Returns:
        (B,), in [-1, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> ssim_a(image, image, image)
    tensor([1.])
    """
    return ssim(fused, ir, vis, dynamic_range=dynamic_range, border=border) / 2


def ms_ssim(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Wang's multi-scale SSIM over five scales, averaged over both sources.

    Z. Wang, E. P. Simoncelli, A. C. Bovik: "Multiscale structural similarity for image quality assessment", Asilomar
    Conference on Signals, Systems and Computers 2003, doi:10.1109/ACSSC.2003.1292216. A negative term of contrast and
    structure counts as zero.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 161.

    Returns:
        (B,), in [0, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than 161x161.

    >>> image = torch.rand(1, 1, 176, 176)
    >>> ms_ssim(image, image, image)
    tensor([1.])
    """
    if min(fused.shape[2:]) <= (_WINDOW - 1) * 2 ** (len(_MS_WEIGHTS) - 1):
        raise ImageError(f"ms_ssim needs images of at least 161x161, this one is {fused.shape[3]}x{fused.shape[2]}")
    return (_multi_scale(fused, ir) + _multi_scale(fused, vis)) / 2


def mef_ssim(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute MEF-SSIM, which compares the fused image with the sources' joint structure at the stronger contrast.

    K. Ma, K. Zeng, Z. Wang: "Perceptual quality assessment for multi-exposure image fusion", IEEE Transactions on Image
    Processing 24(11), 2015, doi:10.1109/TIP.2015.2442920. Only one scale is used, and the mean intensity is ignored.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 11.

    Returns:
        (B,), in [-1, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> mef_ssim(image, image, image).round(decimals=3)
    tensor([1.])
    """
    between = moments(ir, vis, box(_WINDOW), "valid")
    sigma_ir, sigma_vis = between.variance_x.clamp(min=0).sqrt(), between.variance_y.clamp(min=0).sqrt()
    tiny = torch.finfo(fused.dtype).tiny
    both = (between.variance_x + between.variance_y + 2 * between.covariance).clamp(min=0).sqrt()
    consistency = (both / (sigma_ir + sigma_vis).clamp(min=tiny)).clamp(0, 1 - torch.finfo(fused.dtype).eps)
    power = torch.tan(math.pi / 2 * consistency).clamp(max=10)
    weights = torch.stack([sigma_ir**power, sigma_vis**power]) + tiny
    # The share of each source in the desired structure, per unit of its contrast ...
    shares = weights / weights.sum(dim=0) / torch.stack([sigma_ir, sigma_vis]).clamp(min=1e-12)
    a, b = shares
    length = (a * a * between.variance_x + b * b * between.variance_y + 2 * a * b * between.covariance).clamp(min=1e-24)
    # ... scaled to the contrast of the stronger source.
    a, b = (share / length.sqrt() * torch.maximum(sigma_ir, sigma_vis) for share in (a, b))

    to_ir, to_vis = (moments(fused, source, _GAUSSIAN, "valid") for source in (ir, vis))
    between = moments(ir, vis, _GAUSSIAN, "valid")
    wanted = a * a * between.variance_x + b * b * between.variance_y + 2 * a * b * between.covariance
    covariance = a * to_ir.covariance + b * to_vis.covariance
    quality: Tensor = (2 * covariance + _K2**2) / (to_ir.variance_x + wanted + _K2**2)
    return quality.mean(dim=(1, 2, 3))


def mef_ms_ssim(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute multi-scale MEF-SSIM: the product of :func:`mef_ssim` over three scales, each raised to its weight.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 41.

    Returns:
        (B,), in [0, 1]; higher is better. NaN where the value of a scale is negative.

    Raises:
        ImageError: the images are smaller than 41x41.

    >>> image = torch.rand(1, 1, 48, 48)
    >>> mef_ms_ssim(image, image, image).round(decimals=2)
    tensor([1.])
    """
    weights = [weight / sum(_MS_WEIGHTS[:3]) for weight in _MS_WEIGHTS[:3]]
    result = torch.ones_like(fused[:, 0, 0, 0])
    for weight in weights:
        result = result * mef_ssim(fused, ir, vis) ** weight
        fused, ir, vis = (_halved(image) for image in (fused, ir, vis))
    return result


def qc(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_C, the similarity to both sources in 7x7 windows, weighted by their covariance with the fused image.

    N. Cvejic, A. Loza, D. Bull, N. Canagarajah: "A similarity metric for assessment of image fusion algorithms",
    International Journal of Signal Processing 2(3), 2005.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 7.

    Returns:
        (B,), in [-1, 1]; higher is better. If both covariances vanish in a window, both sources have the weight 0.5.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qc(image, image, image)
    tensor([1.])
    """
    by_ir, by_vis = (moments(fused, source, CVEJIC_WINDOW, "valid").without_rounding() for source in (ir, vis))
    to_ir, to_vis = (by.similarity(EPSILON, EPSILON) for by in (by_ir, by_vis))
    weight = _share(by_ir.covariance, by_vis.covariance, neither=0.5).clamp(0, 1)
    return (weight * to_ir + (1 - weight) * to_vis).mean(dim=(1, 2, 3))


def _share(x: Tensor, y: Tensor, *, neither: float) -> Tensor:
    """Compute x / (x + y), with `neither` where the sum is zero."""
    return torch.where(x + y == 0, neither, x / (x + y))


def qy(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_Y, the similarity to both sources in 7x7 windows, weighted by their variances.

    C. Yang, J.-Q. Zhang, X.-R. Wang, X. Liu: "A novel similarity based quality metric for image fusion", Information
    Fusion 9(2), 2008, doi:10.1016/j.inffus.2006.09.001. Where the similarity of the sources is below 0.75, the value is
    the higher of the fused image's two similarities instead.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 7.

    Returns:
        (B,), in [-1, 1]; higher is better. Copying one source costs nothing where the sources differ. If both sources
        are flat in a window, both have the weight 0.5.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qy(image, image, image)
    tensor([1.])
    """
    by_ir, by_vis = (moments(fused, source, CVEJIC_WINDOW, "valid").without_rounding() for source in (ir, vis))
    return yang(moments(ir, vis, CVEJIC_WINDOW, "valid").without_rounding(), by_ir, by_vis, neither=0.5)


def yang(between: Moments, by_ir: Moments, by_vis: Moments, *, neither: float) -> Tensor:
    """Compute Q_Y from moments in each window.

    Args:
        between: the moments of both sources.
        by_ir, by_vis: the moments of the fused image and one source.
        neither: the weight of ir in windows where both sources are flat.
    """
    to_ir, to_vis = (by.similarity(EPSILON, EPSILON) for by in (by_ir, by_vis))
    weight = _share(between.variance_x, between.variance_y, neither=neither)
    mixed = weight * to_ir + (1 - weight) * to_vis
    alike = between.similarity(EPSILON, EPSILON) >= 0.75
    return torch.where(alike, mixed, torch.maximum(to_ir, to_vis)).mean(dim=(1, 2, 3))


def moments(x: Tensor, y: Tensor, taps: Taps, border: Border) -> Moments:
    """Compute the moments of two images, (B, 1, H, W), in windows weighted by `taps` along rows and columns.

    Raises:
        ImageError: the images are smaller than the window.
    """
    if min(x.shape[2:]) < len(taps):
        raise ImageError(
            f"SSIM needs images of at least {len(taps)}x{len(taps)}, this one is {x.shape[3]}x{x.shape[2]}"
        )
    means = local_mean(x, taps, border), local_mean(y, taps, border)
    variances = local_variance(x, taps, border), local_variance(y, taps, border)
    return Moments(*means, *variances, local_covariance(x, y, taps, border))


@shared
def _halved(images: Tensor) -> Tensor:
    """Average blocks of 2x2 pixels."""
    return F.avg_pool2d(images, 2, ceil_mode=True)


def _multi_scale(x: Tensor, y: Tensor) -> Tensor:
    result = torch.ones_like(x[:, 0, 0, 0])
    for i, weight in enumerate(_MS_WEIGHTS):
        local = moments(x, y, _GAUSSIAN, "valid")
        last = i == len(_MS_WEIGHTS) - 1
        value = local.similarity(_K1**2, _K2**2) if last else local.contrast_structure(_K2**2)
        result = result * value.mean(dim=(1, 2, 3)).clamp(min=0) ** weight
        x, y = _halved(x), _halved(y)
    return result
