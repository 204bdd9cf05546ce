"""Metrics of perception, which filter images by the contrast sensitivity of the eye before they compare them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.ops.filters import scaled, separable, sobel
from irfuse.ops.sharing import shared

_BLOCK = 16
# Gaussians with sigma 2 and 4 pixels, cut off at 31 taps and not rescaled to a sum of one.
_NARROW, _WIDE = (
    tuple(math.exp(-(k**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma) for k in range(-15, 16))
    for sigma in (2, 4)
)


def qcb(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute Q_CB, which measures how well the fused image keeps the perceived local contrast of the sources.

    Y. Chen, R. S. Blum: "A new automated quality assessment algorithm for image fusion", Image and Vision Computing
    27(10), 2009, doi:10.1016/j.imavis.2007.12.002. The constants are those of Liu's code: the contrast sensitivity is a
    difference of Gaussians, the unit of frequency is 30 pixels, and the contrast is the ratio of two Gaussian blurs
    with sigma 2 and 4 pixels.

    Args:
        fused, ir, vis: (B, 1, H, W), each stretched to [0, 1].
        scale: the value that 1 becomes.

    Returns:
        (B,), in [0, 1]; higher is better. NaN where an image is constant.

    >>> image = torch.rand(1, 1, 32, 32)
    >>> qcb(image, image, image)
    tensor([1.])
    """
    f, i, v = (_masked_contrast(scaled(image, scale)) for image in (fused, ir, vis))
    ir_saliency = i**2 / (i**2 + v**2)
    kept = [torch.where(source < f, source / f, f / source) for source in (i, v)]
    return (ir_saliency * kept[0] + (1 - ir_saliency) * kept[1]).mean(dim=(1, 2, 3))


def qcv(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute Q_CV, the perceived squared error against the sources in 16x16 blocks, weighted by the sources' edges.

    H. Chen, P. K. Varshney: "A human perception inspired quality metric for image fusion based on regional
    information", Information Fusion 8(2), 2007, doi:10.1016/j.inffus.2005.10.001. The contrast sensitivity is Mannos
    and Sakrison's, and edges are raised to the power 5. Zeros fill the border and the rest of the last blocks.

    Args:
        fused, ir, vis: (B, 1, H, W), each stretched to [0, 1].
        scale: the value that 1 becomes.

    Returns:
        (B,), 0 or more; lower is better. NaN where both sources are black.

    >>> image = torch.rand(1, 1, 32, 32)
    >>> qcv(image, image, image)
    tensor([0.])
    """
    fused, ir, vis = (scaled(image, scale) for image in (fused, ir, vis))
    radius = 0.144 * _frequency(fused, 8)
    sensitivity = 2.6 * (0.0192 + radius) * torch.exp(-(radius**1.1))
    error, total = torch.zeros_like(fused[:, 0, 0, 0]), torch.zeros_like(fused[:, 0, 0, 0])
    for source in (ir, vis):
        saliency = _saliency(source)
        error = error + (saliency * _block_mean(_weight(source - fused, sensitivity) ** 2)).sum(dim=(1, 2, 3))
        total = total + saliency.sum(dim=(1, 2, 3))
    return error / total


def _frequency(images: Tensor, pixels: float) -> Tensor:
    """Compute distances from zero frequency, (H, W), in the order of the Fourier transform.

    The highest frequencies of the rows and the columns are H / pixels and W / pixels.
    """
    height, width = images.shape[2:]
    options = {"dtype": images.dtype, "device": images.device}
    rows: Tensor = torch.fft.fftfreq(height, **options) * (2 * height / pixels)
    columns: Tensor = torch.fft.fftfreq(width, **options) * (2 * width / pixels)
    return (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt()


def _weight(images: Tensor, sensitivity: Tensor) -> Tensor:
    weighted: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * sensitivity).real
    return weighted


@shared
def _masked_contrast(images: Tensor) -> Tensor:
    """Compute the perceived local contrast after masking."""
    radius = _frequency(images, 30)
    sensitivity = torch.exp(-((radius / 15.3870) ** 2)) - 0.7622 * torch.exp(-((radius / 1.3456) ** 2))
    seen = _weight(images, sensitivity)
    contrast = (separable(seen, _NARROW, "zero") / separable(seen, _WIDE, "zero") - 1).abs()
    return contrast**3 / (contrast**2 + 1e-4)


@shared
def _saliency(images: Tensor) -> Tensor:
    rows, columns = sobel(images, "zero")
    return _block_mean((rows**2 + columns**2) ** 2.5)


def _block_mean(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    return F.avg_pool2d(F.pad(images, (0, -width % _BLOCK, 0, -height % _BLOCK)), _BLOCK)
