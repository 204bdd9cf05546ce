"""Kumar and others: fusion by neural style transfer."""

from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, Reading

NST = Paper(
    "nst",
    (
        PaperTable(
            "Table 1",
            "ten TNO pairs, 256x256, mean",
            "tno21",
            {
                "Qabf": Reading("qabf", "canonical"),
                "Qcb": Reading("qcb", "liu"),
                "Qw": Reading("qw", "liu"),
                "Q": Reading("q", "liu"),
                "Qe": Reading("qe", "liu"),
                "FF": Reading("ff", "canonical"),
                "H": Reading("en", "canonical"),
                "MG": Reading("mg", "canonical"),
                "SD": Reading("sd", "canonical"),
                "SF": Reading("sf", "canonical"),
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
