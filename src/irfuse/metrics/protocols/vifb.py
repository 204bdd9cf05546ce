"""The protocol `vifb`: the 13 metrics of the benchmark VIFB. Color images get the mean over R, G and B.

X. Zhang, P. Ye, G. Xiao: "VIFB: A visible and infrared image fusion benchmark", CVPR Workshops 2020,
doi:10.1109/CVPRW50498.2020.00060. The code is github.com/xingchenzhang/VIFB, in MATLAB.
"""

import math
from functools import partial

import torch
from torch import Tensor

from irfuse.metrics.gradients import qabf
from irfuse.metrics.information import ce, en, mi
from irfuse.metrics.perception import qcb, qcv
from irfuse.metrics.protocols.base import Protocol, Reading, on_stretched
from irfuse.metrics.sharpness import ag, ei, sf
from irfuse.metrics.ssim import ssim
from irfuse.metrics.statistics import sd


def _root_error(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the code's "mean squared error": the ROOT of the sum of squares over the number of pixels, 0-255."""
    roots = [((fused - source) * 255).square().sum(dim=(1, 2, 3)).sqrt() / fused[0].numel() for source in (ir, vis)]
    return (roots[0] + roots[1]) / 2


def _sf(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute SF of R, G and B side by side as one image, where the seams between them count as detail."""
    beside = torch.cat(fused.unbind(1), dim=2)[:, None]
    return sf(beside, beside, beside)


def _psnr(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return 10 * torch.log10(255**2 / _root_error(fused, ir, vis))


VIFB = Protocol(
    name="vifb",
    title="The benchmark VIFB",
    source="github.com/xingchenzhang/VIFB, MATLAB",
    color="rgb",
    readings={
        "ag": Reading(ag),
        "ce": Reading(ce),
        "ei": Reading(ei),
        "en": Reading(en),
        "mi": Reading(on_stretched(partial(mi, base=math.e)), "in nats, each image stretched first"),
        "psnr": Reading(_psnr, "of this protocol's rmse: 55 to 59 dB, and depends on the size"),
        "qabf": Reading(qabf),
        "qcb": Reading(on_stretched(qcb)),
        "qcv": Reading(on_stretched(qcv)),
        "rmse": Reading(
            _root_error, "the root of the sum of squares, divided by the number of pixels: depends on the size"
        ),
        "sd": Reading(sd),
        "sf": Reading(_sf, "of R, G and B side by side, where the seams count as detail", planes="together"),
        "ssim": Reading(ssim),
    },
)
