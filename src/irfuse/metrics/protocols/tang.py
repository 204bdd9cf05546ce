"""The protocols `tang` and `tang-tables`: the code of Tang and others, and their published tables.

L. Tang, H. Zhang, H. Xu, J. Ma: "Deep learning-based image fusion: a survey", Journal of Image and Graphics 28(1),
2023. The code is github.com/Linfeng-Tang/Evaluation-for-Image-Fusion, in MATLAB, on 0-255. The tables were computed by
the same code on 8-bit integers, whose arithmetic saturates.
"""

import math
from functools import partial

import torch
from torch import Tensor

from irfuse.metrics.information import en, entropy, histogram, joint_histogram
from irfuse.metrics.pixels import mse, psnr
from irfuse.metrics.protocols.base import Protocol, Reading
from irfuse.metrics.sharpness import ag, sf
from irfuse.metrics.ssim import ssim_a
from irfuse.metrics.statistics import cc, scd, sd
from irfuse.metrics.vif import Channel, channel_of_moments, sum_of_fidelities, vif
from irfuse.ops.filters import Taps, local_mean, separable


def _mi(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute MI with levels 254 and 255 in one bin of the joint histogram, but in two bins of its marginals."""
    total = torch.zeros_like(fused[:, 0, 0, 0])
    for source in (ir, vis):
        joint = joint_histogram(fused.clamp(max=254 / 255), source.clamp(max=254 / 255))
        own = [entropy(histogram(image)) for image in (fused, source)]
        total = total + own[0] + own[1] - entropy(joint)
    return total


def _psnr(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute PSNR with a peak of 255 for errors on [0, 1], which adds 48.13 dB."""
    return psnr(fused, ir, vis) + 20 * math.log10(255)


def _saturated_sd(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute SD with deviations below the mean set to 0 and squares above 255 set to 255."""
    levels = fused * 255
    deviations = (levels - levels.mean(dim=(2, 3), keepdim=True) + 0.5).floor().clamp(0, 255)
    return deviations.square().clamp(max=255).mean(dim=(1, 2, 3)).sqrt()


def _saturated_vif(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute VIF with products above 255 set to 255 at the first scale."""
    f, i, v = ((image * 255).round() for image in (fused, ir, vis))
    return sum_of_fidelities(f, i, v, 2.0, _saturated_channel)


def _saturated_channel(source: Tensor, distorted: Tensor, window: Taps) -> Channel:
    means = [local_mean(image, window, "valid") for image in (source, distorted)]

    def moment(i: int, j: int) -> Tensor:
        product = (source, distorted)[i] * (source, distorted)[j]
        return separable(product.clamp(max=255), window, "valid") - means[i] * means[j]

    return channel_of_moments(moment(0, 0), moment(1, 1), moment(0, 1))


TANG = Protocol(
    name="tang",
    title="Tang and others, the code",
    source="github.com/Linfeng-Tang/Evaluation-for-Image-Fusion, MATLAB",
    color="luma",
    readings={
        "en": Reading(en),
        "sd": Reading(sd),
        "sf": Reading(partial(sf, mean_over="differences")),
        "ag": Reading(ag),
        "cc": Reading(cc),
        "scd": Reading(scd),
        "mi": Reading(_mi, "levels 254 and 255 share a bin of the joint histogram"),
        "vif": Reading(vif),
        "psnr": Reading(_psnr, "48.13 dB too high"),
        "mse": Reading(mse, "on [0, 1]"),
        "ssim_a": Reading(
            partial(ssim_a, dynamic_range=1 / 255, border="replicate"),
            "on 0-255 with the constants of a range of 1",
        ),
    },
)

TANG_TABLES = Protocol(
    name="tang-tables",
    title="Tang and others, the published tables",
    source="the spreadsheets of github.com/Linfeng-Tang/Evaluation-for-Image-Fusion",
    color="luma",
    readings={
        "sd": Reading(_saturated_sd, "in saturating 8-bit arithmetic"),
        "vif": Reading(_saturated_vif, "products at the first scale in saturating 8-bit arithmetic"),
    },
)
