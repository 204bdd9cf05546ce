"""F. C. Ataman, G. Bozdagi Akar: the encoder-decoder network, 2021."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, Reading

ENCODER_DECODER = Paper(
    "encoder-decoder",
    (
        PaperTable(
            "Table 1",
            "21 TNO pairs, mean",
            "tno21",
            {"Qw": Reading("qw", "ataman")},
            (Ours("proposed", "encoder-decoder"),),
            notes=(
                "Which 21 TNO pairs: those that Li and Wu use.",
                "Which Qw: `ataman`, 8x8 blocks that do not overlap.",
                "What its Qe is could not be found out, so that this column and the product have no counterpart.",
                "irfuse's weights were trained on other pairs, RoadScene, MSRS and M3SVD, with Q_W in the loss.",
            ),
        ),
    ),
    (
        "The paper's figure of Q_w against PaQ-2-PiQ on VIFB is not run: PaQ-2-PiQ is a package under a licence that "
        "forbids commercial use.",
    ),
)
