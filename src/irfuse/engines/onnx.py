"""Engine `onnx`: ONNX Runtime on the CPU, in float32."""

import numpy as np
from torch import Tensor

from irfuse.deploy.export import graph
from irfuse.deploy.runtime import Float32, session
from irfuse.methods.base import Method


class OnnxRuntime:
    """A method's graph in ONNX Runtime, which takes all sizes.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """

    def __init__(self, method: Method, threads: int) -> None:
        self._session = session(graph(method), method.info.name, threads)

    def __call__(self, ir: Float32, vis: Float32, statistics: Tensor | None = None) -> Float32:
        arrays = {"ir": np.ascontiguousarray(ir), "vis": np.ascontiguousarray(vis)}
        fused: Float32 = self._session.run(None, arrays)[0]
        return fused
