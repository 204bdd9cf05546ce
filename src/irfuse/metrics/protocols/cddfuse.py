"""The protocol `cddfuse`: `Evaluator.py` of the CDDFuse code, which many later papers use.

Z. Zhao and others: "CDDFuse: Correlation-driven dual-branch feature decomposition for multi-modality image fusion",
CVPR 2023, arXiv:2211.14461.
"""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.metrics.gradients import qabf
from irfuse.metrics.information import en, mi
from irfuse.metrics.pixels import mse
from irfuse.metrics.protocols.base import Protocol, Reading
from irfuse.metrics.sharpness import sf
from irfuse.metrics.statistics import cc, scd, sd
from irfuse.metrics.vif import vif

_WINDOW = 7


def _ssim(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute SSIM with scikit-image's defaults: a uniform 7x7 window, sample covariances, a range of 2 for 0-255."""
    f, i, v = (image * 255 for image in (fused, ir, vis))
    return _uniform_ssim(f, i) + _uniform_ssim(f, v)


def _uniform_ssim(x: Tensor, y: Tensor) -> Tensor:
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    means = F.avg_pool2d(torch.cat([x, y, x * x, y * y, x * y], dim=1), _WINDOW, 1)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = means.chunk(5, dim=1)
    sample = _WINDOW**2 / (_WINDOW**2 - 1)
    variances = sample * (mean_xx - mean_x**2) + sample * (mean_yy - mean_y**2)
    covariance = sample * (mean_xy - mean_x * mean_y)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (variances + c2)).mean(dim=(1, 2, 3))


def _mse(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return mse(fused, ir, vis) * 255**2


def _psnr(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute PSNR with the maximum of the fused image as the peak."""
    return 10 * torch.log10((fused.amax(dim=(1, 2, 3)) * 255) ** 2 / _mse(fused, ir, vis))


CDDFUSE = Protocol(
    name="cddfuse",
    title="CDDFuse's Evaluator.py",
    source="github.com/Zhaozixiang1228/MMIF-CDDFuse, Python",
    color="luma",
    readings={
        "en": Reading(en),
        "sd": Reading(sd),
        "sf": Reading(sf),
        "mi": Reading(partial(mi, base=math.e), "in nats, summed"),
        "scd": Reading(scd),
        "vif": Reading(vif),
        "qabf": Reading(qabf),
        "ssim": Reading(
            _ssim, "scikit-image's uniform window with a range of 2 for images in 0-255, summed", minimum=_WINDOW
        ),
        "psnr": Reading(_psnr, "the peak is the maximum of the fused image"),
        "mse": Reading(_mse, "on 0-255"),
        "cc": Reading(cc),
    },
)
