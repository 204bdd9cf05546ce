"""OpenVINO on the CPU, in float32 or bfloat16."""

import math
import threading
from typing import Any

import numpy as np
from torch import Tensor

from irfuse.deploy.export import graph
from irfuse.deploy.runtime import Float32
from irfuse.engines.base import Precision
from irfuse.engines.rewrites import for_openvino
from irfuse.errors import MissingDependencyError
from irfuse.methods.base import Method

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_SIZES, _PIXELS = 4, 5 << 18
"""How many sizes, and of how many pixels in all, get a network compiled for them alone, which is faster.

All others share one for any size. Each keeps the memory that its size takes, so that tiles of a large image, which come
in a handful of sizes, would together take several times what one of them does.
"""

_Shape = tuple[int, ...]


class OpenVINO:
    """A method's graph in OpenVINO, compiled when a size is first met.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """

    def __init__(self, method: Method, precision: Precision, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingDependencyError(
                f'OpenVINO does not load ({error}); pip install "irfuse[openvino]", or take another engine'
            ) from None
        self._core = openvino.Core()
        self._graph = graph(for_openvino(method, precision))
        self._settings = settings(precision, threads)
        self._lock = threading.Lock()
        self._compiled: dict[tuple[_Shape, _Shape] | None, Any] = {}

    def __call__(self, ir: Float32, vis: Float32, statistics: Tensor | None = None) -> Float32:
        arrays = [np.ascontiguousarray(ir), np.ascontiguousarray(vis)]
        # A copy, and one pair at a time: the result's memory is OpenVINO's own, which the next pair overwrites.
        with self._lock:
            return np.array(self._network(ir.shape, vis.shape)(arrays)[0])

    def _network(self, *shapes: *tuple[_Shape, _Shape]) -> Any:
        """The network for images of that size, compiled now if it is not there."""
        alone = [key for key in self._compiled if key is not None]
        pixels = sum(math.prod(key[0]) for key in [*alone, shapes])
        few = len(alone) < _SIZES and pixels <= _PIXELS
        key = shapes if shapes in self._compiled or few else None
        if key not in self._compiled:
            model = read(self._core, self._graph)
            if key is not None:
                model.reshape(dict(zip(("ir", "vis"), map(list, key), strict=True)))
            self._compiled[key] = self._core.compile_model(model, "CPU", self._settings)
        return self._compiled[key]


def read(core: Any, graph: bytes) -> Any:
    """An ONNX graph as OpenVINO's model, in which no two layers share a bias.

    OpenVINO computes a bias and a ReLU within the convolution before, but not where the bias is another layer's too, as
    in an encoder that both images go through.
    """
    from openvino import op

    model = core.read_model(model=graph)
    for constant in model.get_ops():
        if constant.get_type_name() == "Constant":
            # ONNX's biases come to their convolutions through a Reshape; the larger weights stay shared.
            uses = [
                use for use in constant.output(0).get_target_inputs() if use.get_node().get_type_name() == "Reshape"
            ]
            for use in uses[1:]:
                use.replace_source_output(op.Constant(constant.data).output(0))
    return model


def settings(precision: Precision, threads: int) -> dict[str, str | int]:
    """What OpenVINO is told when it compiles a network.

    >>> settings("bf16", 2)["INFERENCE_PRECISION_HINT"]
    'bf16'
    """
    return {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
