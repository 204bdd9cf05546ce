"""Engine `torch`: eager PyTorch, which runs every method on every device."""

import copy

import torch
from torch import Tensor

from irfuse.engines.base import Precision
from irfuse.methods.base import Method

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Torch:
    """A method itself, or a copy of it in half precision.

    >>> from irfuse.methods import build
    >>> ir, vis = torch.rand(2, 1, 1, 32, 32)
    >>> engine = Torch(build("encoder-decoder").eval(), "bf16")
    >>> with torch.no_grad():
    ...     engine(ir, vis).dtype
    torch.float32
    """

    def __init__(self, method: Method, precision: Precision) -> None:
        self._method, self._dtype = in_precision(method, precision), DTYPES[precision]

    def __call__(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        fused: Tensor = self._method(ir.to(self._dtype), vis.to(self._dtype), statistics)
        return fused.float()


def in_precision(method: Method, precision: Precision) -> Method:
    """Return the method itself for float32, and a converted copy otherwise."""
    return method if precision == "fp32" else copy.deepcopy(method).to(DTYPES[precision])
