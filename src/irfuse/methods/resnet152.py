"""ResNet-152 fusion: base and detail, with the detail weighted by the features of a trained ResNet.

L. Zhang, H. Li, R. Zhu, P. Du: "An infrared and visible image fusion algorithm based on ResNet-152", Multimedia Tools
and Applications, 2022. The authors' published code differs from the paper. It is the variant ``code``.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.backbones import Name, pretrained
from irfuse.choices import check_choice
from irfuse.device import free_memory
from irfuse.errors import ImageError
from irfuse.methods.base import Backbone, Method, MethodInfo
from irfuse.ops.filters import box, extend, separable

Variant = Literal["paper", "code"]
Norm = Literal["l1", "l2"]

_BLUR = (0.25, 0.5, 0.25)
_MEAN_31 = box(31)
_IR_SHARE = 0.6
_PLACES = ("relu1", "layer1.0", "layer2.0", "layer3.0", "layer4.0")

_CODE_LAMBDA = 5.0
_CODE_PADDING = 16
_CODE_REPLICATIONS = (1, 2, 4, 8, 16, 31)

_BYTES_PER_PIXEL = 600
"""The memory for a pair while one source passes through the network. The most measured is 573, at 1280x1280."""
_PIXELS_IN_ONE_BATCH = 1 << 20
"""The most pixels of a batch whose two sources pass through the network together."""


class ResNet152(Method):
    """Fuse the bases by fixed shares, and the details by weights from the features of a ResNet.

    Args:
        variant: ``paper`` follows the paper, and ``code`` the authors' published code.
        backbone: the name of the network. Its weights are fetched on first use; see :mod:`irfuse.weights.fetch`.
        norm: the norm of the features over their channels.

    Attributes:
        network: the backbone with its preprocessing.

    Raises:
        ParameterError: an argument is not one of its choices.
        WeightsError: the weights of the backbone cannot be fetched, or are damaged.
    """

    info = MethodInfo(
        name="resnet152",
        title="An infrared and visible image fusion algorithm based on ResNet-152",
        authors="Zhang, Li, Zhu, Du",
        year=2022,
        tiling="whole",
    )
    has_graph = True

    def __init__(self, *, variant: Variant = "paper", backbone: Backbone = "resnet152", norm: Norm = "l1") -> None:
        super().__init__()
        check_choice("variant", variant, Variant)
        check_choice("backbone", backbone, Name)
        check_choice("norm", norm, Norm)
        self.variant = variant
        self.backbone = backbone
        self.norm = norm
        # The Fourier transform cannot be exported to ONNX.
        self.has_graph = variant == "paper"
        self.network = pretrained(backbone)

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Fuse a batch.

        Raises:
            ImageError: the device does not have enough memory for images of this size.
        """
        base, details = self._split(ir, vis)
        ir_weight, vis_weight = self._weights(*details)
        return (base + ir_weight * details[0] + vis_weight * details[1]).clamp(0, 1)

    def weights(self, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weights of both details, (B, 1, H, W) each, in [0, 1]. Their sum is at least 1.

        Raises:
            ImageError: as :meth:`forward`.
        """
        return self._weights(*self._split(ir, vis)[1])

    def _split(self, ir: Tensor, vis: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute the fused base, and the details of both sources."""
        if self.variant == "paper":
            ir_base, vis_base = (separable(image, _MEAN_31, "replicate") for image in (ir, vis))
            base = _IR_SHARE * ir_base + (1 - _IR_SHARE) * vis_base
        else:
            ir_base, vis_base = (_tikhonov(image) for image in (ir, vis))
            base = (ir_base + vis_base) / 2
        return base, (ir - ir_base, vis - vis_base)

    def _weights(self, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weights of two details."""
        # An export would treat `len(ir)` as a constant, unlike the shape.
        batch, _, height, width = ir.shape
        # An export traces a small example, whose size must not decide anything.
        together = torch.onnx.is_in_onnx_export() or batch * height * width <= _PIXELS_IN_ONE_BATCH
        if not torch.onnx.is_in_onnx_export():
            _check_memory(ir, together)
        if together:
            activities = [(maps[:batch], maps[batch:]) for maps in self._activities(torch.cat([ir, vis]))]
        else:
            activities = list(zip(self._activities(ir), self._activities(vis), strict=True))
        shares = torch.stack(
            [self._enlarge(_share(*maps), layer, height, width) for layer, maps in enumerate(activities)]
        )
        # The largest weights of the two sources can come from different layers.
        return shares.amax(dim=0), 1 - shares.amin(dim=0)

    def _activities(self, detail: Tensor) -> list[Tensor]:
        """Compute the activity of details in each layer, (B, 1, h, w) per layer."""
        norms = [self._norm(features) for features in self._features(detail)]
        if self.variant == "code":
            norms = [norm.square() for norm in norms]
        return [separable(norm, _BLUR, "zero") for norm in norms]

    def _features(self, detail: Tensor) -> list[Tensor]:
        if self.variant == "paper":
            # A detail has no mean left to subtract, so the preprocessing only scales it.
            fed = self.network.preprocessing
            std = detail.new_tensor(fed.std).view(3, 1, 1)
            return self.network.network.features(detail.expand(-1, 3, -1, -1) * fed.scale / std, _PLACES)
        network = self.network.network
        last = [f"layer{layer}.{len(getattr(network, f'layer{layer}')) - 1}" for layer in (2, 3, 4)]
        channels = detail.expand(-1, 3, -1, -1)
        return [channels, *network.features(channels, ["conv1", "layer1.0.downsample", *last])]

    def _norm(self, features: Tensor) -> Tensor:
        if self.norm == "l1":
            return features.abs().sum(dim=1, keepdim=True)
        return features.square().sum(dim=1, keepdim=True).sqrt()

    def _enlarge(self, share: Tensor, layer: int, height: int, width: int) -> Tensor:
        if self.variant == "paper":
            return F.interpolate(share, size=(height, width), mode="bilinear", align_corners=False)
        # The code replicates 31 times, not 32, and continues the edge beyond the last replication.
        rows, columns = (
            (torch.arange(side, device=share.device) // _CODE_REPLICATIONS[layer]).clamp(max=count - 1)
            for side, count in zip((height, width), share.shape[2:], strict=True)
        )
        return share[..., rows, :][..., columns]


def _check_memory(ir: Tensor, together: bool) -> None:
    """Check that a batch fits into memory.

    Args:
        together: whether both sources pass through the network at once.

    Raises:
        ImageError: it does not fit.
    """
    batch, _, height, width = ir.shape
    needed = _BYTES_PER_PIXEL * batch * height * width * (2 if together else 1)
    free = free_memory(ir.device)
    if free is not None and needed > free:
        raise ImageError(
            f"resnet152 needs about {needed / 1e9:.1f} GB for {width}x{height} pixels in a batch of {batch}, and "
            f"{free / 1e9:.1f} GB are free: fuse smaller images or batches, or use a method that works in tiles, such "
            "as res2netfuse"
        )


def _share(ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the share of the infrared in the sum of both, which is one half where both are zero."""
    total = ir + vis
    return torch.where(total > 0, ir / torch.where(total > 0, total, 1), 0.5)


def _tikhonov(images: Tensor) -> Tensor:
    """Smooth images: minimize the deviation from them plus lambda times the energy of the forward differences."""
    padded = extend(images, _CODE_PADDING, "symmetric")
    angles = [2 * math.pi * torch.fft.fftfreq(side, device=images.device) for side in padded.shape[2:]]
    rows, columns = (2 - 2 * angle.cos() for angle in angles)
    low_pass = 1 / (1 + _CODE_LAMBDA * (rows[:, None] + columns))
    smooth: Tensor = torch.fft.ifft2(torch.fft.fft2(padded) * low_pass).real
    return smooth[..., _CODE_PADDING:-_CODE_PADDING, _CODE_PADDING:-_CODE_PADDING]
