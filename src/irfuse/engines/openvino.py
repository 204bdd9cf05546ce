"""OpenVINO on the CPU, in float32 or bfloat16."""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from irfuse.engines.base import Precision
from irfuse.errors import MissingDependencyError
from irfuse.export import graph
from irfuse.methods.base import Method

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_SIZES, _PIXELS = 4, 5 << 18
"""How many sizes, and of how many pixels in all, get a network compiled for them alone, which is faster.

All others share one for any size. Each keeps the memory that its size takes, so that tiles of a large image, which come
in a handful of sizes, would together take several times what one of them does.
"""

_NARROW = 4
"""Groups of fewer outputs than this are computed faster as one, with zeros for what does not belong together."""

_Shape = tuple[int, ...]


class OpenVINO:
    """A method's graph in OpenVINO, compiled when a size is first met.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """

    def __init__(self, method: Method, precision: Precision) -> None:
        try:
            import openvino
        except ImportError:
            raise MissingDependencyError('OpenVINO is not installed: pip install "irfuse[openvino]"') from None
        self._core = openvino.Core()
        self._graph = graph(without_narrow_groups(method) if precision == "bf16" else method)
        self._settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._compiled: dict[tuple[_Shape, _Shape] | None, Any] = {}

    def __call__(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        arrays = [np.ascontiguousarray(image.numpy()) for image in (ir, vis)]
        # A copy: the result's memory is OpenVINO's own, which the next pair overwrites.
        return torch.from_numpy(np.array(self._network(ir, vis)(arrays)[0]))

    def _network(self, ir: Tensor, vis: Tensor) -> Any:
        """The network for images of that size, compiled now if it is not there."""
        shapes = tuple(ir.shape), tuple(vis.shape)
        alone = [key for key in self._compiled if key is not None]
        pixels = sum(math.prod(key[0]) for key in [*alone, shapes])
        few = len(alone) < _SIZES and pixels <= _PIXELS
        key = shapes if shapes in self._compiled or few else None
        if key not in self._compiled:
            model = self._core.read_model(model=self._graph)
            if key is not None:
                model.reshape(dict(zip(("ir", "vis"), map(list, key), strict=True)))
            self._compiled[key] = self._core.compile_model(model, "CPU", self._settings)
        return self._compiled[key]


def without_narrow_groups(method: Method) -> Method:
    """A copy of a method that computes the same, its transposed convolutions of many narrow groups without groups.

    In bfloat16 OpenVINO fills up each group's outputs to a whole register, so that zeros between the groups cost
    nothing and one large convolution replaces eight small ones. In float32 it does not pay, nor in ONNX Runtime.

    >>> from irfuse.methods import build
    >>> [layer.groups for layer in without_narrow_groups(build("encoder-decoder")).network.decoder]
    [8, 8, 8, 1, 1]
    """
    method = copy.deepcopy(method)
    for parent in list(method.modules()):
        for name, layer in parent.named_children():
            if (
                isinstance(layer, nn.ConvTranspose2d)
                and layer.groups > 1
                and layer.out_channels < _NARROW * layer.groups
            ):
                setattr(parent, name, _without_groups(layer))
    return method


def _without_groups(layer: nn.ConvTranspose2d) -> nn.ConvTranspose2d:
    whole = copy.deepcopy(layer)
    whole.groups = 1
    # (inputs, outputs of a group, ...): each group's own outputs stand on the diagonal of the whole.
    blocks = layer.weight.detach().chunk(layer.groups)
    weight = layer.weight.new_zeros(layer.in_channels, layer.out_channels, *layer.weight.shape[2:])
    for k, block in enumerate(blocks):
        rows, columns = block.shape[:2]
        weight[k * rows : (k + 1) * rows, k * columns : (k + 1) * columns] = block
    whole.weight = nn.Parameter(weight, requires_grad=False)
    return whole
