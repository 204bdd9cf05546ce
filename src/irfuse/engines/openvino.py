"""Engine `openvino`: OpenVINO on the CPU, in float32 or bfloat16."""

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
from irfuse.installation import install
from irfuse.methods.base import Method

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_SIZES, _PIXELS = 4, 5 << 18
"""How many sizes, and of how many pixels in total, get a network of their own, which is faster.

All other sizes share one network. Each network keeps the memory that its size takes, so the tiles of a large image,
which come in a few sizes, would together take several times the memory of one.
"""

_Shape = tuple[int, ...]


class OpenVINO:
    """A method's graph in OpenVINO, compiled for a size when it first comes.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """

    def __init__(self, method: Method, precision: Precision, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingDependencyError(
                f"OpenVINO does not load ({error}): {install('openvino')}; or take another engine"
            ) from None
        self._core = openvino.Core()
        self._graph = graph(for_openvino(method, precision))
        self._settings = settings(precision, threads)
        self._lock = threading.Lock()
        self._compiled: dict[tuple[_Shape, _Shape] | None, Any] = {}

    def __call__(self, ir: Float32, vis: Float32, statistics: Tensor | None = None) -> Float32:
        arrays = [np.ascontiguousarray(ir), np.ascontiguousarray(vis)]
        # The result lies in OpenVINO's own memory, which the next pair overwrites: one pair at a time, and a copy.
        with self._lock:
            return np.array(self._network(ir.shape, vis.shape)(arrays)[0])

    def _network(self, *shapes: *tuple[_Shape, _Shape]) -> Any:
        """Return the network for images of these shapes, compiled if there is none yet."""
        own_sizes = [key for key in self._compiled if key is not None]
        pixels = sum(math.prod(key[0]) for key in [*own_sizes, shapes])
        few = len(own_sizes) < _SIZES and pixels <= _PIXELS
        key = shapes if shapes in self._compiled or few else None
        if key not in self._compiled:
            model = read(self._core, self._graph)
            if key is not None:
                model.reshape(dict(zip(("ir", "vis"), map(list, key), strict=True)))
            self._compiled[key] = self._core.compile_model(model, "CPU", self._settings)
        return self._compiled[key]


def read(core: Any, graph: bytes) -> Any:
    """Read an ONNX graph as OpenVINO's model, and give each layer a bias of its own.

    OpenVINO fuses a bias and a ReLU into the convolution before them, but not a bias that two layers share, as in an
    encoder that both images go through.
    """
    from openvino import op

    model = core.read_model(model=graph)
    for constant in model.get_ops():
        if constant.get_type_name() == "Constant":
            # ONNX's biases reach their convolutions through a Reshape. The larger weights stay shared.
            uses = [
                use for use in constant.output(0).get_target_inputs() if use.get_node().get_type_name() == "Reshape"
            ]
            for use in uses[1:]:
                use.replace_source_output(op.Constant(constant.data).output(0))
    return model


def settings(precision: Precision, threads: int) -> dict[str, str | int]:
    """Return OpenVINO's settings for compiling a network.

    >>> settings("bf16", 2)["INFERENCE_PRECISION_HINT"]
    'bf16'
    """
    return {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
