"""X. Song and others: Res2NetFuse, arXiv:2112.14540."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ProtocolMetric, ReconstructionTable

_METRICS = {
    "SSIM_a": ProtocolMetric("ssim_a", "li"),
    "Qabf": ProtocolMetric("qabf", "li"),
    "FMI_dct": ProtocolMetric("fmi_dct", "li"),
    "FMI_w": ProtocolMetric("fmi_wavelet", "li"),
    "SCD": ProtocolMetric("scd", "li"),
    "MS_SSIM": ProtocolMetric("ms_ssim", "li"),
}
_DATA = "20 TNO pairs, mean"


def _both(row: str, spec: str) -> tuple[Ours, Ours]:
    return Ours(row, spec, stretch=True), Ours(row, spec)


RES2NETFUSE = Paper(
    "res2netfuse",
    (
        PaperTable(
            "Table II",
            _DATA,
            "tno20",
            _METRICS,
            (
                *_both("proposed, 80000 images, l1-norm", "res2netfuse:strategy=l1-norm,weights=many"),
                *_both("proposed, 80000 images, mean", "res2netfuse:strategy=mean,weights=many"),
                *_both("proposed, 1 image, l1-norm", "res2netfuse:strategy=l1-norm,weights=single"),
                *_both("proposed, 1 image, mean", "res2netfuse:strategy=mean,weights=single"),
            ),
            notes=("irfuse's weights `many` were trained on 330 images, not on 80,000.",),
        ),
        ReconstructionTable(
            "Table III",
            "20 COCO images, reconstruction, mean",
            "coco20",
            {"MSE": "mse", "SSIM": "ssim", "PSNR": "psnr"},
            (
                Ours("proposed, 1 image", "res2netfuse:weights=single"),
                Ours("proposed, 80000 images", "res2netfuse:weights=many"),
            ),
            notes=(
                "Which 20 COCO images: the paper does not say. irfuse takes the last 20 of its 50 images.",
                "Reconstructed images are rounded to 8 bits.",
                "PSNR is the mean over the images, as the paper's seems to be: its 46.5 dB for 80,000 images exceed "
                "the 43.0 dB that its MSE would give.",
            ),
        ),
        PaperTable(
            "Table IV",
            _DATA,
            "tno20",
            _METRICS,
            (
                *_both("proposed l1-norm", "res2netfuse:strategy=l1-norm,weights=single"),
                *_both("proposed mean", "res2netfuse:strategy=mean,weights=single"),
            ),
        ),
    ),
    (
        "Which 20 TNO pairs: 01 to 20 of the 21 that Li and Wu use.",
        "Which code of the metrics: that of Li and Wu (`li`), in which MS_SSIM is MEF-SSIM at three scales.",
        "Stretched or not: the published code stretches each fused image before it is saved. irfuse runs both. The "
        "paper's numbers are those of stretched images.",
        "Which single image: the paper does not say. The weights `single` were trained on image 05 of Kodak.",
    ),
)
