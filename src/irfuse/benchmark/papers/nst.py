"""Kumar and others: fusion by neural style transfer."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ProtocolMetric

NST = Paper(
    "nst",
    (
        PaperTable(
            "Table 1",
            "ten TNO pairs, 256x256, mean",
            "tno21",
            {
                "Qabf": ProtocolMetric("qabf", "canonical"),
                "Qcb": ProtocolMetric("qcb", "liu"),
                "Qw": ProtocolMetric("qw", "liu"),
                "Q": ProtocolMetric("q", "liu"),
                "Qe": ProtocolMetric("qe", "liu"),
                "FF": ProtocolMetric("ff", "canonical"),
                "H": ProtocolMetric("en", "canonical"),
                "MG": ProtocolMetric("mg", "canonical"),
                "SD": ProtocolMetric("sd", "canonical"),
                "SF": ProtocolMetric("sf", "canonical"),
            },
            (Ours("proposed", "nst"), Ours("proposed", "nst:reading=literal,stride=2")),
            size=(256, 256),
            notes=(
                "Which ten TNO pairs: the paper does not say. irfuse runs all 21 of Li and Wu, so the rows are for "
                "other images.",
                "How the images were scaled: the paper does not say. irfuse scales by area.",
                "Which code of the metrics: the Q metrics match Liu's code (`liu`), and MG is that of Kumar.",
                "The literal reading of the paper (`reading=literal,stride=2`) gives images unlike those in its "
                "figures. docs/methods/nst.md explains how irfuse reads the method.",
                "H, SD, MG and SF measure the contrast of the images, and the images differ.",
            ),
        ),
    ),
)
