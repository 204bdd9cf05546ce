"""A convolutional network with two encoders and one decoder, trained on the quality of the fused image.

F. C. Ataman, G. Bozdagi Akar: "Visible and infrared image fusion using encoder-decoder network", ICIP 2021. The code
and the weights are irfuse's own.
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
"""The number of pixels added on each side of an image. With both sides, it keeps H and W multiples of 32."""


class Encoder(nn.Module):
    """Five levels of a 3x3 convolution and 2x2 average pooling. The number of channels doubles from level to level.

    Args:
        inputs: the number of channels of the image.
        width: the number of channels of the first level.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        channels = [inputs, *_channels(width)]
        self.levels = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in itertools.pairwise(channels)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of images, (B, inputs, H, W).

        Returns:
            (B, width * 2^k, H / 2^(k + 1), W / 2^(k + 1)) for each level k, from 0.
        """
        features = []
        for convolution in self.levels:
            images = F.avg_pool2d(convolution(images).relu(), 2)
            features.append(images)
        return features


class Network(nn.Module):
    """Two encoders of the same design, a 1x1 convolution that fuses them at each level, and a decoder.

    The decoder's transposed convolutions have `width` / 2 groups. The input of each one after the first is the previous
    result, concatenated with the fused features of that level.

    Args:
        width: the number of channels of the first level, even. 16 gives 1.07 million parameters. 64, the width of the
            published code, gives 15.8 million.
        channels: the number of channels of the visible and of the fused image.
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
        """Fuse images in [-1, 1].

        Args:
            ir: (B, 1, H, W), H and W multiples of 32.
            vis: (B, channels, H, W).

        Returns:
            (B, channels, H, W) in [-1, 1].
        """
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
        weights: the name of weights that ship, or a weights file. Its header gives the width of the network, and
            whether the visible image is luma or color.

    Raises:
        WeightsError: the weights are missing, damaged, or for another network.

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
                raise WeightsError(f"{path}: the header does not describe a network of {self.info.name}")
        weight_files.load(self.network, self.info.name, str(path))
        self.vis_channels = channels

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return fuse(self.network, ir, vis)


def fuse(network: Network, ir: Tensor, vis: Tensor, frame: int = _FRAME) -> Tensor:
    """Fuse images in [0, 1] with a network.

    Args:
        network: the network.
        ir, vis: images as `Method.forward` takes them.
        frame: the number of border pixels added by replication on each side and cut off at the end. Without a frame,
            the zero padding of the convolutions draws a grid about 12 pixels wide along the border.

    Returns:
        (B, C, H, W) in [0, 1], where C is the number of channels of the network.
    """
    ir, vis = (F.pad(image, (frame, frame, frame, frame), mode="replicate") for image in (ir, vis))
    fused: Tensor = (network(2 * ir - 1, 2 * vis - 1) + 1) / 2
    return F.pad(fused, (-frame, -frame, -frame, -frame))


def _channels(width: int) -> list[int]:
    return [width << level for level in range(_LEVELS)]
