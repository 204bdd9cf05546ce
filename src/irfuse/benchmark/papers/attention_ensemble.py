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
                "Which 25 TNO pairs: the paper does not say; the 21 of Li and Wu are run, so the rows are of other "
                "images. Its CC of 0.65 is beyond what any method of irfuse, the plain average included, reaches on "
                "them.",
                "Which code of the metrics: not said. Its VIF cites Han (2013), which is `viff`. Its SSIM of 0.45 is "
                "of an unknown definition; `tang`'s, the nearest, stands in. No protocol gives the whole column.",
                "Its rows without D, A and S are the ablation, other networks of the paper's; irfuse's own ablation is "
                "in docs/methods/attention-ensemble.md.",
            ),
        ),
    ),
    (
        "Table 1 is not run: it is of three video sequences of TNO that are not at hand, and has five columns "
        "for six methods.",
        "The authors' training code, loss and weights were never released; irfuse's weights are its own, trained on "
        "RoadScene, MSRS and M3SVD.",
    ),
)
