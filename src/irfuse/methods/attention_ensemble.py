"""An auto-encoder with dense, dilated, multi-scale features, which edge-guided attention fuses.

"Learning attention guided deep multi-scale feature ensemble for infrared and visible image fusion". The code and the
weights are irfuse's own. docs/methods/attention-ensemble.md explains how irfuse interprets the paper.
"""

import itertools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irfuse import weights as weight_files
from irfuse.errors import WeightsError
from irfuse.methods.base import Method, MethodInfo, Weights

Normalization = Literal["sources", "channels"]

_WIDTHS = (16, 16, 32)
"""The channels of the three layers of each path. The ensemble has their sum."""
_STEM = 16
_DILATIONS = (1, 2, 3)
# The radius of the receptive field: 2 pixels for the edges, 6 for the attention (three convolutions with dilation 2,
# which reach farther than the extractor), and 4 for the decoder.
_FRAME = 12


class Extractor(nn.Module):
    """A 3x3 convolution, followed by three parallel paths of three 3x3 convolutions with dilations 1, 2 and 3.

    Only the first convolution of a path is dilated. It sees 3x3, 5x5 or 7x7 pixels.

    Args:
        dilated: whether the paths differ in dilation and are densely connected, each layer to all earlier ones. If not,
            no path is dilated and each layer sees only the one before it (the paper's ablation D).
    """

    def __init__(self, dilated: bool = True) -> None:
        super().__init__()
        self.dilated = dilated
        self.stem = _conv(1, _STEM)
        self.paths = nn.ModuleList(_path(dilation if dilated else 1, dense=dilated) for dilation in _DILATIONS)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the ensemble of images, (B, 1, H, W).

        Returns:
            (B, 64, H, W): the features of the three layers one after the other, each summed over the paths.
        """
        stem = self.stem(images).relu()
        layers = [self._run(path, stem) for path in self.paths]
        return torch.cat([first + second + third for first, second, third in zip(*layers, strict=True)], dim=1)

    def _run(self, path: nn.Module, stem: Tensor) -> list[Tensor]:
        assert isinstance(path, nn.ModuleList)
        seen, outputs = stem, []
        for convolution in path:
            outputs.append(convolution(seen).relu())
            seen = torch.cat([seen, outputs[-1]], dim=1) if self.dilated else outputs[-1]
        return outputs


class Decoder(nn.Module):
    """Four 3x3 convolutions from features to an image, with skip connections from the three layers of the extractor.

    Args:
        skips: whether there are skip connections (the paper's ablation S).
    """

    def __init__(self, skips: bool = True) -> None:
        super().__init__()
        self.skips = skips
        channels = (sum(_WIDTHS), *_WIDTHS[::-1], 1)
        self.layers = nn.ModuleList(_conv(before, after) for before, after in itertools.pairwise(channels))

    def forward(self, features: Tensor, skipped: Tensor) -> Tensor:
        """Reconstruct an image.

        Args:
            features: (B, 64, H, W), the ensemble.
            skipped: (B, 64, H, W), the ensemble that the skip connections add.

        Returns:
            (B, 1, H, W).
        """
        image: Tensor = self.layers[0](features)
        skips = reversed(skipped.split(list(_WIDTHS), dim=1))  # type: ignore[no-untyped-call]
        for layer, skip in zip(list(self.layers)[1:], skips, strict=True):
            image = image.relu()
            image = layer(image + skip if self.skips else image)
        return image


class Attention(nn.Module):
    """Weights for the features of two images, computed from the images and their edges.

    At each pixel, the weights are one half on average.

    Args:
        normalization: the dimension of the softmax in equation 3: both ``sources`` for each channel, or the
            ``channels`` of each source.
    """

    def __init__(self, normalization: Normalization = "sources") -> None:
        super().__init__()
        self.normalization = normalization
        channels = (2, 16, 32, sum(_WIDTHS))
        self.layers = nn.ModuleList(_conv(before, after, 2) for before, after in itertools.pairwise(channels))

    def forward(self, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weights of ir and vis, (B, 64, H, W) each, from images (B, 1, H, W)."""
        ir_features, vis_features = self._features(ir), self._features(vis)
        *_, last = self.layers
        assert isinstance(last, nn.Conv2d)
        if self.normalization == "sources":
            # The softmax over two values depends only on their difference. The last layer is linear, so it is applied
            # once, to the difference of its inputs, and its bias cancels.
            difference = F.conv2d(ir_features - vis_features, last.weight, padding=last.padding, dilation=last.dilation)
            ir_weights = torch.sigmoid(difference)
            return ir_weights, 1 - ir_weights
        half = last.out_channels / 2
        return last(ir_features).softmax(dim=1) * half, last(vis_features).softmax(dim=1) * half

    def _features(self, images: Tensor) -> Tensor:
        """Compute the input of the last convolution."""
        features = torch.cat([images, edges(images)], dim=1)
        for layer in list(self.layers)[:-1]:
            features = layer(features).relu()
        return features


class Network(nn.Module):
    """The whole network: an auto-encoder, with attention that fuses the features of two images.

    Each image is mirrored once beyond its border, by the radius of the receptive field. This frame is cut off at the
    end, so the border is treated like any other place.

    Args:
        dilated: see :class:`Extractor`.
        attention: whether attention weights the sources. If not, both weights are one half (the paper's ablation A).
        skips: see :class:`Decoder`.
        normalization: see :class:`Attention`.
        skip_attention: the share of the attention's weights in the skip connections. At 0, both sources have the weight
            one half there (equation 4). At 1, the weights are those of the ensemble.
    """

    def __init__(
        self,
        *,
        dilated: bool = True,
        attention: bool = True,
        skips: bool = True,
        normalization: Normalization = "sources",
        skip_attention: float = 0.6,
    ) -> None:
        super().__init__()
        self.extractor = Extractor(dilated)
        self.attention = Attention(normalization) if attention else None
        self.decoder = Decoder(skips)
        self.skip_attention = skip_attention

    def reconstruct(self, images: Tensor) -> Tensor:
        """Reconstruct images, (B, 1, H, W), from their features. The auto-encoder is trained to do this."""
        features = self.extractor(_framed(images))
        return _without_frame(self.decoder(features, features))

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse images, (B, 1, H, W) in [0, 1], H and W at least 13. The result is not clipped."""
        ir, vis = _framed(ir), _framed(vis)
        ir_features, vis_features = self.extractor(ir), self.extractor(vis)
        halves = (ir_features + vis_features) / 2
        if self.attention is None:
            return _without_frame(self.decoder(halves, halves))
        ir_weights, vis_weights = self.attention(ir, vis)
        fused = ir_features * ir_weights + vis_features * vis_weights
        return _without_frame(self.decoder(fused, halves.lerp(fused, self.skip_attention)))


class AttentionEnsemble(Method):
    """Fuse the features of a trained auto-encoder by edge-guided attention.

    Args:
        weights: the name of weights that ship, or a weights file. Its header names the paper's ablations that the
            network has.

    Raises:
        WeightsError: the weights are missing, damaged, or for another network.

    >>> method = AttentionEnsemble()
    >>> method(torch.rand(1, 1, 32, 64), torch.rand(1, 1, 32, 64)).shape
    torch.Size([1, 1, 32, 64])
    """

    info = MethodInfo(
        name="attention-ensemble",
        title="Learning attention guided deep multi-scale feature ensemble for infrared and visible image fusion",
        minimum=_FRAME + 1,
        tiling="halo",
        halo=_FRAME,
    )
    has_graph = True

    def __init__(self, *, weights: Weights = "full") -> None:
        super().__init__()
        path = weight_files.find(self.info.name, weights)
        header = weight_files.header_for(self.info.name, path)
        # Older headers have the British spelling.
        match header | {"normalization": header.get("normalization", header.get("normalisation"))}:
            case {"dilated": bool(dilated), "attention": False, "skips": bool(skips)}:
                self.network = Network(dilated=dilated, attention=False, skips=skips)
            case {
                "dilated": bool(dilated),
                "attention": True,
                "skips": bool(skips),
                "normalization": "sources" | "channels" as normalization,
                "skip_attention": int() | float() as skip_attention,
            }:
                self.network = Network(
                    dilated=dilated, skips=skips, normalization=normalization, skip_attention=skip_attention
                )
            case _:
                raise WeightsError(f"{path}: the header does not describe a network of {self.info.name}")
        weight_files.load(self.network, self.info.name, str(path))

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        fused: Tensor = self.network(ir, vis)
        return fused.clamp(0, 1)


def edges(images: Tensor) -> Tensor:
    """Compute the gradient magnitude from first differences, then its maximum over 2x2 neighbors (equations 1 and 2).

    Args:
        images: (B, 1, H, W).

    Returns:
        (B, 1, H, W), 0 or more.

    >>> step = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4, 4)
    >>> edges(step)[0, 0, 0]
    tensor([1., 1., 0., 0.])
    """
    extended = F.pad(images, (0, 1, 0, 1), mode="replicate")
    right, below = extended[..., :-1, 1:] - images, extended[..., 1:, :-1] - images
    squares = right**2 + below**2
    # The root has no gradient at zero.
    magnitude = torch.where(squares > 0, torch.where(squares > 0, squares, 1).sqrt(), 0)
    return F.max_pool2d(F.pad(magnitude, (0, 1, 0, 1)), 2, stride=1)


def _path(dilation: int, *, dense: bool) -> nn.ModuleList:
    before = [_STEM, *_WIDTHS[:-1]]
    inputs = list(itertools.accumulate(before)) if dense else before
    return nn.ModuleList(
        _conv(count, width, dilation if layer == 0 else 1)
        for layer, (count, width) in enumerate(zip(inputs, _WIDTHS, strict=True))
    )


def _conv(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


def _framed(images: Tensor) -> Tensor:
    return F.pad(images, (_FRAME, _FRAME, _FRAME, _FRAME), mode="reflect")


def _without_frame(images: Tensor) -> Tensor:
    return images[..., _FRAME:-_FRAME, _FRAME:-_FRAME]
