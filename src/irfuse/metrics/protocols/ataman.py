"""The protocol `ataman`: Q_W as the encoder-decoder paper's code computes it.

F. C. Ataman, G. Bozdagi Akar: "Visible and infrared image fusion using encoder-decoder network", ICIP 2021.
The paper's equation 2 is not the formula behind its table.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.metrics.piella import ratio
from irfuse.metrics.protocols.base import Protocol, Reading

_BLOCK = 8


def _qw(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_W over whole, non-overlapping blocks, weighted by the larger of the sources' variances."""
    f, i, v = (_blocks(image) for image in (fused, ir, vis))
    i_variance, v_variance = (x.var(dim=1, correction=1) for x in (i, v))
    total = i_variance + v_variance
    ir_weight = torch.where(total == 0, 0.5, i_variance / torch.where(total == 0, 1, total))
    quality = ir_weight * _index(f, i) + (1 - ir_weight) * _index(f, v)
    saliency = torch.maximum(i_variance, v_variance)
    return (quality * saliency).sum(dim=1) / saliency.sum(dim=1)


def _blocks(images: Tensor) -> Tensor:
    return F.unfold(images, _BLOCK, stride=_BLOCK)


def _index(x: Tensor, y: Tensor) -> Tensor:
    means, variances = (x.mean(dim=1), y.mean(dim=1)), (x.var(dim=1, correction=1), y.var(dim=1, correction=1))
    covariance = ((x - means[0][:, None]) * (y - means[1][:, None])).sum(dim=1) / (_BLOCK**2 - 1)
    luminance = ratio(2 * means[0] * means[1], means[0] ** 2 + means[1] ** 2)
    return luminance * ratio(2 * covariance, variances[0] + variances[1])


ATAMAN = Protocol(
    name="ataman",
    title="Ataman and Bozdagi Akar, the encoder-decoder paper",
    source="the paper's published code",
    color="luma",
    readings={"qw": Reading(_qw, "8x8 blocks that do not overlap, variances divided by 63")},
)
