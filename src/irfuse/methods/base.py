"""What a fusion method is: the contract that every method keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from irfuse import backbones
from irfuse.errors import ParameterError
from irfuse.progress import Progress, silent

Channels = Literal[1, 3]
"""The channels of a visible image as a method takes it: 1 for its luma, 3 for RGB."""

Core = tuple[slice, slice]
"""The rows and columns of a tile without its halo."""


class File(Enum):
    """The kind of file that a parameter's value names."""

    WEIGHTS = "weights"
    BACKBONE = "backbone"


Weights = Annotated[str, File.WEIGHTS]
"""The type of a parameter that names weights: those that ship, or a file, as :func:`irfuse.weights.find` takes them."""

Backbone = Annotated[backbones.Name, File.BACKBONE]
"""The type of a parameter that names a backbone, whose weights are fetched before the method is built."""


@dataclass(frozen=True)
class MethodInfo:
    """The description of a method.

    Attributes:
        name: the name in a spec.
        title, authors, year, doi, arxiv: of the paper; empty if unknown.
        multiple: the height and the width must be multiples of this.
        minimum: the height and the width must be at least this.
        tiling: ``halo`` if an output pixel depends only on input pixels at most `halo` pixels away and on the
            statistics that the method measures; ``whole`` if it may depend on all pixels.
        halo: the radius of the receptive field in pixels.
        tile: images of more than tile x tile pixels are fused in tiles, unless the user chooses another size. A method
            that needs little memory may have a large one, since the halos of small tiles cost time.
    """

    name: str
    title: str
    authors: str = ""
    year: int | None = None
    doi: str = ""
    arxiv: str = ""
    multiple: int = 1
    minimum: int = 1
    tiling: Literal["halo", "whole"] = "whole"
    halo: int = 0
    tile: int = 1024


class Method(nn.Module):
    """A fusion method. It maps two batches of tensors to one, and knows nothing of files, colors, sizes or devices.

    A subclass sets `info`, takes its parameters as typed, keyword-only arguments of its constructor, and implements
    `forward`. A parameter of type :data:`Weights` or :data:`Backbone` names a file. A method whose result depends on a
    statistic of the whole image also sets `needs_statistics`, implements `measure` and `merge`, and takes the
    statistics as the third argument of `forward`.

    Attributes:
        info: the description of the method.
        needs_statistics: whether `forward` depends on statistics of the whole image.
        has_graph: whether `forward` is the same sequence of tensor operations for all images. Such a method can be
            exported, and engines other than PyTorch can run it.
        vis_channels: the channels C of the visible and of the fused image; 3 is RGB.
    """

    info: ClassVar[MethodInfo]
    needs_statistics: bool = False
    has_graph: bool = False
    vis_channels: Channels = 1

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Fuse a batch.

        Args:
            ir: (B, 1, H, W) in [0, 1]. H and W must fit the size rule of `info`.
            vis: (B, C, H, W) in [0, 1].
            statistics: (B, K) from `measure`. None measures them on the given images. Ignored unless
                `needs_statistics` is set.

        Returns:
            (B, C, H, W) in [0, 1].
        """
        raise NotImplementedError

    def measure(self, ir: Tensor, vis: Tensor, core: Core) -> Tensor:
        """Measure the statistics of the pixels inside `core`, for images as `forward` takes them.

        Returns:
            (B, K).
        """
        raise NotImplementedError

    def merge(self, parts: Sequence[Tensor]) -> Tensor:
        """Merge the statistics of the parts of an image, (B, K) each, into those of the whole, (B, K)."""
        raise NotImplementedError


class Solution(NamedTuple):
    """The result of an iterative method.

    Attributes:
        fused: (B, 1, H, W) in [0, 1].
        losses: (steps, B), the loss before each step; NaN after an image's last step.
    """

    fused: Tensor
    losses: Tensor


class IterativeMethod(Method):
    """A method that optimizes each batch anew. The Fuser gives it whole images and reports its progress."""

    def solve(self, ir: Tensor, vis: Tensor, on_step: Progress = silent) -> Solution:
        """Fuse a batch. The result of a pair does not depend on the other pairs of the batch.

        Args:
            ir, vis: images as `forward` takes them.
            on_step: called after each step.
        """
        raise NotImplementedError

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return self.solve(ir, vis).fused


def check_info(method: Method | type[Method]) -> None:
    """Check that a method describes itself.

    Raises:
        ParameterError: it has no `info`.
    """
    if not isinstance(getattr(method, "info", None), MethodInfo):
        name = method.__name__ if isinstance(method, type) else type(method).__name__
        raise ParameterError(f"{name} has no info; set info = MethodInfo(name=..., title=...) in the class")
