"""Rewrites: other forms of layers that compute the same, which OpenVINO computes faster."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irfuse.engines.base import Precision
from irfuse.methods.base import Method

_NARROW = 4
"""Groups with fewer outputs than this are faster as one group, with zeros between channels of different groups."""

_BLOCK = 4
"""The side of the square blocks of pixels in which a layer with one output is computed."""


class InBlocks(nn.Module):
    """A 3x3 convolution with one output, computed as one with 16: the pixels of a 4x4 block, then put in place.

    OpenVINO fills a layer's outputs up to a whole register. With one output it wastes fifteen sixteenths of that; here
    it wastes nothing, although only a quarter of the 6x6 kernels' taps hold a weight.

    Args:
        layer: a convolution that pads with zeros.

    >>> layer = nn.Conv2d(8, 1, 3, padding=1)
    >>> features = torch.rand(1, 8, 30, 41)
    >>> torch.allclose(InBlocks(layer)(features), layer(features), atol=1e-6)
    True
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        # Initializing the layer would draw random numbers from the user's generator.
        self.layer = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Conv2d,
            layer.in_channels,
            _BLOCK**2,
            _BLOCK + 2,
            stride=_BLOCK,
            padding=_BLOCK,
            bias=layer.bias is not None,
        )
        weight = torch.zeros_like(self.layer.weight)
        for k in range(_BLOCK**2):
            row, column = divmod(k, _BLOCK)
            weight[k, :, row : row + 3, column : column + 3] = layer.weight.detach()[0]
        self.layer.weight = nn.Parameter(weight, requires_grad=False)
        if layer.bias is not None:
            self.layer.bias = nn.Parameter(layer.bias.detach().repeat(_BLOCK**2), requires_grad=False)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[2:]
        # The first block starts so far outside that the last one needs no padding, whatever the size.
        outside = _BLOCK - 1
        image = F.pixel_shuffle(self.layer(features), _BLOCK)
        return image[:, :, outside : outside + height, outside : outside + width]


def for_openvino(method: Method, precision: Precision) -> Method:
    """Copy a method with layers that compute the same and that OpenVINO computes faster in a precision.

    In bfloat16 OpenVINO also fills each group's outputs up to a whole register. Zeros between narrow groups then cost
    nothing, and one large convolution replaces eight small ones. This does not pay in float32, and neither rewrite pays
    in ONNX Runtime.

    >>> from irfuse.methods import build
    >>> [layer.groups for layer in for_openvino(build("encoder-decoder"), "bf16").network.decoder]
    [8, 8, 8, 1, 1]
    """
    method = copy.deepcopy(method)
    for parent in list(method.modules()):
        for name, layer in parent.named_children():
            setattr(parent, name, _faster(layer, precision))
    return method


def _faster(layer: nn.Module, precision: Precision) -> nn.Module:
    if precision == "bf16" and isinstance(layer, nn.ConvTranspose2d) and layer.out_channels < _NARROW * layer.groups:
        return _without_groups(layer)
    if isinstance(layer, nn.Conv2d) and _has_one_output(layer):
        return InBlocks(layer)
    return layer


def _has_one_output(layer: nn.Conv2d) -> bool:
    """Tell whether :class:`InBlocks` takes a layer."""
    form = layer.kernel_size, layer.padding, layer.stride, layer.dilation, layer.padding_mode
    return layer.out_channels == 1 and form == ((3, 3), (1, 1), (1, 1), (1, 1), "zeros")


def _without_groups(layer: nn.ConvTranspose2d) -> nn.ConvTranspose2d:
    whole = copy.deepcopy(layer)
    whole.groups = 1
    # (inputs, outputs of a group, ...): each group's own outputs lie on the diagonal of the whole.
    blocks = layer.weight.detach().chunk(layer.groups)
    weight = layer.weight.new_zeros(layer.in_channels, layer.out_channels, *layer.weight.shape[2:])
    for k, block in enumerate(blocks):
        rows, columns = block.shape[:2]
        weight[k * rows : (k + 1) * rows, k * columns : (k + 1) * columns] = block
    whole.weight = nn.Parameter(weight, requires_grad=False)
    return whole
