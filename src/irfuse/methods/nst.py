"""Neural style transfer: the pixels of the mean image are optimised until their features are those of both sources.

Kumar, Aishwarya, Ashwin: "Neural style transfer based infrared-visible fusion". The features are those of ResNet-50's
first block. How the paper is read, and why, stands in docs/methods/nst.md.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.backbones.first_block import first_block
from irfuse.errors import ParameterError
from irfuse.filters import box, separable
from irfuse.methods.base import IterativeMethod, MethodInfo, Solution, check_choice
from irfuse.progress import Progress, silent

Reading = Literal["energy", "magnitude", "literal"]
Stride = Literal[1, 2]

_RADIUS = 3
_NEIGHBOURHOOD = box(7)
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_AVERAGING = 0.9
_STEPS_COMPARED = 10
_ROWS_AT_ONCE = 1 << 21
"""Pixels times pairs whose features are computed at once; larger images go in strips."""


class NST(IterativeMethod):
    """Fuse by optimising pixels with Adam, from the mean of both sources.

    Args:
        reading: of the paper's target. ``energy`` takes, for each of the 64 responses at each place, that of the source
            with the larger energy around; ``magnitude`` the larger one; ``literal`` sums the responses after a ReLU and
            takes the larger sum, as the paper has it, which fills the picture with ringing.
        stride: of the first block, 2 as in the network, or 1.
        learning_rate: Adam's, in units of the image's full range.
        iterations: the most steps.
        tolerance: an image is done when ten steps have lowered its loss by less than this share.

    Raises:
        ParameterError: an argument is impossible.
    """

    info = MethodInfo(
        name="nst",
        title="Neural style transfer based infrared-visible fusion",
        authors="Kumar, Aishwarya, Ashwin",
        tiling="whole",
    )

    def __init__(
        self,
        *,
        reading: Reading = "energy",
        stride: Stride = 2,
        learning_rate: float = 0.01,
        iterations: int = 100,
        tolerance: float = 0.01,
    ) -> None:
        super().__init__()
        check_choice("reading", reading, Reading)
        check_choice("stride", stride, Stride)
        if not (learning_rate > 0 and iterations > 0 and tolerance >= 0):
            raise ParameterError("nst: learning_rate and iterations must be more than 0, tolerance not less")
        self.reading = reading
        self.stride = stride
        self.learning_rate = learning_rate
        self.iterations = iterations
        self.tolerance = tolerance
        self.block = first_block(stride=stride)
