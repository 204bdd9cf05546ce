"""Neural style transfer: optimize the pixels of the mean image until their features are those of both sources.

Kumar, Aishwarya, Ashwin: "Neural style transfer based infrared-visible fusion". The features are those of ResNet-50's
first block. How the paper is read, and why, stands in docs/methods/nst.md.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.backbones.first_block import FirstBlock, first_block
from irfuse.choices import check_choice
from irfuse.errors import ParameterError
from irfuse.methods.base import IterativeMethod, MethodInfo, Solution
from irfuse.ops.filters import box, local_mean
from irfuse.progress import Progress, silent

Interpretation = Literal["energy", "magnitude", "literal"]
Stride = Literal[1, 2]
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From pixels, (B, 1, H, W), the loss, (B,), and a gradient, (B, 1, H, W), whose scale does not depend on the size."""

_RADIUS = 3
_CONTRAST = 31
_AROUND = 7
_FLOOR = 50.0
_NOISE = 1e-3
"""Added to all energies: what is far below a gray level, such as rounding, decides nothing."""
_SHARPNESS = 2
"""The power to which energies are raised before they become shares."""
_ROUNDING = 1.0
"""Adam's epsilon: gradients far below it are rounding errors, and move nothing."""
_KEPT = 0.9
"""How much of the moving average of the iterates each step keeps."""
_STEPS_COMPARED = 5
_PIXELS_AT_ONCE = 1 << 15
"""Whose features are computed at once, few enough for the caches of a CPU."""
_PIXELS_REMEMBERED = 1 << 22
"""Of a batch whose targets, at most 64 bytes a pixel, are kept."""
_LEAST_ROWS = 16
"""Of features at once, since each strip also needs the rows around it."""


class NST(IterativeMethod):
    """Fuse by optimizing pixels with Adam, from the mean of both sources.

    Args:
        reading: of the paper's target, which is made of the 64 responses of each source. ``energy`` is the mean of
            both, each response weighted by the squared energy of its source's contrast around that place; ``magnitude``
            takes the one that contrast makes stronger; ``literal`` adds them up after a ReLU and takes the larger sum,
            as the paper has it, which fills the picture with ringing.
        stride: of the first block: 1, or 2 as in the network, which leaves the finest pattern of pixels undetermined.
        learning_rate: Adam's; 1 is the image's full range.
        iterations: the most steps.
        tolerance: an image is done when five steps have not lowered its loss by this share.

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
        reading: Interpretation = "energy",
        stride: Stride = 1,
        learning_rate: float = 0.01,
        iterations: int = 200,
        tolerance: float = 0.0005,
    ) -> None:
        super().__init__()
        check_choice("reading", reading, Interpretation)
        check_choice("stride", stride, Stride)
        if not (0 < learning_rate <= 1 and iterations > 0 and 0 <= tolerance < 1):
            raise ParameterError(
                "nst needs a learning_rate above 0 and at most 1, iterations above 0, and a tolerance from 0 to below 1"
            )
        self.reading = reading
        self.stride = stride
        self.learning_rate = learning_rate
        self.iterations = iterations
        self.tolerance = tolerance
        self.block = first_block()

    def solve(self, ir: Tensor, vis: Tensor, on_step: Progress = silent) -> Solution:
        """Fuse a batch; see :class:`irfuse.methods.base.IterativeMethod`.

        The losses are the mean squared errors of the iterates' features; the result is the iterates' moving average.

        >>> solution = NST(iterations=3).solve(*torch.rand(2, 1, 1, 32, 32))
        >>> solution.fused.shape
        torch.Size([1, 1, 32, 32])
        """
        fused = ((ir + vis) / 2).detach()
        pixels, average = fused.clone().requires_grad_(), fused
        optimizer = torch.optim.Adam([pixels], lr=self.learning_rate, eps=_ROUNDING)
        active = torch.ones(len(ir), dtype=torch.bool, device=ir.device)
        losses: list[Tensor] = []
        with torch.no_grad():
            objective = self.objective(ir, vis)
            for step in range(1, self.iterations + 1):
                loss, pixels.grad = objective(pixels)
                optimizer.step()
                average = average.lerp(pixels, 1 - _KEPT)
                # Those that are done keep what they have; the others of the batch go on.
                fused = torch.where(active[:, None, None, None], average, fused)
                losses.append(torch.where(active, loss, torch.nan))
                if step > _STEPS_COMPARED:
                    active = active & (loss < (1 - self.tolerance) * losses[-1 - _STEPS_COMPARED])
                on_step(step, self.iterations, f"loss {losses[-1].nanmean():.4f}")
                if not active.any():
                    break
        return Solution(fused.clamp(0, 1), torch.stack(losses))

    def objective(self, ir: Tensor, vis: Tensor) -> Objective:
        """What is minimised for a batch: in closed form where the features are linear and everywhere the same."""
        features = _Features(self.block, self.reading, self.stride)
        target = _Target(features, self.reading, ir, vis)
        quadratic = self.reading != "literal" and self.stride == 1
        return _Quadratic(features, target) if quadratic else _Stepwise(features, target)


class _Features:
    """The features of gray images, in strips of rows.

    They are the 64 responses without what the network adds to each, by its bias and its mean, since it falls out of the
    difference between two images. Only the literal reading has it, before its ReLU.

    Attributes:
        kernels: for gray images, (64, 1, 7, 7).
        margin: pixels beyond the border. At stride 1, places beyond it that still see the image have features as well,
            so that every pixel has its part in as many of them.
    """

    def __init__(self, block: FirstBlock, reading: Interpretation, stride: Stride) -> None:
        assert block.conv.bias is not None
        self._mean, self._weight, self._bias = block.mean, block.conv.weight, block.conv.bias[:, None, None]
        self._literal, self._stride = reading == "literal", stride
        self.kernels = self._weight.sum(dim=1, keepdim=True)
        self.margin = 2 * _RADIUS if stride == 1 else _RADIUS

    def __call__(self, images: Tensor, rows: slice) -> Tensor:
        """Some rows of the features of (B, 1, H, W): (B, 64, h, w), or (B, 1, h, w) of the literal reading."""
        if not self._literal:
            return self._correlate(images, self.kernels, rows)
        # Beyond its border the image is as the mean, which is 0 after the subtraction, as in the network.
        responses = self._correlate(images - self._mean, self._weight, rows) + self._bias
        return responses.relu().sum(dim=1, keepdim=True)

    def rows(self, height: int) -> int:
        """How many rows of features an image has."""
        return (height + 2 * (self.margin - _RADIUS) - 1) // self._stride + 1

    def strips(self, images: Tensor) -> Iterator[slice]:
        """The rows of features, in parts that are computed at once."""
        batch, _, height, width = images.shape
        at_once = max(_LEAST_ROWS, _PIXELS_AT_ONCE // (batch * width * self._stride))
        count = self.rows(height)
        for start in range(0, count, at_once):
            yield slice(start, min(start + at_once, count))

    def _correlate(self, images: Tensor, kernels: Tensor, rows: slice) -> Tensor:
        """Some rows of the correlation with kernels, of images that are 0 beyond their border."""
        top = rows.start * self._stride - self.margin
        bottom = (rows.stop - 1) * self._stride - self.margin + 2 * _RADIUS + 1
        height = images.shape[2]
        part = images[:, :, max(0, top) : max(0, min(bottom, height))]
        part = F.pad(part, (self.margin, self.margin, max(0, -top), max(0, bottom - height)))
        return F.conv2d(part, kernels, stride=self._stride)


class _Target:
    """What the features of the fused image should be, made of those of both sources.

    Attributes:
        like: an image of the batch's shape.
    """

    def __init__(self, features: _Features, reading: Interpretation, ir: Tensor, vis: Tensor) -> None:
        self._features, self._reading = features, reading
        self._ir, self._vis, self.like = ir, vis, ir
        if reading != "literal":
            # Without its local mean: otherwise brightness is energy, and where it changes the target jumps.
            self._contrasts = [image - local_mean(image, box(_CONTRAST), "replicate") for image in (ir, vis)]
            # The same everywhere: on the share of both images' contrast flat places fall back.
            self._floors = [
                _FLOOR * image.var(dim=(1, 2, 3), keepdim=True, correction=0) + _NOISE for image in (ir, vis)
            ]

    def __call__(self, rows: slice) -> Tensor:
        """Some rows of it, as the features have them."""
        ir, vis = self._features(self._ir, rows), self._features(self._vis, rows)
        return torch.maximum(ir, vis) if self._reading == "literal" else vis.lerp(ir, self.ir_share(rows))

    def ir_share(self, rows: slice) -> Tensor:
        """How much of the target is the infrared's response, (B, 64, h, w) in [0, 1]."""
        if self._reading == "magnitude":
            ir_size, vis_size = (self._features(contrast, rows).abs() for contrast in self._contrasts)
            return (ir_size > vis_size).to(ir_size.dtype)
        reach = _AROUND // 2
        around = slice(max(0, rows.start - reach), min(rows.stop + reach, self._features.rows(self.like.shape[2])))
        inner = slice(rows.start - around.start, rows.stop - around.start)
        ir_energy, vis_energy = (
            local_mean(self._features(contrast, around).square(), box(_AROUND), "replicate")[:, :, inner] + floor
            for contrast, floor in zip(self._contrasts, self._floors, strict=True)
        )
        return 1 / (1 + (vis_energy / ir_energy) ** _SHARPNESS)


class _Stepwise:
    """The objective by automatic differentiation, in strips."""

    def __init__(self, features: _Features, target: _Target) -> None:
        self._features, self._target = features, target
        self._remembered: dict[int, Tensor] = {}

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        pixels = pixels.detach().requires_grad_()
        loss, gradient, count = torch.zeros(len(pixels), device=pixels.device), torch.zeros_like(pixels), 0
        for rows in self._features.strips(pixels):
            target = self._remembered.get(rows.start)
            if target is None:
                target = self._target(rows)
                # That of a large image would not fit into memory, and is made anew each time.
                if pixels.numel() <= _PIXELS_REMEMBERED:
                    self._remembered[rows.start] = target
            with torch.enable_grad():
                errors = (self._features(pixels, rows) - target).square().flatten(1).sum(dim=1)
                gradient += torch.autograd.grad(errors.sum(), pixels)[0]
            loss += errors.detach()
            count += target[0].numel()
        return loss / count, gradient


class _Quadratic:
    """The objective |Cx - t|² = x·(CᵀC x) - 2 x·(Cᵀt) + |t|², C being the 64 convolutions and t the target.

    At stride 1 CᵀC is one convolution of 13x13, and neither the features nor the target need to be kept.
    """

    def __init__(self, features: _Features, target: _Target) -> None:
        kernels, image, margin = features.kernels, target.like, features.margin
        self._gram = F.conv2d(kernels.transpose(0, 1), kernels.transpose(0, 1), padding=2 * _RADIUS)
        pulled = F.pad(torch.zeros_like(image), (margin,) * 4)
        self._square = torch.zeros(len(image), dtype=torch.float64, device=image.device)
        self._count = 0
        for rows in features.strips(image):
            wanted = target(rows)
            pulled[:, :, rows.start : rows.stop + 2 * _RADIUS] += F.conv_transpose2d(wanted, kernels)
            self._square += wanted.double().square().flatten(1).sum(dim=1)
            self._count += wanted[0].numel()
        self._pulled = pulled[:, :, margin:-margin, margin:-margin]

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        image = F.conv2d(pixels, self._gram, padding=2 * _RADIUS)
        # In double precision, since most of the sum cancels.
        products = (pixels.double() * (image.double() - 2 * self._pulled.double())).flatten(1).sum(dim=1)
        return ((products + self._square) / self._count).to(pixels.dtype), 2 * (image - self._pulled)
