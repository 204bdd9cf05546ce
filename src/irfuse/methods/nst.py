"""Neural style transfer: the pixels of the mean image are optimised until their features are those of both sources.

Kumar, Aishwarya, Ashwin: "Neural style transfer based infrared-visible fusion". The features are those of ResNet-50's
first block. How the paper is read, and why, stands in docs/methods/nst.md.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.backbones.first_block import first_block
from irfuse.errors import ParameterError
from irfuse.filters import box, local_mean
from irfuse.methods.base import IterativeMethod, MethodInfo, Solution, check_choice
from irfuse.progress import Progress, silent

Reading = Literal["energy", "magnitude", "literal"]
Stride = Literal[1, 2]
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From pixels, (B, 1, H, W), the loss, (B,), and a gradient, (B, 1, H, W), whose scale does not depend on the size."""

_RADIUS = 3
_AROUND = 7
_CONTRAST = 31
_FLOOR = 50.0
_EPSILON = 1e-8
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
    """Fuse by optimising pixels with Adam, from the mean of both sources.

    Args:
        reading: of the paper's target, which is made of the 64 responses of each source. ``energy`` is the mean of
            both, each response weighted by the squared energy of its source's contrast around that place; ``magnitude``
            takes the stronger response; ``literal`` adds them up after a ReLU and takes the larger sum, as the paper
            has it, which fills the picture with ringing.
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
        reading: Reading = "energy",
        stride: Stride = 1,
        learning_rate: float = 0.01,
        iterations: int = 100,
        tolerance: float = 0.0005,
    ) -> None:
        super().__init__()
        check_choice("reading", reading, Reading)
        check_choice("stride", stride, Stride)
        if not (learning_rate > 0 and iterations > 0 and tolerance >= 0):
            raise ParameterError("nst needs a learning_rate and iterations above 0, and a tolerance of 0 or more")
        self.reading = reading
        self.stride = stride
        self.learning_rate = learning_rate
        self.iterations = iterations
        self.tolerance = tolerance
        self.block = first_block(stride=stride)

    def solve(self, ir: Tensor, vis: Tensor, on_step: Progress = silent) -> Solution:
        """Fuse a batch; see :class:`irfuse.methods.base.IterativeMethod`. The loss is the mean squared error.

        >>> solution = NST(iterations=3).solve(*torch.rand(2, 1, 1, 32, 32))
        >>> solution.fused.shape
        torch.Size([1, 1, 32, 32])
        """
        fused = ((ir + vis) / 2).detach()
        pixels, average = fused.clone().requires_grad_(), fused
        optimiser = torch.optim.Adam([pixels], lr=self.learning_rate, eps=_EPSILON)
        active = torch.ones(len(ir), dtype=torch.bool, device=ir.device)
        losses: list[Tensor] = []
        with torch.no_grad():
            objective = self.objective(ir, vis)
            for step in range(1, self.iterations + 1):
                loss, pixels.grad = objective(pixels.detach())
                optimiser.step()
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
        if self.reading != "literal" and self.stride == 1:
            return _Quadratic(self, ir, vis)
        return _Stepwise(self, ir, vis)

    def strips(self, images: Tensor) -> Iterator[slice]:
        """The rows of features, in parts that are computed at once."""
        batch, _, height, width = images.shape
        at_once = max(_LEAST_ROWS, _PIXELS_AT_ONCE // (batch * width * self.stride))
        count = self.rows(height)
        for start in range(0, count, at_once):
            yield slice(start, min(start + at_once, count))

    def rows(self, height: int) -> int:
        """How many rows of features there are."""
        return (height + 2 * (self.margin - _RADIUS) - 1) // self.stride + 1

    @property
    def margin(self) -> int:
        """Pixels beyond the border. At stride 1, places beyond it that still see the image have features as well."""
        return 2 * _RADIUS if self.stride == 1 else _RADIUS

    def features(self, images: Tensor, rows: slice) -> Tensor:
        """Some rows of the features: (B, 64, h, w), or (B, 1, h, w) of the literal reading."""
        # Beyond its border the image is as the mean, which is 0 after the subtraction, as in the network.
        responses = self.responses(images - self.block.mean, self.block.conv.weight, rows)
        assert self.block.conv.bias is not None
        responses = responses + self.block.conv.bias[:, None, None]
        return responses.relu().sum(dim=1, keepdim=True) if self.reading == "literal" else responses

    def responses(self, images: Tensor, kernels: Tensor, rows: slice) -> Tensor:
        """Some rows of the correlation with kernels, of images that are 0 beyond their border."""
        top = rows.start * self.stride - self.margin
        bottom = (rows.stop - 1) * self.stride - self.margin + 2 * _RADIUS + 1
        height = images.shape[2]
        part = images[:, :, max(0, top) : max(0, min(bottom, height))]
        part = F.pad(part, (self.margin, self.margin, max(0, -top), max(0, bottom - height)))
        return F.conv2d(part, kernels, stride=self.stride)

    def ir_share(self, ir: Tensor, vis: Tensor, rows: slice) -> Tensor:
        """How much of the target is the infrared's response, (B, 64, h, w) in [0, 1]."""
        if self.reading == "magnitude":
            ir_size, vis_size = (self.features(image, rows).abs() for image in (ir, vis))
            return (ir_size > vis_size).to(ir.dtype)
        reach = _AROUND // 2
        around = slice(max(0, rows.start - reach), min(rows.stop + reach, self.rows(ir.shape[2])))
        ir_weight, vis_weight = (
            self._energy(image, around)[:, :, rows.start - around.start : rows.stop - around.start].square()
            for image in (ir, vis)
        )
        total = ir_weight + vis_weight
        return torch.where(total > 0, ir_weight / torch.where(total > 0, total, 1), 0.5)

    def _energy(self, image: Tensor, rows: slice) -> Tensor:
        """Of the local contrast, and the same everywhere of the whole image's, on which flat places fall back."""
        # Without its local mean: else brightness is energy, and where it changes the target jumps.
        contrast = self.responses(image - local_mean(image, box(_CONTRAST), "replicate"), self.kernels, rows)
        floor = _FLOOR * image.var(dim=(1, 2, 3), keepdim=True, correction=0)
        return local_mean(contrast.square(), box(_AROUND), "replicate") + floor

    @property
    def kernels(self) -> Tensor:
        """The kernels for grey images, (64, 1, 7, 7)."""
        return self.block.conv.weight.sum(dim=1, keepdim=True)


class _Stepwise:
    """The objective by automatic differentiation, in strips."""

    def __init__(self, method: NST, ir: Tensor, vis: Tensor) -> None:
        self._method, self._ir, self._vis = method, ir, vis
        self._remembered: dict[int, Tensor] = {}

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        pixels = pixels.requires_grad_()
        loss, gradient, count = torch.zeros(len(pixels), device=pixels.device), torch.zeros_like(pixels), 0
        for rows in self._method.strips(pixels):
            target = self._remembered.get(rows.start)
            if target is None:
                target = self._target(rows)
                # That of a large image would not fit into memory, and is made anew each time.
                if pixels.numel() <= _PIXELS_REMEMBERED:
                    self._remembered[rows.start] = target
            with torch.enable_grad():
                errors = (self._method.features(pixels, rows) - target).square().flatten(1).sum(dim=1)
                gradient += torch.autograd.grad(errors.sum(), pixels)[0]
            loss += errors.detach()
            count += target[0].numel()
        return loss / count, gradient

    def _target(self, rows: slice) -> Tensor:
        ir, vis = self._method.features(self._ir, rows), self._method.features(self._vis, rows)
        if self._method.reading == "literal":
            return torch.maximum(ir, vis)
        return vis.lerp(ir, self._method.ir_share(self._ir, self._vis, rows))


class _Quadratic:
    """The objective |Cx - t|² = x·(CᵀC x) - 2 x·(Cᵀt) + |t|², C being the 64 convolutions and t the target.

    CᵀC is one convolution of 13x13, and neither the features nor the target need to be kept. What is added to all
    features, the bias and the mean, falls out of Cx - t.
    """

    def __init__(self, method: NST, ir: Tensor, vis: Tensor) -> None:
        kernels = method.kernels
        self._gram = F.conv2d(kernels.transpose(0, 1), kernels.transpose(0, 1), padding=2 * _RADIUS)
        height = ir.shape[2]
        pulled = F.pad(torch.zeros_like(ir), (method.margin,) * 4)
        self._square = torch.zeros(len(ir), dtype=torch.float64, device=ir.device)
        self._count = 0
        for rows in method.strips(ir):
            ir_responses, vis_responses = (method.responses(image, kernels, rows) for image in (ir, vis))
            target = vis_responses.lerp(ir_responses, method.ir_share(ir, vis, rows))
            pulled[:, :, rows.start : rows.stop + 2 * _RADIUS] += F.conv_transpose2d(target, kernels)
            self._square += target.double().square().flatten(1).sum(dim=1)
            self._count += target[0].numel()
        self._pulled = pulled[:, :, method.margin :, method.margin : -method.margin][:, :, :height]

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        image = F.conv2d(pixels, self._gram, padding=2 * _RADIUS)
        # In double precision, since most of the sum cancels.
        products = (pixels.double() * (image.double() - 2 * self._pulled.double())).flatten(1).sum(dim=1)
        return ((products + self._square) / self._count).to(pixels.dtype), 2 * (image - self._pulled)
