"""Learning attention guided deep multi-scale feature ensemble for infrared and visible image fusion."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ProtocolMetric

ATTENTION_ENSEMBLE = Paper(
    "attention-ensemble",
    (
        PaperTable(
            "Table 2",
            "25 TNO pairs, mean",
            "tno21",
            {
                "MI": ProtocolMetric("mi", "canonical"),
                "CC": ProtocolMetric("cc", "canonical"),
                "VIF": ProtocolMetric("viff", "canonical"),
                "Qabf": ProtocolMetric("qabf", "canonical"),
                "SCD": ProtocolMetric("scd", "canonical"),
                "SSIM": ProtocolMetric("ssim_a", "tang"),
            },
            (Ours("proposed", "attention-ensemble"),),
            notes=(
                "Which 25 TNO pairs: the paper does not say. irfuse runs the 21 of Li and Wu, so the rows are for "
                "other images. The paper's CC of 0.65 is higher than that of any of irfuse's methods on them, "
                "including the plain average.",
                "Which code of the metrics: the paper does not say. Its VIF cites Han (2013), which is `viff`. The "
                "definition behind its SSIM of 0.45 is unknown; irfuse takes `tang`, which is closest. No protocol "
                "gives the whole column.",
                "The rows without D, A and S are the paper's ablation, with other networks. irfuse's own ablation is "
                "in docs/methods/attention-ensemble.md.",
            ),
        ),
    ),
    (
        "Table 1 is not run: irfuse does not have its three video sequences of TNO, and the table has five columns for "
        "six methods.",
        "The authors never released their training code, loss and weights. irfuse's own weights were trained on "
        "RoadScene, MSRS and M3SVD.",
    ),
)
