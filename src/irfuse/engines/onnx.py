"""ONNX Runtime on the CPU, in float32."""

import numpy as np
import torch
from torch import Tensor

from irfuse.deploy.export import graph
from irfuse.deploy.runtime import session
from irfuse.methods.base import Method


class OnnxRuntime:
    """A method's graph in ONNX Runtime, for all sizes at once.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """

    def __init__(self, method: Method, threads: int) -> None:
        self._session = session(graph(method), method.info.name, threads)

    def __call__(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        arrays = {name: np.ascontiguousarray(image.numpy()) for name, image in (("ir", ir), ("vis", vis))}
        return torch.from_numpy(self._session.run(None, arrays)[0])
