"""What an engine is."""

from typing import Literal, Protocol

from torch import Tensor

EngineName = Literal["torch", "compile", "onnx", "openvino"]
Precision = Literal["fp32", "fp16", "bf16"]
"""In which a network is computed; what an engine takes and gives is float32 always."""


class Engine(Protocol):
    """Computes one method, for images of any size that its size rule allows."""

    def __call__(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Fuse a batch.

        Args:
            ir, vis, statistics: float32, as :meth:`irfuse.methods.base.Method.forward` takes them. A method that needs
                statistics has no graph, and the engines that need one are never given any.

        Returns:
            (B, C, H, W), float32, in [0, 1].
        """
        ...
