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
                "Which ten TNO pairs: the paper does not say; all 21 of Li and Wu are run, so the rows are of other "
                "images.",
                "How they were scaled: not said; here by area.",
                "Which code of the metrics: its Q metrics fit Liu's (`liu`), its MG is Kumar's.",
                "The paper's text taken literally (`reading=literal,stride=2`) gives other images than it shows; the "
                "method as irfuse reads it is explained in docs/methods/nst.md.",
                "H, SD, MG and SF are of the contrast of the images themselves, and these are not the same.",
            ),
        ),
    ),
)
