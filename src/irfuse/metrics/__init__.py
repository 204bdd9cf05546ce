"""The fusion metrics, one file per family. `METRICS` lists them. Each is a pure function `(fused, ir, vis) -> (B,)`.

The constants that each toolbox uses are in :mod:`irfuse.metrics.protocols`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from irfuse.io.tables import ARROWS
from irfuse.metrics.fmi import fmi_dct, fmi_edge, fmi_gradient, fmi_pixel, fmi_wavelet
from irfuse.metrics.gradients import labf, nabf, qabf, qg, qm, qsf
from irfuse.metrics.information import ce, en, ff, mi, nmi, qmi, qncie, qte
from irfuse.metrics.perception import qcb, qcv
from irfuse.metrics.phase import qp
from irfuse.metrics.piella import q, qe, qw, qw_edge
from irfuse.metrics.pixels import mse, psnr, rmse
from irfuse.metrics.sharpness import ag, ei, mg, sf
from irfuse.metrics.ssim import mef_ssim, ms_ssim, qc, qy, ssim, ssim_a
from irfuse.metrics.statistics import cc, scd, sd
from irfuse.metrics.vif import vif, viff

Direction = Literal["higher", "lower", "zero"]
_INFINITY = float("inf")


@dataclass(frozen=True)
class MetricInfo:
    """The description of a metric.

    Attributes:
        name: the name in protocols and commands, which is also the function's name.
        title: the name in words.
        symbol: the symbol that papers print.
        function: the metric. It takes fused, ir and vis, (B, 1, H, W) each, and returns (B,). The images are in [0, 1]
            unless its docstring gives another range.
        direction: whether higher values, lower values or values near zero are better.
        range: the lowest and the highest value under the protocol ``canonical``.
        minimum: the smallest height and width in pixels.
        differentiable: whether the metric can serve as a loss.
    """

    name: str
    title: str
    symbol: str
    function: Callable[[Tensor, Tensor, Tensor], Tensor]
    direction: Direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    minimum: int = 1
    differentiable: bool = False

    @property
    def arrow(self) -> str:
        """The arrow that tables show for the direction."""
        return ARROWS[self.direction]


METRICS: tuple[MetricInfo, ...] = (
    MetricInfo("en", "entropy", "EN", en, range=(0, 8)),
    MetricInfo("ce", "cross entropy", "CE", ce, "lower", (-_INFINITY, _INFINITY)),
    MetricInfo("mi", "mutual information", "MI", mi, range=(0, 16)),
    MetricInfo("nmi", "normalized mutual information", "NMI", nmi, range=(0, 2)),
    MetricInfo("qmi", "Hossny's normalized mutual information", "Q_MI", qmi, range=(0, 2)),
    MetricInfo("qte", "Tsallis entropy measure", "Q_TE", qte, range=(0, _INFINITY)),
    MetricInfo("qncie", "nonlinear correlation information entropy", "Q_NCIE", qncie),
    MetricInfo("ff", "fusion factor", "FF", ff, range=(0, 16)),
    MetricInfo("fmi_pixel", "feature mutual information of pixels", "FMI_pixel", fmi_pixel, minimum=3),
    MetricInfo("fmi_dct", "feature mutual information of the DCT", "FMI_dct", fmi_dct, minimum=3),
    MetricInfo("fmi_wavelet", "feature mutual information of wavelets", "FMI_w", fmi_wavelet, minimum=3),
    MetricInfo("fmi_gradient", "feature mutual information of gradients", "FMI_gradient", fmi_gradient, minimum=3),
    MetricInfo("fmi_edge", "feature mutual information of edges", "FMI_edge", fmi_edge, minimum=3),
    MetricInfo("ag", "average gradient", "AG", ag, range=(0, _INFINITY), minimum=2),
    MetricInfo("mg", "mean gradient", "MG", mg, range=(0, _INFINITY)),
    MetricInfo("ei", "edge intensity", "EI", ei, range=(0, _INFINITY)),
    MetricInfo("sd", "standard deviation", "SD", sd, range=(0, 127.5), differentiable=True),
    MetricInfo("sf", "spatial frequency", "SF", sf, range=(0, _INFINITY), minimum=2, differentiable=True),
    MetricInfo("qg", "gradient-based measure, per pixel", "Q_G", qg),
    MetricInfo("qabf", "gradient-based measure", "Q^AB/F", qabf),
    MetricInfo("nabf", "fusion artifacts", "N^AB/F", nabf, "lower", minimum=2),
    MetricInfo("labf", "fusion loss", "L^AB/F", labf, "lower", minimum=2),
    MetricInfo("qm", "multi-scale measure", "Q_M", qm, minimum=4),
    MetricInfo("qsf", "spatial frequency measure", "Q_SF", qsf, "zero", (-1, _INFINITY), minimum=2),
    MetricInfo("qp", "phase congruency measure", "Q_P", qp, minimum=11),
    MetricInfo("ssim", "structural similarity, sum", "SSIM", ssim, range=(-2, 2), minimum=11, differentiable=True),
    MetricInfo(
        "ssim_a", "structural similarity, mean", "SSIM_a", ssim_a, range=(-1, 1), minimum=11, differentiable=True
    ),
    MetricInfo(
        "mef_ssim", "structural similarity for exposure fusion", "MEF-SSIM", mef_ssim, range=(-1, 1), minimum=11
    ),
    MetricInfo("ms_ssim", "multi-scale structural similarity", "MS-SSIM", ms_ssim, minimum=161),
    MetricInfo("qc", "Cvejic's measure", "Q_C", qc, range=(-1, 1), minimum=7),
    MetricInfo("qy", "Yang's measure", "Q_Y", qy, range=(-1, 1), minimum=7),
    MetricInfo("q", "Piella's index", "Q", q, range=(-1, 1), minimum=8, differentiable=True),
    MetricInfo("qw", "Piella's weighted index", "Q_W", qw, range=(-1, 1), minimum=8, differentiable=True),
    MetricInfo("qw_edge", "Piella's edge factor", "Q_W(edges)", qw_edge, range=(-1, 1), minimum=8, differentiable=True),
    MetricInfo("qe", "Piella's edge-dependent index", "Q_E", qe, range=(-1, 1), minimum=8, differentiable=True),
    MetricInfo("qcb", "Chen and Blum's measure", "Q_CB", qcb),
    MetricInfo("qcv", "Chen and Varshney's measure", "Q_CV", qcv, "lower", (0, _INFINITY)),
    MetricInfo("vif", "visual information fidelity", "VIF", vif, range=(0, _INFINITY), minimum=41),
    MetricInfo("viff", "visual information fidelity for fusion", "VIFF", viff, range=(0, _INFINITY), minimum=41),
    MetricInfo("cc", "correlation coefficient", "CC", cc, range=(-1, 1)),
    MetricInfo("scd", "sum of the correlations of differences", "SCD", scd, range=(-2, 2)),
    MetricInfo("mse", "mean squared error", "MSE", mse, "lower", minimum=1),
    MetricInfo("rmse", "root mean squared error", "RMSE", rmse, "lower"),
    MetricInfo("psnr", "peak signal-to-noise ratio", "PSNR", psnr, range=(0, _INFINITY)),
)
