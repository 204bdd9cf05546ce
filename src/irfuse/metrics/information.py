"""Metrics of information: entropies of histograms, and the information that two images share.

The histograms are of 8-bit gray levels. Images in [0, 1] of any dtype are rounded to 8 bits.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from irfuse.ops.sharing import shared

Degree = Literal[1, 2]

_LEVELS = 256
_TSALLIS_ORDER = 0.43137
_ROUNDING = 1e-12
_SOFT_SHARE = 1e-7


def en(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the entropy of the fused image in bits. The sources are ignored.

    J. W. Roberts, J. A. van Aardt, F. B. Ahmed: "Assessment of image fusion procedures using entropy, image quality,
    and multispectral classification", Journal of Applied Remote Sensing 2, 2008, doi:10.1117/1.2945910.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        (B,), in [0, 8]; higher is better. Noise raises it.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> en(image, image, image)
    tensor([1.])
    """
    return entropy(histogram(fused)).to(fused.dtype)


def ce(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the cross entropy: the mean divergence of the fused histogram from those of the sources, in bits.

    D. M. Bulanon, T. F. Burks, V. Alchanatis: "Image fusion of visible and thermal images for fruit detection",
    Biosystems Engineering 103(1), 2009, doi:10.1016/j.biosystemseng.2009.02.009. Levels that only one of the two images
    has are left out, so the value can be negative.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        (B,); lower is better.

    >>> image = torch.rand(1, 1, 4, 4)
    >>> ce(image, image, image)
    tensor([0.])
    """
    p_fused = histogram(fused)
    total = torch.zeros_like(p_fused[:, 0])
    for source in (ir, vis):
        p = histogram(source)
        ratio = torch.where((p > 0) & (p_fused > 0), p / p_fused, 1)
        total += (p * ratio.log2()).sum(dim=1) / 2
    return total.to(fused.dtype)


def mi(fused: Tensor, ir: Tensor, vis: Tensor, *, base: float = 2.0) -> Tensor:
    """Compute the sum of the mutual information of the fused image with each source.

    G. Qu, D. Zhang, P. Yan: "Information measure for performance of image fusion", Electronics Letters 38(7), 2002,
    doi:10.1049/el:20020212.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        base: the base of the logarithm. 2 gives bits.

    Returns:
        (B,), 0 or more; higher is better.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> mi(image, image, image)
    tensor([2.])
    """
    total = mutual_information(fused, ir) + mutual_information(fused, vis)
    return (total / math.log2(base)).to(fused.dtype)


def ff(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the fusion factor, which is another name for :func:`mi` in bits.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> ff(image, image, image)
    tensor([2.])
    """
    return mi(fused, ir, vis)


def nmi(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the mutual information over the entropies of the sources, 2 (MI_ir + MI_vis) / (H_ir + H_vis).

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        (B,), in [0, 2]; higher is better. NaN where both sources are constant.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> nmi(image, image, image)
    tensor([2.])
    """
    shared = mutual_information(fused, ir) + mutual_information(fused, vis)
    return (2 * shared / (entropy(histogram(ir)) + entropy(histogram(vis)))).to(fused.dtype)


def qmi(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Hossny's Q_MI, the sum of 2 MI / (H + H_fused) over the sources.

    M. Hossny, S. Nahavandi, D. Creighton: "Comments on 'Information measure for performance of image fusion'",
    Electronics Letters 44(18), 2008, doi:10.1049/el:20081754.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        (B,), in [0, 2]; higher is better. NaN where the fused image and a source are both constant.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> qmi(image, image, image)
    tensor([2.])
    """
    h_fused = entropy(histogram(fused))
    total = sum(2 * mutual_information(fused, s) / (entropy(histogram(s)) + h_fused) for s in (ir, vis))
    return torch.as_tensor(total).to(fused.dtype)


def qte(fused: Tensor, ir: Tensor, vis: Tensor, *, order: float = _TSALLIS_ORDER) -> Tensor:
    """Compute Q_TE, the Tsallis information shared with the sources over the sources' joint Tsallis entropy.

    The joint entropy is the sum of the sources' Tsallis entropies minus the information that they share.

    R. Nava, G. Cristobal, B. Escalante-Ramirez: "Mutual information improves image fusion quality assessments", SPIE
    Newsroom, 2007.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].
        order: the order q of the Tsallis entropy, not 1.

    Returns:
        (B,), 0 or more; higher is better. NaN where both sources are constant.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> qte(image, image, image).item() > 0
    True
    """
    shared = tsallis_information(fused, ir, order) + tsallis_information(fused, vis, order)
    own = tsallis_entropy(histogram(ir), order) + tsallis_entropy(histogram(vis), order)
    total = own - tsallis_information(ir, vis, order)
    return torch.where(total > _ROUNDING, shared / total, math.nan).to(fused.dtype)


def qncie(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the nonlinear correlation information entropy of the three images.

    Q. Wang, Y. Shen, J. Jin: "Performance evaluation of image fusion techniques", in: Image Fusion: Algorithms and
    Applications, Academic Press, 2008.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        (B,), in [0, 1]; higher is better. The value hardly varies: it is 0.80 to 0.82 on most images.

    >>> image = torch.arange(256.0).view(1, 1, 16, 16) / 255
    >>> qncie(image, image, image)
    tensor([1.])
    """
    bits = math.log2(_LEVELS)
    pairs = ((ir, vis), (ir, fused), (vis, fused))
    r_iv, r_if, r_vf = (mutual_information(*pair) / bits for pair in pairs)
    one = torch.ones_like(r_iv)
    matrix = torch.stack([one, r_iv, r_if, r_iv, one, r_vf, r_if, r_vf, one], dim=1).view(-1, 3, 3)
    share: Tensor = torch.linalg.eigvalsh(matrix).clamp(min=torch.finfo(torch.float64).tiny) / 3
    return (1 + (share * share.log2()).sum(dim=1) / bits).to(fused.dtype)


def soft_en(fused: Tensor, *, bins: int = _LEVELS, degree: Degree = 1) -> Tensor:
    """Compute :func:`en` with a gradient, for training: a pixel is shared between bins by a B-spline.

    With the defaults, the value for an 8-bit image is that of :func:`en`. Few bins and degree 2 give fewer bits, but a
    gradient that raises :func:`en` several times as far: it leads along the shape of the histogram, not to gaps in it.

    P. Thévenaz, M. Unser: "Optimization of mutual information for multiresolution image registration", IEEE
    Transactions on Image Processing 9(12), 2000, doi:10.1109/83.887976.

    Args:
        fused: (B, 1, H, W) in [0, 1]. Values beyond count as the nearest of 0 and 1 and get no gradient.
        bins: the number of bins, at least 2. Their centers divide [0, 1] evenly, 0 and 1 included.
        degree: the degree of the B-spline. 1 shares a pixel between two bins, with a gradient that jumps at the centers
            of bins; 2 shares it between three.

    Returns:
        (B,) in bits, in [0, log2(bins)]; higher is better.

    >>> soft_en(torch.tensor([[[[0.0, 1.0]]]]))
    tensor([1.])
    """
    rows = torch.zeros_like(fused, dtype=torch.long).flatten(2)
    return _soft_entropy(_soft_histograms(fused, rows, 1, bins, degree))[:, 0]


def soft_mi(
    fused: Tensor, ir: Tensor, vis: Tensor, *, bins: int = _LEVELS, degree: Degree = 1, base: float = 2.0
) -> Tensor:
    """Compute :func:`mi` with a gradient, for training: a pixel of the fused image is shared between bins.

    With the defaults, the value for 8-bit images is that of :func:`mi`. Few bins and degree 2 give less information and
    a gradient that raises :func:`mi` further.

    Args:
        fused, bins, degree: see :func:`soft_en`.
        ir, vis: (B, 1, H, W) in [0, 1]. They are rounded to the nearest bin and get no gradient.
        base: the base of the logarithm. 2 gives bits.

    Returns:
        (B,), 0 or more; higher is better.

    >>> image = torch.tensor([[[[0.0, 1.0]]]])
    >>> soft_mi(image, image, image)
    tensor([2.])
    """
    sources = torch.cat([ir, vis], dim=1).detach().flatten(2)
    rows = (sources.clamp(0, 1) * (bins - 1)).round().long()
    joint = _soft_histograms(fused, rows, bins, bins, degree)
    # The sources' own shares do not depend on the fused image.
    own = _soft_entropy(joint.detach().sum(dim=3))
    information = own + _soft_entropy(joint.sum(dim=2)) - _soft_entropy(joint)
    return information.sum(dim=1) / math.log2(base)


@shared
def levels(images: Tensor) -> Tensor:
    """Convert images in [0, 1] to 8-bit levels, (B, H·W), int64. NaN, from stretching a constant image, becomes 0."""
    return (images.flatten(1) * 255).round().clamp(0, _LEVELS - 1).nan_to_num(0).long()


@shared
def histogram(images: Tensor) -> Tensor:
    """Compute the share of each level, (B, 256), float64."""
    return _shares(levels(images), _LEVELS)


@shared
def joint_histogram(x: Tensor, y: Tensor) -> Tensor:
    """Compute the share of each pair of levels of two images, (B, 256, 256), float64."""
    return _shares(levels(x) * _LEVELS + levels(y), _LEVELS**2).view(-1, _LEVELS, _LEVELS)


def entropy(p: Tensor) -> Tensor:
    """Compute the Shannon entropy of distributions in bits, (B, …) to (B,)."""
    terms: Tensor = torch.special.xlogy(p, p)
    return -terms.flatten(1).sum(dim=1) / math.log(2)


@shared
def mutual_information(x: Tensor, y: Tensor) -> Tensor:
    """Compute the mutual information of two images in bits, (B,), float64."""
    joint = joint_histogram(x, y)
    return entropy(joint.sum(dim=2)) + entropy(joint.sum(dim=1)) - entropy(joint)


def tsallis_entropy(p: Tensor, order: float) -> Tensor:
    """Compute the Tsallis entropy of distributions, (B, N) to (B,)."""
    return (1 - torch.where(p > 0, p**order, 0).sum(dim=1)) / (order - 1)


@shared
def tsallis_information(x: Tensor, y: Tensor, order: float) -> Tensor:
    """Compute the Tsallis divergence of a joint distribution from the product of its marginals, (B,), float64."""
    joint = joint_histogram(x, y)
    product = joint.sum(dim=2, keepdim=True) * joint.sum(dim=1, keepdim=True)
    terms = torch.where(joint > 0, joint**order / torch.where(joint > 0, product, 1) ** (order - 1), 0)
    return (1 - terms.flatten(1).sum(dim=1)) / (1 - order)


def _soft_histograms(fused: Tensor, rows: Tensor, count: int, bins: int, degree: Degree) -> Tensor:
    """Compute the shares of the bins in each row of histograms, (B, S, count, bins).

    Args:
        fused: (B, 1, H, W).
        rows: the row that each pixel counts in, below `count`, (B, S, H·W), int64.
        count, bins: the number of rows, and of bins in each.
        degree: see :func:`soft_en`.
    """
    batch, histograms, pixels = rows.shape
    places = fused.flatten(2).clamp(0, 1) * (bins - 1)
    center = places.detach().floor() if degree == 1 else places.detach().round()
    u = places - center
    shares = {0: 1 - u, 1: u} if degree == 1 else {-1: (0.5 - u) ** 2 / 2, 0: 0.75 - u**2, 1: (0.5 + u) ** 2 / 2}
    first = (torch.arange(batch * histograms, device=fused.device).view(batch, histograms, 1) * count + rows) * bins
    sums = fused.new_zeros(batch * histograms * count * bins)
    for offset, share in shares.items():
        # NaN also becomes an index, and stays NaN in the share.
        index = first + (center.long() + offset).clamp(0, bins - 1)
        sums = sums.index_add(0, index.flatten(), share.expand_as(rows).flatten())
    return sums.view(batch, histograms, count, bins) / pixels


def _soft_entropy(p: Tensor) -> Tensor:
    """Compute the entropy of distributions in bits, (B, S, …) to (B, S), with a finite gradient where a share is 0."""
    return -(p * p.clamp(min=_SOFT_SHARE).log2()).flatten(2).sum(dim=2)


def _shares(values: Tensor, count: int) -> Tensor:
    batch, pixels = values.shape
    offset = torch.arange(batch, device=values.device)[:, None] * count
    counts = torch.bincount((values + offset).flatten(), minlength=batch * count)
    return counts.view(batch, count).double() / pixels
