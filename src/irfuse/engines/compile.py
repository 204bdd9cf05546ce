"""Engine `compile`: PyTorch's compiler. The first pair waits for it, and so does the first of another size."""

import torch
from torch import Tensor

from irfuse.engines.base import Precision
from irfuse.engines.torch import DTYPES, in_precision
from irfuse.methods.base import Method


class Compiled:
    """A compiled method: first for one size, and again for all sizes when a second size comes."""

    def __init__(self, method: Method, precision: Precision) -> None:
        self._dtype = DTYPES[precision]
        self._method = torch.compile(in_precision(method, precision))

    def __call__(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        fused: Tensor = self._method(ir.to(self._dtype), vis.to(self._dtype), statistics)
        return fused.float()
