"""Res2NetFuse: a Res2Net auto-encoder, trained on a single natural image, with attention-based fusion.

X. Song, Y. Xiao, H. Li, X.-J. Wu, J. Sun, V. Palade: "Res2NetFuse: A novel Res2Net-based fusion method for infrared and
visible images", 2023, arXiv:2112.14540. The code and the weights are irfuse's own.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irfuse import weights as weight_files
from irfuse.choices import check_choice
from irfuse.methods.base import Core, Method, MethodInfo, Weights

Strategy = Literal["l1-norm", "mean", "average"]

_GROUPS = 4
# The radius of the receptive field, from 3x3 convolutions: two at the start of the encoder, six in the longest path of
# its block, and four in the decoder.
_FRAME = 12


class Res2NetBlock(nn.Module):
    """A Res2Net block: four groups of channels with increasing receptive fields, added to the input of the block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // _GROUPS
        self.reduce = _conv(channels, channels, 1)
        self.groups = nn.ModuleList(
            nn.Sequential(_conv(width, width, 3), nn.ReLU(), _conv(width, width, 3), nn.ReLU())
            for _ in range(_GROUPS - 1)
        )
        self.expand = _conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.reduce(x).relu().chunk(_GROUPS, dim=1)
        outputs = [first]
        for i, (group, convolutions) in enumerate(zip(others, self.groups, strict=True)):
            outputs.append(convolutions(group if i == 0 else group + outputs[-1]))
        block: Tensor = self.expand(torch.cat(outputs, dim=1)).relu()
        return x + block


class AutoEncoder(nn.Module):
    """The network of the paper's Table I: (B, 1, H, W) to 64 feature channels and back, H and W at least 13.

    It is trained to reconstruct its input, without fusion between the encoder and the decoder.

    Each image is mirrored once beyond its border, by the radius of the receptive field. The effects of zero padding
    stay within this frame, which is cut off at the end, so the border is treated like any other place. The usual
    mirroring in every layer creates patterns that are rare in a single training image, and causes errors at the border.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(_conv(1, 32, 3), nn.ReLU(), _conv(32, 64, 3), nn.ReLU(), Res2NetBlock(64))
        self.decoder = nn.Sequential(
            _conv(64, 64, 3), nn.ReLU(), _conv(64, 32, 3), nn.ReLU(), _conv(32, 16, 3), nn.ReLU(), _conv(16, 1, 3)
        )

    def encode(self, images: Tensor) -> Tensor:
        """Compute the features of images, with the frame, (B, 64, H + 24, W + 24)."""
        features: Tensor = self.encoder(F.pad(images, (_FRAME, _FRAME, _FRAME, _FRAME), mode="reflect"))
        return features

    def decode(self, features: Tensor) -> Tensor:
        """Reconstruct images without the frame from features with it."""
        return without_frame(self.decoder(features))

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def without_frame(images: Tensor) -> Tensor:
    """Cut off the frame that :class:`AutoEncoder` adds."""
    return images[..., _FRAME:-_FRAME, _FRAME:-_FRAME]


class Res2NetFuse(Method):
    """Encode both sources, weight their features by activity at each pixel, and decode the sum.

    Args:
        strategy: the computation of the weights. ``l1-norm`` divides each source's L1 norm over the channels by the sum
            of both (equation 8). ``mean`` takes the mean over the channels, normalizes its range over the image to
            [0, 1] as the published code does, and applies a softmax over the two sources (equation 10, as the paper's
            text and code interpret it). ``average`` gives both sources the weight one half, for comparison.
        weights: the name of weights that ship (``single``, ``many``, or one with its version), or a weights file.

    Raises:
        ParameterError: there is no such strategy.
        WeightsError: the weights are missing, damaged, or for another network.

    >>> method = Res2NetFuse(strategy="mean")
    >>> method(torch.rand(1, 1, 32, 48), torch.rand(1, 1, 32, 48)).shape
    torch.Size([1, 1, 32, 48])
    """

    info = MethodInfo(
        name="res2netfuse",
        title="Res2NetFuse: A novel Res2Net-based fusion method for infrared and visible images",
        authors="X. Song, Y. Xiao, H. Li, X.-J. Wu, J. Sun, V. Palade",
        year=2023,
        arxiv="2112.14540",
        minimum=_FRAME + 1,
        tiling="halo",
        halo=_FRAME,
    )
    has_graph = True

    def __init__(self, *, strategy: Strategy = "l1-norm", weights: Weights = "single") -> None:
        super().__init__()
        check_choice("strategy", strategy, Strategy)
        self.strategy = strategy
        self.needs_statistics = strategy == "mean"
        self.has_graph = not self.needs_statistics
        self.network = AutoEncoder()
        weight_files.load(self.network, self.info.name, weights)

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        ir_features, vis_features = self.network.encode(ir), self.network.encode(vis)
        ir_weight = self._ir_weight(ir_features, vis_features, statistics)
        fused = torch.lerp(vis_features, ir_features, ir_weight)
        return self.network.decode(fused).clamp(0, 1)

    def measure(self, ir: Tensor, vis: Tensor, core: Core) -> Tensor:
        rows, columns = core
        features = (without_frame(self.network.encode(image))[..., rows, columns] for image in (ir, vis))
        return torch.cat([_extremes(_mean(f)) for f in features], dim=1)

    def merge(self, parts: Sequence[Tensor]) -> Tensor:
        every = torch.stack(list(parts))
        low, high = every.amin(dim=0), every.amax(dim=0)
        return torch.stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3]], dim=1)

    def _ir_weight(self, ir: Tensor, vis: Tensor, statistics: Tensor | None) -> Tensor:
        """Compute the weight of the infrared at each pixel, (B, 1, H, W) in [0, 1]. The visible has the rest."""
        match self.strategy:
            case "l1-norm":
                ir_activity, vis_activity = _l1_norm(ir), _l1_norm(vis)
                total = ir_activity + vis_activity
                return torch.where(total > 0, ir_activity / total, 0.5)
            case "mean":
                ir_mean, vis_mean = _mean(ir), _mean(vis)
                if statistics is None:
                    statistics = torch.cat([_extremes(without_frame(m)) for m in (ir_mean, vis_mean)], dim=1)
                ir_activity = _rescale(ir_mean, statistics[:, 0:2])
                vis_activity = _rescale(vis_mean, statistics[:, 2:4])
                # This is the softmax over two values.
                return torch.sigmoid(ir_activity - vis_activity)
            case "average":
                return torch.full_like(ir[:, :1], 0.5)


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def _l1_norm(features: Tensor) -> Tensor:
    # No feature is negative, because each is the sum of two ReLUs.
    return features.sum(dim=1, keepdim=True)


def _mean(features: Tensor) -> Tensor:
    return features.mean(dim=1, keepdim=True)


def _extremes(images: Tensor) -> Tensor:
    """Compute the minimum and the maximum of each image, (B, 2)."""
    return torch.stack([images.amin(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))], dim=1)


def _rescale(images: Tensor, extremes: Tensor) -> Tensor:
    """Rescale each image from its [minimum, maximum] to [0, 1]. A constant image becomes 0."""
    low, high = extremes.view(-1, 2, 1, 1, 1).unbind(dim=1)
    return (images - low) / torch.where(high > low, high - low, 1)
