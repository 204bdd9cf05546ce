"""ember: a small convolutional network, irfuse's own, trained on many metrics and on what metrics do not see.

The network is a U-net at half resolution that gives each pixel two weights and a correction. The full resolution of
both sources passes through unchanged, so most of the network can be coarse, which makes it fast.

The convolutions are trained as sums of branches, and computed as one: X. Ding and others: "RepVGG: making VGG-style
ConvNets great again", CVPR 2021, arXiv:2101.03697.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irfuse import weights as weight_files
from irfuse.errors import WeightsError
from irfuse.methods.base import Method, MethodInfo, Weights

_LEVELS = 4
_MOST_WEIGHT = 1.2
"""The largest weight of a source. More than 1 can raise the contrast of what only one source shows."""
_ENOUGH = 0.01
"""The mean difference of both images from which a region is fused. Where they are equal, there is nothing to fuse."""
_AROUND = 8
"""The side of the squares in which that is looked at, in pixels; three by three of them count."""
_MIDDLE = 0.4
"""The gray level that the network sees as zero, about the mean of many images."""


class Branches(nn.Module):
    """A 3x3 convolution and ReLU. In training, it is the sum of a 3x3 and a 1x1 convolution and the identity.

    Args:
        inputs: the number of channels that it takes.
        outputs: the number of channels that it gives. The identity takes part if both numbers are equal.
        stride: the distance from place to place. The identity takes part at stride 1 only.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.wide = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.narrow = nn.Conv2d(inputs, outputs, 1, bias=False)
        self._has_identity = inputs == outputs and stride == 1
        with torch.no_grad():
            # The branches add up to the variance of one convolution.
            for branch, gain in ((self.wide, 0.35 if self._has_identity else 0.7), (self.narrow, 0.2)):
                nn.init.kaiming_normal_(branch.weight, nonlinearity="relu")
                branch.weight.mul_(gain)
            assert self.wide.bias is not None
            self.wide.bias.zero_()

    def kernel(self) -> Tensor:
        """Compute the kernel of the one convolution that equals the branches, (outputs, inputs, 3, 3)."""
        kernel = self.wide.weight + F.pad(self.narrow.weight, (1, 1, 1, 1))
        if self._has_identity:
            kernel = kernel + F.pad(torch.eye(len(kernel), device=kernel.device)[..., None, None], (1, 1, 1, 1))
        return kernel

    def forward(self, features: Tensor) -> Tensor:
        return F.conv2d(features, self.kernel(), self.wide.bias, self.wide.stride, padding=1).relu()

    def merged(self) -> nn.Sequential:
        """Make the one convolution with ReLU that equals the branches."""
        wide = self.wide
        one = nn.Conv2d(wide.in_channels, wide.out_channels, 3, wide.stride[0], padding=1)
        assert one.bias is not None and wide.bias is not None
        with torch.no_grad():
            one.weight.copy_(self.kernel())
            one.bias.copy_(wide.bias)
        return nn.Sequential(one, nn.ReLU())


class Network(nn.Module):
    """A U-net of four levels that works on blocks of pixels.

    Args:
        widths: the number of channels of each level.
        block: the side of a block of pixels: the first level has 1 / `block` of the resolution.
        down: the number of convolutions of each level before the next one, besides the one that enters the level.
        up: the number of convolutions of each level but the last, on the way back.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 32, 48, 48),
        block: int = 2,
        down: tuple[int, ...] = (1, 2, 2, 2),
        up: tuple[int, ...] = (2, 1, 1),
    ) -> None:
        super().__init__()
        self.widths, self.block, self.down_counts, self.up_counts = widths, block, down, up
        self.stem = nn.Conv2d(2, widths[0], 2 * block, block, padding=block // 2)
        self.down = nn.ModuleList(
            nn.Sequential(
                *([Branches(widths[level - 1], width, 2)] if level else []),
                *(Branches(width, width) for _ in range(down[level])),
            )
            for level, width in enumerate(widths)
        )
        self.across = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in itertools.pairwise(widths))
        self.up = nn.ModuleList(
            nn.Sequential(*(Branches(width, width) for _ in range(up[level])))
            for level, width in enumerate(widths[:-1])
        )
        self.head = nn.Conv2d(widths[0], 3 * block**2, 3, padding=1)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.weight.mul_(0.3)
            self.head.bias.zero_()

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse images.

        Args:
            ir, vis: (B, 1, H, W) in [0, 1], H and W multiples of 8 `block`.

        Returns:
            (B, 1, H, W). Values may lie a little outside of [0, 1].
        """
        features = self.stem(torch.cat([ir, vis], dim=1) - _MIDDLE).relu()
        levels = []
        for stage in self.down:
            features = stage(features)
            levels.append(features)
        features = levels.pop()
        for across, stage in zip(reversed(self.across), reversed(self.up), strict=True):
            wider = F.interpolate(across(features), scale_factor=2, mode="bilinear", align_corners=False)
            features = stage((wider + levels.pop()).relu())
        ir_weight, vis_weight, correction = self.head(features).to(ir.dtype).tensor_split(3, dim=1)
        share = _difference(ir, vis, self.block)
        # Blocks as channels: engines handle a few of them faster than single maps of the whole resolution.
        ir, vis = (F.pixel_unshuffle(source, self.block) for source in (ir, vis))
        from_ir = _MOST_WEIGHT * share * ir_weight.sigmoid() * ir
        from_vis = (1 - share + _MOST_WEIGHT * share * vis_weight.sigmoid()) * vis
        return F.pixel_shuffle(from_ir + from_vis + share * correction, self.block)

    @classmethod
    def nano(cls) -> "Network":
        """Make the network for microcontrollers and very large images, of less than ten thousand parameters."""
        return cls((8, 8, 8, 8), 4, (0, 1, 1, 1), (1, 1, 0))

    def merged(self) -> "Network":
        """Make a network that computes the same, with one convolution in place of each sum of branches."""
        network = Network(self.widths, self.block, self.down_counts, self.up_counts)
        network.load_state_dict(self.state_dict())
        for stage in (*network.down, *network.up):
            assert isinstance(stage, nn.Sequential)
            for place, layer in enumerate(stage):
                assert isinstance(layer, Branches)
                stage[place] = layer.merged()
        return network

    def architecture(self) -> dict[str, object]:
        """Describe the network for the header of a weights file; see :func:`from_architecture`."""
        return {
            "widths": list(self.widths),
            "block": self.block,
            "down": list(self.down_counts),
            "up": list(self.up_counts),
        }


def _difference(ir: Tensor, vis: Tensor, block: int) -> Tensor:
    """Say how much two images differ around each block: 0 where they are equal, and 1 from `_ENOUGH` on."""
    mean = F.avg_pool2d((ir - vis).abs(), _AROUND)
    wide = F.avg_pool2d(mean, 3, 1, 1, count_include_pad=False)
    share = (wide / _ENOUGH).clamp(max=1)
    return F.interpolate(share, scale_factor=_AROUND / block, mode="bilinear", align_corners=False)


class Ember(Method):
    """Fuse with irfuse's own small network.

    Args:
        weights: the name of weights that ship, ``base`` or ``nano``, or a weights file. Its header describes the
            network.

    Raises:
        WeightsError: the weights are missing, damaged, or for another network.

    >>> method = Ember()
    >>> method(torch.rand(1, 1, 32, 64), torch.rand(1, 1, 32, 64)).shape
    torch.Size([1, 1, 32, 64])
    """

    info = MethodInfo(
        name="ember",
        title="irfuse's own small network",
        authors="irfuse",
        year=2026,
        multiple=32,
        minimum=32,
        tiling="halo",
        halo=240,
        tile=4096,
    )
    has_graph = True

    def __init__(self, *, weights: Weights = "base") -> None:
        super().__init__()
        self.network = read(weights).merged()

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return fuse(self.network, ir, vis)


def read(weights: str) -> Network:
    """Read a network with its branches.

    Args:
        weights: a name of weights, or a file.

    Raises:
        WeightsError: see :class:`Ember`.
    """
    name = Ember.info.name
    path = weight_files.find(name, weights)
    match weight_files.header_for(name, path):
        case {"widths": list(widths), "block": int(block), "down": list(down), "up": list(up)}:
            network = Network(tuple(widths), block, tuple(down), tuple(up))
        case _:
            raise WeightsError(f"{path}: the header does not describe a network of {name}")
    weight_files.load(network, name, str(path))
    return network


def fuse(network: Network, ir: Tensor, vis: Tensor) -> Tensor:
    """Fuse images in [0, 1] with a network, as :meth:`Method.forward` does."""
    fused: Tensor = network(ir, vis)
    return fused.clamp(0, 1)
