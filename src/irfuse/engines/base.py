"""The contract of an engine."""

from typing import Any, Literal, Protocol

from torch import Tensor

EngineName = Literal["torch", "compile", "onnx", "openvino"]
Precision = Literal["fp32", "fp16", "bf16"]
"""The precision in which a network is computed. An engine's inputs and outputs are always float32."""


TENSOR_ENGINES: tuple[EngineName, ...] = ("torch", "compile")
"""The engines that take and give tensors on the method's device. The others take and give NumPy arrays.

No operation of PyTorch then runs beside an engine that has threads of its own: PyTorch's threads would stay awake for a
while after each, on the cores that the engine's threads wait for.
"""


class Engine(Protocol):
    """Computes one method, for images of any size that its size rule allows, from several threads at once."""

    def __call__(self, ir: Any, vis: Any, statistics: Tensor | None = None) -> Any:
        """Fuse a batch.

        Args:
            ir, vis, statistics: float32 tensors or arrays as :meth:`irfuse.methods.base.Method.forward` takes them. A
                method that needs statistics has no graph, and the engines that need one never get any.

        Returns:
            (B, C, H, W), float32, in [0, 1].
        """
        ...
