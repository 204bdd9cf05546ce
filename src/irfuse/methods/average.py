"""The mean of both sources: the baseline below which no method should fall."""

import torch
from torch import Tensor

from irfuse.methods.base import Method, MethodInfo


class Average(Method):
    """Average the sources.

    >>> Average()(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).unique()
    tensor([0.5000])
    """

    info = MethodInfo(name="average", title="The mean of both sources", tiling="halo")

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return torch.lerp(ir, vis, 0.5)
