"""Engines compute a method's network: PyTorch itself, or another engine that gets the method as a graph.

:mod:`irfuse.engines.choose` chooses one and says why; :func:`make` makes it.
"""

from irfuse.engines.base import Engine
from irfuse.engines.choose import Choice
from irfuse.methods.base import Method


def make(choice: Choice, method: Method, threads: int) -> Engine:
    """Make the engine that was chosen for a method.

    Args:
        choice: the engine and the precision.
        method: the method in evaluation mode, on its device.
        threads: the number of threads of an engine that does not use PyTorch's.

    Raises:
        MissingDependencyError: the engine's package cannot be loaded.
    """
    # Each engine imports a large package, so only the chosen one is imported.
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
