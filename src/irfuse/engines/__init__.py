"""Engines: what computes a method's network. PyTorch itself, or another that takes the method over as a graph.

:mod:`irfuse.engines.choose` picks one and says why; :func:`make` makes the one picked.
"""

from irfuse.engines.base import Engine
from irfuse.engines.choose import Choice
from irfuse.methods.base import Method


def make(choice: Choice, method: Method, threads: int) -> Engine:
    """The engine that was chosen for a method.

    Args:
        choice: of engine and precision.
        method: in evaluation mode, on its device.
        threads: of an engine that does not use PyTorch's.

    Raises:
        MissingDependencyError: the engine's package does not work.
    """
    # Only what is used is imported: each brings a large package.
    match choice.engine:
        case "torch":
            from irfuse.engines.torch import Torch

            return Torch(method, choice.precision)
        case "compile":
            from irfuse.engines.compile import Compiled

            return Compiled(method, choice.precision)
        case "onnx":
            from irfuse.engines.onnx import OnnxRuntime

            return OnnxRuntime(method, threads)
        case "openvino":
            from irfuse.engines.openvino import OpenVINO

            return OpenVINO(method, choice.precision, threads)
