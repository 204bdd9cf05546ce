"""A convolution-only network of two encoders and a decoder, trained on the quality of the fusion itself.

F. C. Ataman, G. Bozdagi Akar: "Visible and infrared image fusion using encoder-decoder network", ICIP 2021. The code
and the weights here are irfuse's own.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irfuse import weights as weight_files
from irfuse.errors import WeightsError
from irfuse.methods.base import Channels, Method, MethodInfo, Weights

_LEVELS = 5
_FRAME = 2 ** (_LEVELS - 1)
"""Pixels that an image is continued by at each side: half of what its sides must be a multiple of."""


class Encoder(nn.Module):
    """Five levels, each a 3x3 convolution and 2x2 average pooling, with channels doubling from level to level.

    Args:
        inputs: channels of the image.
        width: channels of the first level.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        channels = [inputs, *_channels(width)]
        self.levels = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in itertools.pairwise(channels)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, inputs, H, W) to the features of each level, (B, width * 2^k, H / 2^(k + 1), W / 2^(k + 1))."""
        features = []
        for convolution in self.levels:
            images = F.avg_pool2d(convolution(images).relu(), 2)
            features.append(images)
        return features


class Network(nn.Module):
    """Two encoders of one design, a 1x1 convolution at each level that fuses both, and a decoder.

    The decoder's transposed convolutions have half as many groups as the network is wide; each gives its result
    together with the fused features of its level to the next.

    Args:
        width: channels of the first level, even; 16 has 1.07 million parameters, 64, as the published code, 15.8.
        channels: of the visible and of the fused image.
    """

    def __init__(self, width: int = 16, channels: Channels = 1) -> None:
        super().__init__()
        self.width = width
        self.channels = channels
        every = _channels(width)
        self.ir_encoder = Encoder(1, width)
        self.vis_encoder = Encoder(channels, width)
        self.fusion = nn.ModuleList(nn.Conv2d(2 * count, count, 1) for count in every)
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, groups=width // 2, bias=False)
            for inputs, outputs in zip([every[-1], *every[:0:-1]], [*every[-2::-1], width], strict=True)
        )
        self.output = nn.Conv2d(width, channels, 3, padding=1, bias=False)

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        """(B, 1, H, W) and (B, channels, H, W) in [-1, 1] to (B, channels, H, W) in [-1, 1]; sides multiples of 32."""
        both = zip(self.ir_encoder(ir), self.vis_encoder(vis), strict=True)
        fused = [fusion(torch.cat(pair, dim=1)).relu() for fusion, pair in zip(self.fusion, both, strict=True)]
        image = fused.pop()
        for up in self.decoder:
            image = up(image).relu()
            image = torch.cat([image, fused.pop()], dim=1) if fused else image
        return torch.tanh(self.output(image))


class EncoderDecoder(Method):
    """Fuse with a trained network of two encoders and a decoder.

    Args:
        weights: the name of shipped weights, or a weights file; its header says how wide the network is, and whether
            it takes the visible image as luma or in color.

    Raises:
        WeightsError: the weights are missing, damaged or another network's.

    >>> method = EncoderDecoder()
    >>> method(torch.rand(1, 1, 32, 64), torch.rand(1, 1, 32, 64)).shape
    torch.Size([1, 1, 32, 64])
    """

    info = MethodInfo(
        name="encoder-decoder",
        title="Visible and infrared image fusion using encoder-decoder network",
        authors="F. C. Ataman, G. Bozdagi Akar",
        year=2021,
        multiple=2**_LEVELS,
        minimum=2**_LEVELS,
        tiling="halo",
        halo=94,
    )
    has_graph = True

    def __init__(self, *, weights: Weights = "luma") -> None:
        super().__init__()
        path = weight_files.find(self.info.name, weights)
        match weight_files.header_for(self.info.name, path):
            case {"width": int(width), "channels": 1 | 3 as channels}:
                self.network = Network(width, channels)
            case _:
                raise WeightsError(f"{path}: the header does not say what network of {self.info.name} it is for")
        weight_files.load(self.network, self.info.name, str(path))
        self.vis_channels = channels

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return fuse(self.network, ir, vis)


def fuse(network: Network, ir: Tensor, vis: Tensor, frame: int = _FRAME) -> Tensor:
    """What a network makes of images in [0, 1], in [0, 1].

    Args:
        network: of one width and one number of channels.
        ir, vis: as `Method.forward` has them.
        frame: how far the outermost pixels are repeated around the images; what comes of them is cut off. Without, the
            zeros that convolutions see beyond an image draw a grid along its border, about twelve pixels wide.
    """
    ir, vis = (F.pad(image, (frame, frame, frame, frame), mode="replicate") for image in (ir, vis))
    fused: Tensor = (network(2 * ir - 1, 2 * vis - 1) + 1) / 2
    return F.pad(fused, (-frame, -frame, -frame, -frame))


def _channels(width: int) -> list[int]:
    return [width << level for level in range(_LEVELS)]
