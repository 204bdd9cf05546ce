import torch

from irfuse import weights
from irfuse.backbones import MSRA
from irfuse.backbones.first_block import METHOD, first_block


def test_gray_is_three_equal_channels() -> None:
    gray = torch.rand(2, 1, 20, 21)
    assert torch.equal(first_block()(gray), first_block()(gray.expand(-1, 3, -1, -1)))


def test_the_mean_image_gives_the_bias() -> None:
    """This includes the border, because the zero padding equals the mean."""
    block = first_block()
    mean = torch.tensor(MSRA.mean[::-1]).view(1, 3, 1, 1).expand(-1, -1, 9, 9) / 255
    assert torch.allclose(block(mean), block.conv.bias.view(1, -1, 1, 1).expand(1, 64, 5, 5), atol=1e-5)


def test_it_is_frozen() -> None:
    assert not any(parameter.requires_grad for parameter in first_block().parameters())


def test_the_header_describes_the_conversion() -> None:
    said = weights.header(weights.find(METHOD, "first-block"))
    assert {"input", "conversion", "licence", "source", "made from", "command"} < said.keys()
