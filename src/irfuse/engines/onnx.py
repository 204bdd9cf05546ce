"""Engine `onnx`: ONNX Runtime on the CPU, in float32."""

from torch import Tensor

from irfuse.deploy.export import graph
from irfuse.deploy.runtime import Float32, compute, session
from irfuse.methods.base import Method


class OnnxRuntime:
    """A method's graph in ONNX Runtime, which takes all sizes.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """

    def __init__(self, method: Method, threads: int) -> None:
        self._name = method.info.name
        self._session = session(graph(method), self._name, threads)

    def __call__(self, ir: Float32, vis: Float32, statistics: Tensor | None = None) -> Float32:
        return compute(self._session, ir, vis, self._name)
