"""Visual information fidelity: the share of the sources' visible information that the fused image keeps.

H. R. Sheikh, A. C. Bovik: "Image information and visual quality", IEEE Transactions on Image Processing 15(2), 2006,
doi:10.1109/TIP.2005.859378.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from irfuse.ops.filters import (
    Taps,
    gaussian,
    local_covariance,
    local_mean,
    local_variance,
    moments_to_sources,
    scaled,
    separable_at,
)
from irfuse.ops.sharing import shared

_WINDOWS = tuple(gaussian(size, size / 5) for size in (17, 9, 5, 3))
_TINY = 1e-10
_SOFT_INFORMATION = 1.0
_VIFF_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)


class Channel(NamedTuple):
    """The model of the distortion in each window.

    Attributes:
        gain: the gain from the source to the distorted image.
        noise: the variance of the added noise.
        variance: the variance of the source.
    """

    gain: Tensor
    noise: Tensor
    variance: Tensor


ChannelOf = Callable[[Tensor, Tensor, Taps], Channel]


def vif(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0, noise: float = 2.0) -> Tensor:
    """Compute the pixel-domain VIF of the fused image against each source, summed over both.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 41.
        scale: the value that 1 becomes.
        noise: the variance of the visual noise on that scale.

    Returns:
        (B,), 0 or more; higher is better. About 2 for three equal images; NaN where a source is constant.

    >>> image = torch.rand(1, 1, 64, 64)
    >>> vif(image, image, image).round(decimals=3)
    tensor([2.])
    """
    return sum_of_fidelities(scaled(fused, scale), scaled(ir, scale), scaled(vis, scale), noise, channel)


def soft_vif(
    fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0, noise: float = 2.0, stride: int = 1
) -> Tensor:
    """Compute :func:`vif` with a finite gradient, for training.

    A source's variance is raised by a hundredth of the noise's where it divides, and a source without any information
    counts as 0, not as NaN. Scales whose window does not fit into the image are left out.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 17. The sources get no gradient.
        scale: the value that 1 becomes.
        noise: the variance of the visual noise on that scale.
        stride: the distance from window to window at the finest scale, in pixels. Up to 3, which takes half the time,
            the value changes by about a thousandth.

    Returns:
        (B,), 0 or more; higher is better. About 2 for three equal images.

    Raises:
        ImageError: the images are smaller than 17x17.

    >>> image = torch.rand(1, 1, 64, 64)
    >>> soft_vif(image, image, image).round(decimals=2)
    tensor([2.])
    """
    fused, sources = fused * scale, torch.cat([ir, vis], dim=1).detach() * scale
    seen, possible = torch.zeros_like(sources[:, :, 0, 0]), torch.zeros_like(sources[:, :, 0, 0])
    for level, window in enumerate(_WINDOWS):
        if level > 0:
            if min(fused.shape[2:]) < 3 * len(window) - 2:
                break
            fused, sources = (separable_at(image, window, 2) for image in (fused, sources))
        # The windows that are measured count for those that are left out.
        step = stride if level == 0 else 1
        _, _, fused_variance, variance, covariance = moments_to_sources(fused, sources, window, step)
        gain = covariance.clamp(min=0) / (variance + 0.01 * noise)
        added = (fused_variance - gain * covariance).clamp(min=0)
        seen = seen + step**2 * torch.log1p(gain**2 * variance / (added + noise)).sum(dim=(2, 3))
        possible = possible + step**2 * torch.log1p(variance / noise).sum(dim=(2, 3))
    # The information of a source that is not all but constant is far more than 1.
    return (seen / (possible + _SOFT_INFORMATION)).sum(dim=1)


def sum_of_fidelities(fused: Tensor, ir: Tensor, vis: Tensor, noise: float, first_channel: ChannelOf) -> Tensor:
    """Compute :func:`vif` for scaled images, with `first_channel` in place of :func:`channel` at the first scale."""
    images = fused, ir, vis
    seen, possible = [torch.zeros_like(fused[:, 0, 0, 0])] * 2, [torch.zeros_like(fused[:, 0, 0, 0])] * 2
    for level, window in enumerate(_WINDOWS):
        if level > 0:
            images = _halved(images[0], window), _halved(images[1], window), _halved(images[2], window)
        for k in (0, 1):
            between = (first_channel if level == 0 else channel)(images[k + 1], images[0], window)
            seen[k] = seen[k] + _log_sum(between.gain**2 * between.variance / (between.noise + noise))
            possible[k] = possible[k] + _log_sum(between.variance / noise)
    return seen[0] / possible[0] + seen[1] / possible[1]


def viff(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute VIFF, the fidelity at four scales to the source that the fused image follows less in each window.

    Y. Han, Y. Cai, Y. Cao, X. Xu: "A new image fusion performance metric based on visual information fidelity",
    Information Fusion 14(2), 2013, doi:10.1016/j.inffus.2011.08.002. As in the published code, this is the source with
    the smaller gain.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 41.
        scale: the value that 1 becomes.

    Returns:
        (B,), 0 or more; higher is better. Artifacts that increase the contrast raise it.

    >>> image = torch.rand(1, 1, 64, 64)
    >>> viff(image, image, image).round(decimals=3)
    tensor([1.])
    """
    noise, floor = 0.005 * 255**2, 1e-7
    result = torch.zeros_like(fused[:, 0, 0, 0])
    images = [scaled(image, scale) for image in (ir, vis, fused)]
    for level, (window, weight) in enumerate(zip(_WINDOWS, _VIFF_WEIGHTS, strict=True)):
        if level > 0:
            images = [_halved(image, window) for image in images]
        by_ir, by_vis = (channel(source, images[2], window) for source in images[:2])
        chosen = Channel(*(torch.where(by_ir.gain < by_vis.gain, a, b) for a, b in zip(by_ir, by_vis, strict=True)))
        seen = torch.log10(1 + chosen.gain**2 * chosen.variance / (chosen.noise + noise)) + floor
        possible = torch.log10(1 + chosen.variance / noise) + floor
        result = result + weight * seen.sum(dim=(1, 2, 3)) / possible.sum(dim=(1, 2, 3))
    return result


@shared
def _halved(images: Tensor, window: Taps) -> Tensor:
    return local_mean(images, window, "valid")[..., ::2, ::2]


def _log_sum(ratio: Tensor) -> Tensor:
    return torch.log10(1 + ratio).sum(dim=(1, 2, 3))


@shared
def channel(source: Tensor, distorted: Tensor, window: Taps) -> Channel:
    """Compute the channel from the source to the distorted image."""
    variance, distorted_variance = (local_variance(image, window, "valid") for image in (source, distorted))
    return channel_of_moments(variance, distorted_variance, local_covariance(source, distorted, window, "valid"))


def channel_of_moments(variance: Tensor, distorted_variance: Tensor, covariance: Tensor) -> Channel:
    """Compute the channel from the moments in each window."""
    variance, distorted_variance = variance.clamp(min=0), distorted_variance.clamp(min=0)
    gain = covariance / (variance + _TINY)
    noise = distorted_variance - gain * covariance
    flat = variance < _TINY
    gain, noise = torch.where(flat, 0, gain), torch.where(flat, distorted_variance, noise)
    variance = torch.where(flat, 0, variance)
    lost = distorted_variance < _TINY
    gain, noise = torch.where(lost, 0, gain), torch.where(lost, 0, noise)
    noise = torch.where(gain < 0, distorted_variance, noise)
    return Channel(gain.clamp(min=0), noise.clamp(min=_TINY), variance)
