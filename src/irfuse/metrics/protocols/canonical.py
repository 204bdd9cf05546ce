"""The protocol `canonical`: each metric as its paper defines it, on 8-bit gray levels."""

from irfuse.metrics.fmi import fmi_dct, fmi_edge, fmi_gradient, fmi_pixel, fmi_wavelet
from irfuse.metrics.gradients import labf, nabf, qabf, qg, qm, qsf
from irfuse.metrics.information import ce, en, ff, mi, nmi, qmi, qncie, qte
from irfuse.metrics.perception import qcb, qcv
from irfuse.metrics.phase import qp
from irfuse.metrics.piella import q, qe, qw, qw_edge
from irfuse.metrics.pixels import mse, psnr, rmse
from irfuse.metrics.protocols.base import Protocol, Reading, on_scaled, on_stretched
from irfuse.metrics.sharpness import ag, ei, mg, sf
from irfuse.metrics.ssim import mef_ssim, ms_ssim, qc, qy, ssim, ssim_a
from irfuse.metrics.statistics import cc, scd, sd
from irfuse.metrics.vif import vif, viff

CANONICAL = Protocol(
    name="canonical",
    title="Each metric as its paper defines it",
    source="the papers; constants that a paper leaves open are those of its authors' code",
    color="luma",
    readings={
        "en": Reading(en),
        "ce": Reading(ce),
        "mi": Reading(mi, "in bits, summed over both sources"),
        "nmi": Reading(nmi),
        "qmi": Reading(qmi),
        "qte": Reading(qte, "order 0.43137"),
        "qncie": Reading(qncie),
        "ff": Reading(ff, "the same number as mi"),
        "fmi_pixel": Reading(fmi_pixel, tolerance=1e-3),
        "fmi_dct": Reading(fmi_dct, tolerance=1e-3),
        "fmi_wavelet": Reading(fmi_wavelet, tolerance=1e-3),
        "fmi_gradient": Reading(fmi_gradient, tolerance=1e-3),
        "fmi_edge": Reading(fmi_edge, tolerance=1e-3),
        "ag": Reading(ag, "0-255"),
        "mg": Reading(mg, "0-255"),
        "ei": Reading(ei, "0-255"),
        "sd": Reading(sd, "0-255"),
        "sf": Reading(sf, "0-255, divided by the number of pixels"),
        "qg": Reading(qg),
        "qabf": Reading(qabf, "0-255"),
        "nabf": Reading(nabf, "0-255", tolerance=1e-3),
        "labf": Reading(labf, "0-255", tolerance=1e-3),
        "qm": Reading(qm, "0-255"),
        "qsf": Reading(qsf),
        "qp": Reading(qp, tolerance=1e-3),
        "ssim": Reading(ssim, "summed over both sources, only where the window fits"),
        "ssim_a": Reading(ssim_a, "averaged over both sources, only where the window fits"),
        "mef_ssim": Reading(mef_ssim),
        "ms_ssim": Reading(ms_ssim, "Wang's, five scales, averaged over both sources"),
        "qc": Reading(qc),
        "qy": Reading(qy),
        "q": Reading(on_scaled(q, 255), "0-255", tolerance=1e-3),
        "qw": Reading(on_scaled(qw, 255), "0-255", tolerance=1e-3),
        "qw_edge": Reading(on_scaled(qw_edge, 255), "0-255", tolerance=1e-3),
        "qe": Reading(on_scaled(qe, 255), "0-255", tolerance=1e-3),
        "qcb": Reading(on_stretched(qcb), "each image stretched first"),
        "qcv": Reading(on_stretched(qcv), "each image stretched first"),
        "vif": Reading(vif, "pixel domain, summed over both sources"),
        "viff": Reading(viff, tolerance=1e-3),
        "cc": Reading(cc),
        "scd": Reading(scd),
        "mse": Reading(mse, "on [0, 1]"),
        "rmse": Reading(rmse, "the root of mse"),
        "psnr": Reading(psnr, "of mse"),
    },
)
