"""The larger value of both sources at each pixel."""

import torch
from torch import Tensor

from irfuse.methods.base import Method, MethodInfo


class Maximum(Method):
    """Take the larger value at each pixel.

    >>> Maximum()(torch.full((1, 1, 2, 2), 0.25), torch.full((1, 1, 2, 2), 0.75)).unique()
    tensor([0.7500])
    """

    info = MethodInfo(name="maximum", title="The larger of both sources at each pixel", tiling="halo")

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return torch.maximum(ir, vis)
