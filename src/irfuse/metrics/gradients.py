"""Metrics of gradients: how well the fused image keeps the sources' edges, and how many edges it invents."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from irfuse.ops.filters import scaled, sobel
from irfuse.ops.sharing import shared

_EPSILON = 1e-5
_SOFT_ENERGY = 0.01


class _Edges(NamedTuple):
    """The edge at each pixel: its strength, and its direction modulo pi."""

    strength: Tensor
    angle: Tensor


def qabf(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute Q^AB/F, the share of the sources' edges that the fused image keeps, weighted by their strength.

    C. S. Xydeas, V. Petrovic: "Objective image fusion performance measure", Electronics Letters 36(4), 2000,
    doi:10.1049/el:20000267. The constants and the zero border are those of the code that most toolboxes share.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        scale: the value that 1 becomes. For two equal strengths, the shared code uses the strength in place of the
            ratio. This is harmless at 255. At 1, every pixel that copies a source counts as lost.

    Returns:
        (B,), in [0, 1]; higher is better. NaN where both sources are black. The border of a constant image counts as
        an edge unless the image is black.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> qabf(image, image, image).item() > 0.97
    True
    """
    f = _shared_edges(scaled(fused, scale))
    kept, total = torch.zeros_like(fused[:, 0, 0, 0]), torch.zeros_like(fused[:, 0, 0, 0])
    for source in (ir, vis):
        s = _shared_edges(scaled(source, scale))
        ratio = torch.where(s.strength > f.strength, f.strength / s.strength, s.strength / f.strength)
        ratio = torch.where(s.strength == f.strength, f.strength, ratio)
        turn = 1 - (s.angle - f.angle).abs() / (math.pi / 2)
        quality = 0.9994 * torch.sigmoid(15 * (ratio - 0.5)) * 0.9879 * torch.sigmoid(22 * (turn - 0.8))
        kept = kept + (quality * s.strength).sum(dim=(1, 2, 3))
        total = total + s.strength.sum(dim=(1, 2, 3))
    return kept / total


def soft_qabf(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute :func:`qabf` with a finite gradient, for training.

    The square of each strength is raised by 0.01 where it divides. Where both sources are black, the result is 0.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1]. The sources get no gradient.
        scale: the value that 1 becomes.

    Returns:
        (B,), in [0, 1]; higher is better.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> soft_qabf(image, image, image).item() > 0.97
    True
    """
    strength, angle = _soft_edges(*sobel(fused * scale, "zero"))
    with torch.no_grad():
        rows, columns = sobel(torch.cat([ir, vis], dim=1) * scale, "zero")
        weight = (rows**2 + columns**2).sqrt()
        source_strength, source_angle = _soft_edges(rows, columns)
    # The ratio of the smaller to the larger strength.
    ratio = torch.exp(-(source_strength - strength).abs())
    turned = (source_angle - angle).abs() / (math.pi / 2)
    quality = torch.sigmoid(15 * (ratio - 0.5)) * torch.sigmoid(22 * (0.2 - turned))
    kept = 0.9994 * 0.9879 * (quality * weight).sum(dim=(1, 2, 3))
    return kept / weight.sum(dim=(1, 2, 3)).clamp(min=_EPSILON)


def nabf(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute N^AB/F, the share of edges that the fused image invents.

    V. Petrovic, C. Xydeas: "Objective image fusion performance characterisation", ICCV 2005, doi:10.1109/ICCV.2005.175;
    as modified by B. K. Shreyamsha Kumar: "Multifocus and multispectral image fusion based on pixel significance using
    discrete cosine harmonic wavelet transform", Signal, Image and Video Processing 7(6), 2013,
    doi:10.1007/s11760-012-0361-x.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 2.
        scale: the value that 1 becomes. Edges with a strength below 2 hardly count, so at 1 all pixels count equally.

    Returns:
        (B,), in [0, 1]; lower is better.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> nabf(image, image, image)
    tensor([0.])
    """
    return _performance(fused, ir, vis, scale)[1]


def labf(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute L^AB/F, the share of edges that the fused image loses; see :func:`nabf`.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 2.
        scale: the value that 1 becomes.

    Returns:
        (B,), in [0, 1]; lower is better. Flat regions count as lost, with a small weight. Constant images get about 1.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> labf(image, image, image).item() < 0.01
    True
    """
    return _performance(fused, ir, vis, scale)[0]


def qg(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute Q_G, the measure of Xydeas and Petrovic as a mean over pixels, with the constants of Liu's code.

    At each pixel, the quality against each source is weighted by its edge strength. The result is averaged over the
    pixels, so flat regions count as much as edges.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        scale: the value that 1 becomes.

    Returns:
        (B,), in [0, 1]; higher is better.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qg(image, image, image).round(decimals=2)
    tensor([0.9900])
    """
    f = _regular_edges(scaled(fused, scale))
    kept, total = torch.zeros_like(fused), torch.zeros_like(fused)
    for source in (ir, vis):
        s = _regular_edges(scaled(source, scale))
        source_strength = torch.where(s.strength == 0, _EPSILON, s.strength)
        fused_strength = torch.where(f.strength == 0, _EPSILON, f.strength)
        ratio = torch.where(s.strength > f.strength, f.strength / source_strength, source_strength / fused_strength)
        turn = ((s.angle - f.angle).abs() - math.pi / 2).abs() * 2 / math.pi
        quality = torch.sigmoid(10 * (ratio - 0.5)) * torch.sigmoid(20 * (turn - 0.75))
        kept, total = kept + quality * source_strength, total + source_strength
    return (kept / total).mean(dim=(1, 2, 3))


def qm(fused: Tensor, ir: Tensor, vis: Tensor, *, scale: float = 255.0) -> Tensor:
    """Compute Q_M, which measures how exactly the fused image keeps the sources' Haar coefficients at two scales.

    P.-W. Wang, B. Liu: "A novel image fusion metric based on multi-scale analysis", ICSP 2008. The preservation
    exp(-|difference|) is averaged over the three bands of detail and weighted by their energy. The result is the
    product of the scales, raised to the powers 2/3 and 1/3.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 4. Pixels beyond a multiple of 4 are left out.
        scale: the value that 1 becomes. A difference of a few units on this scale counts as lost.

    Returns:
        (B,), in [0, 1]; higher is better. NaN where both sources are constant.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qm(image, image, image)
    tensor([1.])
    """
    result = torch.ones_like(fused[:, 0, 0, 0])
    images = [image * scale for image in (fused, ir, vis)]
    for power in (2 / 3, 1 / 3):
        bands = [_haar(image) for image in images]
        kept, total = torch.zeros_like(result), torch.zeros_like(result)
        for source in bands[1:]:
            pairs = zip(source[1:], bands[0][1:], strict=True)
            preservation = torch.stack([torch.exp(-(a - b).abs()) for a, b in pairs]).mean(dim=0)
            energy = torch.stack(source[1:]).square().sum(dim=0)
            kept = kept + (preservation * energy).sum(dim=(1, 2, 3))
            total = total + energy.sum(dim=(1, 2, 3))
        result = result * (kept / total) ** power
        images = [band[0] for band in bands]
    return result


def qsf(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_SF, the relative excess of the fused image's spatial frequency over that of the stronger source.

    Y. Zheng, E. A. Essock, B. C. Hansen, A. M. Haun: "A new metric based on extended spatial frequency and its
    application to DWT based fusion algorithms", Information Fusion 8(2), 2007, doi:10.1016/j.inffus.2005.04.003.
    The stronger source is chosen at each pixel and direction. The two diagonal directions are weighted by 1 / sqrt(2).

    Args:
        fused, ir, vis: (B, 1, H, W) of one range, H and W at least 2.

    Returns:
        (B,), at least -1; 0 is best. A negative value means lost detail, a positive one too much sharpness or noise.
        NaN where both sources are constant.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> qsf(image, image, image)
    tensor([0.])
    """
    strongest = [torch.maximum(a.abs(), b.abs()) for a, b in zip(_differences(ir), _differences(vis), strict=True)]
    reference = _spatial_frequency(strongest)
    excess = (_spatial_frequency(_differences(fused)) - reference) / reference
    return torch.where(reference == 0, math.nan, excess)


@shared
def _performance(fused: Tensor, ir: Tensor, vis: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Compute the shares of lost and of invented edges, (B,) each."""
    f = _petrovic_edges(scaled(fused, scale))
    loss = torch.zeros_like(fused)
    total, weaker = loss, loss > 0
    for source in (ir, vis):
        s = _petrovic_edges(scaled(source, scale))
        low, high = torch.minimum(s.strength, f.strength), torch.maximum(s.strength, f.strength)
        ratio = torch.where(low > 0, low / high, 0)
        turn = ((s.angle - f.angle).abs() - math.pi / 2).abs() * 2 / math.pi
        strength_kept = 0.9999 * torch.sigmoid(19 * (ratio - 0.5))
        angle_kept = 0.9995 * torch.sigmoid(22 * (turn - 0.5))
        weight = torch.where(s.strength >= 2, s.strength**1.5, 0.001)
        loss = loss + (1 - (strength_kept * angle_kept).sqrt()) * weight
        total = total + weight
        weaker = weaker | (f.strength <= s.strength)
    whole = total.sum(dim=(1, 2, 3))
    return (loss * weaker).sum(dim=(1, 2, 3)) / whole, (loss * ~weaker).sum(dim=(1, 2, 3)) / whole


@shared
def _shared_edges(images: Tensor) -> _Edges:
    rows, columns = sobel(images, "zero")
    return _Edges((rows**2 + columns**2).sqrt(), _shared_angle(rows, columns))


def _soft_edges(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the logarithm of the strength, and the angle of :func:`_shared_edges`, with finite gradients."""
    energy = rows**2 + columns**2 + _SOFT_ENERGY
    r, c = rows.detach(), columns.detach()
    # The last term is zero and has the angle's gradient, which a division by zero would make infinite.
    angle = _shared_angle(r, c) + (r * columns - c * rows) / energy.detach()
    return energy.log() / 2, angle


def _shared_angle(rows: Tensor, columns: Tensor) -> Tensor:
    # The sign matters because a vertical gradient counts as +pi/2 in both directions.
    vertical = columns == 0
    return torch.where(vertical, math.pi / 2, -torch.atan(rows / torch.where(vertical, 1, columns)))


@shared
def _petrovic_edges(images: Tensor) -> _Edges:
    rows, columns = (difference / 8 for difference in sobel(images, "reflect"))
    angle = torch.where(
        columns == 0, math.pi / 2 * rows.sign(), torch.atan(rows / torch.where(columns == 0, 1, columns))
    )
    return _Edges((rows**2 + columns**2).sqrt(), angle)


@shared
def _regular_edges(images: Tensor) -> _Edges:
    rows, columns = sobel(images, "zero")
    angle = torch.atan(rows / torch.where(columns == 0, _EPSILON, columns))
    return _Edges((rows**2 + columns**2).sqrt(), angle)


def _haar(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the bands of the orthonormal Haar transform: the approximation and three bands of detail."""
    height, width = (side // 2 * 2 for side in images.shape[2:])
    images = images[..., :height, :width]
    a, b, c, d = (images[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
    return (a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2


def _differences(images: Tensor) -> list[Tensor]:
    """Compute the differences between neighbors along rows, columns and both diagonals."""
    return [
        images[..., 1:] - images[..., :-1],
        images[..., 1:, :] - images[..., :-1, :],
        images[..., 1:, 1:] - images[..., :-1, :-1],
        images[..., 1:, :-1] - images[..., :-1, 1:],
    ]


def _spatial_frequency(differences: list[Tensor]) -> Tensor:
    # All sums are divided by the number of pixels, not by the smaller number of differences.
    pixels = differences[0][0].numel() + differences[0].shape[2]
    energies = [difference.square().sum(dim=(1, 2, 3)) / pixels for difference in differences]
    diagonal = (energies[2] + energies[3]) / math.sqrt(2)
    return (energies[0] + energies[1] + diagonal).sqrt()
