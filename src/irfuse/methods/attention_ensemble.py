"""Dense, dilated features of several scales, fused by attention that edges guide, in an adversarial auto-encoder.

"Learning attention guided deep multi-scale feature ensemble for infrared and visible image fusion". The code and the
weights here are irfuse's own; how the paper is read stands in docs/methods/attention-ensemble.md.
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
"""Channels of the three layers of each path; together those of the ensemble."""
_STEM = 16
_DILATIONS = (1, 2, 3)
# The radius of the receptive field: two pixels of the edges, three convolutions of dilation 2 in the attention, which
# reach farther than the extractor's, and four convolutions in the decoder.
_FRAME = 12


class Extractor(nn.Module):
    """A 3x3 convolution, and three paths of three 3x3 convolutions that see 3x3, 5x5 and 7x7 pixels at their start.

    Args:
        dilated: whether the paths differ in dilation and are connected densely, each layer to those before it; without,
            all start with dilation 1 and each layer sees the one before it alone (the paper's ablation D).
    """

    def __init__(self, dilated: bool = True) -> None:
        super().__init__()
        self.dilated = dilated
        self.stem = _conv(1, _STEM)
        self.paths = nn.ModuleList(_path(dilation if dilated else 1, dense=dilated) for dilation in _DILATIONS)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) to the ensemble, (B, 64, H, W): layer by layer, each summed over the paths."""
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
    """Four 3x3 convolutions back to an image, with skip connections from the three layers of the extractor.

    Args:
        skips: whether there are skip connections (the paper's ablation S).
    """

    def __init__(self, skips: bool = True) -> None:
        super().__init__()
        self.skips = skips
        channels = (sum(_WIDTHS), *_WIDTHS[::-1], 1)
        self.layers = nn.ModuleList(_conv(before, after) for before, after in itertools.pairwise(channels))

    def forward(self, features: Tensor, skipped: Tensor) -> Tensor:
        """The ensemble, and what the skip connections add of it, both (B, 64, H, W), to the image, (B, 1, H, W)."""
        image: Tensor = self.layers[0](features)
        skips = reversed(skipped.split(list(_WIDTHS), dim=1))  # type: ignore[no-untyped-call]
        for layer, skip in zip(list(self.layers)[1:], skips, strict=True):
            image = image.relu()
            image = layer(image + skip if self.skips else image)
        return image


class Attention(nn.Module):
    """From two images and their edges, the weights of their features, which for each pixel are one half on average.

    Args:
        normalization: what the softmax of equation 3 is taken over: both ``sources`` for each channel, or the
            ``channels`` for each source.
    """

    def __init__(self, normalization: Normalization = "sources") -> None:
        super().__init__()
        self.normalization = normalization
        channels = (2, 16, 32, sum(_WIDTHS))
        self.layers = nn.ModuleList(_conv(before, after, 2) for before, after in itertools.pairwise(channels))

    def forward(self, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, H, W) each to (B, 64, H, W) each."""
        ir_features, vis_features = self._features(ir), self._features(vis)
        *_, last = self.layers
        assert isinstance(last, nn.Conv2d)
        if self.normalization == "sources":
            # The softmax over two values needs their difference alone. The last layer is linear, so that it is applied
            # once, to the difference of what it would see, and its bias falls away.
            difference = F.conv2d(ir_features - vis_features, last.weight, padding=last.padding, dilation=last.dilation)
            ir_weights = torch.sigmoid(difference)
            return ir_weights, 1 - ir_weights
        half = last.out_channels / 2
        return last(ir_features).softmax(dim=1) * half, last(vis_features).softmax(dim=1) * half

    def _features(self, images: Tensor) -> Tensor:
        """What the last convolution sees of an image."""
        features = torch.cat([images, edges(images)], dim=1)
        for layer in list(self.layers)[:-1]:
            features = layer(features).relu()
        return features


class Network(nn.Module):
    """The whole: an auto-encoder, and the attention that fuses the features of two images in between.

    The image is mirrored beyond its border by the radius of the receptive field, once, and cut off at the end, so that
    the border is treated as any other place.

    Args:
        dilated: see :class:`Extractor`.
        attention: whether attention weighs the sources; without, both count one half (the paper's ablation A).
        skips: see :class:`Decoder`.
        normalization: see :class:`Attention`.
        skip_attention: how far the attention weighs what the skip connections add; at 0 both sources count one half
            there (equation 4), at 1 they count as in the ensemble.
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
        """One image back from its features, which is what the auto-encoder is trained for; (B, 1, H, W)."""
        features = self.extractor(_framed(images))
        return _without_frame(self.decoder(features, features))

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse (B, 1, H, W) in [0, 1], sides at least 13; not clipped."""
        ir, vis = _framed(ir), _framed(vis)
        ir_features, vis_features = self.extractor(ir), self.extractor(vis)
        halves = (ir_features + vis_features) / 2
        if self.attention is None:
            return _without_frame(self.decoder(halves, halves))
        ir_weights, vis_weights = self.attention(ir, vis)
        fused = ir_features * ir_weights + vis_features * vis_weights
        return _without_frame(self.decoder(fused, halves.lerp(fused, self.skip_attention)))


class AttentionEnsemble(Method):
    """Fuse the features of a trained auto-encoder by attention that the edges of both sources guide.

    Args:
        weights: the name of shipped weights, or a weights file; its header says which of the paper's ablations the
            network is, if any.

    Raises:
        WeightsError: the weights are missing, damaged or another network's.

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
        # Some headers have the British spelling.
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
                raise WeightsError(f"{path}: the header does not say what network of {self.info.name} it is for")
        weight_files.load(self.network, self.info.name, str(path))

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        fused: Tensor = self.network(ir, vis)
        return fused.clamp(0, 1)


def edges(images: Tensor) -> Tensor:
    """The gradient's magnitude by first differences, then the largest of 2x2 neighbours (equations 1 and 2).

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
