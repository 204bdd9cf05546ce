"""ResNet: residual networks for image recognition that give their features at any block.

K. He, X. Zhang, S. Ren, J. Sun: "Deep residual learning for image recognition", CVPR 2016,
doi:10.1109/CVPR.2016.90. The code is irfuse's own. Its state has torchvision's names, so weights for torchvision's
networks load unchanged.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from irfuse.errors import ParameterError

Depth = Literal[18, 34, 50, 101, 152]
Variant = Literal["v1.5", "v1"]

# The blocks of each of the four layers: Table 1 of the paper.
_BLOCKS: dict[Depth, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_SMALLEST_WITH_BOTTLENECKS = 50
_WIDTHS = (64, 128, 256, 512)
_CLASSES = 1000


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, added to the shortcut. (B, C, H, W) to (B, width, H / stride, W / stride), rounded up."""

    def __init__(self, inputs: int, width: int, stride: int, eps: float) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.downsample = _projection(inputs, width, stride, eps)

    def shortcut(self, x: Tensor) -> Tensor:
        """Project the block's input to the shape of its result if necessary."""
        return _shortcut(self.downsample, x)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        result: Tensor = (self.bn2(self.conv2(y)) + shortcut).relu()
        return result


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to the shortcut. The result has four times `width` channels.

    The first 1x1 convolution has the stride in the paper's variant v1, the 3x3 convolution in v1.5.
    """

    def __init__(self, inputs: int, width: int, stride: int, variant: Variant, eps: float) -> None:
        super().__init__()
        first, second = (stride, 1) if variant == "v1" else (1, stride)
        self.conv1 = _conv(inputs, width, 1, first)
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.conv2 = _conv(width, width, 3, second)
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.conv3 = _conv(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm2d(4 * width, eps=eps)
        self.downsample = _projection(inputs, 4 * width, stride, eps)

    def shortcut(self, x: Tensor) -> Tensor:
        """Project the block's input to the shape of its result if necessary."""
        return _shortcut(self.downsample, x)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        result: Tensor = (self.bn3(self.conv3(y)) + shortcut).relu()
        return result


class ResNet(nn.Module):
    """A ResNet with untrained weights.

    Args:
        depth: the number of layers with weights: 18, 34, 50, 101 or 152.
        variant: the place of the stride in bottlenecks (depth 50 and more): ``v1`` has it in the first 1x1 convolution,
            as in the paper; ``v1.5`` has it in the 3x3 convolution, as in torchvision. The weights of the variants
            have the same shapes but are not interchangeable.
        eps: the value that the batch normalization adds to the variance.

    Attributes:
        places: the names that :meth:`features` takes, in the order of their computation.

    Raises:
        ParameterError: there is no such depth or variant.

    >>> ResNet(50).places[:6]
    ('conv1', 'bn1', 'relu1', 'maxpool', 'layer1.0.downsample', 'layer1.0')
    """

    def __init__(self, depth: Depth, *, variant: Variant = "v1.5", eps: float = 1e-5) -> None:
        super().__init__()
        if depth not in _BLOCKS:
            raise ParameterError(f"there is no ResNet-{depth}; choose one of {', '.join(map(str, _BLOCKS))}")
        if variant not in get_args(Variant):
            raise ParameterError(f"variant cannot be {variant!r}; choose one of {', '.join(get_args(Variant))}")
        self.depth = depth
        self.variant = variant
        self.conv1 = _conv(3, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64, eps=eps)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = _layers(depth, variant, eps)
        self.fc = nn.Linear(512 if depth < _SMALLEST_WITH_BOTTLENECKS else 2048, _CLASSES)
        self.places = ("conv1", "bn1", "relu1", "maxpool", *self._places_in_layers())

    def forward(self, images: Tensor) -> Tensor:
        """Classify images.

        Args:
            images: (B, 3, H, W) in the channel order and range that the weights were trained with.

        Returns:
            The logits of the 1000 classes of ImageNet, (B, 1000).
        """
        (last,) = self.features(images, self.places[-1:])
        logits: Tensor = self.fc(last.mean(dim=(2, 3)))
        return logits

    def features(self, images: Tensor, at: Sequence[str]) -> list[Tensor]:
        """Compute the features at some places, in the given order. Later layers are not computed.

        Args:
            images: as `forward` takes them.
            at: names of :attr:`places`. ``conv1`` is the first convolution's result, ``bn1`` the same after the batch
                normalization and ``relu1`` after the ReLU; ``maxpool``; ``layer3.5`` is a block's result, after its
                last ReLU (blocks count from 0); ``layer3.0.downsample`` is the projection shortcut of a layer's first
                block, after its batch normalization.

        Returns:
            (B, C, h, w) for each place. h and w are H and W divided by 2 up to ``relu1``, by 4 in ``maxpool`` and
            layer 1, and by 8, 16 and 32 in layers 2, 3 and 4, rounded up.

        Raises:
            ParameterError: the network has no such place; the error gives the form.

        >>> import torch
        >>> for features in ResNet(18).features(torch.rand(1, 3, 65, 64), ["relu1", "layer2.1"]):
        ...     print(features.shape)
        torch.Size([1, 64, 33, 32])
        torch.Size([1, 128, 9, 8])
        """
        for name in at:
            if name not in self.places:
                raise ParameterError(self._no_such_place(name))
        found: dict[str, Tensor] = {}
        if at:
            last = max(at, key=self.places.index)
            for name, x in self._steps(images):
                if name in at:
                    found[name] = x
                if name == last:
                    break
        return [found[name] for name in at]

    def _steps(self, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield each place with its features, which are computed on demand."""
        x = self.conv1(images)
        yield "conv1", x
        x = self.bn1(x)
        yield "bn1", x
        # No ReLU works in place. It would change features that were yielded before.
        x = x.relu()
        yield "relu1", x
        x = self.maxpool(x)
        yield "maxpool", x
        for name, block in self._blocks():
            shortcut = block.shortcut(x)
            if block.downsample is not None:
                yield f"{name}.downsample", shortcut
            x = block(x, shortcut)
            yield name, x

    def _blocks(self) -> Iterator[tuple[str, BasicBlock | Bottleneck]]:
        for i, layer in enumerate((self.layer1, self.layer2, self.layer3, self.layer4), start=1):
            for j, block in enumerate(layer):
                assert isinstance(block, BasicBlock | Bottleneck)
                yield f"layer{i}.{j}", block

    def _places_in_layers(self) -> Iterator[str]:
        for name, block in self._blocks():
            if block.downsample is not None:
                yield f"{name}.downsample"
            yield name

    def _no_such_place(self, name: str) -> str:
        blocks = ", ".join(f"layer{i}.0 to layer{i}.{count - 1}" for i, count in enumerate(_BLOCKS[self.depth], 1))
        projections = ", ".join(place for place in self.places if place.endswith("downsample"))
        return (
            f"ResNet-{self.depth} has no features {name!r}; it has conv1, bn1, relu1, maxpool, the blocks {blocks}, "
            f"and the shortcuts {projections}"
        )


def _layers(depth: Depth, variant: Variant, eps: float) -> list[nn.Sequential]:
    layers = []
    inputs = 64
    for i, (width, count) in enumerate(zip(_WIDTHS, _BLOCKS[depth], strict=True)):
        blocks: list[nn.Module] = []
        for j in range(count):
            stride = 2 if i > 0 and j == 0 else 1
            if depth < _SMALLEST_WITH_BOTTLENECKS:
                blocks.append(BasicBlock(inputs, width, stride, eps))
                inputs = width
            else:
                blocks.append(Bottleneck(inputs, width, stride, variant, eps))
                inputs = 4 * width
        layers.append(nn.Sequential(*blocks))
    return layers


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


def _projection(inputs: int, outputs: int, stride: int, eps: float) -> nn.Sequential | None:
    """The projection of a block's input to the shape of its result; None if the shapes are equal."""
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs, eps=eps))


def _shortcut(downsample: nn.Sequential | None, x: Tensor) -> Tensor:
    if downsample is None:
        return x
    projected: Tensor = downsample(x)
    return projected
