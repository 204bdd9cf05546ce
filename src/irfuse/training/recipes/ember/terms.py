"""The terms of the loss: the metrics of the protocol ``cddfuse``, and what they do not see.

Metrics alone make unnatural pictures: the best scores copy the infrared image, black skies included. So further terms
say what a viewer expects.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.metrics.gradients import soft_qabf
from irfuse.metrics.information import soft_en, soft_mi
from irfuse.metrics.pixels import mse
from irfuse.metrics.ssim import soft_ssim
from irfuse.metrics.statistics import soft_scd
from irfuse.metrics.vif import soft_vif
from irfuse.ops.filters import sobel

_BINS = 64
_WINDOW, _STRIDE = 9, 4
"""Of the means that stand for low frequencies."""
_LEAST_CONTRAST = 0.002
_STRONGEST = 1.15
"""The largest ratio of the fused image's gradients to the sources' that is rewarded."""
_WIDEST = 1.4
"""The largest ratio of the fused image's contrast to the sources' that is rewarded."""
_BRIGHT, _BRIGHT_WIDTH = 0.55, 0.08
"""The level from which a region counts as bright, and the width of the change."""
_SCALE = 4.0
"""Sobel's gradient of a step from black to white."""


def terms(fused: Tensor, ir: Tensor, vis: Tensor) -> dict[str, Tensor]:
    """Compute every term of the loss, each a mean over the batch. Less is better.

    Args:
        fused: (B, 1, H, W); values may lie outside of [0, 1].
        ir, vis: (B, 1, H, W) in [0, 1].

    Returns:
        - ``ssim``, ``vif``, ``qabf``, ``scd``, ``mi`` and ``en``: the metrics of that name, turned around.
        - ``contrast``: the logarithm of the standard deviation relative to the larger one of both sources, turned
          around.
        - ``sharpness``: the same for the root mean square of the gradients.
        - ``gradient``: the distance of the gradients from the larger ones of both sources, sign included.
        - ``brightness``: the distance of the pixels from the brighter ones of both sources.
        - ``fidelity``: the mean squared distance from both sources.
        - ``clipping``: the values beyond [0, 1].
        - ``halo``: low frequencies beyond the range of both sources.
        - ``sky``: low frequencies that are darker than the brighter source where that one is bright. Where the darker
          source has more structure, as behind smoke and glare, this counts less.
    """
    # A pixel that is clipped keeps a small gradient, so that it can come back.
    inside = fused.clamp(0, 1) + 0.05 * (fused - fused.clamp(0, 1))
    with torch.no_grad():
        gradients = [torch.cat(sobel(source, "replicate"), dim=1) / _SCALE for source in (ir, vis)]
        larger = gradients[0].square().sum(1, keepdim=True) > gradients[1].square().sum(1, keepdim=True)
        wanted = torch.where(larger, gradients[0], gradients[1])
    found = torch.cat(sobel(inside, "replicate"), dim=1) / _SCALE
    return {
        "ssim": 2 - soft_ssim(inside, ir, vis, stride=2, dynamic_range=0.1).mean(),
        "vif": 2 - soft_vif(inside, ir, vis, stride=3).mean(),
        "qabf": 1 - soft_qabf(inside, ir, vis).mean(),
        "scd": 2 - soft_scd(inside, ir, vis).mean(),
        "mi": -soft_mi(inside, ir, vis, bins=_BINS, degree=2, base=math.e).mean(),
        "en": -soft_en(inside, bins=_BINS, degree=2).mean(),
        "contrast": -_log_ratio(_contrast(inside), torch.maximum(_contrast(ir), _contrast(vis)), _WIDEST),
        "sharpness": -_log_ratio(_size(found), _size(wanted), _STRONGEST),
        "gradient": (found - wanted).abs().mean(),
        "brightness": (inside - torch.maximum(ir, vis)).abs().mean(),
        "fidelity": mse(inside, ir, vis).mean(),
        "clipping": ((fused - 1).relu() + (-fused).relu()).mean(),
        "halo": _halo(fused, ir, vis),
        "sky": _sky(fused, ir, vis),
    }


def _halo(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    found, *sources = (_low(image) for image in (fused, ir, vis))
    brighter, darker = torch.maximum(*sources), torch.minimum(*sources)
    # A little more contrast is allowed, more of it towards black.
    return ((found - brighter - 0.05).relu() + (darker - 0.12 - found).relu()).mean()


def _sky(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    found, *sources = (_low(image) for image in (fused, ir, vis))
    brighter, ir_leads = torch.maximum(*sources), sources[0] > sources[1]
    ir_structure, vis_structure = (_structure(source) for source in (ir, vis))
    own = torch.where(ir_leads, ir_structure, vis_structure)
    other = torch.where(ir_leads, vis_structure, ir_structure)
    plain = (own + 0.05) / (own + (other - 0.03).relu() + 0.05)
    bright = torch.sigmoid((brighter - _BRIGHT) / _BRIGHT_WIDTH)
    return (bright * plain**2 * (brighter - 0.06 - found).relu()).mean()


def _low(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, _WINDOW, _STRIDE)


def _structure(images: Tensor) -> Tensor:
    """The standard deviation in regions somewhat larger than the windows of :func:`_low`."""
    mean, square = (F.avg_pool2d(_low(i), 5, 1, 2, count_include_pad=False) for i in (images, images**2))
    return (square - mean**2).clamp(min=1e-6).sqrt()


def _contrast(images: Tensor) -> Tensor:
    return (images.flatten(1).var(dim=1) + 1e-6).sqrt()


def _size(gradients: Tensor) -> Tensor:
    return (gradients.square().mean(dim=(1, 2, 3)) + 1e-7).sqrt()


def _log_ratio(found: Tensor, wanted: Tensor, most: float) -> Tensor:
    return (found / (wanted + _LEAST_CONTRAST)).clamp(max=most).log().mean()
