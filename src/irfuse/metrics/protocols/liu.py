"""The protocol `liu`: the MATLAB code of a much-cited comparison of fusion metrics.

Z. Liu, E. Blasch, Z. Xue, J. Zhao, R. Laganiere, W. Wu: "Objective assessment of multiresolution image fusion
algorithms for context enhancement in night vision: a comparative study", IEEE TPAMI 34(1), 2012,
doi:10.1109/TPAMI.2011.109. The code is github.com/zhengliu6699/imageFusionMetrics.
"""

import math
from functools import partial

import torch
from torch import Tensor

from irfuse.metrics.gradients import qg, qm, qsf
from irfuse.metrics.information import entropy, histogram, joint_histogram, qmi, qncie
from irfuse.metrics.perception import qcb, qcv
from irfuse.metrics.phase import qp
from irfuse.metrics.protocols.base import Protocol, Reading, on_scaled, on_stretched
from irfuse.metrics.ssim import CVEJIC_WINDOW, EPSILON, Moments, moments, yang
from irfuse.ops.filters import extend, gaussian, local_covariance
from irfuse.ops.sharing import shared

_TSALLIS_ORDER = 0.43137
_WINDOW = gaussian(11, 1.5)
# Covariances of 0-255 below this are rounding errors. All others are far above it.
_ROUNDING = 1e-6
# The number of windows computed at once, few enough for the caches of a CPU.
_CHUNK = 1 << 13
# The pixels of a 7x7 window in the order in which the code adds them: up the columns, from the last to the first.
_PLACES = [(row, column) for column in reversed(range(7)) for row in reversed(range(7))]
_UNSCALED = [math.exp(-((row - 3) ** 2 + (column - 3) ** 2) / (2 * 1.5**2)) for row, column in _PLACES]
_WEIGHTS = [weight / sum(_UNSCALED) for weight in _UNSCALED]
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def _qte(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Nava's measure with the two errors of the code.

    The marginals of the joint histogram are swapped. The denominator uses Shannon entropies raised to the power q, and
    adds the information that the sources share instead of subtracting it.
    """
    own = [entropy(histogram(source)) ** _TSALLIS_ORDER for source in (ir, vis)]
    shared = _swapped_tsallis_information(fused, ir) + _swapped_tsallis_information(fused, vis)
    total = own[0] + own[1] + _swapped_tsallis_information(ir, vis)
    return torch.where(total > 0, shared / total, math.nan)


@shared
def _swapped_tsallis_information(x: Tensor, y: Tensor) -> Tensor:
    joint = joint_histogram(x, y)
    product = joint.sum(dim=1)[:, :, None] * joint.sum(dim=2)[:, None, :]
    possible = product > 0
    terms = joint**_TSALLIS_ORDER / torch.where(possible, product, 1) ** (_TSALLIS_ORDER - 1)
    return (1 - torch.where(possible, terms, 0).sum(dim=(1, 2))) / (1 - _TSALLIS_ORDER)


def _qm(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_M with the three bands of detail summed instead of averaged."""
    return 3 * qm(fused, ir, vis)


def _qc(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_C as the code does: where the share of the covariance leaves [0, 1], clip the quality to 0 or 1.

    The definition clips the share. Where a source is flat, its covariance is only rounding error, whose sign decides
    between 0 and 1. In such windows the pixels are therefore added in the order of the code, which the separable filter
    does not keep.
    """
    maps = _cvejic(*(moments(fused, source, CVEJIC_WINDOW, "valid") for source in (ir, vis)))
    covariances = [local_covariance(fused, source, CVEJIC_WINDOW, "valid").abs() for source in (ir, vis)]
    flat = (torch.minimum(covariances[0], covariances[1]) < _ROUNDING)[:, 0]
    rows, columns = (torch.tensor(places, device=fused.device)[:, None] for places in zip(*_PLACES, strict=True))
    for places in torch.split(flat.nonzero(), _CHUNK):
        batch, row, column = places.unbind(1)
        windows = (image[batch, 0, row + rows, column + columns] for image in (fused, ir, vis))
        for map_, values in zip(maps, _cvejic_in_order(*windows), strict=True):
            map_[batch, 0, row, column] = values
    to_ir, to_vis, share = maps
    quality = share * to_ir + (1 - share) * to_vis
    return torch.where(share < 0, 0, torch.where(share > 1, 1, quality)).mean(dim=(1, 2, 3))


def _qy(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_Y without setting variances that are only rounding error to zero."""
    between, by_ir, by_vis = (moments(x, y, CVEJIC_WINDOW, "valid") for x, y in ((ir, vis), (fused, ir), (fused, vis)))
    return yang(between, by_ir, by_vis, neither=math.nan)


def _cvejic(by_ir: Moments, by_vis: Moments) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the similarities to ir and vis and the share of ir's covariance, not clipped, in each window."""
    share = by_ir.covariance / (by_ir.covariance + by_vis.covariance)
    return by_ir.similarity(EPSILON, EPSILON), by_vis.similarity(EPSILON, EPSILON), share


def _cvejic_in_order(fused: Tensor, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute :func:`_cvejic` for windows (49, N), whose pixels are in the order of the code's sums."""

    def mean(windows: Tensor) -> Tensor:
        total = torch.zeros_like(windows[0])
        for pixels, weight in zip(windows, _WEIGHTS, strict=True):
            # A fused multiply-add would round once where the code rounds twice.
            total += pixels * weight
        return total

    def moments_with(source: Tensor) -> Moments:
        means = mean(fused), mean(source)
        variances = mean(fused * fused) - means[0] ** 2, mean(source * source) - means[1] ** 2
        return Moments(*means, *variances, mean(fused * source) - means[0] * means[1])

    return _cvejic(moments_with(ir), moments_with(vis))


@shared
def _local_q(fused: Tensor, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
    """Compute Piella's local quality and saliency on 0-255, with SSIM in place of the universal index."""
    by_ir, by_vis = (moments(source, fused, _WINDOW, "valid") for source in (ir, vis))
    total = by_ir.variance_x + by_vis.variance_x
    share = torch.where(total == 0, 0.5, by_ir.variance_x / torch.where(total == 0, 1, total))
    quality = share * by_ir.similarity(_C1, _C2) + (1 - share) * by_vis.similarity(_C1, _C2)
    return quality, torch.maximum(by_ir.variance_x, by_vis.variance_x)


def _q(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return _local_q(fused, ir, vis)[0].mean(dim=(1, 2, 3))


def _qw(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    quality, saliency = _local_q(fused, ir, vis)
    return (quality * saliency).sum(dim=(1, 2, 3)) / saliency.sum(dim=(1, 2, 3))


def _qe(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return _qw(fused, ir, vis) * _qw(*(_prewitt(image) for image in (fused, ir, vis)))


def _prewitt(images: Tensor) -> Tensor:
    """Compute the magnitude of the Prewitt gradient, with zeros beyond the border."""
    images = extend(images, 1, "zero")
    rows, columns = images[..., 2:, :] - images[..., :-2, :], images[..., 2:] - images[..., :-2]
    rows = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    columns = columns[..., :-2, :] + columns[..., 1:-1, :] + columns[..., 2:, :]
    return (rows**2 + columns**2).sqrt()


LIU = Protocol(
    name="liu",
    title="Liu and others, TPAMI 2012",
    source="github.com/zhengliu6699/imageFusionMetrics, MATLAB",
    color="luma",
    readings={
        "qmi": Reading(on_stretched(qmi), "each image stretched first"),
        "qte": Reading(on_stretched(_qte), "each image stretched first; swapped marginals and a wrong denominator"),
        "qncie": Reading(on_stretched(qncie), "each image stretched first"),
        "qg": Reading(qg),
        "qm": Reading(_qm, "three times the metric, because the bands are summed"),
        "qsf": Reading(qsf),
        "qp": Reading(
            partial(qp, shifted_low_pass=True),
            "the low-pass filter of an odd side lies one frequency off",
            tolerance=1e-3,
        ),
        "q": Reading(on_scaled(_q, 255), "SSIM in place of the universal index", minimum=11),
        "qw": Reading(on_scaled(_qw, 255), "SSIM in place of the universal index", minimum=11),
        "qe": Reading(on_scaled(_qe, 255), "SSIM in place of the universal index, Prewitt edges", minimum=11),
        "qc": Reading(
            on_scaled(_qc, 255),
            "clips the quality, not the weight; flat windows depend on rounding",
        ),
        "qy": Reading(on_scaled(_qy, 255), "NaN where both sources are flat in a window"),
        "qcv": Reading(on_stretched(qcv)),
        "qcb": Reading(on_stretched(qcb)),
    },
)
