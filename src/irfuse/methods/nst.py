"""Neural style transfer: optimize the pixels of the mean image until their features match those of both sources.

Kumar, Aishwarya, Ashwin: "Neural style transfer based infrared-visible fusion". The features are those of the first
block of ResNet-50. docs/methods/nst.md explains how irfuse interprets the paper.
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
"""A function from pixels, (B, 1, H, W), to the loss, (B,), and a gradient, (B, 1, H, W). The gradient's scale does not
depend on the size of the image."""

_RADIUS = 3
"""The radius of the 7x7 kernels."""
_CONTRAST_WINDOW = 31
"""The side in pixels of the window whose mean is subtracted from an image to give its contrast."""
_ENERGY_WINDOW = 7
"""The side in places of the window over which the energy of a response is averaged."""
_FLOOR = 50.0
"""The multiple of an image's variance that is added to its energies."""
_NOISE = 1e-3
"""The value added to all energies, so that differences far below a gray level, such as rounding, decide nothing."""
_ENERGY_POWER = 2
"""The power to which energies are raised before they become shares."""
_ADAM_EPSILON = 1.0
"""The epsilon of Adam. Gradients far below it are rounding errors and move nothing."""
_DECAY = 0.9
"""The share of the moving average of the iterates that each step keeps."""
_STEPS_COMPARED = 5
"""The number of steps over which the decrease of the loss is measured."""
_PIXELS_AT_ONCE = 1 << 15
"""The number of pixels whose features are computed at once, few enough for the caches of a CPU."""
_PIXELS_REMEMBERED = 1 << 22
"""The most pixels of a batch whose target is kept in memory."""
_LEAST_ROWS = 16
"""The fewest rows of features computed at once, because each strip also needs the rows around it."""


class NST(IterativeMethod):
    """Fuse by optimizing pixels with Adam, starting from the mean of both sources.

    Args:
        reading: how the paper is read, which decides the target that is computed from the 64 responses of each source.
            ``energy`` averages the sources, with each response weighted by the squared energy of the source's contrast
            around that place.
            ``magnitude`` takes the response of the source whose contrast has the stronger response. ``literal`` adds
            the 64 responses after a ReLU and takes the larger sum, as the paper does, which fills the image with
            ringing.
        stride: the stride of the first block: 1, or 2 as in the network. 2 leaves the finest pattern of pixels
            undetermined.
        learning_rate: the learning rate of Adam, as a share of the full range of the image.
        iterations: the maximum number of steps.
        tolerance: the least relative decrease of the loss over five steps. An image with a smaller decrease is done.

    Raises:
        ParameterError: an argument is not one of its choices or is out of range.
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
        """Fuse a batch; see :meth:`irfuse.methods.base.IterativeMethod.solve`.

        The losses are the mean squared errors of the features of the iterates. The result is the moving average of the
        iterates.

        >>> solution = NST(iterations=3).solve(*torch.rand(2, 1, 1, 32, 32))
        >>> solution.fused.shape
        torch.Size([1, 1, 32, 32])
        """
        fused = ((ir + vis) / 2).detach()
        pixels, average = fused.clone().requires_grad_(), fused
        optimizer = torch.optim.Adam([pixels], lr=self.learning_rate, eps=_ADAM_EPSILON)
        active = torch.ones(len(ir), dtype=torch.bool, device=ir.device)
        losses: list[Tensor] = []
        with torch.no_grad():
            objective = self.objective(ir, vis)
            for step in range(1, self.iterations + 1):
                loss, pixels.grad = objective(pixels)
                optimizer.step()
                average = average.lerp(pixels, 1 - _DECAY)
                # Images that are done keep their result while the rest of the batch continues.
                fused = torch.where(active[:, None, None, None], average, fused)
                losses.append(torch.where(active, loss, torch.nan))
                if step > _STEPS_COMPARED:
                    active = active & (loss < (1 - self.tolerance) * losses[-1 - _STEPS_COMPARED])
                on_step(step, self.iterations, f"loss {losses[-1].nanmean():.4f}")
                if not active.any():
                    break
        return Solution(fused.clamp(0, 1), torch.stack(losses))

    def objective(self, ir: Tensor, vis: Tensor) -> Objective:
        """Return the objective of a batch. It has a closed form if the features are linear and have a stride of 1."""
        features = _Features(self.block, self.reading, self.stride)
        target = _Target(features, self.reading, ir, vis)
        quadratic = self.reading != "literal" and self.stride == 1
        return _Quadratic(features, target) if quadratic else _Stepwise(features, target)


class _Features:
    """The features of gray images, computed in strips of rows.

    The features are the 64 responses without the constants from the network's bias and mean, which cancel in the
    difference between two images. Only the literal reading, which has a ReLU, includes them.

    Attributes:
        kernels: the kernels for gray images, (64, 1, 7, 7).
        margin: the number of pixels of padding on each side. At stride 1, places beyond the border that still see the
            image also have features, so that every pixel takes part in the same number of features.
    """

    def __init__(self, block: FirstBlock, reading: Interpretation, stride: Stride) -> None:
        assert block.conv.bias is not None
        self._mean, self._weight, self._bias = block.mean, block.conv.weight, block.conv.bias[:, None, None]
        self._literal, self._stride = reading == "literal", stride
        self.kernels = self._weight.sum(dim=1, keepdim=True)
        self.margin = 2 * _RADIUS if stride == 1 else _RADIUS

    def __call__(self, images: Tensor, rows: slice) -> Tensor:
        """Compute some rows of the features of (B, 1, H, W): (B, 64, h, w), or (B, 1, h, w) for the literal reading."""
        if not self._literal:
            return self._correlate(images, self.kernels, rows)
        # As in the network, the image is padded with its mean, which is 0 after the subtraction.
        responses = self._correlate(images - self._mean, self._weight, rows) + self._bias
        return responses.relu().sum(dim=1, keepdim=True)

    def rows(self, height: int) -> int:
        """Return the number of rows of features for an image of some height."""
        return (height + 2 * (self.margin - _RADIUS) - 1) // self._stride + 1

    def strips(self, images: Tensor) -> Iterator[slice]:
        """Yield the rows of features in strips that are each computed at once."""
        batch, _, height, width = images.shape
        at_once = max(_LEAST_ROWS, _PIXELS_AT_ONCE // (batch * width * self._stride))
        count = self.rows(height)
        for start in range(0, count, at_once):
            yield slice(start, min(start + at_once, count))

    def _correlate(self, images: Tensor, kernels: Tensor, rows: slice) -> Tensor:
        """Compute some rows of the correlation of zero-padded images with kernels."""
        top = rows.start * self._stride - self.margin
        bottom = (rows.stop - 1) * self._stride - self.margin + 2 * _RADIUS + 1
        height = images.shape[2]
        part = images[:, :, max(0, top) : max(0, min(bottom, height))]
        part = F.pad(part, (self.margin, self.margin, max(0, -top), max(0, bottom - height)))
        return F.conv2d(part, kernels, stride=self._stride)


class _Target:
    """The target of the fused image's features, computed from the features of both sources.

    Attributes:
        like: an image with the shape of the batch.
    """

    def __init__(self, features: _Features, reading: Interpretation, ir: Tensor, vis: Tensor) -> None:
        self._features, self._reading = features, reading
        self._ir, self._vis, self.like = ir, vis, ir
        if reading != "literal":
            # The local mean is subtracted. Otherwise brightness would count as energy, and the target would jump where
            # the brightness changes.
            self._contrasts = [image - local_mean(image, box(_CONTRAST_WINDOW), "replicate") for image in (ir, vis)]
            # Constant over the image. Flat places therefore fall back on the shares of the whole images' contrast.
            self._floors = [
                _FLOOR * image.var(dim=(1, 2, 3), keepdim=True, correction=0) + _NOISE for image in (ir, vis)
            ]

    def __call__(self, rows: slice) -> Tensor:
        """Compute some rows of the target, in the shape of the features."""
        ir, vis = self._features(self._ir, rows), self._features(self._vis, rows)
        return torch.maximum(ir, vis) if self._reading == "literal" else vis.lerp(ir, self.ir_share(rows))

    def ir_share(self, rows: slice) -> Tensor:
        """Compute the share of the infrared response in the target, (B, 64, h, w) in [0, 1]."""
        if self._reading == "magnitude":
            ir_size, vis_size = (self._features(contrast, rows).abs() for contrast in self._contrasts)
            return (ir_size > vis_size).to(ir_size.dtype)
        reach = _ENERGY_WINDOW // 2
        around = slice(max(0, rows.start - reach), min(rows.stop + reach, self._features.rows(self.like.shape[2])))
        inner = slice(rows.start - around.start, rows.stop - around.start)
        ir_energy, vis_energy = (
            local_mean(self._features(contrast, around).square(), box(_ENERGY_WINDOW), "replicate")[:, :, inner] + floor
            for contrast, floor in zip(self._contrasts, self._floors, strict=True)
        )
        return 1 / (1 + (vis_energy / ir_energy) ** _ENERGY_POWER)


class _Stepwise:
    """The objective with gradients by automatic differentiation, computed in strips."""

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
                # The target of a large batch would not fit into memory, so it is computed anew at each step.
                if pixels.numel() <= _PIXELS_REMEMBERED:
                    self._remembered[rows.start] = target
            with torch.enable_grad():
                errors = (self._features(pixels, rows) - target).square().flatten(1).sum(dim=1)
                gradient += torch.autograd.grad(errors.sum(), pixels)[0]
            loss += errors.detach()
            count += target[0].numel()
        return loss / count, gradient


class _Quadratic:
    """The objective |Cx - t|² = x·(CᵀC x) - 2 x·(Cᵀt) + |t|², where C is the 64 convolutions and t the target.

    At stride 1, CᵀC is a single 13x13 convolution, and neither the features nor the target need to be kept.
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
        # In double precision, because most of the sum cancels.
        products = (pixels.double() * (image.double() - 2 * self._pulled.double())).flatten(1).sum(dim=1)
        return ((products + self._square) / self._count).to(pixels.dtype), 2 * (image - self._pulled)
