"""Pretrained networks that give features of images. Their input is always RGB or gray in [0, 1]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

from irfuse.backbones.resnet import Depth, ResNet, Variant
from irfuse.errors import WeightsError
from irfuse.weights import fetch

Name = Literal["resnet152", "resnet101", "resnet50"]
"""The backbones that irfuse knows."""


@dataclass(frozen=True)
class Preprocessing:
    """The input that a network was trained with: ``(image * scale - mean) / std`` for images in [0, 1].

    Attributes:
        order: the order of the channels.
        scale: the value that 1 becomes.
        mean, std: one number per channel, in the network's order and scale.
    """

    order: Literal["RGB", "BGR"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: Tensor) -> Tensor:
        """Convert images to the input of the network.

        Args:
            images: (B, 3, H, W) in RGB, or (B, 1, H, W) in gray, which counts as three equal channels; in [0, 1].

        Returns:
            (B, 3, H, W) in the dtype of the images.

        >>> TORCHVISION(torch.full((1, 1, 1, 1), 0.485)).flatten().round(decimals=3)
        tensor([0.0000, 0.1290, 0.3510])
        """
        mean, std = (images.new_tensor(numbers).view(3, 1, 1) for numbers in (self.mean, self.std))
        ordered = images.flip(1) if self.order == "BGR" else images
        return (ordered * self.scale - mean) / std


TORCHVISION = Preprocessing("RGB", 1.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""The input of torchvision's networks."""

MSRA = Preprocessing("BGR", 255.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0))
"""The input of the ResNet paper's networks, as they were published for Caffe and ported by Keras."""


@dataclass(frozen=True)
class _Layout:
    """A variant of the network that weights are for."""

    variant: Variant
    eps: float
    preprocessing: Preprocessing


_LAYOUTS = {
    "torchvision": _Layout("v1.5", 1e-5, TORCHVISION),
    "msra": _Layout("v1", 1e-3, MSRA),
}
_DEPTHS: dict[str, Depth] = {"resnet50": 50, "resnet101": 101, "resnet152": 152}


class Backbone(nn.Module):
    """A trained network with its preprocessing. It stays in evaluation mode, and its parameters have no gradients.

    Gradients with respect to the images pass through it.

    Args:
        network: the network.
        preprocessing: how its input is made.
        layout: the network's variant, for reports: the features of ``torchvision`` and ``msra`` differ.

    >>> backbone = Backbone(ResNet(18), TORCHVISION, "untrained")
    >>> [features.shape for features in backbone.features(torch.rand(2, 1, 64, 48), ["layer1.1", "relu1"])]
    [torch.Size([2, 64, 16, 12]), torch.Size([2, 64, 32, 24])]
    """

    def __init__(self, network: ResNet, preprocessing: Preprocessing, layout: str) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.preprocessing = preprocessing
        self.layout = layout
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits of the 1000 classes of ImageNet, (B, 1000), for images as `features` takes them."""
        logits: Tensor = self.network(self.preprocessing(images))
        return logits

    def features(self, images: Tensor, at: Sequence[str]) -> list[Tensor]:
        """Compute the features at some places, in the given order. Later layers are not computed.

        Args:
            images: (B, 3, H, W) in RGB, or (B, 1, H, W) in gray; in [0, 1].
            at: places as :meth:`irfuse.backbones.resnet.ResNet.features` takes them.

        Raises:
            ParameterError: the network has no such place.
        """
        return self.network.features(self.preprocessing(images), at)

    def train(self, mode: bool = True) -> Self:
        """Do nothing. In training mode, batch normalization would change the network."""
        return super().train(False)


def pretrained(name: Name) -> Backbone:
    """Load a ResNet that was trained on ImageNet.

    The weights are torchvision's and are fetched on first use, unless the folder that ``IRFUSE_WEIGHTS`` names has
    other weights for this network; see :mod:`irfuse.weights.fetch`.

    Args:
        name: ``resnet50``, ``resnet101`` or ``resnet152``.

    Raises:
        ParameterError: there is no such backbone.
        WeightsError: the weights cannot be fetched, or are damaged.

    >>> pretrained("resnet50").layout  # doctest: +SKIP
    'torchvision'
    """
    found = fetch.fetch(name)
    layout = _LAYOUTS[found.file.layout]
    # On `meta`, no memory is used for initial values that the weights replace.
    with torch.device("meta"):
        network = ResNet(_DEPTHS[name], variant=layout.variant, eps=layout.eps)
    try:
        network.load_state_dict(fetch.read(found.path), assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()[:200]
        raise WeightsError(f"{found.path}: the weights do not fit {name}: {reason}") from error
    return Backbone(network, layout.preprocessing, found.file.layout)
