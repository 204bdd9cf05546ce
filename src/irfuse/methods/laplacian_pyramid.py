"""Fusion in a Laplacian pyramid: the stronger detail of both sources, added to their mean base.

P. J. Burt, E. H. Adelson: "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 31(4),
1983, doi:10.1109/TCOM.1983.1095851.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.methods.base import Method, MethodInfo

_LEVELS = 4


class LaplacianPyramid(Method):
    """Decompose both sources into four bands of detail and a base, keep the stronger detail, and average the bases.

    The filter is Burt and Adelson's with a = 3/8: 1 4 6 4 1 over 16 along each axis.

    >>> LaplacianPyramid()(torch.rand(1, 1, 32, 48), torch.rand(1, 1, 32, 48)).shape
    torch.Size([1, 1, 32, 48])
    """

    info = MethodInfo(
        name="laplacian-pyramid",
        title="The Laplacian pyramid as a compact image code",
        authors="P. J. Burt, E. H. Adelson",
        year=1983,
        doi="10.1109/TCOM.1983.1095851",
        multiple=2**_LEVELS,
        tiling="halo",
        # A pixel of level l is 2^l wide. On the way down, levels 0 to 3 each reach 2 of their pixels farther. On the
        # way up, levels 4 to 1 each reach 1 of their pixels farther. Either sum is 2 + 4 + 8 + 16.
        halo=2 * (2 ** (_LEVELS + 1) - 2),
    )

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        details = []
        for _ in range(_LEVELS):
            (ir, ir_detail), (vis, vis_detail) = _split(ir), _split(vis)
            details.append(torch.where(ir_detail.abs() > vis_detail.abs(), ir_detail, vis_detail))
        fused = torch.lerp(ir, vis, 0.5)
        for detail in reversed(details):
            fused = _double(_double(fused, dim=2), dim=3) + detail
        return fused.clamp(0, 1)


# The filters are sums of shifted images. A library's convolution adds in an order that depends on the size of the
# image. Where the details of both sources are equally strong, the rounding would decide which of them is kept.


def _split(images: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the next level, which has half the size, and the detail that it lacks."""
    smaller = _halve(_halve(images, dim=2), dim=3)
    return smaller, images - _double(_double(smaller, dim=2), dim=3)


def _halve(images: Tensor, dim: int) -> Tensor:
    """Filter with 1 4 6 4 1 and keep every second pixel."""
    length = images.shape[dim]
    padded = _extend(images, 2, dim)
    a, b, c, d, e = (padded.narrow(dim, start, length - 1).unfold(dim, 1, 2).squeeze(-1) for start in range(5))
    return (a + 4 * b + 6 * c + 4 * d + e) / 16


def _double(images: Tensor, dim: int) -> Tensor:
    """Insert zeros between the pixels and filter with twice 1 4 6 4 1: even places see 1 6 1, odd ones 4 4."""
    length = images.shape[dim]
    padded = _extend(images, 1, dim)
    before, here, after = (padded.narrow(dim, start, length) for start in range(3))
    even, odd = (before + 6 * here + after) / 8, (here + after) / 2
    return torch.stack([even, odd], dim=dim + 1).flatten(dim, dim + 1)


def _extend(images: Tensor, by: int, dim: int) -> Tensor:
    """Repeat the first and the last row or column."""
    return F.pad(images, (0, 0, by, by) if dim == 2 else (by, by, 0, 0), mode="replicate")
