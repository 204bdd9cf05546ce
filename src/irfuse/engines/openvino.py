"""OpenVINO on the CPU, in float32 or bfloat16."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from irfuse.engines.base import Precision
from irfuse.errors import MissingDependencyError
from irfuse.export import graph
from irfuse.methods.base import Method

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_SIZES = 4
"""How many sizes get a network compiled for them alone, which is faster; all others share one for any size."""

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
        self._graph = graph(method)
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
        key = shapes if shapes in self._compiled or len(self._compiled) < _SIZES else None
        if key not in self._compiled:
            model = self._core.read_model(model=self._graph)
            if key is not None:
                model.reshape(dict(zip(("ir", "vis"), map(list, key), strict=True)))
            self._compiled[key] = self._core.compile_model(model, "CPU", self._settings)
        return self._compiled[key]
