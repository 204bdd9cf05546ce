"""L. Zhang, H. Li, R. Zhu, P. Du: "An infrared and visible image fusion algorithm based on ResNet-152", 2022."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ProtocolMetric

_METRICS = {
    "FMI_pixel": ProtocolMetric("fmi_edge", "li"),
    "FMI_dct": ProtocolMetric("fmi_dct", "li"),
    "FMI_w": ProtocolMetric("fmi_wavelet", "li"),
    "Nabf": ProtocolMetric("nabf", "li"),
    "SSIM": ProtocolMetric("ssim", "li"),
}
_SPECS = (
    "resnet152",
    "resnet152:variant=code",
    "resnet152:backbone=resnet50",
    "resnet152:variant=code,backbone=resnet50",
)


def _table(letter: str, name: str) -> PaperTable:
    ours = tuple(Ours("proposed", spec) for spec in _SPECS)
    return PaperTable("Table 1", f"{letter} (TNO {name})", "tno21", _METRICS, ours, only=(name,))


RESNET152 = Paper(
    "resnet152",
    tuple(_table(*image) for image in (("a", "01"), ("b", "12"), ("c", "13"), ("d", "16"), ("e", "08"))),
    (
        "Which code of the metrics: that of Li and Wu (`li`), whose FMI_pixel uses edges.",
        "Which variant: the paper's text and the authors' published code differ. irfuse runs both. The paper's Nabf "
        "and SSIM are those of the code (`variant=code`), also with ResNet-50.",
        "Which network: ResNet-50 is run as well, for machines without the weights of ResNet-152.",
    ),
)
