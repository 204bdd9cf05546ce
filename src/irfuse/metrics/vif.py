"""Visual information fidelity: how much of what an eye could see in the sources it can still see in the fused image.

H. R. Sheikh, A. C. Bovik: "Image information and visual quality", IEEE Transactions on Image Processing 15(2), 2006,
doi:10.1109/TIP.2005.859378.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from irfuse.filters import gaussian_kernel, separable

Product = Callable[[Tensor, Tensor], Tensor]

_SCALES = 4
_TINY = 1e-10
_VIFF_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)


class _Channel(NamedTuple):
    """In each window: the gain from source to distorted image, the noise added, and the source's variance."""

    gain: Tensor
    noise: Tensor
    variance: Tensor


def vif(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0, noise: float = 2.0) -> Tensor:
    """Pixel-domain VIF of the fused image against each source, summed over both.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 41.
        scale: what 1 stands for.
        noise: the variance of the eye's noise, at that scale.

    Returns:
        (B,), 0 or more, about 2 for the same image, higher is better; NaN where a source is constant.

    >>> image = torch.rand(1, 1, 64, 64)
    >>> vif(image, image, image).round(decimals=3)
    tensor([2.])
    """
    return sum_of_fidelities(fused * scale, ir * scale, vis * scale, noise, torch.mul)


def sum_of_fidelities(fused: Tensor, ir: Tensor, vis: Tensor, noise: float, first_product: Product) -> Tensor:
    """As :func:`vif`, for images at their scale; `first_product` multiplies two images at the first scale."""
    total = torch.zeros_like(fused[:, 0, 0, 0])
    for source in (ir, vis):
        seen, possible = torch.zeros_like(total), torch.zeros_like(total)
        x, y = source, fused
        for level in range(_SCALES):
            window = _window(level, x)
            if level > 0:
                x, y = (separable(image, window, "valid")[..., ::2, ::2] for image in (x, y))
            channel = _channel(x, y, window, first_product if level == 0 else torch.mul)
            seen = seen + torch.log10(1 + channel.gain**2 * channel.variance / (channel.noise + noise)).sum(
                dim=(1, 2, 3)
            )
            possible = possible + torch.log10(1 + channel.variance / noise).sum(dim=(1, 2, 3))
        total = total + seen / possible
    return total


def viff(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """VIFF: in each window the source that the fused image follows less, at four scales.

    Y. Han, Y. Cai, Y. Cao, X. Xu: "A new image fusion performance metric based on visual information fidelity",
    Information Fusion 14(2), 2013, doi:10.1016/j.inffus.2011.08.002; the published code, whose selection of the source
    this follows, takes the one of smaller gain.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 41.
        scale: what 1 stands for.

    Returns:
        (B,), 0 or more, higher is better; artefacts that raise contrast are rewarded.

    >>> image = torch.rand(1, 1, 64, 64)
    >>> viff(image, image, image).round(decimals=3)
    tensor([1.])
    """
    noise, floor = 0.005 * 255**2, 1e-7
    result = torch.zeros_like(fused[:, 0, 0, 0])
    images = [image * scale for image in (ir, vis, fused)]
    for level, weight in enumerate(_VIFF_WEIGHTS):
        window = _window(level, images[0])
        if level > 0:
            images = [separable(image, window, "valid")[..., ::2, ::2] for image in images]
        by_ir, by_vis = (_channel(source, images[2], window, torch.mul) for source in images[:2])
        chosen = _Channel(*(torch.where(by_ir.gain < by_vis.gain, a, b) for a, b in zip(by_ir, by_vis, strict=True)))
        seen = torch.log10(1 + chosen.gain**2 * chosen.variance / (chosen.noise + noise)) + floor
        possible = torch.log10(1 + chosen.variance / noise) + floor
        result = result + weight * seen.sum(dim=(1, 2, 3)) / possible.sum(dim=(1, 2, 3))
    return result


def _window(level: int, like: Tensor) -> Tensor:
    size = 2 ** (_SCALES - level) + 1
    return gaussian_kernel(size, size / 5, like)


def _channel(source: Tensor, distorted: Tensor, window: Tensor, product: Product) -> _Channel:
    def mean(images: Tensor) -> Tensor:
        return separable(images, window, "valid")

    source_mean, distorted_mean = mean(source), mean(distorted)
    variance = (mean(product(source, source)) - source_mean**2).clamp(min=0)
    distorted_variance = (mean(product(distorted, distorted)) - distorted_mean**2).clamp(min=0)
    covariance = mean(product(source, distorted)) - source_mean * distorted_mean
    gain = covariance / (variance + _TINY)
    noise = distorted_variance - gain * covariance
    flat = variance < _TINY
    gain, noise = torch.where(flat, 0, gain), torch.where(flat, distorted_variance, noise)
    variance = torch.where(flat, 0, variance)
    lost = distorted_variance < _TINY
    gain, noise = torch.where(lost, 0, gain), torch.where(lost, 0, noise)
    noise = torch.where(gain < 0, distorted_variance, noise)
    return _Channel(gain.clamp(min=0), noise.clamp(min=_TINY), variance)
