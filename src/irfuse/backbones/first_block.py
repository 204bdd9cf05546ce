"""The first convolution and batch normalization of ResNet-50, whose trained weights ship with irfuse.

K. He, X. Zhang, S. Ren, J. Sun: "Deep residual learning for image recognition", CVPR 2016,
doi:10.1109/CVPR.2016.90. The weights are those of K. He's Caffe release as ported by Keras (MIT license).
"""

import torch
from torch import Tensor, nn

from irfuse import weights as weight_files

METHOD = "resnet50-msra"
"""The name of the network in the header of the weights file."""


class FirstBlock(nn.Module):
    """A 7x7 convolution of images minus a mean. It includes the batch normalization that follows it in ResNet-50.

    Its state has three tensors: `mean`, (1, 3, 1, 1), the mean of images in [0, 1] in RGB; `conv.weight`,
    (64, 3, 7, 7), the network's kernels reordered from BGR to RGB and multiplied by 255 and by the batch
    normalization's ``weight / sqrt(running_var + eps)``; and `conv.bias`, (64,), the batch normalization's ``bias``
    minus ``running_mean`` times the same factor.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Compute the responses after the batch normalization and before the ReLU.

        Args:
            images: (B, 3, H, W) in RGB, or (B, 1, H, W) in gray, which counts as three equal channels; in [0, 1].

        Returns:
            (B, 64, H / 2, W / 2), rounded up. As in the network, the image is padded with its mean, which is 0 after
            the subtraction.
        """
        responses: Tensor = self.conv(images - self.mean)
        return responses


def first_block() -> FirstBlock:
    """Load the first block with its trained weights, in evaluation mode and without gradients of its parameters.

    It equals ``Backbone.features(images, ["bn1"])`` of ResNet-50 with the MSRA weights.

    Raises:
        WeightsError: the weights file is missing or damaged.

    >>> first_block()(torch.rand(1, 1, 33, 48)).shape
    torch.Size([1, 64, 17, 24])
    """
    block = FirstBlock()
    weight_files.load(block, METHOD, "first-block")
    return block.requires_grad_(False).eval()
