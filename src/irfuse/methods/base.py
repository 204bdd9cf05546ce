"""What a fusion method is: the contract that every file beside this one keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from irfuse.progress import Progress, silent

Channels = Literal[1, 3]
"""Of a visible image as a method takes it: its luma, or colour."""

Core = tuple[slice, slice]
"""The rows and columns of a tile that belong to it; the rest is halo."""


@dataclass(frozen=True)
class MethodInfo:
    """What one can know of a method without running it.

    Attributes:
        name: as in a spec.
        title, authors, year, doi, arxiv: of the paper; empty rather than guessed.
        multiple: height and width must be multiples of this.
        minimum: height and width must be at least this.
        tiling: ``halo`` when an output pixel depends on the inputs at most `halo` pixels away (and on the statistics
            that the method measures), ``whole`` when it may depend on all.
        halo: the radius of the receptive field, in pixels.
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


class Method(nn.Module):
    """A fusion method: batches of tensors in, a batch of tensors out, and nothing of files, colour, sizes or devices.

    A subclass sets `info`, takes its choices as typed, keyword-only arguments of its constructor, and implements
    `forward`. A method whose result depends on a statistic of the whole image also sets `needs_statistics`, implements
    `measure` and `merge`, and takes the statistics as the third argument of `forward`.

    Attributes:
        info: the method's description.
        needs_statistics: whether `forward` depends on statistics of the whole image.
        has_graph: whether `forward` is the same sequence of tensor operations for all images, so that it can be
            exported and other engines than PyTorch can run it.
        vis_channels: of the visible and of the fused image, C; 3 is RGB.
    """

    info: ClassVar[MethodInfo]
    needs_statistics: bool = False
    has_graph: bool = False
    vis_channels: Channels = 1

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Fuse a batch.

        Args:
            ir: (B, 1, H, W) in [0, 1], H and W as `info` demands.
            vis: (B, C, H, W) in [0, 1].
            statistics: (B, K) from `measure`; None measures on the images given. Ignored without `needs_statistics`.

        Returns:
            (B, C, H, W) in [0, 1].
        """
        raise NotImplementedError

    def measure(self, ir: Tensor, vis: Tensor, core: Core) -> Tensor:
        """The statistics of the pixels inside `core`, for images as `forward` takes them.

        Returns:
            (B, K).
        """
        raise NotImplementedError

    def merge(self, parts: Sequence[Tensor]) -> Tensor:
        """The statistics of a whole, (B, K), from those of its parts, (B, K) each."""
        raise NotImplementedError


class Solution(NamedTuple):
    """What an iterative method found.

    Attributes:
        fused: (B, 1, H, W) in [0, 1].
        losses: (steps, B), the loss before each step; NaN after an image's last.
    """

    fused: Tensor
    losses: Tensor


class IterativeMethod(Method):
    """A method that optimises each batch anew. The Fuser gives it whole images, and tells how far it is."""

    def solve(self, ir: Tensor, vis: Tensor, on_step: Progress = silent) -> Solution:
        """Fuse a batch; each pair's result is what it would be alone.

        Args:
            ir, vis: as `forward` takes them.
            on_step: told after each step.
        """
        raise NotImplementedError

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return self.solve(ir, vis).fused
