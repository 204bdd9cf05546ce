"""The protocol `li`: the MATLAB code of Li and Wu, used by DenseFuse, ResNet-152 fusion, Res2NetFuse and others.

H. Li, X.-J. Wu: "DenseFuse: A fusion approach to infrared and visible images", IEEE Transactions on Image Processing
28(5), 2019, doi:10.1109/TIP.2018.2887342. The code is in the files `analysis_*.m` of github.com/hli1221. Images are in
[0, 1].
"""

from functools import partial

from torch import Tensor

from irfuse.metrics.fmi import fmi_dct, fmi_edge, fmi_wavelet
from irfuse.metrics.gradients import nabf, qabf
from irfuse.metrics.information import en
from irfuse.metrics.protocols.base import Protocol, Reading
from irfuse.metrics.ssim import mef_ms_ssim, ssim, ssim_a
from irfuse.metrics.statistics import scd


def _mi(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute twice the entropy of the fused image, because the joint entropies of the code are all zero."""
    return 2 * en(fused, ir, vis)


LI = Protocol(
    name="li",
    title="Li and Wu",
    source="github.com/hli1221, analysis_*.m, MATLAB",
    color="luma",
    readings={
        "en": Reading(en),
        "mi": Reading(_mi, "twice the entropy of the fused image: its joint entropy saturates to zero"),
        "qabf": Reading(
            partial(qabf, scale=1.0),
            "on [0, 1], where a pixel that copies a source exactly counts as lost; depends on rounding",
            tolerance=2e-2,
        ),
        "fmi_edge": Reading(fmi_edge, "the papers call it FMI_pixel", tolerance=1e-3),
        "fmi_dct": Reading(fmi_dct, tolerance=1e-3),
        "fmi_wavelet": Reading(fmi_wavelet, tolerance=1e-3),
        "nabf": Reading(
            partial(nabf, scale=1.0),
            "on [0, 1], where no edge reaches the threshold and all pixels count equally; depends on rounding",
            tolerance=0.25,
        ),
        "scd": Reading(scd),
        "ssim": Reading(partial(ssim, border="replicate"), "replicated border, averaged over all pixels"),
        "ssim_a": Reading(partial(ssim_a, border="replicate"), "replicated border, averaged over all pixels"),
        "ms_ssim": Reading(mef_ms_ssim, "MEF-SSIM at three scales, not Wang's MS-SSIM", minimum=41),
    },
)
