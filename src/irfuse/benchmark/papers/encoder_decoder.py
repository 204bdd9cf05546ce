"""F. C. Ataman, G. Bozdagi Akar: the encoder-decoder network, 2021."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ProtocolMetric

ENCODER_DECODER = Paper(
    "encoder-decoder",
    (
        PaperTable(
            "Table 1",
            "21 TNO pairs, mean",
            "tno21",
            {"Qw": ProtocolMetric("qw", "ataman")},
            (Ours("proposed", "encoder-decoder"),),
            notes=(
                "Which 21 TNO pairs: those that Li and Wu use.",
                "Which Qw: `ataman`, with 8x8 blocks that do not overlap.",
                "The definition of the paper's Qe is unknown, so this column and the product have no counterpart.",
                "irfuse's weights were trained on other pairs: RoadScene, MSRS and M3SVD, with Q_W in the loss.",
            ),
        ),
        PaperTable(
            "The figure of Q_w against PaQ-2-PiQ",
            "VIFB, 7 of the 21 pairs, mean",
            "vifb7",
            {"Qw": ProtocolMetric("qw", "ataman")},
            (Ours("", "encoder-decoder"),),
            external="vifb_fused",
            notes=(
                "The paper gives no numbers, only the points of a figure, on VIFB's 21 pairs. irfuse has the results "
                "of VIFB's methods for seven of them.",
                "The figure's other axis, PaQ-2-PiQ, is left out: the license of the package that computes it forbids "
                "commercial use.",
            ),
        ),
    ),
)
